"""Settle: bring an invoice to where its payment is at the processor. Every path meets here."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.gateway import (
    Payment,
    PaymentDeclined,
    PaymentDisputed,
    PaymentRefused,
    PaymentStatus,
    RefundAsk,
)
from chalicelib.books.billing.model import Invoice, InvoiceStatus, Refund
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.billing.refunds import amount_returned, paid_status
from chalicelib.books.outbox import store as outbox
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.fulfill import NotDeliverable, fulfill
from chalicelib.flows.fulfillment.notices import returned
from chalicelib.flows.fulfillment.recharge import undelivered
from chalicelib.flows.fulfillment.reject import reject_as_read
from chalicelib.flows.fulfillment.renewal import AUTHENTICATION
from chalicelib.kernel.ids import derived
from chalicelib.kernel.money import Money

TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Settled:
    """The invoice is paid and delivered. `wrote`: by this very call, together with its `cause`."""

    invoice: Invoice
    wrote: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """The payment is not decided yet. `client_secret`: what the front end needs to finish an authentication."""

    invoice: Invoice
    status: PaymentStatus
    client_secret: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The payment failed for good; the invoice is given up. `wrote`: by this very call, together with its `cause`."""

    invoice: Invoice
    error: PaymentDeclined
    wrote: bool = False


Outcome = Settled | Waiting | Refused


def settle(
    context: Context,
    stored: StoredInvoice,
    payment: Payment,
    *,
    beside: Sequence[Write] = (),
    cause: Sequence[Write] = (),
) -> Outcome:
    """Act on a payment as the processor has it now. Repeats and races end in the same state.

    `beside` is written with the delivery; `cause` with whatever decides the invoice, delivery or not: what made us ask.
    The outcome says whether that was so. The invoice was read before the processor was asked: a change in between
    moves its version, and then both are looked at again, so that a late answer never overwrites a newer one.
    """
    for number in range(TRIES_MAX):
        if stored.invoice.is_paid:
            return Settled(stored.invoice)
        if number:
            payment = context.gateway.payment(payment.id) or payment
        try:
            return _settle(context, stored, payment, beside, cause)
        except billing.InvoiceMoved:
            stored = billing_queries.invoice(context.table, stored.invoice.buyer.user_id, stored.invoice.id)
    raise billing.InvoiceMoved


def _settle(
    context: Context, stored: StoredInvoice, payment: Payment, beside: Sequence[Write], cause: Sequence[Write]
) -> Outcome:
    waits = payment.status is PaymentStatus.FAILED and not stored.invoice.is_purchase and _awaits_bank(payment)
    if payment.status is PaymentStatus.FAILED and not waits:
        payment = _closed(context, payment)
    if payment.status is PaymentStatus.SUCCEEDED:
        if stored.invoice.returning != payment.id:
            try:
                return Settled(fulfill(context, stored, payment, beside=[*beside, *cause]), wrote=True)
            except NotDeliverable:
                stored = _decided(context, stored, payment)
        return Settled(_give_money_back(context, stored, payment, cause), wrote=True)
    if stored.invoice.status is not InvoiceStatus.PENDING:
        return Refused(stored.invoice, _declined(stored.invoice, payment))
    if payment.status is PaymentStatus.CANCELED or waits:
        declined = _declined(stored.invoice, payment)
        reason = payment.decline_code or payment.status.value
        beside = [*_counted_again(context, stored.invoice, payment), *cause]
        stored = replace(stored, invoice=_knowing(stored.invoice, payment))
        return Refused(reject_as_read(context, stored, reason, beside=beside), declined, wrote=True)
    return Waiting(_noted(context, stored, payment), payment.status, payment.client_secret)


def _knowing(invoice: Invoice, payment: Payment) -> Invoice:
    """The invoice with its payment's id, where what recurs may still be paid by it."""
    if invoice.is_purchase or invoice.payment is None:
        return invoice
    reference = invoice.payment.model_copy(update={"payment_id": payment.id})
    return invoice.model_copy(update={"payment": reference})


def _awaits_bank(payment: Payment) -> bool:
    """Whether its customer may still confirm it at the bank: what recurs stays open for that until the next attempt."""
    return payment.decline_code == AUTHENTICATION


