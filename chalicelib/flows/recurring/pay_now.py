"""Pay now: what is open, or the next period early, with its customer looking on.

A period has one invoice, so the same call twice asks for the same money; and a period that was paid makes the next one
payable only when it has begun, or a moment has passed: a double click pays once, with or without a key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.books.billing import attempts
from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.model import Buyer, Customer, InvoiceStatus, Whence
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed, RequestInFlight
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Financing, Holding
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import backoff, commit
from chalicelib.flows.checkout.begin import CardRequired
from chalicelib.flows.checkout.pay import Replayed, answered_alike, replayed
from chalicelib.flows.checkout.take_over import take_over
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.flows.fulfillment.settle import Outcome, Refused, Settled
from chalicelib.flows.recurring.alter import follow, held_by
from chalicelib.flows.recurring.collect import By, closed, collect, find, kept_late, reissue
from chalicelib.flows.recurring.price import chargeable, less_credit, next_price
from chalicelib.flows.recurring.wishes import (
    AllInstalmentsPaid,
    JustPaid,
    NothingToPay,
    TooEarlyToRenew,
    check_payable,
    check_renewable,
)
from chalicelib.kernel.errors import Defect
from chalicelib.kernel.ids import derived_id

TRIES_MAX = 15
MOVED = (subscriptions.HoldingMoved, billing.InvoiceMoved)
OVERTAKEN = (attempts.TooManyAttempts, NothingToPay, JustPaid, TooEarlyToRenew, AllInstalmentsPaid)
"""What a call is refused with when another one has just paid."""

Check = Callable[[Holding, bool], None]
"""Raises what forbids to pay the holding, given whether a payment of it waits to be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Who pays, and from where. `whole`: of a financing all that is left, as one invoice."""

    buyer: Buyer
    whence: Whence | None = None
    keyed: Keyed | None = None
    whole: bool = False


def pay_now(context: Context, key: Key, ask: Ask) -> Outcome | Replayed:
    """Pay what is open.

    Raises NothingToPay, JustPaid, CardRequired, TooManyAttempts, PurchaseInFlight, KeyReused, RequestInFlight, and what
    the processor refuses (never a decline: that is an outcome).
    """

    def check(holding: Holding, waits: bool) -> None:
        check_payable(holding, context.now, waits=waits, whole=ask.whole)

    return _once(context, key, ask, check)


def renew_now(context: Context, key: Key, ask: Ask) -> Outcome | Replayed:
    """Pay the next period, or instalment, before its day.

    Raises TooEarlyToRenew, NotActive, AllInstalmentsPaid, AlreadyPaused, PaymentIsDisputed, and what `pay_now` does.
    """

    def check(holding: Holding, waits: bool) -> None:
        check_renewable(holding, context.now, waits=waits)

    return _once(context, key, ask, check)


def _once(context: Context, key: Key, ask: Ask, check: Check) -> Outcome | Replayed:
    held_by(context, key)
    if ask.keyed is not None:
        record = idempotency.key_of(ask.keyed)
        answer = replayed(context, ask.buyer, context.table.get_many([record]), ask.keyed)
        if answer is not None:
            return answer
    return answered_alike(context, ask.keyed, lambda: collected(context, key, ask, check), overtaken=OVERTAKEN)


def check_card(context: Context, holding: Holding) -> None:
    """Raise CardRequired where the next payment needs a card and there is none."""
    if chargeable(less_credit(next_price(holding), holding)) and find(context, holding).customer.card is None:
        raise CardRequired


def collected(context: Context, key: Key, ask: Ask, check: Check) -> Outcome:
    """Ask for the payment until it is decided, or waits for the bank."""
    for attempt in range(TRIES_MAX):
        held = held_by(context, key)
        found = find(context, held.holding)
        waits = found.stored is not None and found.stored.invoice.status is InvoiceStatus.PENDING
        check(held.holding, waits)
        count = _count(held.holding, ask)
        try:
            reissue(context, held, found)
            if found.stored is not None and _is_another(found.customer, found.stored, count):
                settled = _closed(context, found.stored)
                if settled is not None and not ask.whole:
                    follow(context, key, held_by(context, key).holding)
                    return kept_late(context, settled, ask.keyed)
                if settled is not None or waits:
                    continue
            if not waits:
                check_attempts(context, held.holding.user_id)
            outcome = collect(context, held, by=By.CUSTOMER, count=count, whence=ask.whence, keyed=ask.keyed)
        except MOVED:
            backoff.wait(attempt)
            continue
        if isinstance(outcome, Refused):
            _count_decline(context, outcome)
        if isinstance(outcome, Settled):
            follow(context, key, held_by(context, key).holding)
        if outcome is None:
            raise Defect(f"holding {held.holding.id} was not asked to pay")
        return outcome
    raise RequestInFlight


def _count(holding: Holding, ask: Ask) -> int:
    """How many instalments are paid at once."""
    if ask.whole and isinstance(holding, Financing):
        return holding.how_many_installments - holding.installments_paid
    return 1


def _is_another(customer: Customer, stored: StoredInvoice, count: int) -> bool:
    """Whether the attempt before was for another number of instalments, or waits for a card that was replaced."""
    renewal = Delivery.model_validate_json(stored.delivery).renewal
    if renewal is not None and renewal.count != count:
        return True
    reference, card = stored.invoice.payment, customer.card
    if stored.invoice.status is not InvoiceStatus.PENDING or reference is None or card is None:
        return False
    return card.payment_method_id != reference.payment_method_id


def _closed(context: Context, stored: StoredInvoice) -> Settled | None:
    """Close the attempt before this one; an answer where it has succeeded."""
    if stored.invoice.status is InvoiceStatus.PENDING:
        take_over(context, stored)
        stored = billing_queries.invoice(context.table, stored.invoice.buyer.user_id, stored.invoice.id)
    return Settled(stored.invoice) if stored.invoice.is_paid else closed(context, stored)


def check_attempts(context: Context, user_id: int) -> None:
    """Declined payments count together, of whatever (D60), so that nobody tries cards here."""
    row = context.table.get(billing.attempts_key(user_id, AttemptKind.PAYMENT))
    if row is not None:
        attempts.check(row.values, limit=context.limits.declines_per_hour, now=context.now)


def _count_decline(context: Context, refused: Refused) -> None:
    invoice = refused.invoice
    number = 1 if invoice.payment is None else invoice.payment.attempt
    ident = derived_id(invoice.id, "declined", number)
    declined = billing.attempt_declined(invoice.buyer.user_id, AttemptKind.PAYMENT, attempt_id=ident, now=context.now)
    commit(context.table, [declined])
