"""Handle a stored event: ask the processor for the object as it is now, and act on that.

An event says only where to look. Objects that we do not know, or not yet, leave the event pending; it is tried again
with growing delay for about three days and then parked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import Payment, PaymentDeclined, PaymentStatus
from chalicelib.books.billing.model import Customer
from chalicelib.books.billing.queries import InvoiceNotFound, StoredInvoice
from chalicelib.books.inbox import queries as inbox_queries
from chalicelib.books.inbox import store as inbox
from chalicelib.books.inbox.model import Event, EventStatus, after_failure, settled
from chalicelib.dynamo.writes import commit
from chalicelib.flows.checkout.save_card import forget_card, forget_customer, keep_setup, refresh_card
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.record_refunds import record_dispute, record_refunds
from chalicelib.flows.fulfillment.settle import settle
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import ID_MAX

T = TypeVar("T")


class NotKnownYet(Exception):
    """The event is about something that we, or the processor, do not know (yet)."""


def handle_event(context: Context, event_id: str, topics: Mapping[str, str]) -> Event:
    """Try a pending event once, and answer it as it is then. `topics`: event type to what it makes us ask about.

    Raises nothing that the event causes: what fails is kept on the event. TryLater passes: nothing was done.
    """
    stored = inbox_queries.event(context.table, event_id)
    event = stored.event
    if event.status is not EventStatus.PENDING:
        return event
    topic = topics.get(event.type)
    if topic is None:
        after = settled(event, EventStatus.IGNORED)
    else:
        try:
            HANDLERS[topic](context, event)
            after = settled(event, EventStatus.HANDLED)
        except (NotKnownYet, DomainError, billing.InvoiceMoved, billing.CustomerMoved) as error:
            after = after_failure(event, _why(error), context.now)
    try:
        commit(context.table, [inbox.changed(after, version=stored.version)])
    except inbox.AnotherHandles:
        return inbox_queries.event(context.table, event_id).event
    return after


def fail_event(context: Context, event_id: str, error: Exception) -> Event:
    """Keep on the event that handling it broke, so that it is tried again later and parked in the end."""
    stored = inbox_queries.event(context.table, event_id)
    if stored.event.status is not EventStatus.PENDING:
        return stored.event
    after = after_failure(stored.event, type(error).__name__, context.now)
    try:
        commit(context.table, [inbox.changed(after, version=stored.version)])
    except inbox.AnotherHandles:
        return inbox_queries.event(context.table, event_id).event
    return after


def _payment(context: Context, event: Event) -> None:
    _settle_payment(context, _object(event))


def _settle_payment(context: Context, payment_id: str) -> None:
    first = _known(context.gateway.payment(payment_id), payment_id)
    invoice = _invoice_of(context, first)
    # What is acted on must not be older than the invoice that it is written over, unless it can change no more.
    final = first.status in (PaymentStatus.SUCCEEDED, PaymentStatus.CANCELED)
    payment = first if final else _known(context.gateway.payment(payment_id), payment_id)
    settle(context, invoice, payment)


def _setup(context: Context, event: Event) -> None:
    setup = _known(context.gateway.setup(_object(event)), _object(event))
    user_id = _number(setup.metadata.get("user_id"))
    if user_id is None and setup.customer_id is not None:
        user_id = billing_queries.user_of_customer(context.table, context.gateway.account, setup.customer_id)
    if user_id is None:
        raise NotKnownYet(f"setup {setup.id} belongs to no customer of ours")
    if setup.card is None and setup.status is PaymentStatus.SUCCEEDED:
        return  # its card was taken away since
    stored = _customer(context, user_id)
    if stored.customer_id != setup.customer_id:
        raise NotKnownYet(f"setup {setup.id} belongs to no customer of ours")
    if setup.card is not None and stored.card is not None and stored.setup_id != setup.id:
        return  # another card was saved since this one was begun, or this very one by the call
    try:
        keep_setup(context, user_id, setup)
    except PaymentDeclined:
        return  # the bank refused the card: the one that was saved before stays


def _charge(context: Context, event: Event) -> None:
    payment_id = _known(context.gateway.charge_payment_id(_object(event)), _object(event))
    _refunds_of(context, payment_id)


def _refund(context: Context, event: Event) -> None:
    refund = _known(context.gateway.refund_state(_object(event)), _object(event))
    if refund.payment_id is None:
        raise NotKnownYet(f"refund {refund.id} is of no payment of ours")
    _refunds_of(context, refund.payment_id)


def _refunds_of(context: Context, payment_id: str) -> None:
    payment = _known(context.gateway.payment(payment_id), payment_id)
    invoice = _invoice_of(context, payment).invoice
    if record_refunds(context, invoice.buyer.user_id, invoice.id, payment_id) is None:
        raise NotKnownYet(f"invoice {invoice.id} is not paid yet")


def _dispute(context: Context, event: Event) -> None:
    dispute = _known(context.gateway.dispute(_object(event)), _object(event))
    if dispute.payment_id is None:
        raise NotKnownYet(f"dispute {dispute.id} is of no payment of ours")
    payment = _known(context.gateway.payment(dispute.payment_id), dispute.payment_id)
    invoice = _invoice_of(context, payment).invoice
    if record_dispute(context, invoice.buyer.user_id, invoice.id, dispute.id) is None:
        raise NotKnownYet(f"invoice {invoice.id} is not paid yet")


def _checkout(context: Context, event: Event) -> None:
    payment_id = _known(context.gateway.checkout_payment_id(_object(event)), _object(event))
    _settle_payment(context, payment_id)


def _card(context: Context, event: Event) -> None:
    found = context.gateway.card(_object(event))
    card, customer_id = found if found is not None else (None, None)
    owner = customer_id or event.previous_customer
    user_id = None if owner is None else billing_queries.user_of_customer(context.table, context.gateway.account, owner)
    if found is not None and customer_id is None and user_id is None:
        return  # attached to nobody, and nobody of ours had it: there is nothing to forget
    if user_id is None:
        raise NotKnownYet(f"card {_object(event)} belongs to no customer of ours")
    if customer_id is None or card is None:
        forget_card(context, user_id, _object(event))
    else:
        refresh_card(context, user_id, card)


def _customer_event(context: Context, event: Event) -> None:
    state = _known(context.gateway.customer(_object(event)), _object(event))
    user_id = billing_queries.user_of_customer(context.table, context.gateway.account, state.id)
    if user_id is None:
        if state.deleted and event.attempts > 0:
            return  # forgotten by a try that died before it said so, or never kept: the index has had time to tell
        raise NotKnownYet(f"customer {state.id} is none of ours")
    if state.deleted:
        forget_customer(context, user_id, state.id)


HANDLERS: Mapping[str, Callable[[Context, Event], None]] = {
    "payment": _payment,
    "setup": _setup,
    "charge": _charge,
    "refund": _refund,
    "dispute": _dispute,
    "checkout": _checkout,
    "card": _card,
    "customer": _customer_event,
}
"""What is done about each topic. A new event type is a row in the adapter's table of topics; a new topic one here."""


