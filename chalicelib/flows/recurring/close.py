"""Close: make sure that no payment of a holding can take money behind a change of it."""

from __future__ import annotations

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.subscriptions.model import Holding
from chalicelib.flows.checkout.take_over import take_over
from chalicelib.flows.context import Context
from chalicelib.flows.recurring.collect import closed


def open_invoice(context: Context, holding: Holding) -> StoredInvoice | None:
    """The invoice of the payment that is under way or was refused, where there is one."""
    if holding.open_invoice_id is None:
        return None
    return billing_queries.invoice(context.table, holding.user_id, holding.open_invoice_id)


def close_payment(context: Context, holding: Holding) -> None:
    """Close what waits for the bank or could still be confirmed; what has succeeded meanwhile is delivered.

    The holding may be another one afterwards: only what is written over the one that was read, is written over one
    without an open payment. Raises PurchaseInFlight where a payment may take money right now.
    """
    stored = open_invoice(context, holding)
    if stored is None or stored.invoice.is_paid:
        return
    if stored.invoice.status is InvoiceStatus.PENDING:
        take_over(context, stored)
        stored = billing_queries.invoice(context.table, holding.user_id, stored.invoice.id)
    if not stored.invoice.is_paid:
        closed(context, stored)
