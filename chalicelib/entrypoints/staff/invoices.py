"""What an academy sold: its invoices, whoever bought."""

from __future__ import annotations

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.queries import InvoiceNotFound
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints._pages import filtered, link_headers, read_page
from chalicelib.entrypoints.academy.queries import Ident, InvoicesQuery, invoice_statuses
from chalicelib.entrypoints.academy.schemas import InvoiceOut, invoice_out
from chalicelib.entrypoints.staff.inputs import staff_of
from chalicelib.kernel.pages import Page

PATH = "/v1/payments/academy/invoice"


class SoldQuery(InvoicesQuery):
    """`user`: only what this person bought."""

    user: Ident | None = None


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="read_invoice",
    answers={200: list[InvoiceOut]},
    errors=(AcademyRequired,),
)
def list_sold(call: Call, query: SoldQuery) -> Answer:
    """The academy's invoices, newest first; every status but VOIDED unless one is asked for."""
    academy_id, table = staff_of(call).academy_id, call.runtime.table
    statuses = invoice_statuses(query.status)

    def read(size: int, cursor: str | None) -> Page[Invoice]:
        if query.user is not None:
            return billing.invoices_at(table, query.user, academy_id, limit=size, cursor=cursor)
        return billing.invoices_of_academy(table, academy_id, limit=size, cursor=cursor)

    wanted = filtered(read, lambda invoice: invoice.status in statuses)
    page = read_page(wanted, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [invoice_out(invoice) for invoice in page.items], link_headers(call, page.next_cursor))


@route(
    "GET",
    PATH + "/{invoice_id}",
    access=Access.STAFF,
    capability="read_invoice",
    answers={200: InvoiceOut},
    errors=(AcademyRequired, InvoiceNotFound),
)
def get_sold(call: Call, invoice_id: int) -> Answer:
    """One of the academy's invoices."""
    found = billing.academy_invoice(call.runtime.table, staff_of(call).academy_id, invoice_id)
    return Answer(200, invoice_out(found.invoice))
