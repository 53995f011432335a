"""Issue a refund that staff asked for: order it, have the processor give the money back, and take back what follows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import (
    PaymentRefused,
    PaymentServiceBusy,
    PaymentServiceDown,
    PaymentUnauthorized,
    RefundAsk,
)
from chalicelib.books.billing.model import PENDING_SWEEP_AFTER, Invoice, Refund, RefundOrder
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed, KeyReused, RequestInFlight, StoredAnswer
from chalicelib.dynamo.writes import backoff, commit
from chalicelib.flows.catalog.edit import Staff, audited
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.record_refunds import ORDER_ID, record_refunds
from chalicelib.flows.refunds.order import IssueRefund, order_of
from chalicelib.kernel.errors import Defect
from chalicelib.kernel.ids import derived, new_id
from chalicelib.kernel.money import Money

TRIES_MAX = 10


@dataclass(frozen=True, slots=True)
class Issued:
    """An order, with the refund that came of it; None while the processor has not answered."""

    invoice: Invoice
    order: RefundOrder
    refund: Refund | None


@dataclass(frozen=True, slots=True)
class ReplayedRefund:
    """The answer that was given to this Idempotency-Key before."""

    answer: StoredAnswer


def issue_refund(
    context: Context, invoice_id: int, command: IssueRefund, keyed: Keyed, *, academy_id: int
) -> Issued | ReplayedRefund:
    """Refund an academy's invoice. The same key again is the same refund.

    Raises InvoiceNotFound, what `order_of` refuses, PaymentRefused where the processor will not give the money back,
    KeyReused, RequestInFlight.
    """
    for attempt in range(TRIES_MAX):
        row = context.table.get(idempotency.key_of(keyed))
        stored = billing_queries.academy_invoice(context.table, academy_id, invoice_id)
        if row is not None:
            record = idempotency.read(row)
            if record.input_hash != keyed.input_hash:
                raise KeyReused
            if record.answer is not None:
                return ReplayedRefund(record.answer)
            if record.subject is None:
                raise RequestInFlight
            return _answered(context, keyed, partial(finish_order, context, stored, record.subject))
        order = order_of(stored.invoice, command, order_id=new_id(context.now, context.random_bits), now=context.now)
        ordered = _with_order(stored.invoice, order)
        opened = idempotency.opened(keyed, subject=order.id, now=context.now)
        try:
            staff = Staff(academy_id=academy_id, by=command.ordered_by)
            audit = audited(context, staff, f"invoice:{invoice_id}", None, order)
            commit(context.table, [billing.changed_invoice(ordered, version=stored.version), opened, audit])
        except billing.InvoiceMoved:
            backoff.wait(attempt)
            continue
        return _answered(context, keyed, partial(_carry_out, context, ordered, order))
    raise RequestInFlight


def finish_order(context: Context, stored: StoredInvoice, order_id: int) -> Issued:
    """Take up an order that was begun: what the processor has of it is recorded, else it is asked again.

    Its key outlives no day at the processor, so that its refunds are read first. Raises PaymentRefused.
    """
    invoice = stored.invoice
    order = _order(invoice, order_id)
    if order.is_open:
        invoice = record_refunds(context, invoice.buyer.user_id, invoice.id, _payment_id(invoice)) or invoice
        order = _order(invoice, order_id)
    if order.refusal is not None:
        raise PaymentRefused
    return _carry_out(context, invoice, order) if order.is_open else _issued(invoice, order)


def sweep_orders(context: Context, stored: StoredInvoice) -> Invoice:
    """Finish the orders of an invoice that nobody finished; those that cannot be yet are looked at again later."""
    invoice = stored.invoice
    for order in invoice.open_orders:
        with suppress(PaymentRefused):
            issued = finish_order(context, stored, order.id)
            invoice = issued.invoice
    again = billing_queries.invoice(context.table, invoice.buyer.user_id, invoice.id)
    if again.invoice.open_orders:
        due = context.now + PENDING_SWEEP_AFTER
        with suppress(billing.InvoiceMoved):
            commit(context.table, [billing.changed_invoice(again.invoice, version=again.version, due_at=due)])
    return again.invoice


def _carry_out(context: Context, invoice: Invoice, order: RefundOrder) -> Issued:
    """Ask the processor, and record what it says. Where it does not answer the order stays open, for the sweep."""
    payment_id, user_id = _payment_id(invoice), invoice.buyer.user_id
    ask = RefundAsk(
        amount=Money(order.amount, invoice.currency),
        key=derived("refund", invoice.id, order.id),
        metadata={ORDER_ID: str(order.id), "invoice_id": str(invoice.id), "user_id": str(user_id)},
        reason=order.reason,
    )
    try:
        context.gateway.refund(payment_id, ask)
    except (PaymentServiceDown, PaymentServiceBusy, PaymentUnauthorized):
        return _issued(invoice, order)
    except PaymentRefused as refusal:
        _refused(context, invoice, order, refusal)
        raise
    recorded = record_refunds(context, user_id, invoice.id, payment_id)
    if recorded is None:
        raise Defect(f"invoice {invoice.id} was refunded and is not paid")
    return _issued(recorded, _order(recorded, order.id))


def _refused(context: Context, invoice: Invoice, order: RefundOrder, refusal: PaymentRefused) -> None:
    """The processor will not: the order is over, and what it has of refunds that we did not know is recorded."""
    user_id = invoice.buyer.user_id

    def over(found: Invoice) -> Invoice:
        ended = _order(found, order.id).model_copy(update={"refusal": refusal.slug})
        orders = tuple(ended if one.id == order.id else one for one in found.refund_orders)
        return found.model_copy(update={"refund_orders": orders})

    record_refunds(context, user_id, invoice.id, _payment_id(invoice))
    _change(context, user_id, invoice.id, over)


def _change(context: Context, user_id: int, invoice_id: int, change: Callable[[Invoice], Invoice]) -> None:
    for attempt in range(TRIES_MAX):
        stored = billing_queries.invoice(context.table, user_id, invoice_id)
        try:
            commit(context.table, [billing.changed_invoice(change(stored.invoice), version=stored.version)])
        except billing.InvoiceMoved:
            backoff.wait(attempt)
            continue
        return
    raise RequestInFlight


def _answered(context: Context, keyed: Keyed, issue: Callable[[], Issued]) -> Issued:
    """Do it, and keep the answer where there is one: the refund, or that the processor will not."""
    try:
        issued = issue()
    except PaymentRefused as refusal:
        _keep(context, keyed, keyed.render(refusal))
        raise
    if issued.refund is not None:
        _keep(context, keyed, keyed.render(issued))
    return issued


def _keep(context: Context, keyed: Keyed, answer: StoredAnswer) -> None:
    with suppress(RequestInFlight):  # kept already, by the same call made twice
        commit(context.table, [idempotency.answered(keyed, answer, subject=None, now=context.now)])


def _issued(invoice: Invoice, order: RefundOrder) -> Issued:
    refund = next((refund for refund in invoice.refunds if refund.order_id == order.id), None)
    return Issued(invoice, order, refund)


def _with_order(invoice: Invoice, order: RefundOrder) -> Invoice:
    return invoice.model_copy(update={"refund_orders": (*invoice.refund_orders, order)})


def _order(invoice: Invoice, order_id: int) -> RefundOrder:
    return next(order for order in invoice.refund_orders if order.id == order_id)


def _payment_id(invoice: Invoice) -> str:
    if invoice.payment is None or invoice.payment.payment_id is None:
        raise Defect(f"invoice {invoice.id} was paid with no payment")
    return invoice.payment.payment_id
