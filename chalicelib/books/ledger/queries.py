"""Reads of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.ledger import pool_store, store
from chalicelib.books.ledger.chain import Recorded
from chalicelib.books.ledger.model import LOTS_PER_PAGE_MAX, Balance, Entry, Holder, Unit
from chalicelib.books.ledger.rows import DUE, read_balance, read_recorded
from chalicelib.dynamo.rows import Key, load
from chalicelib.dynamo.table import QUERY_ROWS_MAX, Table
from chalicelib.kernel.pages import Page


@dataclass(frozen=True, slots=True)
class Place:
    """Where a grant goes: a balance page, and the page as it was read, for what it owes and for its heads."""

    page: int
    owing: Balance | None = None


FIRST_PAGE = Place(0)


def balances(table: Table, holder: Holder) -> list[Balance]:
    """All open pages of a holder, and of the team pools that it may use: one Query, and one more for each pool."""
    rows = table.query_all(holder.partition, prefix=store.BALANCES_PREFIX)
    own = [read_balance(holder, row) for row in rows if row.key.sk.startswith(store.BALANCE_PREFIX)]
    teams = [row.values["team"] for row in rows if row.key.sk.startswith(pool_store.POOL_PREFIX)]
    for team_id in teams:
        if isinstance(team_id, int):
            own += own_balances(table, Holder.team(team_id))
    return own


def own_balances(table: Table, holder: Holder) -> list[Balance]:
    """All open pages of a person itself, or of a team's pool."""
    rows = table.query_all(holder.partition, prefix=store.BALANCE_PREFIX)
    return [read_balance(holder, row) for row in rows]


def place(table: Table, holder: Holder, unit: Unit, *, lots: int) -> Place:
    """The first page of an account that has room for so many lots more, as it is now."""
    taken = {found.page: found for found in own_balances(table, holder) if found.unit.name == unit.name}
    number = 0
    while number in taken and len(taken[number].lots) + lots > LOTS_PER_PAGE_MAX:
        number += 1
    return Place(number, taken.get(number))


def page(table: Table, holder: Holder, unit: Unit, number: int) -> Balance | None:
    """One page of an account."""
    row = table.get(store.balance_key(holder, unit, number))
    return None if row is None else read_balance(holder, row)


def due_pages(table: Table, now: datetime) -> list[Key]:
    """Keys of the pages on which expired lots are to be looked for, at most a hundred a shard."""
    return [due.key for due in table.due(DUE, now)]


def page_at(table: Table, key: Key) -> Balance | None:
    """The page that a key of `due_pages` names."""
    row = table.get(key)
    _, kind, ident = key.pk.split("#")
    return None if row is None else read_balance(Holder(kind, int(ident)), row)


def entry(table: Table, holder: Holder, entry_id: str) -> Entry | None:
    row = table.get(store.entry_key(holder, entry_id))
    return None if row is None else load(Entry, row)


def entries(table: Table, holder: Holder, *, limit: int, cursor: str | None = None) -> Page[Entry]:
    """A page of a holder's entries."""
    page = table.query(holder.partition, prefix=store.ENTRY_PREFIX, limit=limit, cursor=cursor)
    return Page(tuple(load(Entry, row) for row in page.items), page.next_cursor)


def entries_paid_by(table: Table, holder: Holder, invoice_id: int) -> list[str]:
    """The ids of the entries that refilled a holder's accounts in the period that an invoice paid for."""
    rows = table.query_all(holder.partition, prefix=store.paid_by_prefix(invoice_id))
    return [entry_id for row in rows for entry_id in str(row.values["entries"]).split()]


def history(table: Table, holder: Holder) -> Iterator[Recorded]:
    """Every entry of a holder with its hash, in the order of their keys: one round trip for each megabyte."""
    cursor: str | None = None
    while True:
        page = table.query(holder.partition, prefix=store.ENTRY_PREFIX, limit=QUERY_ROWS_MAX, cursor=cursor)
        yield from map(read_recorded, page.items)
        cursor = page.next_cursor
        if cursor is None:
            return
