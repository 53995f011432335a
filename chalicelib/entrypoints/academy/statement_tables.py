"""A statement for people: rows for a spreadsheet, and a paper to print."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.books.ledger.model import EntryKind
from chalicelib.entrypoints.academy.statement_schemas import (
    AccountOut,
    InvoiceOfStatementOut,
    LineOut,
    OpenLotOut,
    StatementOut,
)
from chalicelib.kernel.papers import Column, Grid, Paper

CSV_NAMES = (
    *("account", "academy", "service", "set", "at", "kind", "id", "units", "balance", "cause", "lots"),
    *("invoices", "amounts", "currencies", "parents", "hash"),
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
HASH_SHOWN = 12

ENTRY_COLUMNS = (
    Column("Time (UTC)", 19),
    Column("Kind", 9),
    Column("Units", 8, to_the_right=True),
    Column("Balance", 9, to_the_right=True),
    Column("Invoice", 17),
    Column("Amount", 13, to_the_right=True),
    Column("Cause", 26),
    Column("Lots", 48),
    Column("Hash", HASH_SHOWN),
)
LOT_COLUMNS = (
    Column("Lot", 48),
    Column("Left", 10, to_the_right=True),
    Column("Granted", 10, to_the_right=True),
    Column("Since (UTC)", 19),
    Column("Until (UTC)", 19),
    Column("Source", 9),
    Column("Invoice", 17),
)


def csv_text(statement: StatementOut) -> str:
    """One row an entry, RFC 4180. Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    invoices = {invoice.id: invoice for invoice in statement.invoices}
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(CSV_NAMES)
    for account in statement.accounts:
        writer.writerows(_csv_row(account, line, invoices) for line in account.entries)
    return written.getvalue()


def paper(statement: StatementOut) -> Paper:
    """The statement to be printed: for each account its entries and its open lots."""
    unchained = sum(account.totals.unchained for account in statement.accounts)
    facts = (
        ("Holder", statement.holder),
        ("Made at", _time(statement.generated_at.isoformat())),
        ("Academy", "all" if statement.academy is None else str(statement.academy)),
        ("Entries since", "the beginning" if statement.since is None else statement.since.isoformat()),
        ("Entries", str(sum(account.totals.entries for account in statement.accounts))),
        ("Entries without a hash", str(unchained)),
        ("Format", statement.format),
        ("Digest", statement.digest),
    )
    invoices = {invoice.id: invoice for invoice in statement.invoices}
    grids = tuple(grid for account in statement.accounts for grid in _grids(account, invoices))
    return Paper("Statement of account", statement.generated_at, facts, grids)


def _csv_row(
    account: AccountOut, line: LineOut, invoices: Mapping[int, InvoiceOfStatementOut]
) -> tuple[str | int, ...]:
    content = line.content
    known = [invoices[ident] for ident in line.invoices if ident in invoices]
    return (
        account.account,
        account.academy,
        _text(account.service.slug),
        "" if account.set is None else _text(f"{account.set.kind}:{account.set.slug}"),
        content["at"],
        content["kind"],
        _text(content["id"]),
        content["units"],
        line.balance,
        _text(content["cause"]),
        _text(_lots(line)),
        " ".join(map(str, line.invoices)),
        " ".join(str(invoice.amount) for invoice in known),
        " ".join(invoice.currency.code for invoice in known),
        " ".join(content.get("parents") or ()),
        line.hash or "",
    )


def _text(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _lots(line: LineOut) -> str:
    """`lot:units` of each lot that the entry moved; `lot:until=...` where it says when the lot ends."""
    retimed = line.content["kind"] == EntryKind.RETIME
    return " ".join(
        f"{one['lot_id']}:{_until(one) if retimed else 'unlimited' if one.get('unlimited') else one['units']}"
        for one in line.content["portions"]
    )


def _until(portion: Mapping[str, Any]) -> str:
    return f"until={portion['expires_at'][:19] if 'expires_at' in portion else 'never'}"


def _grids(account: AccountOut, invoices: Mapping[int, InvoiceOfStatementOut]) -> Iterator[Grid]:
    of_set = "" if account.set is None else f", {account.set.kind} {account.set.slug}"
    totals = account.totals
    note = (
        f"Opening {account.opening}, received {totals.received}, spent {totals.spent}, balance {totals.balance}. "
        f"Heads: {', '.join(head[:HASH_SHOWN] for head in account.heads) or 'none'}"
    )
    rows = [_entry_row(line, invoices) for line in account.entries]
    yield Grid(f"{account.service.slug} of academy {account.academy}{of_set}", note, ENTRY_COLUMNS, rows)
    if account.lots:
        yield Grid(f"{account.service.slug}: what is left", "", LOT_COLUMNS, [_lot_row(lot) for lot in account.lots])


def _entry_row(line: LineOut, invoices: Mapping[int, InvoiceOfStatementOut]) -> tuple[str, ...]:
    content = line.content
    known = [invoices[ident] for ident in line.invoices if ident in invoices]
    return (
        _time(content["at"]),
        content["kind"],
        str(content["units"]),
        str(line.balance),
        " ".join(map(str, line.invoices)),
        " ".join(f"{invoice.amount} {invoice.currency.code}" for invoice in known),
        content["cause"],
        _lots(line),
        (line.hash or "unchained")[:HASH_SHOWN],
    )


def _lot_row(lot: OpenLotOut) -> tuple[str, ...]:
    return (
        lot.id,
        "unlimited" if lot.remaining < 0 else str(lot.remaining),
        "unlimited" if lot.granted < 0 else str(lot.granted),
        _time(lot.created_at.isoformat()),
        "" if lot.valid_until is None else _time(lot.valid_until.isoformat()),
        lot.source,
        "" if lot.invoice is None else str(lot.invoice),
    )


def _time(text: str) -> str:
    """An instant to the second."""
    return text[:19].replace("T", " ")
