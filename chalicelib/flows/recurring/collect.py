"""Collect: ask for the next payment of a holding. The period has one invoice, whoever asks, however often.

The attempt is written down, on the invoice and on the holding, before the processor is asked; each attempt has a key of
its own and is closed before the next one begins, so that two can never both take money.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import PaymentRefused, PaymentStatus
from chalicelib.books.billing.model import Buyer, Customer, Invoice, InvoiceKind, InvoiceStatus, PaymentRef, Whence
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed, RequestInFlight
from chalicelib.books.identity import store as identity
from chalicelib.books.identity.model import User
from chalicelib.books.outbox import store as outbox
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.cycle import coming_terms
from chalicelib.books.subscriptions.model import Financing, Holding, Status, Subscription
from chalicelib.books.subscriptions.queries import Held
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.checkout.begin import CardRequired
from chalicelib.flows.checkout.charge import charge, find_payment, resume
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery, RenewalDelivery
from chalicelib.flows.fulfillment.fulfill import Begun, NotDeliverable, fulfill
from chalicelib.flows.fulfillment.latest import wrote
from chalicelib.flows.fulfillment.notices import holding_over, payment_failed
from chalicelib.flows.fulfillment.renew import changed_writes
from chalicelib.flows.fulfillment.renewal import (
    NO_CARD,
    NOT_ASKED_AGAIN_FOR,
    digest,
    expected_start,
    next_invoice_id,
    not_asked,
    over,
    refused,
)
from chalicelib.flows.fulfillment.settle import Outcome, Refused, Settled, Waiting, settle
from chalicelib.flows.recurring.price import applied, chargeable, credit_in, less_credit, next_price, waived
from chalicelib.kernel.errors import Defect, DomainError, Kind
from chalicelib.kernel.ids import derived
from chalicelib.kernel.quotes import Priced


class ChangeIsPlanned(DomainError):
    kind = Kind.CONFLICT
    slug = "change-is-planned"
    detail = (
        "The plan changes at the end of what is paid, so the next period cannot be paid before. Take that back first."
    )


class By(StrEnum):
    """Who asks for the payment: the schedule, or its customer, who is there to authenticate."""

    SCHEDULE = "schedule"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Found:
    """What the next payment of a holding depends on, as it was read."""

    buyer: Buyer
    customer: Customer
    stored: StoredInvoice | None


def find(context: Context, holding: Holding) -> Found:
    """One round trip: who pays, with what card, and the invoice of the period, where there is one."""
    user_id, account = holding.user_id, context.gateway.account
    invoice_key = billing.invoice_key(user_id, next_invoice_id(holding))
    keys = [identity.user_key(user_id), billing.customer_key(user_id, account), invoice_key]
    rows = context.table.get_many(keys)
    if keys[0] not in rows:
        raise Defect(f"holding {holding.id} is nobody's")
    person = load(User, rows[keys[0]])
    buyer = Buyer(user_id=person.id, email=person.email, first_name=person.first_name, last_name=person.last_name)
    customer = billing_queries.read_customer(rows.get(keys[1]), user_id, account, context.now).customer
    stored = billing_queries.read_invoice(rows[invoice_key]) if invoice_key in rows else None
    if stored is not None and holding.id not in (stored.invoice.subscription_id, stored.invoice.financing_id):
        raise Defect(f"invoice {stored.invoice.id} is of another holding than {holding.id}")
    return Found(buyer, customer, stored)


def collect(
    context: Context,
    held: Held,
    *,
    by: By,
    count: int = 1,
    whence: Whence | None = None,
    keyed: Keyed | None = None,
) -> Outcome | None:
    """Ask for what is to be paid next: `count` instalments of a financing, one period of a subscription.

    The answer of a `keyed` request is kept with what it says, also where another call's attempt is what it found.
    None where nothing was asked of the processor: there is no card that could be charged, or another call was first.
    Raises HoldingMoved where the holding was changed since it was read, and of a customer's own attempt what refuses
    for another reason than the card.
    """
    holding = held.holding
    found = find(context, holding)
    reissue(context, held, found)
    if found.stored is not None:
        before = _before(context, held, found.stored)
        if before is not None:
            return kept_late(context, before, keyed)
    if isinstance(holding, Subscription) and holding.planned is not None and context.now < expected_start(holding):
        raise ChangeIsPlanned
    price = less_credit(next_price(holding, count=count), holding)
    if chargeable(price) == 0:
        return _free(context, held, found, _Asked(price, count, whence, keyed))
    card = found.customer.card
    if by is By.SCHEDULE and (card is None or _is_hopeless(holding, card.payment_method_id)):
        _without_card(context, held, found, price)
        return None
    attempt = _attempt(context, holding, found, by, price, whence)
    stored = _begin(context, held, found, attempt, count=count, keyed=keyed)
    return charge(context, stored, keyed=keyed)


def reissue(context: Context, held: Held, found: Found) -> None:
    """Let the next payment have another invoice, where the money of the one that it has came while a refund held it
    back, and went back; and that refund failed since. Raises HoldingMoved with that.
    """
    if found.stored is not None and found.stored.invoice.undelivered:
        again = held.holding.model_copy(update={"reissued": held.holding.reissued + 1, "open_invoice_id": None})
        commit(context.table, [subscriptions.changed_holding(again, version=held.version)])
        raise subscriptions.HoldingMoved


def _is_hopeless(holding: Holding, payment_method_id: str) -> bool:
    dunning = holding.dunning
    return dunning is not None and dunning.hard and dunning.payment_method_id == payment_method_id


def _resumed(context: Context, held: Held, stored: StoredInvoice) -> Outcome:
    """An attempt that nobody has heard of: settled if it was decided, else looked at again in some minutes."""
    outcome = resume(context, stored)
    if isinstance(outcome, Waiting):
        later = not_asked(held.holding, context.now)
        commit(context.table, [subscriptions.changed_holding(later, version=held.version)])
    return outcome


def _before(context: Context, held: Held, stored: StoredInvoice) -> Outcome | None:
    """What has become of the attempt before this one; None where it can take no money any more."""
    if stored.invoice.is_paid:
        return Settled(stored.invoice)
    if stored.invoice.status is InvoiceStatus.PENDING:
        return _resumed(context, held, stored)
    return closed(context, stored)


def kept_late(context: Context, outcome: Outcome, keyed: Keyed | None) -> Outcome:
    """A key that comes to another call's attempt keeps the same answer, also a decline."""
    if keyed is not None and not isinstance(outcome, Waiting):
        answer = keyed.render(outcome.error if isinstance(outcome, Refused) else outcome)
        kept = idempotency.answered_at_once(keyed, answer, subject=outcome.invoice.id, now=context.now)
        with suppress(RequestInFlight):  # the same key was faster
            commit(context.table, [kept])
    return outcome


