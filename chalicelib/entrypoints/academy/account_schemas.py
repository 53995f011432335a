"""What a customer has, as it is shown to them and to staff: units, subscriptions, financings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import asdict, replace

from chalicelib.books.ledger.burn import available
from chalicelib.books.ledger.model import Balance, Lot, Unit
from chalicelib.books.subscriptions.course import charge_at
from chalicelib.books.subscriptions.cycle import lifted
from chalicelib.books.subscriptions.model import Financing, Pause, Status, Subscription, Terms
from chalicelib.entrypoints._http import Instant, Output
from chalicelib.entrypoints.academy.schemas import CurrencyOut, currency_out, major
from chalicelib.flows.fulfillment.renewal import AUTHENTICATION

GROUPS = {
    "MENTORSHIP_SERVICE_SET": "mentorship_service_sets",
    "EVENT_TYPE_SET": "event_type_sets",
    "COHORT_SET": "cohort_sets",
}


class BalanceOut(Output):
    unit: int


class ServiceRefOut(Output):
    id: int
    slug: str


class LotOut(Output):
    """Units that came together: `how_many` are left, -1 is unlimited."""

    id: str
    how_many: int
    unit_type: str
    valid_until: Instant | None
    subscription_seat: int | None
    subscription_billing_team: int | None
    user: int | None
    subscription: int | None
    plan_financing: int | None
    standalone_invoice: int | None


class EntryOut(Output):
    """One set and service (D18). `balance.unit`: what can be used now; `held`: what reservations have set aside, and
    what is frozen while its payment is disputed.
    """

    id: int
    slug: str
    service: ServiceRefOut
    academy: int
    balance: BalanceOut
    held: int
    items: list[LotOut]


class ConsumablesOut(Output):
    mentorship_service_sets: list[EntryOut]
    event_type_sets: list[EntryOut]
    cohort_sets: list[EntryOut]
    voids: list[EntryOut]


class PlanRefOut(Output):
    """A plan as it was bought: staff read that `version` at `academy/plan/{plan_ref}?version=`."""

    id: int
    slug: str
    title: str | None
    version: int


class PaymentIssueOut(Output):
    """A payment that was refused: what its holder can do, and what happens if they do nothing.

    `next_attempt_at` null: none is made until another card is saved (`card_needed`). `authentication_needed`: the bank
    wants its customer to confirm, which paying now or the link of the mail does.
    """

    since: Instant
    next_attempt_at: Instant | None
    card_needed: bool
    authentication_needed: bool
    access_until: Instant | None


class PauseOut(Output):
    """Neither payment nor access between these two; then a new period begins."""

    days: int
    begins_at: Instant
    until: Instant


class HoldingOut(Output):
    """What subscriptions and financings have in common: what was agreed, as it was agreed.

    `cancel_at_period_end`: cancelled, with time left that is paid: it can be reactivated. `ended_at`: it is over, and
    the plan can be bought again.
    """

    id: int
    status: str
    status_message: str | None
    academy: int
    plans: list[PlanRefOut]
    paid_at: Instant
    next_payment_at: Instant | None
    currency: CurrencyOut
    country_code: str | None
    coupons: list[str]
    invoices: list[int]
    cancel_at_period_end: bool
    cancel_reason: str | None
    ended_at: Instant | None
    payment_issue: PaymentIssueOut | None


class PlannedOut(Output):
    """Other terms that the next payment brings. `amount`: a period's price before coupons; null for members."""

    plan: PlanRefOut
    pay_every: int
    pay_every_unit: str
    amount: float | None
    applies_at: Instant | None


class SubscriptionOut(HoldingOut):
    """`valid_until`: how long the access that is paid for lasts. `amount`: a period's price before coupons.

    `planned`: a change of plan at the end of what is paid. `credit`: what the next invoices take off first. For the
    members of a team `amount`, `credit`, `status_message`, `payment_issue`, `cancel_reason` and `country_code` are
    null, and `coupons` and `invoices` are empty: these are its owner's.
    """

    valid_until: Instant | None
    trial_ends_at: Instant | None
    pay_every: int
    pay_every_unit: str
    amount: float | None
    seats: int
    planned: PlannedOut | None
    credit: float | None
    pause: PauseOut | None


class FinancingOut(HoldingOut):
    """A plan paid by instalments; `monthly_price` is each one's amount. `plan_expires_at` is when access ends.

    For the members of a team `monthly_price`, `status_message`, `payment_issue`, `cancel_reason` and `country_code` are
    null, and `coupons` and `invoices` are empty: these are its owner's.
    """

    plan_expires_at: Instant
    how_many_installments: int
    installments_paid: int
    monthly_price: float | None


class HoldingsOut(Output):
    subscriptions: list[SubscriptionOut]
    plan_financings: list[FinancingOut]


OF_ITS_OWNER: Mapping[str, object] = {
    "status_message": None,
    "country_code": None,
    "coupons": [],
    "invoices": [],
    "cancel_reason": None,
    "payment_issue": None,
}
"""What the members of a team are shown instead of what concerns its owner's money."""


def shared_subscription_out(found: Subscription) -> SubscriptionOut:
    """As a member of its team sees it."""
    whole = subscription_out(found)
    planned = None if whole.planned is None else replace(whole.planned, amount=None)
    return replace(whole, **OF_ITS_OWNER, amount=None, credit=None, planned=planned)


