"""A new card: what could not be paid is tried again at once."""

from __future__ import annotations

from contextlib import suppress

from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context


def card_saved(context: Context, user_id: int) -> None:
    """Bring every payment of the person that waits forward to now. One that is moved meanwhile keeps its schedule."""
    for held in subscription_queries.refused_holdings(context.table, user_id):
        dunning = held.holding.dunning
        if dunning is None:
            continue
        now = dunning.model_copy(update={"card_saved_at": context.now})
        after = held.holding.model_copy(update={"dunning": now, "retry_at": None})
        with suppress(subscriptions.HoldingMoved):
            commit(context.table, [subscriptions.changed_holding(after, version=held.version)])
            context.queue.nudge_holdings([subscriptions.holding_key(after)])