def _closed(context: Context, payment: Payment) -> Payment:
    """Close a failed payment at the processor before its invoice is given up: the customer may hold its secret, and it
    must never succeed behind our back. Answers it as it is then: it may have moved on meanwhile.
    """
    try:
        closed = context.gateway.cancel_payment(payment.id, key=derived("cancel", payment.id))
    except PaymentRefused:
        again = context.gateway.payment(payment.id)
        if again is None or again.status is PaymentStatus.FAILED:
            raise
        closed = again
    return replace(closed, decline_code=closed.decline_code or payment.decline_code)


def _counted_again(context: Context, invoice: Invoice, payment: Payment) -> list[Write]:
    """A payment that waited for the bank was taken off the declined ones (D60); the bank declined it after all."""
    waited = invoice.payment is not None and invoice.payment.payment_id is not None and invoice.is_purchase
    if not waited or payment.decline_code is None:
        return []
    user_id = invoice.buyer.user_id
    return [billing.attempt_declined(user_id, AttemptKind.PAYMENT, attempt_id=invoice.id, now=context.now)]


def _noted(context: Context, stored: StoredInvoice, payment: Payment) -> Invoice:
    """Keep the payment's id, so that it is asked for by it. What the bank has not decided is no declined payment."""
    reference = stored.invoice.payment
    if reference is None or reference.payment_id == payment.id:
        return stored.invoice
    invoice = stored.invoice.model_copy(update={"payment": reference.model_copy(update={"payment_id": payment.id})})
    writes: list[Write] = [billing.changed_invoice(invoice, version=stored.version)]
    if invoice.is_purchase:
        writes.append(billing.attempt_uncounted(invoice.buyer.user_id, AttemptKind.PAYMENT, attempt_id=invoice.id))
    commit(context.table, writes)
    return invoice


def _decided(context: Context, stored: StoredInvoice, payment: Payment) -> StoredInvoice:
    """Write down that the payment goes back, before it does: what it was for may be as it was again by the time that
    the processor has answered, and nobody must deliver it then. Raises InvoiceMoved.
    """
    invoice = stored.invoice.model_copy(update={"returning": payment.id})
    commit(context.table, [billing.changed_invoice(invoice, version=stored.version)])
    return replace(stored, invoice=invoice, version=stored.version + 1)


def _give_money_back(context: Context, stored: StoredInvoice, payment: Payment, cause: Sequence[Write]) -> Invoice:
    """What came too late to be delivered goes back whole, once: asked first, and under a key of its own.

    What its holder disputes cannot be refunded: the bank gives it back, or lets us keep it, and then staff owe it (the
    comparison lists it as charged and not fulfilled).
    """
    invoice = stored.invoice
    states = [found for found in context.gateway.refunds_of(payment.id) if found.status not in ("failed", "canceled")]
    left = payment.amount.minor - sum(state.amount for state in states)
    if left > 0:
        metadata = {"invoice_id": str(invoice.id), "user_id": str(invoice.buyer.user_id), "reason": "not-deliverable"}
        key = derived("late", invoice.id, payment.id, left)
        ask = RefundAsk(amount=Money(left, payment.amount.code), key=key, metadata=metadata)
        with suppress(PaymentDisputed):
            states.append(context.gateway.refund(payment.id, ask))
    refunds = tuple(
        Refund(id=state.id, amount=state.amount, status=state.status, created_at=state.created_at) for state in states
    )
    reference = invoice.payment
    changed = invoice.model_copy(
        update={
            "refunds": refunds,
            "undelivered": True,
            "paid_at": payment.paid_at or context.now,
            "payment": None
            if reference is None
            else reference.model_copy(update={"payment_id": payment.id, "charge_id": payment.charge_id}),
        }
    )
    changed = changed.model_copy(update={"status": paid_status(changed)})
    all_of_it = amount_returned(changed) >= payment.amount.minor
    messages = [returned(changed, payment.amount, context.now)] if all_of_it else []
    writes = [
        billing.changed_invoice(changed, version=stored.version),
        *undelivered(stored),
        *map(outbox.new, messages),
    ]
    commit(context.table, [*writes, *cause])
    for message in messages:
        context.queue.nudge_outbox(message.id)
    return changed


def _declined(invoice: Invoice, payment: Payment) -> PaymentDeclined:
    return PaymentDeclined(code=invoice.rejection, decline_code=payment.decline_code, payment_id=payment.id)
