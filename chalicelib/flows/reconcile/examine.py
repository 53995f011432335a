"""Examine: hold one object of the processor, or one invoice, against the other side; list what differs and mend it."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing.gateway import CustomerState, DisputeState, Payment, PaymentStatus, RefundState
from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.queries import InvoiceNotFound, StoredInvoice
from chalicelib.books.drift.model import Difference, Drift, DriftKind
from chalicelib.flows.checkout.charge import CLOCKS_DIFFER
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.record_refunds import record_dispute, record_refunds
from chalicelib.flows.fulfillment.settle import Settled, settle
from chalicelib.flows.reconcile.differences import (
    TAKEN_FOR_NOTHING,
    of_customers,
    of_dispute,
    of_invoice,
    of_payment,
    of_refunds,
    of_twins,
)
from chalicelib.flows.reconcile.keep import close, listed, mended
from chalicelib.flows.reconcile.metadata import Named, named, number
from chalicelib.flows.reconcile.windows import SETTLING

Item = Payment | RefundState | DisputeState | CustomerState | Invoice | Drift
"""What the walks hand over, each as a list showed it."""

VOIDED_REFUNDS = ("failed", "canceled")


def examine(context: Context, item: Item) -> list[Drift]:
    """Every difference that is found there, as it is kept: mended, or open.

    Safe to repeat, at once with itself and with the webhooks. Raises what is an outage (keep.OUTAGES).
    """
    match item:
        case Payment():
            return _payment(context, item)
        case RefundState():
            return [] if item.payment_id is None else _refunds_of(context, item.payment_id)
        case DisputeState():
            return _dispute_of(context, item)
        case CustomerState():
            return _customer(context, item)
        case Invoice():
            return _invoice(context, item.buyer.user_id, item.id)
        case Drift():
            return _open(context, item)


def _payment(context: Context, payment: Payment) -> list[Drift]:
    name = named(payment.metadata)
    if name is None or payment.status is not PaymentStatus.SUCCEEDED or _is_young(context, payment.paid_at):
        return []
    stored, invoice = _named_invoice(context, name)
    difference = of_payment(payment, name, invoice)
    if difference is None or (difference.kind in TAKEN_FOR_NOTHING and _went_back(context, payment)):
        return []
    if difference.kind is not DriftKind.CHARGED_NOT_FULFILLED or stored is None or stored.invoice.undelivered:
        return [listed(context, difference).drift]
    twins = _twins(context, stored.invoice, payment)
    if twins:
        return [listed(context, of_twins(stored.invoice, payment, twins)).drift]
    # The payment has succeeded, which is final: it does not matter that the invoice was read after it.
    return mended(context, [difference], lambda: isinstance(settle(context, stored, payment), Settled))


def _refunds_of(context: Context, payment_id: str) -> list[Drift]:
    """What is wrong with a payment, and then with its refunds."""
    payment = context.gateway.payment(payment_id)
    if payment is None:
        return []
    found = _payment(context, payment)
    invoice = _paid_by(context, payment)
    return found if invoice is None else found + _refunds(context, invoice, payment_id)


def _refunds(context: Context, invoice: Invoice, payment_id: str) -> list[Drift]:
    states = context.gateway.refunds_of(payment_id)
    differences = of_refunds(invoice, states, before=context.now - SETTLING)
    missing = [one for one in differences if one.kind is DriftKind.REFUND_MISSING]
    unknown = [one for one in differences if one.kind is DriftKind.REFUND_UNKNOWN]
    if unknown:
        # To keep the refunds as the processor has them would also drop the one that a person must look into.
        return [listed(context, one).drift for one in differences]
    user_id = invoice.buyer.user_id
    return mended(context, missing, lambda: record_refunds(context, user_id, invoice.id, payment_id) is not None)


def _dispute_of(context: Context, dispute: DisputeState) -> list[Drift]:
    """What is wrong with a disputed payment, and then with the dispute."""
    payment = None if dispute.payment_id is None else context.gateway.payment(dispute.payment_id)
    if payment is None:
        return []
    found = _payment(context, payment)
    invoice = _paid_by(context, payment)
    return found if invoice is None else found + _dispute(context, invoice, dispute.id, dispute)


def _dispute(context: Context, invoice: Invoice, dispute_id: str, state: DisputeState | None) -> list[Drift]:
    difference = of_dispute(invoice, dispute_id, state)
    if difference is None:
        return []
    if difference.kind is DriftKind.DISPUTE_UNKNOWN:
        return [listed(context, difference).drift]
    user_id = invoice.buyer.user_id
    return mended(context, [difference], lambda: record_dispute(context, user_id, invoice.id, dispute_id) is not None)


def _invoice(context: Context, user_id: int, invoice_id: int) -> list[Drift]:
    """The other direction: whether what was delivered was paid, and what was given back in our books at all."""
    stored = _stored(context, user_id, invoice_id)
    invoice = None if stored is None else stored.invoice
    if invoice is None or not invoice.is_paid or invoice.amount == 0:
        return []
    reference = invoice.payment
    if reference is not None and reference.account != context.gateway.account:
        return []
    payment_id = None if reference is None else reference.payment_id
    payment = None if payment_id is None else context.gateway.payment(payment_id)
    difference = of_invoice(invoice, payment)
    if difference is not None:
        taken_back = difference.kind is DriftKind.AMOUNT and payment is not None and _went_back(context, payment)
        return [] if taken_back else [listed(context, difference).drift]
    found = _refunds(context, invoice, str(payment_id)) if invoice.refunds else []
    for dispute in invoice.disputes:
        found += _dispute(context, invoice, dispute.id, context.gateway.dispute(dispute.id))
    return found


def _customer(context: Context, state: CustomerState) -> list[Drift]:
    """A second living customer of a person, beside the one that is theirs.

    One that is nobody's (the process died before its row was written) is found when the person has another.
    """
    user_id = number(state.metadata.get("user_id"))
    if user_id is None or state.deleted:
        return []
    account = context.gateway.account
    ours = billing_queries.customer(context.table, user_id, account, context.now).customer.customer_id
    if ours is None or ours == state.id:
        return []
    living = context.gateway.customer(ours)
    if living is None or living.deleted:
        return []
    return [listed(context, of_customers(user_id, ours, state.id)).drift]


def _open(context: Context, drift: Drift) -> list[Drift]:
    """Look again at what is open: mend what could not be mended, and close what is gone."""
    found = _again(context, drift.difference)
    if drift.id not in {one.id for one in found}:
        close(context, drift.id)
    return found


def _again(context: Context, difference: Difference) -> list[Drift]:
    ident = difference.object_id or ""
    match difference.kind:
        case DriftKind.DUPLICATE_CUSTOMER:
            customer = context.gateway.customer(ident)
            return [] if customer is None else _customer(context, customer)
        case DriftKind.DISPUTE_MISSING:
            dispute = context.gateway.dispute(ident)
            return [] if dispute is None else _dispute_of(context, dispute)
        case DriftKind.FULFILLED_NOT_CHARGED | DriftKind.REFUND_UNKNOWN | DriftKind.DISPUTE_UNKNOWN:
            return _invoice(context, difference.user_id or 0, difference.invoice_id or 0)
        case _:
            return _refunds_of(context, difference.payment_id or "")


def _named_invoice(context: Context, name: Named) -> tuple[StoredInvoice | None, Invoice | None]:
    """The person's invoice that a payment names; else, for the difference only, another person's of that id."""
    stored = _stored(context, name.user_id, name.invoice_id)
    if stored is not None:
        return stored, stored.invoice
    if name.academy_id is None:
        return None, None
    return None, billing_queries.invoice_of_academy(context.table, name.academy_id, name.invoice_id)


def _paid_by(context: Context, payment: Payment) -> Invoice | None:
    """The delivered invoice that a payment paid, as it is now."""
    name = named(payment.metadata)
    stored = None if name is None else _stored(context, name.user_id, name.invoice_id)
    if stored is None or not stored.invoice.is_paid or stored.invoice.payment is None:
        return None
    return stored.invoice if stored.invoice.payment.payment_id == payment.id else None


def _stored(context: Context, user_id: int, invoice_id: int) -> StoredInvoice | None:
    try:
        return billing_queries.invoice(context.table, user_id, invoice_id)
    except InvoiceNotFound:
        return None


def _twins(context: Context, invoice: Invoice, payment: Payment) -> list[Payment]:
    """Other succeeded payments of an invoice that does not know yet which one is its own."""
    reference = invoice.payment
    if reference is None or reference.payment_id is not None:
        return []
    since = reference.attempted_at - CLOCKS_DIFFER
    return [
        other
        for other in context.gateway.payments_since(reference.customer_id, since)
        if other.id != payment.id
        and other.status is PaymentStatus.SUCCEEDED
        and other.metadata.get("invoice_id") == str(invoice.id)
    ]


def _went_back(context: Context, payment: Payment) -> bool:
    states = context.gateway.refunds_of(payment.id)
    returned = sum(state.amount for state in states if state.status not in VOIDED_REFUNDS)
    return returned >= payment.amount_received


def _is_young(context: Context, at: datetime | None) -> bool:
    return at is not None and at > context.now - SETTLING
