"""Sweep: finish what was begun and forgotten. Reads only what is due; may run twice, late, or at once."""

from __future__ import annotations

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import PaymentRefused, PaymentStatus
from chalicelib.books.billing.model import PENDING_GIVE_UP_AFTER, PENDING_SWEEP_AFTER, Invoice, InvoiceStatus
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import commit
from chalicelib.flows.checkout.charge import find_payment
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.reject import void
from chalicelib.flows.fulfillment.settle import settle
from chalicelib.flows.refunds.issue import sweep_orders
from chalicelib.kernel.ids import derived

DECIDED = (PaymentStatus.SUCCEEDED, PaymentStatus.FAILED, PaymentStatus.CANCELED)


def sweep_invoice(context: Context, key: Key) -> Invoice | None:
    """Ask the processor about an invoice that is pending too long; deliver, give up, or look again later (D59).

    Of a paid one, finish the refunds that were ordered and not heard of.
    """
    row = context.table.get(key)
    if row is None:
        return None
    stored = billing_queries.read_invoice(row)
    invoice = stored.invoice
    if invoice.open_orders:
        return sweep_orders(context, stored)
    if invoice.status is not InvoiceStatus.PENDING or invoice.payment is None:
        return invoice
    payment = find_payment(context, invoice)
    if payment is not None and payment.status in DECIDED:
        return settle(context, stored, payment).invoice
    old = context.now >= invoice.payment.attempted_at + PENDING_GIVE_UP_AFTER
    if payment is None:
        return void(context, stored, "never-charged") if old else _later(context, stored)
    if old and payment.status is PaymentStatus.REQUIRES_ACTION:
        try:
            cancelled = context.gateway.cancel_payment(payment.id, key=derived("cancel", payment.id))
        except PaymentRefused:
            return _later(context, stored)  # it moved on meanwhile; the next look sees where to
        return _abandoned(context, stored) if cancelled.status is PaymentStatus.CANCELED else _later(context, stored)
    return _later(context, stored)


def _abandoned(context: Context, stored: StoredInvoice) -> Invoice:
    """Nobody authenticated it in a day, and now nobody can."""
    return void(context, stored, "authentication-abandoned")


def _later(context: Context, stored: StoredInvoice) -> Invoice:
    try:
        due = context.now + PENDING_SWEEP_AFTER
        commit(context.table, [billing.changed_invoice(stored.invoice, version=stored.version, due_at=due)])
    except billing.InvoiceMoved:
        return billing_queries.invoice(context.table, stored.invoice.buyer.user_id, stored.invoice.id).invoice
    return stored.invoice
