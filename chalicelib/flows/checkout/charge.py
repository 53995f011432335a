"""Charge: ask the processor for an invoice's money, and settle what it answers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.gateway import (
    Charge,
    Payment,
    PaymentDeclined,
    PaymentRefused,
    PaymentServiceBusy,
    PaymentStatus,
    PaymentUnauthorized,
    Unanswered,
)
from chalicelib.books.billing.model import IN_FLIGHT, Invoice, InvoiceStatus, PaymentRef
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.reject import reject, void
from chalicelib.flows.fulfillment.settle import Outcome, Refused, Settled, Waiting, settle
from chalicelib.kernel.errors import Defect, DomainError, Kind, TryLater

KEY_HOLDS = timedelta(hours=23)
"""How long the processor surely remembers a charge's key (it keeps it for 24 hours)."""
CLOCKS_DIFFER = timedelta(minutes=5)


class PurchaseGivenUp(DomainError):
    kind = Kind.GONE
    slug = "purchase-given-up"
    detail = "Nothing came of this purchase, and nothing was charged. Begin it again."


def charge(context: Context, stored: StoredInvoice, *, keyed: Keyed | None = None) -> Outcome:
    """Take the money of a pending invoice. The same attempt of it again is the same charge.

    Raises what refuses for another reason than the card (PaymentRefused, PaymentServiceBusy, PaymentUnauthorized),
    with the invoice given up, so that the bag can be paid again.
    """
    invoice, reference = stored.invoice, _reference(stored.invoice)
    try:
        payment = context.gateway.charge(
            Charge(
                key=reference.key,
                amount=invoice.total,
                customer_id=reference.customer_id,
                payment_method_id=reference.payment_method_id,
                description="; ".join(line.description for line in invoice.lines)[:500],
                metadata=metadata_of(invoice),
                present=reference.present,
            )
        )
    except PaymentDeclined as declined:
        return _refused(context, stored, declined, keyed)
    except PaymentRefused as refusal:
        beside = [*_uncounted(invoice), *_kept(context, keyed, refusal, invoice)]
        ended = reject(context, stored, refusal.slug, beside=beside)
        if ended.is_paid:
            return Settled(ended)  # this call stood still so long that another one paid
        raise
    except (PaymentServiceBusy, PaymentUnauthorized) as refusal:
        # It was never looked at: the same key may try again.
        released = [] if keyed is None else [idempotency.released(keyed)]
        ended = void(context, stored, refusal.slug, beside=released)
        if ended.is_paid:
            return Settled(ended)
        raise
    except Unanswered:
        return _left_open(context, stored)
    return _settled(context, stored, payment, keyed)


def resume(context: Context, stored: StoredInvoice, *, keyed: Keyed | None = None) -> Outcome:
    """Take up a purchase that was begun: by a repeated call, after a crash, or when an answer was lost.

    Raises PurchaseInFlight while another call may still be at work on it, PurchaseGivenUp where nothing came of it.
    """
    invoice = stored.invoice
    ended = _ended(invoice)
    if ended is not None:
        return ended
    reference = _reference(invoice)
    if in_flight(context, invoice):
        raise PurchaseInFlight
    payment = find_payment(context, invoice)
    if payment is not None:
        return _settled(context, stored, payment, keyed)
    if context.now < reference.attempted_at + KEY_HOLDS:
        return charge(context, stored, keyed=keyed)
    return Waiting(invoice, PaymentStatus.PROCESSING)


def _ended(invoice: Invoice) -> Settled | Refused | None:
    """What a purchase came to, where it was decided. Raises PurchaseGivenUp where nothing came of it."""
    if invoice.is_paid:
        return Settled(invoice)
    if invoice.status is InvoiceStatus.VOIDED:
        raise PurchaseGivenUp
    if invoice.status is not InvoiceStatus.PENDING:
        return Refused(invoice, PaymentDeclined(code=invoice.rejection))
    return None


def in_flight(context: Context, invoice: Invoice) -> bool:
    """Whether another call may be charging the invoice right now."""
    reference = _reference(invoice)
    ended = reference.unanswered or reference.payment_id is not None
    return not ended and context.now < reference.attempted_at + IN_FLIGHT


