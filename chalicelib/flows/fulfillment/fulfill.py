"""Fulfil: deliver a paid invoice in one transaction, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.gateway import Payment
from chalicelib.books.billing.model import Invoice, InvoiceKind, InvoiceStatus
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.catalog import coupon_store
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.catalog.operations import creation
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.store import UserNotFound
from chalicelib.books.ledger import pool_store
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.model import Holder
from chalicelib.books.ledger.queries import FIRST_PAGE
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Holding
from chalicelib.books.subscriptions.queries import Held
from chalicelib.books.teams import recharge_store
from chalicelib.books.teams.store import TeamMoved
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment import recharge
from chalicelib.flows.fulfillment.change import delivered, held_for, seats_kept
from chalicelib.flows.fulfillment.delivery import Access, Delivery
from chalicelib.flows.fulfillment.latest import wrote
from chalicelib.flows.fulfillment.notices import receipt, reward_earned
from chalicelib.flows.fulfillment.plan import Fulfillment, Granting, fulfillment
from chalicelib.flows.fulfillment.renew import (
    Places,
    changed_writes,
    grant_writes,
    held_of,
    paid,
    paid_messages,
    places_now,
    pool_writes,
)
from chalicelib.flows.fulfillment.renewal import can_be_renewed
from chalicelib.flows.fulfillment.rewards import rewards
from chalicelib.kernel.errors import Defect, TryLater
from chalicelib.kernel.ids import derived

TRIES_MAX = 10
TAKEN = (
    billing.BagMoved,
    coupon_store.CouponUsedUp,
    subscriptions.PlanAlreadyBought,
    subscriptions.PlanAlreadyFinanced,
    subscriptions.TrialAlreadyTaken,
    recharge_store.SpendLimitReached,
)


class NotDeliverable(Exception):
    """A late payment cannot be delivered: what it was for has been taken by another purchase."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An invoice that was not in the table before: free purchases begin and end in one transaction."""

    writes: tuple[Write, ...]


def fulfill(
    context: Context,
    stored: StoredInvoice,
    payment: Payment | None,
    *,
    begun: Begun | None = None,
    beside: Sequence[Write] = (),
) -> Invoice:
    """Deliver what the invoice is for, and answer the fulfilled invoice.

    `payment` has succeeded at the processor, or is None where nothing was to be charged. `begun` carries the writes of
    a purchase that begins in this very transaction, `beside` those that belong to it (a kept answer, the row of the
    event that told of it). Raises InvoiceMoved where somebody else delivered or moved it first, and NotDeliverable for
    an invoice that was given up and whose claims another purchase has taken since, or for the pool of what is over.
    """
    late = stored.invoice.status in (InvoiceStatus.REJECTED, InvoiceStatus.VOIDED)
    invoice = _paid(stored.invoice, payment, context.now)
    delivery = Delivery.model_validate_json(stored.delivery)
    if delivery.renewal is not None or delivery.change is not None:
        return _go_on(context, stored, invoice, delivery, begun=begun, beside=beside)
    done = fulfillment(invoice, delivery, invoice.paid_at or context.now)
    earned = _earned(context, invoice, delivery)
    messages = [receipt(invoice, context.now), *(message for _, message in earned)]
    places: Places = {}
    for _ in range(TRIES_MAX):
        of_pool = _of_pool(context, invoice, delivery, late=late)
        writes = [
            *(begun.writes if begun is not None else ()),
            *_invoice_writes(stored, invoice, begun),
            *of_pool,
            *(claim_writes(invoice, delivery) if late else ()),
            *_holdings(invoice, done),
            *_grants(invoice, done, places),
            *(write for coupon, _ in earned for write in creation(coupon)),
            *(outbox.new(message) for message in messages),
            timeline.new(_activity(context, invoice)),
            *beside,
        ]
        try:
            commit(context.table, writes)
        except (ledger.PageFull, ledger.OwesUnits):
            places = places_now(context, done.grantings)
        except subscriptions.HoldingMoved:
            continue  # the one that a pool is of
        except TAKEN as error:
            if late:
                raise NotDeliverable from error
            raise
        else:
            for message in messages:
                context.queue.nudge_outbox(message.id)
            return invoice
    raise TryLater


