"""Reads of subscriptions and financings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from chalicelib.books.subscriptions import store
from chalicelib.books.subscriptions.model import Financing, Holding, Subscription
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.table import Due, Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import sortable
from chalicelib.kernel.pages import Page

ROWS_MAX = 200
COUNTED_AT_ONCE = 1000
H = TypeVar("H", Subscription, Financing)


class SubscriptionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "subscription-not-found"
    detail = "There is no such subscription."


class FinancingNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "plan-financing-not-found"
    detail = "There is no such plan financing."


def subscriptions(table: Table, user_id: int) -> list[Subscription]:
    """A person's subscriptions in every status, newest first; at most 200."""
    page = table.query(keys.user(user_id), prefix="SUB#", limit=ROWS_MAX, newest_first=True)
    return [load(Subscription, row) for row in page.items]


@dataclass(frozen=True, slots=True)
class Held:
    """A holding as it was read, to be changed."""

    holding: Holding
    version: int


def read_holding(row: Row) -> Held:
    kind: type[Subscription] | type[Financing] = Subscription if row.key.sk.startswith("SUB#") else Financing
    return Held(load(kind, row), row.version)


def held(table: Table, key: Key) -> Held | None:
    """The subscription or financing of a key, as it is now."""
    row = table.get(key)
    return None if row is None else read_holding(row)


def due_holdings(table: Table, now: datetime, *, enough: int = 1) -> list[Due]:
    """The holdings about which something must be done, the oldest first: a hundred a shard, or on to `enough`."""
    return table.due(store.HOLDINGS_DUE, now, enough=enough)


def refused_holdings(table: Table, user_id: int) -> list[Held]:
    """Those of a person's holdings whose payment was refused, to be changed."""
    rows = [
        row
        for prefix in ("SUB#", "FIN#")
        for row in table.query(keys.user(user_id), prefix=prefix, limit=ROWS_MAX, newest_first=True).items
    ]
    return [held for held in map(read_holding, rows) if held.holding.dunning is not None]


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


def holdings_at(
    table: Table, kind: type[H], user_id: int, academy_id: int, *, limit: int, cursor: str | None = None
) -> Page[H]:
    """A page of a person's subscriptions, or financings, at one academy, newest first.

    Its cursor tells nothing of other academies.
    """

    def wanted(row: Row) -> bool:
        return load(kind, row).terms.academy_id == academy_id

    prefix = "SUB#" if kind is Subscription else "FIN#"
    page = table.query_wanted(keys.user(user_id), prefix=prefix, wanted=wanted, limit=limit, cursor=cursor)
    return Page(tuple(load(kind, row) for row in page.items), page.next_cursor)


def holdings_of_academy(
    table: Table, kind: type[H], academy_id: int, *, limit: int, cursor: str | None = None
) -> Page[H]:
    """A page of an academy's subscriptions, or financings, newest first; one of this moment may be missing."""
    page = table.query_ref(_ref(kind, academy_id), limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(kind, row) for row in page.items), page.next_cursor)


def holding_of_academy(table: Table, kind: type[H], academy_id: int, ident: int) -> H:
    """An academy's subscription or financing, as it is now, whoever it is of.

    One that was made this moment may be missing. Raises SubscriptionNotFound, FinancingNotFound.
    """
    found = table.query_ref(_ref(kind, academy_id), prefix=sortable(ident), limit=1).items
    row = table.get(found[0].key) if found else None
    if row is None:
        raise SubscriptionNotFound if kind is Subscription else FinancingNotFound
    return load(kind, row)


def _ref(kind: type[H], academy_id: int) -> str:
    return (store.subscriptions_ref if kind is Subscription else store.financings_ref)(academy_id)