def subscription_out(found: Subscription) -> SubscriptionOut:
    terms = found.terms
    return SubscriptionOut(
        **asdict(_holding(found)),
        valid_until=found.paid_until if found.ended_at is None else found.access_until,
        trial_ends_at=found.trial_ends_at,
        pay_every=terms.pay_every,
        pay_every_unit=terms.pay_every_unit,
        amount=major(terms.full_amount, terms.currency),
        seats=terms.seats,
        planned=None if found.planned is None else _planned(found, found.planned),
        credit=major(found.credit, terms.currency),
        pause=None if found.pause is None else _pause(found.pause),
    )


def _planned(found: Subscription, terms: Terms) -> PlannedOut:
    return PlannedOut(
        plan=_plan(terms),
        pay_every=terms.pay_every,
        pay_every_unit=terms.pay_every_unit,
        amount=major(terms.full_amount, terms.currency),
        applies_at=found.next_payment_at,
    )


def _plan(terms: Terms) -> PlanRefOut:
    return PlanRefOut(id=terms.plan_id, slug=terms.plan_slug, title=terms.plan_title, version=terms.plan_version)


def financing_out(found: Financing) -> FinancingOut:
    return FinancingOut(
        **asdict(_holding(found)),
        plan_expires_at=_expires_at(found),
        how_many_installments=found.how_many_installments,
        installments_paid=found.installments_paid,
        monthly_price=major(found.monthly_amount, found.terms.currency),
    )


def shared_financing_out(found: Financing) -> FinancingOut:
    """As a member of its team sees it."""
    return replace(financing_out(found), **OF_ITS_OWNER, monthly_price=None)


def _pause(pause: Pause) -> PauseOut:
    return PauseOut(days=pause.days, begins_at=pause.begins_at, until=pause.until)


def _expires_at(found: Financing) -> datetime:
    """When its access ends: as agreed, or as its cancellation left it."""
    cut = found.ended_at is not None or found.status is Status.CANCELLED
    return (found.access_until if cut else None) or found.plan_expires_at


def _payment_issue(found: Subscription | Financing) -> PaymentIssueOut | None:
    dunning = found.dunning
    if dunning is None:
        return None
    waits_for_card = dunning.hard and dunning.card_saved_at is None
    return PaymentIssueOut(
        since=dunning.since,
        next_attempt_at=None if waits_for_card else charge_at(found),
        card_needed=waits_for_card,
        authentication_needed=dunning.code == AUTHENTICATION,
        access_until=found.access_until,
    )


def _holding(found: Subscription | Financing) -> HoldingOut:
    terms = found.terms
    return HoldingOut(
        id=found.id,
        status=found.status,
        status_message=found.status_message,
        academy=terms.academy_id,
        plans=[_plan(terms)],
        paid_at=found.paid_at,
        next_payment_at=found.next_payment_at,
        currency=currency_out(terms.currency),
        country_code=terms.country,
        coupons=[coupon.slug for coupon in terms.coupons],
        invoices=list(found.invoice_ids),
        cancel_at_period_end=lifted(found).status is Status.CANCELLED and found.ended_at is None,
        cancel_reason=found.cancel_reason,
        ended_at=found.ended_at,
        payment_issue=_payment_issue(found),
    )


def consumables_out(balances: Sequence[Balance], user_id: int, now: datetime) -> ConsumablesOut:
    by_account: dict[str, tuple[Unit, list[tuple[Balance, Lot]]]] = {}
    for balance in balances:
        owned = [(balance, lot) for lot in balance.lots if lot.usable(now) or lot.frozen]
        if owned:
            by_account.setdefault(balance.unit.name, (balance.unit, []))[1].extend(owned)
    groups: dict[str, list[EntryOut]] = {name: [] for name in (*GROUPS.values(), "voids")}
    for unit, found in by_account.values():
        groups[GROUPS.get(unit.service_type, "voids")].append(_entry(unit, found, user_id, now))
    return ConsumablesOut(**{name: sorted(rows, key=lambda row: row.service.id) for name, rows in groups.items()})


def _entry(unit: Unit, found: Sequence[tuple[Balance, Lot]], user_id: int, now: datetime) -> EntryOut:
    service = ServiceRefOut(id=unit.service_id, slug=unit.service_slug)
    return EntryOut(
        id=unit.service_id if unit.set is None else unit.set.id,
        slug=unit.service_slug if unit.set is None else unit.set.slug,
        service=service,
        academy=unit.academy_id,
        balance=BalanceOut(unit=available([lot for _, lot in found], now, debt=_debt(found))),
        held=sum(lot.held + max(0, lot.frozen) for _, lot in found),
        items=[_lot_out(balance, lot, user_id) for balance, lot in found],
    )


def _debt(found: Sequence[tuple[Balance, Lot]]) -> int:
    return sum({(b.holder_kind, b.holder_id, b.page): b.debt for b, _ in found}.values())


def _lot_out(balance: Balance, lot: Lot, user_id: int) -> LotOut:
    pooled = balance.holder.kind == "TEAM"
    origin = lot.origin
    single = origin.subscription_id is None and origin.financing_id is None
    return LotOut(
        id=lot.id,
        how_many=lot.remaining,
        unit_type="UNIT",
        valid_until=lot.expires_at,
        subscription_seat=origin.seat_id,
        subscription_billing_team=origin.team_id,
        user=None if pooled else user_id,
        subscription=origin.subscription_id,
        plan_financing=origin.financing_id,
        standalone_invoice=origin.invoice_id if single else None,
    )