def _go_on(
    context: Context,
    stored: StoredInvoice,
    invoice: Invoice,
    delivery: Delivery,
    *,
    begun: Begun | None,
    beside: Sequence[Write],
) -> Invoice:
    """Deliver further periods of a holding, or other terms: it goes on, and its units come, in one transaction."""
    places: Places = {}
    for _ in range(TRIES_MAX):
        held, going = _going(context, invoice, delivery)
        if held is not None and invoice.id in held.holding.invoice_ids:
            raise billing.InvoiceMoved  # another was faster: it is delivered, and its money stays
        if held is None or going is None:
            raise NotDeliverable
        after, grantings = going
        of_change = delivery.change is not None and begun is None
        seats = seats_kept(context, held.holding, after) if of_change else []
        if seats is None:
            raise NotDeliverable
        messages = paid_messages(invoice, held.holding, after, context.now)
        messages += [receipt(invoice, context.now)] if invoice.amount or invoice.is_purchase else []
        writes = [
            *changed_writes(held, after),  # first: whoever is slower is told so
            *pool_writes(context, held.holding, after),
            *seats,
            *(begun.writes if begun is not None else ()),
            *_invoice_writes(stored, invoice, begun),
            *grant_writes(
                grantings,
                places,
                invoice_id=invoice.id,
                cause=f"invoice:{invoice.id}",
                now=invoice.paid_at or context.now,
            ),
            *(outbox.new(message) for message in messages),
            timeline.new(_activity(context, invoice)),
            *beside,
        ]
        try:
            commit(context.table, writes)
        except (subscriptions.HoldingMoved, TeamMoved):
            continue
        except (ledger.PageFull, ledger.OwesUnits):
            places = places_now(context, grantings)
            continue
        except (subscriptions.PlanAlreadyBought, subscriptions.PlanAlreadyFinanced) as error:
            raise NotDeliverable from error
        wrote(context, after, version=held.version + 1)
        for message in messages:
            context.queue.nudge_outbox(message.id)
        if after.lots_until != after.access_until:
            context.queue.nudge_holdings([subscriptions.holding_key(after)])
        return invoice
    raise TryLater


def _going(
    context: Context, invoice: Invoice, delivery: Delivery
) -> tuple[Held | None, tuple[Holding, list[Granting]] | None]:
    """The holding as it is, and as it goes on with the units that come; nothing where it moved on otherwise."""
    if delivery.change is not None:
        held = held_for(context, invoice, delivery.change)
        return held, None if held is None else delivered(context, invoice, delivery.change, held)
    if delivery.renewal is None:
        raise Defect(f"invoice {invoice.id} is of no holding")
    held = held_of(context, invoice, delivery.renewal)
    if held is None or not can_be_renewed(held.holding, invoice.id, delivery.renewal):
        return held, None
    return held, paid(context, invoice, delivery.renewal, held)


def _paid(invoice: Invoice, payment: Payment | None, now: datetime) -> Invoice:
    changes: dict[str, object] = {"status": InvoiceStatus.FULFILLED, "rejection": None, "paid_at": now}
    if payment is not None:
        if invoice.payment is None or payment.amount != invoice.total or payment.amount_received != invoice.amount:
            raise Defect(f"payment {payment.id} is not the payment of invoice {invoice.id}")
        changes["paid_at"] = payment.paid_at or now
        changes["payment"] = invoice.payment.model_copy(
            update={"payment_id": payment.id, "charge_id": payment.charge_id}
        )
    elif invoice.amount:
        raise Defect(f"invoice {invoice.id} is to be paid")
    return invoice.model_copy(update=changes)


