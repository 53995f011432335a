"""Take over: whoever comes back to pay closes the payment that they left open, and begins anew.

A purchase claims its plan when it begins (docs/decisions/0002), so a bank's question that nobody answers would keep its
customer from buying for a day. Only what surely takes no money is given up: closed at the processor first.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import Payment, PaymentRefused, PaymentStatus
from chalicelib.books.billing.model import PENDING_SWEEP_AFTER, Customer, InvoiceStatus
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.course import is_over_by
from chalicelib.dynamo.rows import Row
from chalicelib.flows.checkout.charge import find_payment, in_flight
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.reject import void
from chalicelib.flows.fulfillment.settle import Outcome, Refused, Waiting, settle
from chalicelib.flows.recurring.tend import tend
from chalicelib.kernel.ids import derived

REPLACED = "replaced"


def with_another_card(customer: Customer, outcome: Outcome) -> bool:
    """Whether the purchase waits for the bank of a card, or came to nothing with one, that was replaced since."""
    waits = isinstance(outcome, Waiting) and outcome.status is PaymentStatus.REQUIRES_ACTION
    reference = outcome.invoice.payment
    return (
        (waits or isinstance(outcome, Refused))
        and customer.card is not None
        and reference is not None
        and customer.card.payment_method_id != reference.payment_method_id
    )


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a plan's claim says of a person: they bought it, or are paying it by a `pending` purchase.

    Neither, where nobody claims it, and where the purchase that did was given up between the two reads.
    """

    bought: bool = False
    pending: StoredInvoice | None = None


def claimed(context: Context, user_id: int, claim: Row | None) -> Claimed:
    """Who holds a plan's claim, as it was read, and what has become of that purchase.

    A plan that an invitation promised is claimed before there is an invoice, and counts as bought. What is over by its
    dates, and only nobody has come to say so, gives its claim back here.
    """
    if claim is None:
        return Claimed()
    invoice_id = subscriptions.claimed_by(claim)
    if invoice_id is not None and _ends(context, user_id, invoice_id, financed=subscriptions.is_financed(claim)):
        return claimed(context, user_id, context.table.get(claim.key))
    row = context.table.get(billing.invoice_key(user_id, invoice_id)) if invoice_id is not None else None
    if row is None:
        return Claimed(bought=True)
    stored = billing_queries.read_invoice(row)
    if stored.invoice.status is InvoiceStatus.PENDING:
        return Claimed(pending=stored)
    return Claimed(bought=stored.invoice.status not in (InvoiceStatus.REJECTED, InvoiceStatus.VOIDED))


def _ends(context: Context, user_id: int, holding_id: int, *, financed: bool) -> bool:
    """Whether what was bought is over by its dates; then it is made so."""
    key = (subscriptions.financing_key if financed else subscriptions.subscription_key)(user_id, holding_id)
    held = subscription_queries.held(context.table, key)
    if held is None or held.holding.ended_at is not None or not is_over_by(held.holding, context.now):
        return False
    tend(context, key)
    return True


def give_way(context: Context, user_id: int, plan_id: int) -> bool:
    """Close the pending purchase that holds the plan's claim. False where the plan is bought; True: look again.

    Raises PurchaseInFlight where its payment may still take money.
    """
    found = claimed(context, user_id, context.table.get(subscriptions.plan_claim_key(user_id, plan_id)))
    if found.pending is not None:
        take_over(context, found.pending)
    return not found.bought


def take_over(context: Context, stored: StoredInvoice) -> None:
    """Give up a pending purchase; one that was decided meanwhile is settled instead. Raises PurchaseInFlight."""
    invoice = stored.invoice
    if invoice.status is not InvoiceStatus.PENDING:
        return
    if invoice.payment is None or in_flight(context, invoice):
        raise billing.PurchaseInFlight
    payment = find_payment(context, invoice)
    if payment is None:
        if context.now < invoice.payment.attempted_at + PENDING_SWEEP_AFTER:
            raise billing.PurchaseInFlight
        void(context, stored, "never-charged")
        return
    if payment.status is PaymentStatus.REQUIRES_ACTION:
        payment = _closed(context, payment)
        if payment.status is PaymentStatus.CANCELED:
            void(context, stored, REPLACED)
            return
    if isinstance(settle(context, stored, payment), Waiting):
        raise billing.PurchaseInFlight


def _closed(context: Context, payment: Payment) -> Payment:
    """The payment after it was closed, or as it is where it moved on before."""
    try:
        return context.gateway.cancel_payment(payment.id, key=derived("cancel", payment.id))
    except PaymentRefused:
        return context.gateway.payment(payment.id) or payment
