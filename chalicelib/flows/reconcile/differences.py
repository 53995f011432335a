"""What differs between an object of the processor and our row of it, to the minor unit. Pure.

The kinds that are mended, and why that is safe whatever else happens at the same time:

- `charged-not-fulfilled`: the money was taken for exactly this invoice, and it is the only payment that names it. It is
  settled by the same call as a webhook settles it, which delivers once or gives late money back once.
- `refund-missing`, `dispute-missing`: the invoice's refunds and disputes are the processor's by definition; reading
  them again and keeping what is read is what each of their webhooks does.

The others are listed and never touched, since a person must say what is right: money for nothing
(`charge-without-invoice`, `duplicate-charge`) may have to go back or be booked by hand; another amount, or another
person than the one who owes it, may be anybody's mistake (`amount`, `customer-mismatch`); what was delivered for
nothing (`fulfilled-not-charged`), or given back only in our books (`refund-unknown`, `dispute-unknown`), may be in use;
two customers of one person may both have cards and payments (`duplicate-customer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.books.billing.gateway import DisputeState, Payment, PaymentStatus, RefundState
from chalicelib.books.billing.model import Dispute, Invoice, InvoiceStatus, Refund
from chalicelib.books.drift.model import Difference, DriftKind
from chalicelib.flows.reconcile.metadata import Named, named
from chalicelib.kernel.money import Money

NOTHING = "nothing"
TAKEN_FOR_NOTHING = frozenset(
    {
        DriftKind.CHARGE_WITHOUT_INVOICE,
        DriftKind.DUPLICATE_CHARGE,
        DriftKind.AMOUNT,
        DriftKind.CUSTOMER_MISMATCH,
    }
)
"""What is settled once the payment went back whole."""


def of_payment(payment: Payment, name: Named, invoice: Invoice | None) -> Difference | None:
    """What is wrong with a succeeded payment. `invoice` is the one that it names, or None where there is none."""
    if invoice is None:
        return Difference(
            kind=DriftKind.CHARGE_WITHOUT_INVOICE,
            expected=NOTHING,
            found=_minor(payment.amount),
            academy_id=name.academy_id,
            user_id=name.user_id,
            invoice_id=name.invoice_id,
            payment_id=payment.id,
        )
    reference = invoice.payment
    if invoice.buyer.user_id != name.user_id:
        kind, expected, found = DriftKind.CUSTOMER_MISMATCH, f"person {invoice.buyer.user_id}", f"person {name.user_id}"
    elif reference is not None and reference.customer_id != payment.customer_id:
        kind, expected, found = DriftKind.CUSTOMER_MISMATCH, reference.customer_id, payment.customer_id or "no customer"
    elif reference is not None and reference.payment_id not in (None, payment.id):
        kind, expected, found = DriftKind.DUPLICATE_CHARGE, str(reference.payment_id), payment.id
    elif reference is None or _received(payment) != invoice.total or payment.amount != invoice.total:
        owed = Money(0, invoice.currency) if reference is None else invoice.total
        kind, expected, found = DriftKind.AMOUNT, _minor(owed), _minor(_received(payment))
    elif not invoice.is_paid:
        kind, expected, found = DriftKind.CHARGED_NOT_FULFILLED, "FULFILLED", str(invoice.status)
    elif invoice.undelivered and invoice.status not in (InvoiceStatus.REFUNDED, InvoiceStatus.DISPUTED):
        kind, expected, found = DriftKind.CHARGED_NOT_FULFILLED, "REFUNDED", str(invoice.status)
    else:
        return None
    return _difference(kind, invoice, expected, found, payment_id=payment.id)


def of_twins(invoice: Invoice, payment: Payment, others: Sequence[Payment]) -> Difference:
    """Several payments of one invoice have succeeded, and none of them is known to be the one."""
    twins = ", ".join(sorted(other.id for other in others))
    return _difference(DriftKind.DUPLICATE_CHARGE, invoice, "one payment", f"also {twins}", payment_id=payment.id)


def of_invoice(invoice: Invoice, payment: Payment | None) -> Difference | None:
    """What is wrong with the payment of an invoice that was delivered. `payment`: the one that it says paid it."""
    payment_id = None if invoice.payment is None else invoice.payment.payment_id
    if payment is None:
        found = "no payment" if payment_id is None else f"{payment_id} is unknown"
    elif payment.status is not PaymentStatus.SUCCEEDED:
        found = f"{payment.id} is {payment.status}"
    elif (name := named(payment.metadata)) is None or name.invoice_id != invoice.id:
        found = f"{payment.id} names another invoice"
    elif _received(payment) != invoice.total or payment.amount != invoice.total:
        amounts = _minor(invoice.total), _minor(_received(payment))
        return _difference(DriftKind.AMOUNT, invoice, *amounts, payment_id=payment.id)
    else:
        return None
    return _difference(DriftKind.FULFILLED_NOT_CHARGED, invoice, _minor(invoice.total), found, payment_id=payment_id)


def of_refunds(invoice: Invoice, states: Sequence[RefundState], *, before: datetime) -> list[Difference]:
    """Refunds that differ; of those that the processor has, only what was made before an instant."""
    kept = {refund.id: refund for refund in invoice.refunds}
    at_processor = {state.id for state in states}
    compared = [
        (state.id, _refund(invoice, state), _refund(invoice, kept.get(state.id)))
        for state in states
        if state.created_at < before
    ]
    missing = [
        _of_object(DriftKind.REFUND_MISSING, invoice, ident, expected, found)
        for ident, expected, found in compared
        if expected != found
    ]
    unknown = [
        _of_object(DriftKind.REFUND_UNKNOWN, invoice, refund.id, NOTHING, _refund(invoice, refund))
        for refund in invoice.refunds
        if refund.id not in at_processor
    ]
    return missing + unknown


def of_dispute(invoice: Invoice, dispute_id: str, state: DisputeState | None) -> Difference | None:
    """Whether a dispute differs. `state` is None where the processor does not know it."""
    kept = next((dispute for dispute in invoice.disputes if dispute.id == dispute_id), None)
    expected, found = _dispute(invoice, state), _dispute(invoice, kept)
    if expected == found:
        return None
    kind = DriftKind.DISPUTE_UNKNOWN if state is None else DriftKind.DISPUTE_MISSING
    return _of_object(kind, invoice, dispute_id, expected, found)


def of_customers(user_id: int, ours: str, other: str) -> Difference:
    return Difference(
        kind=DriftKind.DUPLICATE_CUSTOMER, user_id=user_id, object_id=other, expected=ours, found=f"also {other}"
    )


def _of_object(kind: DriftKind, invoice: Invoice, ident: str, expected: str, found: str) -> Difference:
    payment_id = None if invoice.payment is None else invoice.payment.payment_id
    return _difference(kind, invoice, expected, found, payment_id=payment_id, object_id=ident)


def _difference(
    kind: DriftKind,
    invoice: Invoice,
    expected: str,
    found: str,
    *,
    payment_id: str | None,
    object_id: str | None = None,
) -> Difference:
    return Difference(
        kind=kind,
        expected=expected,
        found=found,
        academy_id=invoice.academy_id,
        user_id=invoice.buyer.user_id,
        invoice_id=invoice.id,
        payment_id=payment_id,
        object_id=object_id,
    )


def _received(payment: Payment) -> Money:
    return Money(payment.amount_received, payment.amount.code)


def _refund(invoice: Invoice, refund: Refund | RefundState | None) -> str:
    return NOTHING if refund is None else f"{refund.amount} {invoice.currency} {refund.status}"


def _dispute(invoice: Invoice, dispute: Dispute | DisputeState | None) -> str:
    return NOTHING if dispute is None else f"{dispute.amount} {invoice.currency} {dispute.status}"


def _minor(amount: Money) -> str:
    return f"{amount.minor} {amount.code}"
