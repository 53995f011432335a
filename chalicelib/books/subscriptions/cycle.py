"""When periods end, when units are renewed, how long access lasts. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from chalicelib.books.subscriptions.model import Fate, Financing, HeldBack, Status, Subscription, TermItem, Terms
from chalicelib.kernel.periods import Span, Unit, after, boundary

H = TypeVar("H", Subscription, Financing)
FATED_STATUS = {
    Fate.SUSPENDED: Status.PAYMENT_ISSUE,
    Fate.ENDING: Status.CANCELLED,
    Fate.ENDED: Status.CANCELLED,
}
FATED_MESSAGES = {
    Fate.SUSPENDED: "The payment is disputed.",
    Fate.ENDING: "The payment was refunded.",
    Fate.ENDED: "The payment was refunded.",
}
LIVE = frozenset({Status.FREE_TRIAL, Status.ACTIVE, Status.CANCELLED, Status.PAYMENT_ISSUE, Status.ERROR})
HIDDEN = frozenset({Status.EXPIRED, Status.DEPRECATED})


def first_period_end(terms: Terms, origin: datetime) -> datetime:
    return after(origin, terms.period)


def financing_access_end(origin: datetime, *, life: Span | None, instalments: int) -> datetime:
    """The later of the plan's life and one month after the last instalment's due day (D34, D80)."""
    paid_through = boundary(origin, Span(1, Unit.MONTH), instalments)
    return paid_through if life is None else max(paid_through, after(origin, life))


def units_expire_at(item: TermItem, origin: datetime, access_until: datetime | None) -> datetime | None:
    """When the units granted at the origin end: at the item's next renewal within the access, else with it."""
    if not item.is_renewable:
        return access_until
    renewal = after(origin, item.renewal)
    return renewal if access_until is None else min(renewal, access_until)


def fated(holding: H, fate: Fate, now: datetime) -> H:
    """The holding as refunds and disputes of its payment leave it: computed from how it was before the first of them.

    Suspended: not usable until the dispute is decided. Ending: no renewal, access as paid. Ended: over now.
    """
    before = holding.held_back
    if fate is (before.fate if before is not None else Fate.LIVE):
        return holding
    status = holding.status if before is None else before.status
    message = holding.status_message if before is None else before.status_message
    access_until = holding.access_until if before is None else before.access_until
    next_payment_at = holding.next_payment_at if before is None else before.next_payment_at
    kept = HeldBack(
        fate=fate,
        since=now,
        status=status,
        status_message=message,
        access_until=access_until,
        next_payment_at=next_payment_at,
    )
    changes: dict[str, object] = {
        "status": FATED_STATUS.get(fate, status),
        "status_message": FATED_MESSAGES.get(fate, message),
        "next_payment_at": next_payment_at if fate is Fate.LIVE else None,
        "held_back": None if fate is Fate.LIVE else kept,
    }
    ends = now.replace(microsecond=0)
    until = min(access_until or ends, ends) if fate is Fate.ENDED else access_until
    changes["paid_until" if isinstance(holding, Subscription) else "plan_expires_at"] = until
    return holding.model_copy(update=changes)


def shown(status: Status, access_until: datetime | None, now: datetime) -> bool:
    """Whether a customer's list without a filter shows it: all but what is over (D46)."""
    if status in HIDDEN:
        return False
    ended = access_until is not None and access_until <= now
    return not (status is Status.CANCELLED and ended)
