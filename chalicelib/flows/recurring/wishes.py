"""What its holder may ask of a holding, and what that makes of it. Pure.

What refunds and disputes do to a holding stays: a wish is granted to the holding as it would be without them, so that
it still holds when a dispute is won.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.books.subscriptions.course import MONTH, renews
from chalicelib.books.subscriptions.cycle import held_back, lifted, unplanned
from chalicelib.books.subscriptions.model import Fate, Financing, Holding, Pause, Status, Subscription
from chalicelib.flows.fulfillment.renewal import expected_start, over
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.periods import boundary

PAUSE_DAYS_MAX = 90
JUST_PAID = timedelta(minutes=1)
"""For how long the click that comes twice is not taken for the wish to pay the next period too."""


class When(StrEnum):
    NOW = "now"
    PERIOD_END = "period_end"


class AlreadyCancelled(DomainError):
    slug = "already-cancelled"
    detail = "It is cancelled already."


class PlanDeprecated(DomainError):
    slug = "deprecated"
    detail = "The plan is not offered any more, and has ended."


class AlreadyOver(DomainError):
    slug = "already-expired"
    detail = "It is over already."


class AllInstalmentsPaid(DomainError):
    kind = Kind.CONFLICT
    slug = "all-installments-paid"
    detail = "All instalments are paid: nothing is left to be paid or cancelled."


class AlreadyActive(DomainError):
    slug = "already-active"
    detail = "It is not cancelled."


class ReactivationPeriodExpired(DomainError):
    slug = "reactivation-period-expired"
    detail = "What was paid has ended. Buy the plan again."


class PaymentWasRefunded(DomainError):
    kind = Kind.CONFLICT
    slug = "payment-was-refunded"
    detail = "Its payment was refunded. Buy the plan again."


class PaymentIsDisputed(DomainError):
    kind = Kind.CONFLICT
    slug = "payment-is-disputed"
    detail = "A payment of it is disputed. It can only be cancelled until that is decided."


class NotActive(DomainError):
    kind = Kind.CONFLICT
    slug = "subscription-not-active"
    detail = "This can be asked of an active subscription; it is {status}."


class AlreadyPaused(DomainError):
    kind = Kind.CONFLICT
    slug = "already-paused"
    detail = "It is paused, or will be, already."


class NotPaused(DomainError):
    kind = Kind.CONFLICT
    slug = "not-paused"
    detail = "It is not paused."


class FinancingNotPausable(DomainError):
    kind = Kind.CONFLICT
    slug = "plan-financing-not-pausable"
    detail = "Instalments of a plan cannot be paused."


class NothingToPay(DomainError):
    kind = Kind.CONFLICT
    slug = "nothing-to-pay"
    detail = "Nothing is to be paid now."


class TooEarlyToRenew(DomainError):
    kind = Kind.CONFLICT
    slug = "too-early-to-renew"
    detail = "More than a period is paid ahead. The next one can be paid from {renewable_from} on."


class JustPaid(DomainError):
    kind = Kind.CONFLICT
    slug = "just-paid"
    detail = "A payment of it was made a moment ago. Look at what is left to be paid, and ask again in a minute."
    retry_after_seconds = int(JUST_PAID.total_seconds())


def cancelled(holding: Holding, when: When, reason: str | None, now: datetime) -> Holding:
    """No further payment, and no access beyond what is paid. What has nothing left that is paid ends now.

    What was planned is dropped: its plan can be bought, and to reactivate does not bring it back.
    """
    _check_cancellable(holding, when, now)
    free = unplanned(lifted(holding))
    free = free.model_copy(update={"cancel_reason": reason or free.cancel_reason})
    paid = free.paid_through
    if when is When.NOW or paid is None or paid <= now:
        return over(free, Status.CANCELLED, None, now)
    changes: dict[str, object] = {
        "status": Status.CANCELLED,
        "status_message": None,
        "next_payment_at": None,
        "open_invoice_id": None,
        "dunning": None,
        "retry_at": None,
    }
    if isinstance(free, Subscription):
        changes["pause"] = None
    return _held_back_as_before(holding, free.model_copy(update=changes), now)


def _check_cancellable(holding: Holding, when: When, now: datetime) -> None:
    """What is cancelled already can still be ended now, before its end."""
    status = lifted(holding).status
    if Status.CANCELLED in (holding.status, status) and (when is When.PERIOD_END or _has_ended(holding, now)):
        raise AlreadyCancelled
    if status is Status.DEPRECATED:
        raise PlanDeprecated
    if status is Status.FULLY_PAID:
        raise AllInstalmentsPaid
    if holding.ended_at is not None or status is Status.EXPIRED:
        raise AlreadyOver


def _has_ended(holding: Holding, now: datetime) -> bool:
    """Whether its access has ended by its dates; that of a payment which is disputed may come back."""
    disputed = holding.held_back is not None and holding.held_back.fate is Fate.SUSPENDED
    ends = (lifted(holding) if disputed else holding).access_until
    return ends is not None and ends <= now


def _held_back_as_before(holding: Holding, after: Holding, now: datetime) -> Holding:
    if holding.held_back is None:
        return after
    return held_back(after, holding.held_back.fates, holding.held_back, now)


def reactivated(holding: Holding, now: datetime) -> Holding:
    """As if it had not been cancelled: the next payment is on its old day."""
    if holding.held_back is not None:
        raise PaymentIsDisputed if holding.held_back.fate is Fate.SUSPENDED else PaymentWasRefunded
    paid = holding.paid_through
    is_over = holding.ended_at is not None or holding.status in (Status.EXPIRED, Status.DEPRECATED)
    if is_over or (holding.status is Status.CANCELLED and paid is not None and paid <= now):
        raise ReactivationPeriodExpired
    if holding.status is not Status.CANCELLED:
        raise AlreadyActive
    trial = isinstance(holding, Subscription) and holding.periods_paid == 0 and holding.trial_ends_at is not None
    return holding.model_copy(
        update={
            "status": Status.FREE_TRIAL if trial else Status.ACTIVE,
            "next_payment_at": expected_start(holding),
            "cancel_reason": None,
        }
    )


def pausing(holding: Holding, days: int, now: datetime) -> Holding:
    """The subscription, which will be paused when what is paid has ended."""
    found = _subscription(holding)
    _check_not_disputed(found)
    if found.pause is not None:
        raise AlreadyPaused
    begins = found.next_payment_at
    if found.status is not Status.ACTIVE or begins is None:
        raise NotActive(status=found.status)
    pause = Pause(asked_at=now, days=days, begins_at=begins, until=begins + timedelta(days=days))
    return found.model_copy(update={"pause": pause})


def paused(holding: Subscription, pause: Pause) -> Subscription:
    """The subscription once the pause begins: at the end of what is paid. Its calendar begins anew when it is over."""
    begins = holding.next_payment_at or pause.begins_at
    until = begins + timedelta(days=pause.days)
    return holding.model_copy(
        update={
            "status": Status.PAUSED,
            "origin": until,
            "periods_paid": 0,
            "next_payment_at": until,
            "pause": pause.model_copy(update={"begins_at": begins, "until": until}),
        }
    )


def resumed(holding: Holding, now: datetime) -> Holding:
    """The subscription without the pause that it was to have; or, where that has begun, with a new period to be paid
    from now on (`renewal.rests_on` where it is not).
    """
    found = _subscription(holding)
    _check_not_disputed(found)
    if found.pause is None or found.status not in (Status.ACTIVE, Status.PAUSED):
        raise NotPaused
    if found.status is Status.ACTIVE:
        return found.model_copy(update={"pause": None})
    begins = min(now.replace(microsecond=0), found.origin)  # asked for twice, it begins at the first
    return found.model_copy(
        update={
            "origin": begins,
            "next_payment_at": begins,
            "pause": found.pause.model_copy(update={"until": begins}),
        }
    )


def check_payable(holding: Holding, now: datetime, *, waits: bool, whole: bool) -> None:
    """Raise what says that nothing is to be paid. `waits`: a payment of it waits to be decided. `whole`: of a
    financing, all that is left is to be paid, due or not.
    """
    if not renews(holding) or holding.next_payment_at is None or holding.next_payment_at > now:
        left = whole and isinstance(holding, Financing) and renews(holding)
        if not (left or waits):
            raise NothingToPay
    if not whole:
        _check_not_just_paid(holding, now, waits=waits)


def check_renewable(holding: Holding, now: datetime, *, waits: bool) -> None:
    """Raise what forbids to pay the next period: it can be paid once the last one that is paid has begun."""
    _check_not_disputed(holding)
    if holding.status is Status.FULLY_PAID:
        raise AllInstalmentsPaid
    if isinstance(holding, Subscription) and holding.pause is not None:
        raise AlreadyPaused
    if not renews(holding) or holding.status is Status.FREE_TRIAL:
        raise NotActive(status=holding.status)
    begun = _last_paid_start(holding)
    if begun > now:
        raise TooEarlyToRenew(renewable_from=begun.isoformat())
    _check_not_just_paid(holding, now, waits=waits)


def _last_paid_start(holding: Holding) -> datetime:
    if isinstance(holding, Financing):
        return boundary(holding.origin, MONTH, holding.installments_paid - 1)
    return boundary(holding.origin, holding.terms.period, holding.periods_paid - 1)


def _check_not_just_paid(holding: Holding, now: datetime, *, waits: bool) -> None:
    if not waits and holding.invoice_ids[-1] != holding.id and now < holding.paid_at + JUST_PAID:
        raise JustPaid


def _check_not_disputed(holding: Holding) -> None:
    if holding.held_back is not None and holding.held_back.fate is Fate.SUSPENDED:
        raise PaymentIsDisputed


def _subscription(holding: Holding) -> Subscription:
    if not isinstance(holding, Subscription):
        raise FinancingNotPausable
    return holding
