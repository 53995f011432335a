"""A statement as it is answered. The same facts make the JSON, the CSV and the PDF."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from chalicelib.books.billing.model import Invoice, InvoiceStatus
from chalicelib.books.ledger.chain import digest
from chalicelib.books.ledger.model import Lot, SetRef, Source
from chalicelib.entrypoints._http import Instant, Output
from chalicelib.entrypoints.academy.schemas import CurrencyOut, currency_out, major
from chalicelib.flows.statement.read import Statement
from chalicelib.flows.statement.statement import Account, Line

FORMAT = "purser-statement/1"
HOW_TO_CHECK = (
    "Canonical JSON: names in order, no space, UTF-8 (RFC 8785). An entry's hash is the SHA-256, in hex, of its "
    "content as canonical JSON. Its content names its parents: the hashes of the entries before it. Each entry of an "
    "account is one of its heads or is named by another, and never both. Units of all entries add up to what the lots "
    "have, unlimited ones aside. A lot ends as it was granted, or as the last entry of kind retime that names it says. "
    "The digest is the SHA-256 of everything else here as canonical JSON, which writes 30.0 as 30. "
    "`earlier` are entries before `since`. A later statement leads to every head of an earlier one. An entry "
    "whose hash is null was written before there were hashes. `make verify-statement FILE=...` checks all of it."
)


class ServiceOfStatementOut(Output):
    id: int
    slug: str


class LineOut(Output):
    """An entry. Its `hash` covers `content` and nothing else; null where it is unchained. `balance`: after it."""

    hash: str | None
    content: dict[str, Any]
    balance: int
    invoices: list[int]


class OpenLotOut(Output):
    """Units that came together, of which `remaining` are left (-1: unlimited), also where they have expired; `frozen`
    ones cannot be used while their payment is disputed. `invoice` is null where staff granted them.
    """

    id: str
    remaining: int
    frozen: int
    granted: int
    created_at: Instant
    valid_until: Instant | None
    source: Source
    invoice: int | None


class TotalsOut(Output):
    """Of the entries shown. `balance` is what is left of what can be counted; `unchained` entries have no hash."""

    entries: int
    unchained: int
    received: int
    spent: int
    balance: int


class AccountOut(Output):
    """One service of one academy, or of one set of it. `opening` and `earlier` are empty unless `since` is given."""

    account: str
    academy: int
    service: ServiceOfStatementOut
    set: SetRef | None
    opening: int
    earlier: list[str]
    entries: list[LineOut]
    lots: list[OpenLotOut]
    heads: list[str]
    totals: TotalsOut


class InvoiceOfStatementOut(Output):
    """An invoice that entries or lots name, as it is now; the digest covers it, and no hash of an entry does."""

    id: int
    amount: float
    amount_refunded: float
    currency: CurrencyOut
    paid_at: Instant | None
    status: InvoiceStatus


class StatementOut(Output):
    """Every entry of a person's own accounts, with what is needed to check that none was changed or left out."""

    format: str
    generated_at: Instant
    holder: str
    academy: int | None
    since: date | None
    how_to_check: str
    accounts: list[AccountOut]
    invoices: list[InvoiceOfStatementOut]
    digest: str


class LinkOut(Output):
    """Where a large statement can be fetched, by whoever has the address, until then."""

    url: str
    expires_at: Instant


def statement_out(
    found: Statement, *, academy_id: int | None, since: date | None, generated_at: datetime
) -> StatementOut:
    made = StatementOut(
        format=FORMAT,
        generated_at=generated_at,
        holder=f"{found.holder.kind}#{found.holder.id}",
        academy=academy_id,
        since=since,
        how_to_check=HOW_TO_CHECK,
        accounts=[_account_out(account) for account in found.accounts],
        invoices=[_invoice_out(invoice) for invoice in found.invoices],
        digest="",
    )
    covered = {name: value for name, value in msgspec.to_builtins(made).items() if name != "digest"}
    covered["invoices"] = [
        {name: _canonical(value) for name, value in invoice.items()} for invoice in covered["invoices"]
    ]
    return made.model_copy(update={"digest": digest(covered)})


def _canonical(value: Any) -> Any:
    """A number as RFC 8785 writes it, which knows no 30.0; everything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _account_out(account: Account) -> AccountOut:
    unit, lines = account.unit, account.lines
    return AccountOut(
        account=unit.name,
        academy=unit.academy_id,
        service=ServiceOfStatementOut(id=unit.service_id, slug=unit.service_slug),
        set=unit.set,
        opening=account.opening,
        earlier=list(account.earlier),
        entries=[_line_out(line) for line in lines],
        lots=[_lot_out(lot) for lot in account.lots],
        heads=list(account.heads),
        totals=TotalsOut(
            entries=len(lines),
            unchained=sum(line.hash is None for line in lines),
            received=sum(line.units for line in lines if line.units > 0),
            spent=-sum(line.units for line in lines if line.units < 0),
            balance=account.balance,
        ),
    )


def _line_out(line: Line) -> LineOut:
    return LineOut(hash=line.hash, content=line.content, balance=line.balance, invoices=list(line.invoice_ids))


def _lot_out(lot: Lot) -> OpenLotOut:
    return OpenLotOut(
        id=lot.id,
        remaining=lot.remaining,
        frozen=lot.frozen,
        granted=lot.granted,
        created_at=lot.created_at,
        valid_until=lot.expires_at,
        source=lot.origin.source,
        invoice=lot.origin.invoice_id,
    )


def _invoice_out(invoice: Invoice) -> InvoiceOfStatementOut:
    return InvoiceOfStatementOut(
        id=invoice.id,
        amount=major(invoice.amount, invoice.currency),
        amount_refunded=major(invoice.amount_refunded, invoice.currency),
        currency=currency_out(invoice.currency),
        paid_at=invoice.paid_at,
        status=invoice.status,
    )
