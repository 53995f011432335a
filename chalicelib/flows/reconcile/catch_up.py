"""Catch up: feed the events that no webhook brought through the inbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.books.billing.gateway import ListedEvent, PaymentRefused, Window
from chalicelib.books.drift import queries as drift_queries
from chalicelib.books.drift import store as drift
from chalicelib.books.drift.model import Walk, WalkName
from chalicelib.books.inbox import queries as inbox_queries
from chalicelib.books.inbox.model import arrived
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context
from chalicelib.flows.reconcile.receive import receive
from chalicelib.flows.reconcile.windows import lost_sight, moved, reached, set_out
from chalicelib.kernel.pages import Page

PAGES_PER_RUN_MAX = 20


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """`missed`: events that were stored now. `whole`: every page was read, the next run begins a new window.

    `first`: nobody had looked before. `unseen_since`: from then on there are events that the processor does not list
    any more; what they were about is found by the comparison of objects, which knows no such limit.
    """

    missed: int = 0
    pages: int = 0
    whole: bool = True
    first: bool = False
    unseen_since: datetime | None = None


def catch_up(context: Context, name: WalkName, types: Collection[str]) -> CaughtUp:
    """Read the events of a walk since it was here last, and store those of these types that the inbox does not have.

    A run reads at most 20 pages; the next one goes on after the last that was fed, in the same window, and only when
    the whole window was fed does the walk move past it. A crash in between repeats a page, which changes nothing. Two
    runs at once feed the same events; the one that comes second stops. Raises PaymentServiceDown and its kin.
    """
    stored = drift_queries.walk(context.table, name)
    done = CaughtUp(first=stored.walk is None)
    if stored.walk is not None and name is WalkName.EVENTS and lost_sight(stored.walk, context.now):
        done = replace(done, unseen_since=reached(stored.walk))
    walk, version = set_out(name, stored.walk, context.now), stored.version
    while walk is not None and walk.source is not None:
        if done.pages == PAGES_PER_RUN_MAX:
            return replace(done, whole=False)
        page, walk = _page(context, walk)
        done = replace(done, missed=done.missed + _feed(context, page, types), pages=done.pages + 1)
        try:
            commit(context.table, [drift.put_walk(walk, version=version)])
        except drift.WalkMoved:
            return replace(done, whole=False)
        version += 1
    return done


def _page(context: Context, walk: Walk) -> tuple[Sequence[ListedEvent], Walk]:
    """A page of the window, and the walk after it. Where the event that it goes on after is gone, it begins anew."""
    listing = context.gateway.events if walk.name is WalkName.EVENTS else context.gateway.undelivered_events
    try:
        page: Page[ListedEvent] = listing(Window(walk.since, walk.until), walk.after)
    except PaymentRefused:
        if walk.after is None:
            raise
        return (), walk.model_copy(update={"after": None})
    return page.items, moved(walk, page.next_cursor)


def _feed(context: Context, listed: Sequence[ListedEvent], types: Collection[str]) -> int:
    """Store what the inbox does not have, oldest first, exactly as the webhook does; answer how many."""
    wanted = [event for event in reversed(listed) if event.type in types]
    known = inbox_queries.received(context.table, [event.id for event in wanted])
    missed = 0
    for event in wanted:
        if event.id not in known:
            about = {"object_id": event.object_id, "previous_customer": event.previous_customer}
            missed += receive(context, arrived(event.id, event.type, **about, now=context.now), event.body)
    return missed
