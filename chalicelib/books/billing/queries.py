"""Reads of billing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.billing import store
from chalicelib.books.billing.model import Bag, BagState, Customer, Invoice, InvoiceStatus, Standing
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import new_id, sortable
from chalicelib.kernel.pages import Page


class BagNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "bag-not-found"
    detail = "There is no such bag."


class InvoiceNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "invoice-not-found"
    detail = "There is no such invoice."


class BadReputation(DomainError):
    kind = Kind.PAYMENT_REQUIRED
    slug = "fraud-or-bad-reputation"
    detail = "This account cannot buy at the moment. Please contact support."
    silent_code = "fraud-or-bad-reputation"


@dataclass(frozen=True, slots=True)
class StoredBag:
    bag: Bag
    state: BagState
    invoice_id: int | None
    content: str


@dataclass(frozen=True, slots=True)
class StoredInvoice:
    invoice: Invoice
    delivery: str
    version: int


@dataclass(frozen=True, slots=True)
class StoredCustomer:
    customer: Customer
    version: int


def read_bag(row: Row) -> StoredBag:
    invoice_id = row.values.get("invoice_id")
    return StoredBag(
        bag=load(Bag, row),
        state=BagState(str(row.values["state"])),
        invoice_id=invoice_id if isinstance(invoice_id, int) else None,
        content=str(row.values["content"]),
    )


def bag(table: Table, user_id: int, bag_id: int) -> StoredBag:
    """A person's bag. Raises BagNotFound."""
    row = table.get(store.bag_key(user_id, bag_id))
    if row is None:
        raise BagNotFound
    return read_bag(row)


def read_invoice(row: Row) -> StoredInvoice:
    return StoredInvoice(load(Invoice, row), str(row.values["delivery"]), row.version)


def invoice(table: Table, user_id: int, invoice_id: int) -> StoredInvoice:
    """A person's invoice. Raises InvoiceNotFound."""
    row = table.get(store.invoice_key(user_id, invoice_id))
    if row is None:
        raise InvoiceNotFound
    return read_invoice(row)


def invoices(
    table: Table,
    user_id: int,
    *,
    statuses: frozenset[InvoiceStatus],
    limit: int,
    cursor: str | None = None,
) -> Page[Invoice]:
    """A page of a person's invoices with one of these statuses, newest first. A page may be short, with a cursor."""
    page = table.query(keys.user(user_id), prefix="INVOICE#", limit=limit, newest_first=True, cursor=cursor)
    found = tuple(loaded for row in page.items if (loaded := load(Invoice, row)).status in statuses)
    return Page(found, page.next_cursor)


def invoices_at(table: Table, user_id: int, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[Invoice]:
    """A page of what a person bought at one academy, newest first. Its cursor tells nothing of other academies."""

    def wanted(row: Row) -> bool:
        return load(Invoice, row).academy_id == academy_id

    page = table.query_wanted(keys.user(user_id), prefix="INVOICE#", wanted=wanted, limit=limit, cursor=cursor)
    return Page(tuple(load(Invoice, row) for row in page.items), page.next_cursor)


def invoices_of_academy(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[Invoice]:
    """A page of an academy's invoices, whoever bought, newest first; one of this moment may be missing."""
    page = table.query_ref(store.invoices_ref(academy_id), limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Invoice, row) for row in page.items), page.next_cursor)


def invoices_stored(table: Table, user_id: int, invoice_ids: Iterable[int]) -> list[StoredInvoice]:
    """Those of a person's invoices that there are, to be changed."""
    found = table.get_many(store.invoice_key(user_id, invoice_id) for invoice_id in invoice_ids)
    return [read_invoice(row) for row in found.values()]


def invoices_named(table: Table, user_id: int, invoice_ids: Iterable[int]) -> list[Invoice]:
    """Those of a person's invoices that there are, in the order of the ids."""
    wanted = [store.invoice_key(user_id, invoice_id) for invoice_id in invoice_ids]
    found = table.get_many(wanted)
    return [load(Invoice, found[key]) for key in wanted if key in found]


def invoices_made(
    table: Table, academy_id: int, *, since: datetime, until: datetime, limit: int, cursor: str | None
) -> Page[Invoice]:
    """A page of an academy's invoices made at or after `since` and before `until`, oldest first, by their ids' time."""
    first, last = (new_id(at, lambda bits: 0) for at in (since, until))
    ref = store.invoices_ref(academy_id)
    page = table.query_ref_between(ref, sortable(max(first, 0)), sortable(max(last - 1, 0)), limit=limit, cursor=cursor)
    return Page(tuple(load(Invoice, row) for row in page.items), page.next_cursor)


def invoice_of_academy(table: Table, academy_id: int, invoice_id: int) -> Invoice | None:
    """An academy's invoice, whoever bought; one that was made this moment may be missing."""
    page = table.query_ref(store.invoices_ref(academy_id), prefix=sortable(invoice_id), limit=1)
    return load(Invoice, page.items[0]) if page.items else None


def read_customer(row: Row | None, user_id: int, account: str, now: datetime) -> StoredCustomer:
    """The customer of a row; a person without one is a customer that the processor does not know yet."""
    if row is None:
        return StoredCustomer(Customer(user_id=user_id, account=account, updated_at=now), 0)
    return StoredCustomer(load(Customer, row), row.version)


def customer(table: Table, user_id: int, account: str, now: datetime) -> StoredCustomer:
    return read_customer(table.get(store.customer_key(user_id, account)), user_id, account, now)


def user_of_customer(table: Table, account: str, customer_id: str) -> int | None:
    """Whose customer this is at the processor, by the index of outside ids."""
    page = table.query_ref(store.customer_ref(account, customer_id), limit=1)
    return load(Customer, page.items[0]).user_id if page.items else None


def marks(row: Row | None) -> dict[str, Standing]:
    """What a person's reputation was marked for: causes to standings."""
    found = row.values.items() if row is not None else ()
    return {name.removeprefix(store.MARK): Standing(str(value)) for name, value in found if name.startswith(store.MARK)}


def worst(standings: Iterable[Standing]) -> Standing:
    """A person's reputation, of what it was marked for."""
    found = set(standings)
    return next((standing for standing in (Standing.FRAUD, Standing.BAD) if standing in found), Standing.GOOD)


def reputation(table: Table, user_id: int) -> dict[str, Standing]:
    """What a person's reputation was marked for: causes to standings."""
    return marks(table.get(store.reputation_key(user_id)))


def check_standing(row: Row | None) -> None:
    """Raises BadReputation where the person may not buy."""
    if worst(marks(row).values()) is not Standing.GOOD:
        raise BadReputation


def next_number(row: Row | None) -> int:
    """The next free number of a series."""
    return 1 if row is None else int(str(row.values["following"]))


def academy_invoice(table: Table, academy_id: int, invoice_id: int) -> StoredInvoice:
    """An academy's invoice, whoever it is of. One of this moment may be missing. Raises InvoiceNotFound."""
    found = invoice_of_academy(table, academy_id, invoice_id)
    if found is None:
        raise InvoiceNotFound
    return invoice(table, found.buyer.user_id, invoice_id)


def due_invoices(table: Table, now: datetime) -> list[Key]:
    """Keys of the invoices that have been pending too long, at most a hundred a shard."""
    return [due.key for due in table.due(store.INVOICES_DUE, now)]
