"""What customers do with their own subscriptions and financings, but for paying them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from chalicelib.books.billing.attempts import TooManyAttempts
from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.subscriptions.model import Financing, Holding, Subscription
from chalicelib.books.subscriptions.queries import FinancingNotFound, SubscriptionNotFound
from chalicelib.books.subscriptions.store import financing_key, subscription_key
from chalicelib.dynamo.rows import Key
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints.academy.account_schemas import (
    FinancingOut,
    SubscriptionOut,
    financing_out,
    subscription_out,
)
from chalicelib.entrypoints.academy.buyers import buyer_of, whence_of
from chalicelib.entrypoints.academy.paying import REFUSALS_OF_PAYMENT, WaitingOut, answer_of
from chalicelib.flows.context import Context
from chalicelib.flows.recurring import pause as pausing
from chalicelib.flows.recurring.alter import held_by
from chalicelib.flows.recurring.cancel import cancel, reactivate
from chalicelib.flows.recurring.pay_now import Ask
from chalicelib.flows.recurring.wishes import (
    PAUSE_DAYS_MAX,
    AllInstalmentsPaid,
    AlreadyActive,
    AlreadyCancelled,
    AlreadyOver,
    AlreadyPaused,
    FinancingNotPausable,
    NotActive,
    NotPaused,
    PaymentIsDisputed,
    PaymentWasRefunded,
    PlanDeprecated,
    ReactivationPeriodExpired,
    When,
)

SUBSCRIPTION = "/v1/payments/me/subscription/{subscription_id}"
FINANCING = "/v1/payments/me/planfinancing/{financing_id}"
REASON_CHARACTERS_MAX = 500

NOT_CANCELLED = (AlreadyCancelled, AlreadyOver, PlanDeprecated, AllInstalmentsPaid, PurchaseInFlight)
NOT_REACTIVATED = (AlreadyActive, ReactivationPeriodExpired, PaymentWasRefunded, PaymentIsDisputed)

Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=REASON_CHARACTERS_MAX)]


class CancelBody(Input):
    """`now` ends the access at once and gives no money back; `period_end` keeps what is paid."""

    slugs: ClassVar[Mapping[str, str]] = {"when": "invalid-when"}

    when: Annotated[When, Field(strict=False)] = When.PERIOD_END
    reason: Reason | None = None


class PauseBody(Input):
    slugs: ClassVar[Mapping[str, str]] = {"days": "invalid-days"}
    missing_slugs: ClassVar[Mapping[str, str]] = {"days": "days-is-required"}

    days: int = Field(ge=1, le=PAUSE_DAYS_MAX)


@route("GET", SUBSCRIPTION, access=Access.PERSON, answers={200: SubscriptionOut}, errors=(SubscriptionNotFound,))
def get_subscription(call: Call, subscription_id: int) -> Answer:
    """One of the person's subscriptions, whatever its status."""
    return _shown(held_by(_context(call), _subscription(call, subscription_id)).holding)


@route("GET", FINANCING, access=Access.PERSON, answers={200: FinancingOut}, errors=(FinancingNotFound,))
def get_financing(call: Call, financing_id: int) -> Answer:
    """One of the person's plan financings, whatever its status."""
    return _shown(held_by(_context(call), _financing(call, financing_id)).holding)


@route(
    "PUT",
    f"{SUBSCRIPTION}/cancel",
    access=Access.PERSON,
    answers={200: SubscriptionOut},
    errors=(SubscriptionNotFound, *NOT_CANCELLED),
)
def cancel_subscription(call: Call, body: CancelBody, subscription_id: int) -> Answer:
    """Pay no further period: what is paid lasts to its end, or ends now. A change that was planned is dropped."""
    key = _subscription(call, subscription_id)
    return _shown(cancel(_context(call), key, when=body.when, reason=body.reason or None))


