"""Pay: turn a bag into an invoice, charge it, deliver it. The same bag again answers the same invoice.

Whoever pays again with another card, or another bag of the same plan, takes over what they left open (`take_over.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind, TooManyAttempts
from chalicelib.books.billing.model import Buyer, Customer, Invoice, InvoiceKind, Whence
from chalicelib.books.billing.queries import BagNotFound, StoredBag, StoredInvoice
from chalicelib.books.catalog.model import Period
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed, KeyReused, Record, RequestInFlight, StoredAnswer
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.waiting.store import PlacesMoved
from chalicelib.dynamo.rows import Key, Row
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.checkout.begin import Purchase, begin, begun_free, check_amount, invoice_of
from chalicelib.flows.checkout.charge import charge, resume
from chalicelib.flows.checkout.check import bag_id_of
from chalicelib.flows.checkout.quote import Content, Way, terms_of
from chalicelib.flows.checkout.take_over import give_way, take_over, with_another_card
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Access, Delivery, PlanDelivery
from chalicelib.flows.fulfillment.fulfill import fulfill
from chalicelib.flows.fulfillment.settle import Outcome, Refused, Settled, Waiting
from chalicelib.flows.waiting.room import room_writes
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.periods import Unit

T = TypeVar("T")
BEGIN_TRIES_MAX = 15


class BagExpired(DomainError):
    kind = Kind.GONE
    slug = "bag-expired"
    detail = "The bag is older than an hour. Check the purchase again."


class MissingChosenPeriod(DomainError):
    slug = "missing-chosen-period"
    detail = "Choose a period or a number of instalments: {offered}."


class PeriodDisabled(DomainError):
    slug = "period-disabled-for-bag"
    detail = "The bag cannot be paid by this period."


class InstalmentsNotOffered(DomainError):
    slug = "invalid-bag-configured-by-installments"
    detail = "The bag cannot be paid in {count} instalments."


class CouponNotInBag(DomainError):
    slug = "coupon-not-in-bag"
    detail = "The coupon {coupon} is not on this bag."


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    """How a bag is paid: by period or by instalments; neither for what is free. `coupons` are only checked.

    `conversion_info` says what led the customer here; it is kept with the invoice.
    """

    token: str
    period: Period | None = None
    instalments: int | None = None
    coupons: Sequence[str] = ()
    conversion_info: Mapping[str, str] = field(default_factory=dict)
    whence: Whence | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """The answer that was given to this Idempotency-Key before."""

    answer: StoredAnswer


def pay(context: Context, buyer: Buyer, command: Pay, keyed: Keyed | None = None) -> Outcome | Replayed:
    """Pay a bag of this person.

    Raises BagNotFound, BagExpired, BadReputation, MissingChosenPeriod, PeriodDisabled, InstalmentsNotOffered,
    CouponNotInBag, AmountTooLow, CardRequired, TooManyAttempts, PlanAlreadyBought, PlanAlreadyFinanced,
    TrialAlreadyTaken, CouponUsedUp, PlanAtCapacity, PurchaseInFlight, KeyReused, RequestInFlight, and what the
    processor refuses (never a decline: that is an outcome).
    """
    return answered_alike(context, keyed, lambda: _paid(context, buyer, command, keyed))


def _paid(context: Context, buyer: Buyer, command: Pay, keyed: Keyed | None) -> Outcome | Replayed:
    bag_id = bag_id_of(command.token)
    if bag_id is None:
        raise BagNotFound
    for attempt in range(BEGIN_TRIES_MAX):
        rows = _read(context, buyer, bag_id, keyed)
        replay = replayed(context, buyer, rows, keyed)
        if replay is not None:
            return replay
        bag_row = rows.get(billing.bag_key(buyer.user_id, bag_id))
        stored = None if bag_row is None else billing_queries.read_bag(bag_row)
        if stored is None or stored.bag.token != command.token:
            raise BagNotFound
        if stored.invoice_id is not None:
            outcome = resume(context, billing_queries.invoice(context.table, buyer.user_id, stored.invoice_id))
            if not with_another_card(_customer(context, buyer, rows), outcome):
                return _kept_late(context, outcome, keyed)
            take_over(context, billing_queries.invoice(context.table, buyer.user_id, stored.invoice_id))
            continue
        try:
            return _pay(context, stored, command, rows, keyed)
        except (billing.BagMoved, billing.AttemptsMoved, PlacesMoved):
            backoff.wait(attempt)
        except (subscriptions.PlanAlreadyBought, subscriptions.PlanAlreadyFinanced):
            if not give_way(context, buyer.user_id, _plan_id(stored)):
                raise
    raise RequestInFlight


def replayed(context: Context, buyer: Buyer, rows: Mapping[Key, Row], keyed: Keyed | None) -> Outcome | Replayed | None:
    """What a key's record says: the kept answer, the purchase that was begun under it, or None for a new key."""
    row = None if keyed is None else rows.get(idempotency.key_of(keyed))
    if keyed is None or row is None:
        return None
    record: Record = idempotency.read(row)
    if record.input_hash != keyed.input_hash:
        raise KeyReused
    if record.answer is not None:
        return Replayed(record.answer)
    if record.subject is None:
        raise RequestInFlight
    stored = billing_queries.invoice(context.table, buyer.user_id, record.subject)
    outcome = resume(context, stored, keyed=keyed)
    if isinstance(outcome, Settled):
        answered = idempotency.answered(keyed, keyed.render(outcome), subject=outcome.invoice.id, now=context.now)
        with suppress(RequestInFlight):  # kept already, with the delivery
            commit(context.table, [answered])
    return outcome


