"""Latest: a holding that this call has just written need not be read again.

Only what was written for certain is remembered, with the version that it has since, and it is used once: a row that
somebody else changed meanwhile has another version, refuses what is written over it, and is read.
"""

from __future__ import annotations

from chalicelib.books.subscriptions import queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Holding
from chalicelib.books.subscriptions.queries import Held
from chalicelib.dynamo.rows import Key
from chalicelib.flows.context import Context


def wrote(context: Context, holding: Holding, *, version: int) -> None:
    """Remember a holding that was committed, with the version that it has by that."""
    context.holdings[subscriptions.holding_key(holding)] = Held(holding, version)


def latest(context: Context, key: Key) -> Held | None:
    """The holding of a key: as this call wrote it, once, else as it is now."""
    return context.holdings.pop(key, None) or queries.held(context.table, key)