def _invoice_of(context: Context, payment: Payment) -> StoredInvoice:
    """The invoice that a payment's metadata names. The metadata is ours, read from the processor and not the event."""
    invoice_id, user_id = _number(payment.metadata.get("invoice_id")), _number(payment.metadata.get("user_id"))
    if invoice_id is None or user_id is None:
        raise NotKnownYet(f"payment {payment.id} names no invoice")
    try:
        stored = billing_queries.invoice(context.table, user_id, invoice_id)
    except InvoiceNotFound as error:
        raise NotKnownYet(f"payment {payment.id} names the unknown invoice {invoice_id}") from error
    reference = stored.invoice.payment
    same_customer = reference is not None and reference.customer_id == payment.customer_id
    if reference is None or not same_customer or reference.payment_id not in (None, payment.id):
        raise NotKnownYet(f"payment {payment.id} is not the one of invoice {invoice_id}")
    return stored


def _customer(context: Context, user_id: int) -> Customer:
    return billing_queries.customer(context.table, user_id, context.gateway.account, context.now).customer


def _known(found: T | None, ident: str) -> T:
    if found is None:
        raise NotKnownYet(f"the processor does not know {ident}")
    return found


def _object(event: Event) -> str:
    if event.object_id is None:
        raise NotKnownYet("the event names no object")
    return event.object_id


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 16:
        return None
    return int(text) if int(text) <= ID_MAX else None


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