def answered_alike(
    context: Context,
    keyed: Keyed | None,
    ask: Callable[[], T],
    *,
    overtaken: tuple[type[DomainError], ...] = (TooManyAttempts,),
) -> T | Replayed:
    """What `ask` says; or where it is refused with one of `overtaken`, which another call with the key that was faster
    may have brought about (it has used the last attempt of the hour), what that one was answered. Raises
    RequestInFlight while it is not.
    """
    try:
        return ask()
    except overtaken:
        answer = None if keyed is None else idempotency.answer_of(context.table.get(idempotency.key_of(keyed)), keyed)
        if answer is None:
            raise
        return Replayed(answer)


def _read(context: Context, buyer: Buyer, bag_id: int, keyed: Keyed | None) -> dict[Key, Row]:
    user_id = buyer.user_id
    keys = [
        billing.bag_key(user_id, bag_id),
        billing.customer_key(user_id, context.gateway.account),
        billing.attempts_key(user_id, AttemptKind.PAYMENT),
        billing.reputation_key(user_id),
    ]
    if keyed is not None:
        keys.append(idempotency.key_of(keyed))
    return context.table.get_many(keys)


def _kept_late(context: Context, outcome: Outcome, keyed: Keyed | None) -> Outcome:
    """Somebody paid this bag, or is paying it. A key that comes late to it keeps the same answer, also a decline."""
    if keyed is not None and not isinstance(outcome, Waiting):
        answer = keyed.render(outcome.error if isinstance(outcome, Refused) else outcome)
        kept = idempotency.answered_at_once(keyed, answer, subject=outcome.invoice.id, now=context.now)
        commit(context.table, [kept])
    return outcome


def _pay(context: Context, stored: StoredBag, command: Pay, rows: Mapping[Key, Row], keyed: Keyed | None) -> Outcome:
    bag = stored.bag
    if bag.expires_at <= context.now:
        raise BagExpired
    billing_queries.check_standing(rows.get(billing.reputation_key(bag.buyer.user_id)))
    content = Content.model_validate_json(stored.content)
    for slug in command.coupons:
        if slug not in {coupon.slug for coupon in content.coupons}:
            raise CouponNotInBag(coupon=slug)
    way = chosen_way(content, command)
    customer = _customer(context, bag.buyer, rows)
    purchase = replace(
        _purchase(context, stored, content, way, customer),
        conversion_info=dict(command.conversion_info),
        whence=command.whence,
    )
    room = room_writes(context, content.offer.plan, bag.buyer)
    if purchase.amount == 0:
        invoice = invoice_of(context, purchase, None)
        return Settled(_free(context, invoice, purchase.delivery, rows, keyed, room))
    check_amount(way.priced.total)
    invoice = invoice_of(context, purchase, customer)
    begun = begin(context, invoice, purchase.delivery, rows=rows, keyed=keyed, beside=room)
    return charge(context, begun, keyed=keyed)


