"""Certify: that a plan was paid off, by whom, and by which invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import Invoice
from chalicelib.books.identity import store as identity
from chalicelib.books.identity.model import Person, User
from chalicelib.books.subscriptions.course import MONTH
from chalicelib.books.subscriptions.cycle import period_invoice_id
from chalicelib.books.subscriptions.model import Financing, Status
from chalicelib.dynamo.rows import Key, load
from chalicelib.flows.context import Context
from chalicelib.flows.recurring.alter import held_by
from chalicelib.kernel.errors import Defect, DomainError, Kind
from chalicelib.kernel.periods import boundary


class NotFullyPaid(DomainError):
    kind = Kind.CONFLICT
    slug = "plan-financing-not-fully-paid"
    detail = "The certificate is given once all instalments are paid, and none was given back."


@dataclass(frozen=True, slots=True)
class Certificate:
    """A financing that is fully paid. `invoices`: what paid it, the first one first."""

    financing: Financing
    person: Person
    invoices: tuple[Invoice, ...]
    completed_at: datetime


def certify(context: Context, key: Key) -> Certificate:
    """The certificate of the financing of this key. Raises FinancingNotFound, NotFullyPaid."""
    financing = held_by(context, key).holding
    if not isinstance(financing, Financing) or financing.status is not Status.FULLY_PAID:
        raise NotFullyPaid
    starts = [boundary(financing.origin, MONTH, number) for number in range(1, financing.how_many_installments)]
    known = [financing.id, *(period_invoice_id(financing.id, at) for at in starts), *financing.invoice_ids]
    idents = list(dict.fromkeys(known))
    keys = [billing.invoice_key(financing.user_id, ident) for ident in idents]
    user_key = identity.user_key(financing.user_id)
    rows = context.table.get_many([user_key, *keys])
    found = [billing_queries.read_invoice(rows[key]).invoice for key in keys if key in rows]
    own = [invoice for invoice in found if invoice.financing_id == financing.id]
    paid = tuple(invoice for invoice in own if invoice.is_paid and not invoice.undelivered)
    if user_key not in rows or not paid:
        raise Defect(f"financing {financing.id} was paid by nobody")
    person = load(User, rows[user_key]).person
    return Certificate(financing, person, paid, max(invoice.paid_at or invoice.created_at for invoice in paid))
