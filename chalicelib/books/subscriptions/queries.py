"""Reads of subscriptions and financings."""

from __future__ import annotations

from chalicelib.books.subscriptions import store
from chalicelib.books.subscriptions.model import Financing, Subscription
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table

ROWS_MAX = 200
COUNTED_AT_ONCE = 1000


def subscriptions(table: Table, user_id: int) -> list[Subscription]:
    """A person's subscriptions in every status, newest first; at most 200."""
    page = table.query(keys.user(user_id), prefix="SUB#", limit=ROWS_MAX, newest_first=True)
    return [load(Subscription, row) for row in page.items]


def is_had(table: Table, plan_id: int) -> bool:
    """Whether somebody has the plan or is paying it, a moment ago (the index is eventually consistent)."""
    return bool(table.query_ref(store.plan_claims_ref(plan_id), limit=1).items)


def holders(table: Table, plan_id: int) -> int:
    """How many have the plan or are paying it, a moment ago: counted one by one, for plans with few places."""
    found = 0
    cursor: str | None = None
    while True:
        page = table.query_ref(store.plan_claims_ref(plan_id), limit=COUNTED_AT_ONCE, cursor=cursor)
        found += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found


def financings(table: Table, user_id: int) -> list[Financing]:
    """A person's financings in every status, newest first; at most 200."""
    page = table.query(keys.user(user_id), prefix="FIN#", limit=ROWS_MAX, newest_first=True)
    return [load(Financing, row) for row in page.items]