def _customer(context: Context, buyer: Buyer, rows: Mapping[Key, Row]) -> Customer:
    account = context.gateway.account
    row = rows.get(billing.customer_key(buyer.user_id, account))
    return billing_queries.read_customer(row, buyer.user_id, account, context.now).customer


def _plan_id(stored: StoredBag) -> int:
    return Content.model_validate_json(stored.content).offer.plan.id


def chosen_way(content: Content, command: Pay) -> Way:
    """The way to pay that was chosen; the only one of a free plan needs no choice."""
    if command.period is not None:
        way = content.period_way(command.period)
        if way is None:
            raise PeriodDisabled
        return way
    if command.instalments is not None:
        way = content.instalment_way(command.instalments)
        if way is None:
            raise InstalmentsNotOffered(count=command.instalments)
        return way
    if content.free:
        return content.ways[0]
    offered = [way.period or f"{way.instalments} instalments" for way in content.ways]
    raise MissingChosenPeriod(offered=", ".join(offered))


def _purchase(context: Context, stored: StoredBag, content: Content, way: Way, customer: Customer) -> Purchase:
    bag = stored.bag
    trial = content.trial is not None and way.period is not None
    return Purchase(
        id=new_id(context.now, context.random_bits),
        kind=InvoiceKind.PLAN,
        academy_id=bag.academy_id,
        buyer=bag.buyer,
        bag_id=bag.id,
        priced=way.priced,
        amount=0 if trial else way.priced.amount,
        coupons=content.coupons,
        country=bag.country,
        plan_slug=content.offer.plan.slug,
        delivery=_delivery(context, content, way, customer, trial=trial),
    )


def _delivery(context: Context, content: Content, way: Way, customer: Customer, *, trial: bool) -> Delivery:
    plan = content.offer.plan
    once = not plan.is_renewable
    access = Access.FINANCING if once else (Access.TRIAL if trial else Access.SUBSCRIPTION)
    fingerprint = customer.card.fingerprint if customer.card is not None and context.limits.one_trial_per_card else None
    return Delivery(
        plan=PlanDelivery(
            access=access,
            terms=terms_of(content, way),
            trial_every=content.trial.duration if content.trial is not None else 0,
            trial_unit=content.trial.unit if content.trial is not None else Unit.DAY,
            trial_fingerprint=fingerprint if trial else None,
            instalments=way.instalments or 1,
            life_every=content.life[0] if content.life is not None else 0,
            life_unit=content.life[1] if content.life is not None else Unit.MONTH,
        ),
        coupons=content.coupons,
    )


def _free(
    context: Context,
    invoice: Invoice,
    delivery: Delivery,
    rows: Mapping[Key, Row],
    keyed: Keyed | None,
    room: Sequence[Write],
) -> Invoice:
    """What costs nothing begins and ends in one transaction, and never meets the processor."""
    beside = kept_at_once(context, keyed, invoice)
    stored = StoredInvoice(invoice, delivery.model_dump_json(), 0)
    begun = begun_free(context, invoice, delivery, rows=rows, beside=room)
    return fulfill(context, stored, None, begun=begun, beside=beside)


def kept_at_once(context: Context, keyed: Keyed | None, invoice: Invoice) -> list[Write]:
    """Keep the answer to what is delivered in the transaction that it begins in, or that it is yet to be kept."""
    if keyed is None:
        return []
    if keyed.late:
        return [idempotency.opened(keyed, subject=invoice.id, now=context.now)]
    paid = invoice.model_copy(update={"status": "FULFILLED", "paid_at": context.now})
    return [idempotency.answered_at_once(keyed, keyed.render(Settled(paid)), subject=invoice.id, now=context.now)]
