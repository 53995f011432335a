"""When periods end, when units are renewed, how long access lasts. Pure."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.subscriptions.model import Status, TermItem, Terms
from chalicelib.kernel.periods import Span, Unit, after, boundary

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


def shown(status: Status, access_until: datetime | None, now: datetime) -> bool:
    """Whether a customer's list without a filter shows it: all but what is over (D46)."""
    if status in HIDDEN:
        return False
    ended = access_until is not None and access_until <= now
    return not (status is Status.CANCELLED and ended)
