"""Read a person's statement, whole and of one moment, however much is written meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.model import Invoice
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.chain import Recorded, reached, unlinked
from chalicelib.books.ledger.model import Balance, Holder
from chalicelib.dynamo.table import Table
from chalicelib.flows.statement.statement import Account, accounts
from chalicelib.kernel.errors import DomainError, Kind

ENTRIES_SHOWN_MAX = 10_000
ENTRIES_READ_MAX = 100_000


class StatementTooLong(DomainError):
    slug = "statement-too-long"
    detail = "There are {entries} entries, and a statement shows {limit}: ask for those since a later day."


class HistoryTooLong(DomainError):
    kind = Kind.CONFLICT
    slug = "history-too-long"
    detail = "There are more than {limit} entries, which is more than one request can read."


@dataclass(frozen=True, slots=True)
class Statement:
    """A person's accounts, and the invoices that they name."""

    holder: Holder
    accounts: list[Account]
    invoices: list[Invoice]


def read_statement(table: Table, user_id: int, *, academy_id: int | None, since: datetime | None) -> Statement:
    """The statement of one academy or of all, with the entries since then. Raises StatementTooLong, HistoryTooLong."""
    holder = Holder.person(user_id)
    entries, pages = _snapshot(table, holder)
    if academy_id is not None:
        pages = [page for page in pages if page.unit.academy_id == academy_id]
        entries = [entry for entry in entries if entry.account.startswith(f"{academy_id}#")]
    shown = sum(since is None or entry.at >= since for entry in entries)
    if shown > ENTRIES_SHOWN_MAX:
        raise StatementTooLong(entries=shown, limit=ENTRIES_SHOWN_MAX)
    found = accounts(holder, entries, pages, since=since)
    named = {invoice_id for account in found for line in account.lines for invoice_id in line.invoice_ids}
    origins = [lot.origin for account in found for lot in account.lots]
    named |= {origin.invoice_id for origin in origins if origin.invoice_id is not None}
    return Statement(holder, found, billing.invoices_named(table, user_id, sorted(named)))


def _snapshot(table: Table, holder: Holder) -> tuple[list[Recorded], list[Balance]]:
    """The pages as they were at one moment, and every entry that had been written by then.

    Entries are read after the pages, so there may be newer ones among them, which the pages do not lead to. An entry
    that was there before a second look at the pages, which does not lead to it either, is not newer: something is
    wrong, and the statement shows it.
    """
    pages = ledger.own_balances(table, holder)
    entries = _history(table, holder)
    if not unlinked(entries, _heads(pages)):
        return entries, pages
    seen = {entry.id for entry in entries}
    pages = ledger.own_balances(table, holder)
    entries = _history(table, holder)
    known = reached(entries, _heads(pages))
    return [one for one in entries if one.hash in known or one.id in seen], pages


def _history(table: Table, holder: Holder) -> list[Recorded]:
    found: list[Recorded] = []
    for entry in ledger.history(table, holder):
        found.append(entry)
        if len(found) > ENTRIES_READ_MAX:
            raise HistoryTooLong(limit=ENTRIES_READ_MAX)
    return found


def _heads(pages: Iterable[Balance]) -> Iterable[str]:
    return (head for page in pages for head in page.heads)