@route(
    "PUT",
    f"{FINANCING}/cancel",
    access=Access.PERSON,
    answers={200: FinancingOut},
    errors=(FinancingNotFound, *NOT_CANCELLED),
)
def cancel_financing(call: Call, body: CancelBody, financing_id: int) -> Answer:
    """Pay no further instalment: the month that is paid lasts to its end, or ends now."""
    key = _financing(call, financing_id)
    return _shown(cancel(_context(call), key, when=body.when, reason=body.reason or None))


@route(
    "PUT",
    f"{SUBSCRIPTION}/reactivate",
    access=Access.PERSON,
    answers={200: SubscriptionOut},
    errors=(SubscriptionNotFound, *NOT_REACTIVATED),
)
def reactivate_subscription(call: Call, subscription_id: int) -> Answer:
    """Take a cancelled subscription up again while time is left: the next payment is on its old day."""
    return _shown(reactivate(_context(call), _subscription(call, subscription_id)))


@route(
    "PUT",
    f"{FINANCING}/reactivate",
    access=Access.PERSON,
    answers={200: FinancingOut},
    errors=(FinancingNotFound, *NOT_REACTIVATED),
)
def reactivate_financing(call: Call, financing_id: int) -> Answer:
    """Take a cancelled financing up again while time is left: the next instalment is on its old day."""
    return _shown(reactivate(_context(call), _financing(call, financing_id)))


@route(
    "PUT",
    f"{SUBSCRIPTION}/pause",
    access=Access.PERSON,
    answers={200: SubscriptionOut},
    errors=(SubscriptionNotFound, NotActive, AlreadyPaused, PaymentIsDisputed, PurchaseInFlight),
)
def pause_subscription(call: Call, body: PauseBody, subscription_id: int) -> Answer:
    """Neither payment nor access for so many days, from the end of what is paid on."""
    return _shown(pausing.pause(_context(call), _subscription(call, subscription_id), days=body.days))


@route(
    "PUT",
    f"{FINANCING}/pause",
    access=Access.PERSON,
    answers={},
    errors=(FinancingNotFound, FinancingNotPausable),
)
def pause_financing(call: Call, body: PauseBody, financing_id: int) -> Answer:
    """Refused: instalments are owed on their days."""
    return _shown(pausing.pause(_context(call), _financing(call, financing_id), days=body.days))


@route(
    "PUT",
    f"{SUBSCRIPTION}/resume",
    access=Access.PERSON,
    answers={200: SubscriptionOut, 202: WaitingOut},
    errors=(SubscriptionNotFound, NotPaused, PaymentIsDisputed, TooManyAttempts, *REFUSALS_OF_PAYMENT),
)
def resume_subscription(call: Call, subscription_id: int) -> Answer:
    """Withdraw a pause; one that has begun ends now, and a new period begins, which is paid at once, or it goes on."""
    return _resumed(call, _subscription(call, subscription_id))


@route(
    "PUT",
    f"{FINANCING}/resume",
    access=Access.PERSON,
    answers={},
    errors=(FinancingNotFound, FinancingNotPausable),
)
def resume_financing(call: Call, financing_id: int) -> Answer:
    """Refused: instalments are never paused."""
    return _resumed(call, _financing(call, financing_id))


def _resumed(call: Call, key: Key) -> Answer:
    context = _context(call)
    done = pausing.resume(context, key, Ask(buyer=buyer_of(call.person), whence=whence_of(call)))
    if isinstance(done, Subscription | Financing):
        return _shown(done)
    return answer_of(done, 200, lambda invoice: subscription_out(_read(context, key)))


def _read(context: Context, key: Key) -> Subscription:
    holding = held_by(context, key).holding
    if not isinstance(holding, Subscription):
        raise SubscriptionNotFound
    return holding


def _context(call: Call) -> Context:
    return call.runtime.context(call.now)


def _subscription(call: Call, ident: int) -> Key:
    """Another person's is not found: the key is in the caller's own partition."""
    return subscription_key(call.person.user_id, ident)


def _financing(call: Call, ident: int) -> Key:
    return financing_key(call.person.user_id, ident)


def _shown(holding: Holding) -> Answer:
    return Answer(200, subscription_out(holding) if isinstance(holding, Subscription) else financing_out(holding))