def closed(context: Context, stored: StoredInvoice) -> Settled | None:
    """Close a refused attempt at the processor, which its customer might still confirm.

    An answer where they just did: then it is settled, and nothing is asked for again. Raises PurchaseInFlight where
    they are doing so right now.
    """
    reference = stored.invoice.payment
    if reference is None or reference.payment_id is None:
        return None
    payment = find_payment(context, stored.invoice)
    if payment is not None and payment.status in (PaymentStatus.FAILED, PaymentStatus.REQUIRES_ACTION):
        try:
            payment = context.gateway.cancel_payment(payment.id, key=derived("cancel", payment.id))
        except PaymentRefused:
            payment = context.gateway.payment(payment.id)
    if payment is None or payment.status in (PaymentStatus.CANCELED, PaymentStatus.FAILED):
        return None
    outcome = settle(context, stored, payment)
    if not isinstance(outcome, Settled):
        raise PurchaseInFlight
    return outcome


def _attempt(context: Context, holding: Holding, found: Found, by: By, price: Priced, whence: Whence | None) -> Invoice:
    """The invoice of the period with the attempt that begins now."""
    customer, before = found.customer, found.stored
    if customer.card is None or customer.customer_id is None:
        raise CardRequired
    attempt = 1
    if before is not None and before.invoice.payment is not None:
        attempt = before.invoice.payment.attempt + 1
    invoice = _invoice(context, holding, found, price)
    reference = PaymentRef(
        account=customer.account,
        customer_id=customer.customer_id,
        payment_method_id=customer.card.payment_method_id,
        card_brand=customer.card.brand,
        card_last4=customer.card.last4,
        key=f"invoice-{invoice.id}-{attempt}",
        attempt=attempt,
        attempted_at=context.now,
        present=by is By.CUSTOMER,
        scheduled=by is By.SCHEDULE and _is_scheduled(context, holding),
    )
    return invoice.model_copy(update={"payment": reference, "whence": whence})


def _is_scheduled(context: Context, holding: Holding) -> bool:
    """Whether the schedule's time has come; else a new card brought the attempt forward."""
    return holding.dunning is None or holding.dunning.next_attempt_at <= context.now


