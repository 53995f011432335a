"""Wake: tell the seats of a holding that it has changed. The holding stays due until each of them was told."""

from __future__ import annotations

from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.course import seats_mark
from chalicelib.books.subscriptions.queries import Held
from chalicelib.books.teams import queries, store
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context

WOKEN_AT_ONCE = 25


def wake_seats(context: Context, held: Held) -> None:
    """Let every live seat be due, so many at once, and nudge them; then the holding is done with it.

    A process that dies in between has told some of them, and the next one tells all: each looks for itself what is to
    be done. Raises HoldingMoved.
    """
    holding = held.holding
    live = [stored.seat for stored in queries.seats(context.table, holding.id) if stored.seat.is_live]
    keys = [store.seat_key(seat.team_id, seat.id) for seat in live]
    for first in range(0, len(keys), WOKEN_AT_ONCE):
        chunk = keys[first : first + WOKEN_AT_ONCE]
        commit(context.table, [store.wake_seat(key, context.now) for key in chunk])
        context.queue.nudge_holdings(chunk)
    after = holding.model_copy(update={"seats_told": seats_mark(holding)})
    commit(context.table, [subscriptions.changed_holding(after, version=held.version)])