def _invoice_writes(stored: StoredInvoice, invoice: Invoice, begun: Begun | None) -> list[Write]:
    if begun is not None:
        return [billing.new_invoice(invoice, stored.delivery)]
    # What was planned since it was refused may make it free: then it delivers something else than it was to.
    writes: list[Write] = [billing.changed_invoice(invoice, version=stored.version, delivery=stored.delivery)]
    if invoice.kind is InvoiceKind.PLAN:
        writes.append(billing.bag_paid(invoice.buyer.user_id, invoice.bag_id, invoice_id=invoice.id))
    if invoice.payment is not None and invoice.is_purchase:
        succeeded = billing.attempt_uncounted(invoice.buyer.user_id, AttemptKind.PAYMENT, attempt_id=invoice.id)
        writes.append(succeeded)
    return writes


def claim_writes(invoice: Invoice, delivery: Delivery) -> list[Write]:
    """Claim for an invoice what only one purchase may have: the plan, its trial, the uses of its coupons.

    A purchase claims when it begins; a payment that comes after its invoice was given up must claim again.
    """
    user_id = invoice.buyer.user_id
    writes: list[Write] = []
    plan = delivery.plan
    if plan is not None:
        plan_id = plan.terms.plan_id
        financed = plan.access is Access.FINANCING
        writes.append(subscriptions.claim_plan(user_id, plan_id, invoice_id=invoice.id, financed=financed))
        if plan.access is Access.TRIAL:
            keys = [subscriptions.trial_claim_key(user_id, plan_id)]
            if plan.trial_fingerprint is not None:
                keys.append(subscriptions.card_trial_claim_key(plan.trial_fingerprint, plan_id))
            writes += [subscriptions.claim_trial(key, invoice_id=invoice.id) for key in keys]
    for coupon in delivery.coupons:
        writes += coupon_store.take_coupon(coupon, user_id)
    return writes


def _of_pool(context: Context, invoice: Invoice, delivery: Delivery, *, late: bool) -> Sequence[Write]:
    """What units for a team's pool need beside them. Raises NotDeliverable where its plan is over."""
    if delivery.units is None:
        return ()
    found = recharge.delivered(context, invoice, delivery.units, late=late)
    if found is None:
        raise NotDeliverable
    return found


def _holdings(invoice: Invoice, done: Fulfillment) -> list[Write]:
    writes: list[Write] = []
    if done.subscription is not None:
        writes.append(subscriptions.new_subscription(done.subscription))
    if done.financing is not None:
        writes.append(subscriptions.new_financing(done.financing))
    person = Holder.person(invoice.buyer.user_id)
    return writes + [pool_store.pool_write(person, pool) for pool in done.pools]


def _earned(context: Context, invoice: Invoice, delivery: Delivery) -> list[tuple[Coupon, Message]]:
    """The rewards of those with whose coupons it was bought, each with the mail that tells of it.

    A seller who has no account any more can use none, and must not keep the buyer from what was paid.
    """
    found = []
    for coupon in rewards(invoice, delivery):
        try:
            seller = identity.user(context.table, coupon.allowed_user_id or 0).person
        except UserNotFound:
            continue
        found.append((coupon, reward_earned(coupon, seller, context.now)))
    return found


def _grants(invoice: Invoice, done: Fulfillment, places: Places) -> list[Write]:
    writes: list[Write] = []
    for granting in done.grantings:
        where = places.get((granting.holder, granting.unit.name), FIRST_PAGE)
        writes += ledger.grant_writes(
            granting.holder,
            granting.unit,
            granting.grants,
            page=where.page,
            now=(invoice.paid_at or invoice.created_at),
            cause=f"invoice:{invoice.id}",
            owing=where.owing,
        )
    return writes


def _activity(context: Context, invoice: Invoice) -> Activity:
    return Activity(
        id=derived("paid", invoice.id),
        user_id=invoice.buyer.user_id,
        academy_id=invoice.academy_id,
        kind=f"{invoice.kind}-bought" if invoice.is_purchase else f"{invoice.kind}-paid",
        at=context.now,
        facts={"invoice": invoice.id, "amount": invoice.amount, "currency": invoice.currency},
    )