def _invoice(context: Context, holding: Holding, found: Found, price: Priced) -> Invoice:
    ident = next_invoice_id(holding)
    financed = isinstance(holding, Financing)
    return Invoice(
        id=ident,
        kind=InvoiceKind.INSTALMENT if financed else InvoiceKind.RENEWAL,
        status=InvoiceStatus.PENDING,
        academy_id=holding.terms.academy_id,
        buyer=found.buyer,
        bag_id=ident,
        currency=price.currency,
        amount=chargeable(price),
        lines=waived(price),
        coupons=applied(holding),
        country=holding.terms.country,
        plan_slug=coming_terms(holding).plan_slug,
        subscription_id=None if financed else holding.id,
        financing_id=holding.id if financed else None,
        created_at=context.now if found.stored is None else found.stored.invoice.created_at,
    )


def _delivery(holding: Holding, invoice: Invoice, count: int) -> Delivery:
    terms = coming_terms(holding)
    return Delivery(
        renewal=RenewalDelivery(
            holding_id=holding.id,
            financed=isinstance(holding, Financing),
            plan_id=terms.plan_id,
            starts_at=expected_start(holding),
            count=count,
            pooled=any(item.pooled for item in terms.items),
            terms=digest(terms),
            credit=credit_in(invoice.lines),
        )
    )


def _begin(
    context: Context, held: Held, found: Found, invoice: Invoice, *, count: int, keyed: Keyed | None
) -> StoredInvoice:
    """Write the attempt down: on its invoice, and on the holding, so that of two that begin at once one is refused."""
    delivery = _delivery(held.holding, invoice, count).model_dump_json()
    trying = held.holding.model_copy(
        update={"open_invoice_id": invoice.id, "retry_at": context.now + NOT_ASKED_AGAIN_FOR}
    )
    before = found.stored
    writes: list[Write] = [
        subscriptions.changed_holding(trying, version=held.version),  # first: the slower of two is told that it moved
        billing.new_invoice(invoice, delivery)
        if before is None
        else billing.changed_invoice(invoice, version=before.version, delivery=delivery),
    ]
    if keyed is not None:
        writes.append(idempotency.opened(keyed, subject=invoice.id, now=context.now))
    commit(context.table, writes)
    wrote(context, trying, version=held.version + 1)
    return StoredInvoice(invoice, delivery, 1 if before is None else before.version + 1)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for: so many instalments or a period, for how much, from where, under which key."""

    price: Priced
    count: int
    whence: Whence | None
    keyed: Keyed | None


def _free(context: Context, held: Held, found: Found, asked: _Asked) -> Outcome:
    """What costs nothing never meets the processor: it begins and ends in one transaction."""
    invoice = _invoice(context, held.holding, found, asked.price).model_copy(update={"whence": asked.whence})
    delivery = _delivery(held.holding, invoice, asked.count).model_dump_json()
    before = found.stored
    begun = Begun(()) if before is None else None
    stored = StoredInvoice(invoice, delivery, 0 if before is None else before.version)
    beside: list[Write] = []
    if asked.keyed is not None:
        paid = invoice.model_copy(update={"status": InvoiceStatus.FULFILLED, "paid_at": context.now})
        answer = asked.keyed.render(Settled(paid))
        beside.append(idempotency.answered_at_once(asked.keyed, answer, subject=invoice.id, now=context.now))
    try:
        return Settled(fulfill(context, stored, None, begun=begun, beside=beside))
    except NotDeliverable as moved:
        raise subscriptions.HoldingMoved from moved


def _without_card(context: Context, held: Held, found: Found, price: Priced) -> None:
    """There is nothing to charge: a trial ends, and anything else waits for another card until its last day."""
    holding = held.holding
    if holding.status is Status.FREE_TRIAL:
        after = over(holding, Status.EXPIRED, "The trial has ended.", context.now)
    else:
        card = found.customer.card
        dunning = holding.dunning
        after = refused(
            holding,
            code=NO_CARD if card is None or dunning is None else dunning.code,
            payment_method_id=None if card is None else card.payment_method_id,
            scheduled=True,
            now=context.now,
        )
    if after.ended_at is not None:
        told = [holding_over(found.buyer, after, context.now)]
    elif after.dunning is not None:
        told = [payment_failed(found.buyer, after, price.total, context.now)]
    else:
        told = []  # it rests on
    commit(context.table, [*changed_writes(held, after), *(outbox.new(message) for message in told)])
    for message in told:
        context.queue.nudge_outbox(message.id)
