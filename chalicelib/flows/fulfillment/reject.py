"""Reject or void: an invoice that will not be paid gives back what was reserved for it, once."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.model import Invoice, InvoiceKind, InvoiceStatus
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.catalog import coupon_store
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.teams import store as teams
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment import recharge
from chalicelib.flows.fulfillment.change import given_up
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.flows.fulfillment.latest import wrote
from chalicelib.flows.fulfillment.renew import refusal_writes
from chalicelib.kernel.errors import TryLater
from chalicelib.kernel.ids import derived

TRIES_MAX = 5


def reject(context: Context, stored: StoredInvoice, reason: str, *, beside: Sequence[Write] = ()) -> Invoice:
    """The processor refused to pay the invoice. Answers it as it is now: another may have finished it first."""
    return _as_it_is(context, stored, InvoiceStatus.REJECTED, reason, beside)


def reject_as_read(context: Context, stored: StoredInvoice, reason: str, *, beside: Sequence[Write] = ()) -> Invoice:
    """The same of the invoice as it was read. Raises InvoiceMoved, with nothing written, where another was first."""
    return _end(context, stored, InvoiceStatus.REJECTED, reason, beside)


def void(context: Context, stored: StoredInvoice, reason: str, *, beside: Sequence[Write] = ()) -> Invoice:
    """Nobody will pay the invoice any more; it never reached the customer's card, so it does not count as a decline."""
    invoice = stored.invoice
    uncounted: list[Write] = [*beside]
    if invoice.payment is not None and invoice.is_purchase:
        uncounted += [billing.attempt_uncounted(invoice.buyer.user_id, AttemptKind.PAYMENT, attempt_id=invoice.id)]
    return _as_it_is(context, stored, InvoiceStatus.VOIDED, reason, uncounted)


def _as_it_is(
    context: Context, stored: StoredInvoice, status: InvoiceStatus, reason: str, beside: Sequence[Write]
) -> Invoice:
    try:
        return _end(context, stored, status, reason, beside)
    except billing.InvoiceMoved:
        return billing_queries.invoice(context.table, stored.invoice.buyer.user_id, stored.invoice.id).invoice


def _end(
    context: Context, stored: StoredInvoice, status: InvoiceStatus, reason: str, beside: Sequence[Write]
) -> Invoice:
    for _ in range(TRIES_MAX):
        try:
            return _ended(context, stored, status, reason, beside)
        except (subscriptions.HoldingMoved, teams.TeamMoved):
            continue
    raise TryLater


def _ended(
    context: Context, stored: StoredInvoice, status: InvoiceStatus, reason: str, beside: Sequence[Write]
) -> Invoice:
    invoice = stored.invoice.model_copy(update={"status": status, "rejection": reason})
    user_id = invoice.buyer.user_id
    writes: list[Write] = [billing.changed_invoice(invoice, version=stored.version)]
    if invoice.kind is InvoiceKind.PLAN:
        writes.append(billing.bag_reopens(user_id, invoice.bag_id, invoice_id=invoice.id))
    delivery = Delivery.model_validate_json(stored.delivery)
    messages: list[Message] = []
    after = None
    if delivery.renewal is not None:
        of_holding, messages, after = refusal_writes(context, stored, delivery.renewal, status, reason)
        writes += [*of_holding, *(outbox.new(message) for message in messages)]
    if delivery.change is not None:
        writes += given_up(context, stored, delivery.change)
    if delivery.units is not None:
        of_pool, told = recharge.given_up(context, invoice, delivery.units, status=status, reason=reason)
        messages += told
        writes += [*of_pool, *(outbox.new(message) for message in told)]
    if delivery.plan is not None:
        plan_id = delivery.plan.terms.plan_id
        writes.append(subscriptions.give_back_plan(user_id, plan_id, invoice_id=invoice.id))
    for coupon in delivery.coupons:
        writes += coupon_store.return_coupon(coupon, user_id)
    activity = Activity(
        id=derived(status.lower(), invoice.id, *_attempt(invoice)),
        user_id=user_id,
        academy_id=invoice.academy_id,
        kind=f"payment-{status.lower()}",
        at=context.now,
        facts={"invoice": invoice.id, "amount": invoice.amount, "currency": invoice.currency, "reason": reason},
    )
    commit(context.table, [*writes, timeline.new(activity), *beside])
    if after is not None:
        wrote(context, after.holding, version=after.version)
    for message in messages:
        context.queue.nudge_outbox(message.id)
    return invoice


def _attempt(invoice: Invoice) -> tuple[int, ...]:
    """What recurs is tried again with the same invoice."""
    return () if invoice.is_purchase or invoice.payment is None else (invoice.payment.attempt,)
