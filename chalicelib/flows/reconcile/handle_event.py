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
from chalicelib.books.inbox.queries import StoredEvent
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.checkout.save_card import forget_card, forget_customer, keep_setup, refresh_card
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.record_refunds import record_dispute, record_refunds
from chalicelib.flows.fulfillment.settle import Waiting, settle
from chalicelib.flows.reconcile.metadata import named, number
from chalicelib.kernel.errors import DomainError

TRIES_MAX = 3

T = TypeVar("T")


class NotKnownYet(Exception):
    """The event is about something that we, or the processor, do not know (yet)."""


def handle_event(context: Context, event_id: str, topics: Mapping[str, str]) -> Event:
    """Try a pending event once, and answer it as it is then. `topics`: event type to what it makes us ask about.

    Raises nothing that the event causes: what fails is kept on the event. TryLater passes: nothing was done.
    """
    for _ in range(TRIES_MAX):
        stored = inbox_queries.event(context.table, event_id)
        if stored.event.status is not EventStatus.PENDING:
            return stored.event
        try:
            return _tried(context, stored, topics.get(stored.event.type))
        except inbox.AnotherHandles:
            continue  # its row is another one now: handled, or still to be handled
    return inbox_queries.event(context.table, event_id).event


def _tried(context: Context, stored: StoredEvent, topic: str | None) -> Event:
    """The event after one try. Raises AnotherHandles where its row was changed since it was read."""
    event = stored.event
    after = settled(event, EventStatus.IGNORED if topic is None else EventStatus.HANDLED)
    handled = inbox.changed(after, version=stored.version)
    try:
        if topic is not None and _acted(context, topic, event, handled):
            return after
    except (NotKnownYet, DomainError, billing.InvoiceMoved, billing.CustomerMoved) as error:
        after = after_failure(event, _why(error), context.now)
        handled = inbox.changed(after, version=stored.version)
    commit(context.table, [handled])
    return after


def _acted(context: Context, topic: str, event: Event, handled: Write) -> bool:
    """Act on the event. True where `handled` was written with what it caused."""
    if topic in PAYMENTS:
        return _settle_payment(context, PAYMENTS[topic](context, event), handled)
    HANDLERS[topic](context, event)
    return False


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


def _payment(context: Context, event: Event) -> str:
    return _object(event)


def _checkout(context: Context, event: Event) -> str:
    return _known(context.gateway.checkout_payment_id(_object(event)), _object(event))


def _settle_payment(context: Context, payment_id: str, handled: Write) -> bool:
    """Whether `handled` was written: in one transaction with what the payment decides, where it decides something."""
    first = _known(context.gateway.payment(payment_id), payment_id)
    if is_past_attempt(context, first):
        return False
    invoice = invoice_of_payment(context, first)
    # What is acted on must not be older than the invoice that it is written over, unless it can change no more.
    final = first.status in (PaymentStatus.SUCCEEDED, PaymentStatus.CANCELED)
    payment = first if final else _known(context.gateway.payment(payment_id), payment_id)
    outcome = settle(context, invoice, payment, cause=[handled])
    return not isinstance(outcome, Waiting) and outcome.wrote


def _setup(context: Context, event: Event) -> None:
    setup = _known(context.gateway.setup(_object(event)), _object(event))
    user_id = number(setup.metadata.get("user_id"))
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
    invoice = invoice_of_payment(context, payment).invoice
    if record_refunds(context, invoice.buyer.user_id, invoice.id, payment_id) is None:
        raise NotKnownYet(f"invoice {invoice.id} is not paid yet")


def _dispute(context: Context, event: Event) -> None:
    dispute = _known(context.gateway.dispute(_object(event)), _object(event))
    if dispute.payment_id is None:
        raise NotKnownYet(f"dispute {dispute.id} is of no payment of ours")
    payment = _known(context.gateway.payment(dispute.payment_id), dispute.payment_id)
    invoice = invoice_of_payment(context, payment).invoice
    if record_dispute(context, invoice.buyer.user_id, invoice.id, dispute.id) is None:
        raise NotKnownYet(f"invoice {invoice.id} is not paid yet")


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


PAYMENTS: Mapping[str, Callable[[Context, Event], str]] = {
    "payment": _payment,
    "checkout": _checkout,
}
"""Topics that settle an invoice: the id of the payment in question."""

HANDLERS: Mapping[str, Callable[[Context, Event], None]] = {
    "setup": _setup,
    "charge": _charge,
    "refund": _refund,
    "dispute": _dispute,
    "card": _card,
    "customer": _customer_event,
}
"""What is done about other topics. A new event type is a row in the adapter's table of topics; a new topic one here."""


def is_past_attempt(context: Context, payment: Payment) -> bool:
    """Whether a payment that failed was followed by another attempt of the same invoice: it decides nothing."""
    name = named(payment.metadata)
    if name is None or payment.status not in (PaymentStatus.FAILED, PaymentStatus.CANCELED):
        return False
    try:
        reference = billing_queries.invoice(context.table, name.user_id, name.invoice_id).invoice.payment
    except InvoiceNotFound:
        return False
    attempt = number(payment.metadata.get("attempt"))
    return reference is not None and attempt is not None and attempt < reference.attempt


def invoice_of_payment(context: Context, payment: Payment) -> StoredInvoice:
    """The invoice that a payment's metadata names. The metadata is ours, read from the processor and not the event."""
    name = named(payment.metadata)
    if name is None:
        raise NotKnownYet(f"payment {payment.id} names no invoice")
    try:
        stored = billing_queries.invoice(context.table, name.user_id, name.invoice_id)
    except InvoiceNotFound as error:
        raise NotKnownYet(f"payment {payment.id} names the unknown invoice {name.invoice_id}") from error
    reference = stored.invoice.payment
    same_customer = reference is not None and reference.customer_id == payment.customer_id
    same_attempt = reference is not None and payment.metadata.get("attempt") in (None, str(reference.attempt))
    same = same_customer and same_attempt
    if reference is None or not same or reference.payment_id not in (None, payment.id):
        raise NotKnownYet(f"payment {payment.id} is not the one of invoice {name.invoice_id}")
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


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
