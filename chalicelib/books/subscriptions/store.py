"""Subscriptions, financings and claims as rows."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.subscriptions.course import next_due
from chalicelib.books.subscriptions.model import Financing, Holding, Subscription
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Row, Value
from chalicelib.dynamo.writes import Delete, Put, Update, absent, at_version, never
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import sortable

HOLDINGS_DUE = "holding"


class PlanAlreadyBought(DomainError):
    slug = "plan-already-bought"
    detail = "You have this plan already."


class PlanAlreadyFinanced(DomainError):
    slug = "plan-already-financed"
    detail = "You are paying for this plan already."


class TrialAlreadyTaken(DomainError):
    slug = "your-free-trial-was-already-took"
    detail = "You have had the free trial of this plan."


class NotDue(Exception):
    """Nothing is due about the subscription or financing any more."""


class HoldingMoved(Exception):
    """The subscription or financing was changed by somebody else since it was read."""


def subscriptions_ref(academy_id: int) -> str:
    return f"SUBSCRIPTIONS#{academy_id}"


def financings_ref(academy_id: int) -> str:
    return f"FINANCINGS#{academy_id}"


def subscription_key(user_id: int, subscription_id: int) -> Key:
    return Key(keys.user(user_id), keys.ordered("SUB", subscription_id))


def financing_key(user_id: int, financing_id: int) -> Key:
    return Key(keys.user(user_id), keys.ordered("FIN", financing_id))


def plan_claim_key(user_id: int, plan_id: int) -> Key:
    """Says that a person has a live subscription or financing of a plan, or is paying for one."""
    return Key(keys.user(user_id), f"CLAIM#PLAN#{plan_id}")


def trial_claim_key(user_id: int, plan_id: int) -> Key:
    return Key(keys.user(user_id), f"CLAIM#TRIAL#{plan_id}")


def card_trial_claim_key(fingerprint: str, plan_id: int) -> Key:
    return Key(f"FINGERPRINT#{fingerprint}", f"CLAIM#TRIAL#{plan_id}")


def new_subscription(subscription: Subscription) -> Put:
    return Put(
        key=subscription_key(subscription.user_id, subscription.id),
        values=_values(subscription, 1),
        condition=absent,
        refused=never(f"the subscription {subscription.id} follows from its invoice"),
    )


def new_financing(financing: Financing) -> Put:
    return Put(
        key=financing_key(financing.user_id, financing.id),
        values=_values(financing, 1),
        condition=absent,
        refused=never(f"the financing {financing.id} follows from its invoice"),
    )


def holding_key(holding: Holding) -> Key:
    key = subscription_key if isinstance(holding, Subscription) else financing_key
    return key(holding.user_id, holding.id)


def changed_holding(holding: Holding, *, version: int) -> Put:
    """A subscription or financing over the one read at `version`. Raises HoldingMoved."""
    return Put(
        key=holding_key(holding),
        values=_values(holding, version + 1),
        condition=at_version(version),
        refused=lambda old: HoldingMoved(),
    )


def put_off(key: Key, *, now: datetime, until: datetime) -> Update:
    """Let a row that is due wait until then. Whatever changes it puts it where it belongs. Raises NotDue."""
    return Update(
        key=key,
        actions=(Path("due_at").set(int(until.timestamp())),),
        condition=Path("due_at") <= int(now.timestamp()),
        refused=lambda old: NotDue(),
    )


def _values(holding: Holding, version: int) -> dict[str, Value]:
    ref = subscriptions_ref if isinstance(holding, Subscription) else financings_ref
    values: dict[str, Value] = {
        "doc": holding.model_dump_json(),
        "version": version,
        "ref": ref(holding.terms.academy_id),
        "ref_sk": sortable(holding.id),
    }
    due = next_due(holding)
    if due is not None:
        values |= {"due_shard": keys.due_shard(HOLDINGS_DUE, str(holding.id)), "due_at": int(due.timestamp())}
    return values


def plan_claims_ref(plan_id: int) -> str:
    """The list of everybody who has a plan or is paying it."""
    return f"PLANCLAIMS#{plan_id}"


def claim_plan(user_id: int, plan_id: int, *, invoice_id: int, financed: bool) -> Put:
    """Claim the one live subscription of a plan, for this invoice. Raises PlanAlreadyBought, PlanAlreadyFinanced."""
    return Put(
        key=plan_claim_key(user_id, plan_id),
        values={
            "invoice_id": invoice_id,
            "financed": financed,
            "ref": plan_claims_ref(plan_id),
            "ref_sk": sortable(user_id),
        },
        condition=absent | (Path("invoice_id") == invoice_id),
        refused=lambda old: already(bool(old and old.get("financed"))),
    )


def give_back_plan(user_id: int, plan_id: int, *, invoice_id: int) -> Delete:
    return Delete(
        key=plan_claim_key(user_id, plan_id),
        condition=absent | (Path("invoice_id") == invoice_id),
        refused=never("a claim is given back by the invoice that holds it"),
    )


def claim_trial(key: Key, *, invoice_id: int) -> Put:
    """Claim the one trial that a person, or a card, has of a plan. Raises TrialAlreadyTaken."""
    return Put(
        key=key,
        values={"invoice_id": invoice_id},
        condition=absent | (Path("invoice_id") == invoice_id),
        refused=lambda old: TrialAlreadyTaken(),
    )


def already(financed: bool) -> DomainError:
    return PlanAlreadyFinanced() if financed else PlanAlreadyBought()


def claimed_by(claim: Row) -> int | None:
    """The invoice of the purchase that holds a claim."""
    invoice_id = claim.values.get("invoice_id")
    return invoice_id if isinstance(invoice_id, int) else None


def is_financed(claim: Row) -> bool:
    return bool(claim.values.get("financed"))
