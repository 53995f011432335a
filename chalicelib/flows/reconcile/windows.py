"""How far each walk looks, and where it sets out again. Pure; all windows are half-open and in whole seconds.

Two kinds of object walk look at the same lists: `new` follows the clock, so that a difference is found within the hour
however long the processor or we were away; `again` goes round over the last 120 days for ever, since what was right
when it was new may change later: a refund fails weeks after it was made, a dispute is decided months after it began.
Both read objects and not events, so the 30 days for which events are kept do not bind them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.books.drift.model import Source, Walk, WalkName

EVENTS_KEPT = timedelta(days=30)
"""How long the processor lists events (https://docs.stripe.com/api/events)."""
EVENTS_REACH = timedelta(days=29)
"""Where a walk begins that has lost sight of the oldest ones: a day is left to read them before they go."""
EVENTS_FIRST = timedelta(days=3)
"""As far as the processor itself tries again; there was no endpoint of ours before."""
OVERLAP = timedelta(hours=1)
"""`created` has one-second resolution, and an event may be listed later than one that was created after it."""
IN_DELIVERY = timedelta(minutes=5)
"""What is younger is on its way, and not missing."""
UNDELIVERED_EVERY = timedelta(hours=6)
SETTLING = timedelta(minutes=15)
"""What is younger is still being worked on (D59), and not compared."""
OBJECTS_FIRST = timedelta(days=10)
WINDOW_MAX = timedelta(days=10)
REVIEWED = timedelta(days=120)

FOLLOWING: dict[Source, Source | None] = {
    Source.EVENTS: None,
    Source.PAYMENTS: Source.REFUNDS,
    Source.REFUNDS: Source.DISPUTES,
    Source.DISPUTES: Source.CUSTOMERS,
    Source.CUSTOMERS: Source.INVOICES,
    Source.INVOICES: None,
    Source.OPEN: None,
}


def set_out(name: WalkName, before: Walk | None, now: datetime) -> Walk | None:
    """The walk as it goes on from where it was, or into its next window; None where there is nothing to look at."""
    now = now.replace(microsecond=0)
    if name is WalkName.EVENTS:
        return _events(before, now)
    if name is WalkName.UNDELIVERED:
        return _undelivered(before, now)
    if before is not None and before.source is not None:
        return before
    if name is WalkName.OPEN:
        return Walk(name=name, since=now, until=now, source=Source.OPEN)
    return _objects(name, before, now - SETTLING)


def lost_sight(before: Walk | None, now: datetime) -> bool:
    """Whether events were created that the walk had not reached and that are not listed any more."""
    return before is not None and reached(before) < now - EVENTS_KEPT


def moved(walk: Walk, cursor: str | None) -> Walk:
    """The walk after a page: where the list goes on, or at its next list."""
    if cursor is not None or walk.source is None:
        return walk.model_copy(update={"after": cursor})
    return walk.model_copy(update={"source": FOLLOWING[walk.source], "after": None, "academy": None})


def _events(before: Walk | None, now: datetime) -> Walk | None:
    until = now - IN_DELIVERY
    if before is None:
        return _listing(WalkName.EVENTS, until - EVENTS_FIRST - OVERLAP, until)
    if lost_sight(before, now):
        return _listing(WalkName.EVENTS, now - EVENTS_REACH, until)
    if before.source is not None:
        return before
    return _listing(WalkName.EVENTS, before.until - OVERLAP, until) if before.until < until else None


def _undelivered(before: Walk | None, now: datetime) -> Walk | None:
    """All that is listed, every six hours: an endpoint of another application can keep many there."""
    if before is not None and before.source is not None and not lost_sight(before, now):
        return before
    until = now - IN_DELIVERY
    waits = before is not None and before.source is None and until < before.until + UNDELIVERED_EVERY
    return None if waits else _listing(WalkName.UNDELIVERED, now - EVENTS_REACH, until)


def reached(walk: Walk) -> datetime:
    """Everything before it was seen: of a window that is not done, newest first, only what is before the window."""
    return walk.until - OVERLAP if walk.source is None else walk.since


def _listing(name: WalkName, since: datetime, until: datetime) -> Walk:
    return Walk(name=name, since=since, until=until, source=Source.EVENTS)


def _objects(name: WalkName, before: Walk | None, newest: datetime) -> Walk | None:
    first = newest - (REVIEWED if name is WalkName.AGAIN else OBJECTS_FIRST)
    since = first if before is None else before.until
    if since >= newest:
        if name is WalkName.NEW:
            return None
        since = first
    return Walk(name=name, since=since, until=min(since + WINDOW_MAX, newest), source=Source.PAYMENTS)
