"""Put off: a holding that we fail at, for a reason that we did not foresee, is looked at again in an hour.

It would be the oldest of what is due for good, and with enough like it the others would never have their turn.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context

PUT_OFF_FOR = timedelta(hours=1)


def put_off(context: Context, key: Key) -> None:
    """Let others go before it. Only its place in the index moves: its row may be what we fail at."""
    with suppress(subscriptions.NotDue):
        commit(context.table, [subscriptions.put_off(key, now=context.now, until=context.now + PUT_OFF_FOR)])