def find_payment(context: Context, invoice: Invoice) -> Payment | None:
    """The payment of an invoice at the processor: by its id, else out of the customer's list since the attempt."""
    reference = _reference(invoice)
    if reference.payment_id is not None:
        return context.gateway.payment(reference.payment_id)
    since = reference.attempted_at - CLOCKS_DIFFER
    wanted = metadata_of(invoice)
    found = [
        payment
        for payment in context.gateway.payments_since(reference.customer_id, since)
        if all(payment.metadata.get(name) == value for name, value in wanted.items())
    ]
    if len(found) > 1:
        raise Defect(f"invoice {invoice.id} has {len(found)} payments at the processor")
    return found[0] if found else None


def metadata_of(invoice: Invoice) -> dict[str, str]:
    """What a payment at the processor says of our side; it finds the invoice when only the payment is known."""
    return {
        "invoice_id": str(invoice.id),
        "user_id": str(invoice.buyer.user_id),
        "academy_id": str(invoice.academy_id),
        "attempt": str(_reference(invoice).attempt),
    }


def _settled(context: Context, stored: StoredInvoice, payment: Payment, keyed: Keyed | None) -> Outcome:
    beside: list[Write] = []
    if payment.status is PaymentStatus.SUCCEEDED and keyed is not None and not keyed.late:
        beside = _kept(context, keyed, Settled(_as_if_paid(context, stored.invoice, payment)), stored.invoice)
    return settle(context, stored, payment, beside=beside)


def _refused(context: Context, stored: StoredInvoice, declined: PaymentDeclined, keyed: Keyed | None) -> Outcome:
    beside = _kept(context, keyed, declined, stored.invoice)
    if declined.payment_id is not None and not stored.invoice.is_purchase:
        stored = _with_payment(stored, declined.payment_id)  # it may stay open for its customer
    invoice = reject(context, stored, declined.decline_code or declined.code or "declined", beside=beside)
    return Settled(invoice) if invoice.is_paid else Refused(invoice, declined)


def _with_payment(stored: StoredInvoice, payment_id: str) -> StoredInvoice:
    reference = _reference(stored.invoice).model_copy(update={"payment_id": payment_id})
    return replace(stored, invoice=stored.invoice.model_copy(update={"payment": reference}))


def _left_open(context: Context, stored: StoredInvoice) -> Outcome:
    """Say on the invoice that this call has ended, so that the same call again need not wait for it.

    Only a help: where it cannot be written, the customer is answered all the same, and waits a little. Where another
    call has taken the purchase up and ended it meanwhile, this one says the same.
    """
    invoice = stored.invoice.model_copy(
        update={"payment": _reference(stored.invoice).model_copy(update={"unanswered": True})}
    )
    with suppress(TryLater):
        try:
            commit(context.table, [billing.changed_invoice(invoice, version=stored.version)])
        except billing.InvoiceMoved:
            moved = billing_queries.invoice(context.table, invoice.buyer.user_id, invoice.id).invoice
            ended = _ended(moved) if moved.is_purchase else None
            if ended is not None:
                return ended
    return Waiting(invoice, PaymentStatus.PROCESSING)


def _uncounted(invoice: Invoice) -> list[Write]:
    """What the bank never saw is no declined payment (D60); what recurs is not counted at all."""
    if not invoice.is_purchase:
        return []
    user_id = invoice.buyer.user_id
    return [billing.attempt_uncounted(user_id, AttemptKind.PAYMENT, attempt_id=invoice.id)]


def _kept(context: Context, keyed: Keyed | None, result: object, invoice: Invoice) -> list[Write]:
    if keyed is None:
        return []
    return [idempotency.answered(keyed, keyed.render(result), subject=invoice.id, now=context.now)]


def _as_if_paid(context: Context, invoice: Invoice, payment: Payment) -> Invoice:
    """The invoice as fulfilment leaves it, for the answer that is kept with it."""
    return invoice.model_copy(
        update={
            "status": InvoiceStatus.FULFILLED,
            "paid_at": payment.paid_at or context.now,
            "payment": _reference(invoice).model_copy(
                update={"payment_id": payment.id, "charge_id": payment.charge_id}
            ),
        }
    )


def _reference(invoice: Invoice) -> PaymentRef:
    if invoice.payment is None:
        raise Defect(f"invoice {invoice.id} has nothing to charge")
    return invoice.payment
