"""Propose: what a change of plan would be now: to which terms, when, and for how much. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.model import Customer, InvoiceStatus
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.catalog import coupon_queries
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.coupon_queries import CountedCoupon
from chalicelib.books.catalog.model import Offer, Period, Plan
from chalicelib.books.catalog.plans import FOR_SALE
from chalicelib.books.catalog.pricing import MultipleCurrenciesFound
from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Status, Subscription, TermCoupon, Terms
from chalicelib.books.subscriptions.queries import Held, SubscriptionNotFound
from chalicelib.books.teams import store as teams
from chalicelib.dynamo.rows import Key, Row
from chalicelib.dynamo.writes import Write
from chalicelib.flows.checkout.check import PlanNotSupportTeams
from chalicelib.flows.checkout.quote import Wanted, currency_of, quote, terms_of
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.renewal import next_invoice_id
from chalicelib.flows.recurring.proration import (
    Reckoned,
    Stretch,
    When,
    anew,
    applies_at,
    coming,
    needs_payment,
    paid_by,
    stretch_of,
    when,
    within,
)
from chalicelib.flows.recurring.resizing import included_seats, nobody_seated, resized, seat_price, seat_price_now
from chalicelib.kernel.errors import Defect, DomainError, Kind
from chalicelib.kernel.ids import derived_id, new_id

ADD_ON = "add_on_"


class FinancingCannotBeChanged(DomainError):
    kind = Kind.CONFLICT
    slug = "plan-financing-cannot-be-changed"
    detail = "A plan that is paid by instalments cannot be changed to another."


class SubscriptionCannotBeChanged(DomainError):
    kind = Kind.CONFLICT
    slug = "subscription-cannot-be-changed"
    detail = "The subscription cannot be changed: {why}."


class PlanNotRenewable(DomainError):
    slug = "plan-is-not-renewable"
    detail = "A subscription can only be changed to a plan that is paid by the period."


class PeriodNotOffered(DomainError):
    slug = "period-not-offered"
    detail = "The plan cannot be paid by this period. It can by: {offered}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which subscription is to have which plan (id or slug), paid by which period; None: the one that it has.

    `seats`: its plan and its period stay, and it is to have so many seats; only while it has `instead_of`.
    """

    subscription_id: int
    plan: int | str
    period: Period | None = None
    seats: int | None = None
    instead_of: int | None = None


class SeatsMoved(Exception):
    """It has another number of seats than whoever asks for more knows of."""


class Kept(StrEnum):
    """What costs nothing: it stays as it is (what was planned is withdrawn), or its trial is of another plan."""

    SAME = "same"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change as it would be at this instant. `plan` is None where the plan stays."""

    held: Held
    kind: When | Kept
    terms: Terms
    reckoned: Reckoned
    applies_at: datetime
    invoice_id: int
    plan: Plan | None
    customer: Customer
    rows: Mapping[Key, Row]
    trial_claims: tuple[Key, ...] = ()
    beside: tuple[Write, ...] = ()

    @property
    def subscription(self) -> Subscription:
        return subscription_of(self.held)


def subscription_of(held: Held) -> Subscription:
    if not isinstance(held.holding, Subscription):
        raise Defect(f"holding {held.holding.id} is no subscription")
    return held.holding


def find(context: Context, user_id: int, subscription_id: int) -> Held:
    """A person's subscription, to be changed. Raises SubscriptionNotFound, FinancingCannotBeChanged."""
    held = subscription_queries.held(context.table, subscriptions.subscription_key(user_id, subscription_id))
    if held is not None:
        return held
    if context.table.get(subscriptions.financing_key(user_id, subscription_id)) is not None:
        raise FinancingCannotBeChanged
    raise SubscriptionNotFound


def propose(context: Context, held: Held, wish: Wish) -> Proposal:
    """What the change would be now.

    Raises SubscriptionCannotBeChanged, PlanNotFound, PlanNotRenewable, PeriodNotOffered, PlanNotReady,
    PlanNotSupportTeams, MultipleCurrenciesFound, PlanAlreadyBought, PlanAlreadyFinanced, PurchaseInFlight,
    SeatsInUse, SeatsMoved, TooManyChanges.
    """
    holding = subscription_of(held)
    if wish.instead_of not in (None, holding.terms.seats):
        raise SeatsMoved
    check_changeable(holding)
    due = holding.next_payment_at
    if due is None or due <= context.now:
        raise billing.PurchaseInFlight  # its payment is being asked for
    if is_of(holding.terms, wish, holding):
        return _same(context, held)
    if wish.seats is not None:
        _check_only_seats_planned(holding)
        rows = context.table.get_many(_keys(context, holding, holding.terms.plan_id))
        _check_open(holding, rows)
        return _proposal(context, held, None, _resized(context, holding, wish.seats), rows)
    plan, coupons = _plan_and_coupons(context, holding, wish)
    offer, rows = catalog.offer_and_rows(
        context.table, plan, add_ons=_add_ons(holding, plan), beside=_keys(context, holding, plan.id)
    )
    _check_claim(holding, plan, rows)
    _check_open(holding, rows)
    terms = _terms(context, holding, offer, wish, coupons)
    return _proposal(context, held, plan, terms, rows)


def _check_only_seats_planned(holding: Subscription) -> None:
    """Seats are of the terms that are agreed; another plan or period that is planned must not be dropped unsaid."""
    planned, terms = holding.planned, holding.terms
    if planned is not None and (planned.plan_id, planned.period) != (terms.plan_id, terms.period):
        raise SubscriptionCannotBeChanged(why="another plan or period is planned; take that back first")


def is_of(terms: Terms, wish: Wish, holding: Subscription) -> bool:
    """Whether terms are those that are wished for."""
    span = holding.terms.period if wish.period is None else wish.period.span
    named = wish.plan in (terms.plan_id, terms.plan_slug) and terms.period.months == span.months
    return named and wish.seats in (None, terms.seats)


def check_changeable(holding: Subscription) -> None:
    """Raises SubscriptionCannotBeChanged where it is not paid and going on."""
    why = None
    if holding.held_back is not None:
        why = "a payment of it was refunded or is disputed"
    elif holding.status is Status.PAYMENT_ISSUE:
        why = "a payment of it was refused; pay it first"
    elif holding.status is Status.CANCELLED:
        why = "it is cancelled; reactivate it first"
    elif holding.status is Status.PAUSED or holding.pause is not None:
        why = "it is paused; resume it first"
    elif holding.ended_at is not None or holding.status not in (Status.ACTIVE, Status.FREE_TRIAL):
        why = "it is over"
    if why is not None:
        raise SubscriptionCannotBeChanged(why=why)


def _plan_and_coupons(context: Context, holding: Subscription, wish: Wish) -> tuple[Plan, tuple[CountedCoupon, ...]]:
    slugs = [coupon.slug for coupon in holding.terms.coupons]
    plan, coupons = coupon_queries.plan_and_coupons(context.table, wish.plan, slugs, now=context.now)
    if plan.status not in FOR_SALE or plan.academy_id != holding.terms.academy_id:
        raise catalog.PlanNotFound
    if not plan.is_renewable:
        raise PlanNotRenewable
    return plan, coupons


def _keys(context: Context, holding: Subscription, plan_id: int) -> list[Key]:
    """What a change depends on beside the plan, read in one go with it."""
    user_id = holding.user_id
    trial = holding.status is Status.FREE_TRIAL
    paid = () if trial else paid_by(holding, stretch_of(holding, context.now.replace(microsecond=0)))
    return [
        subscriptions.plan_claim_key(user_id, plan_id),
        subscriptions.trial_claim_key(user_id, plan_id),
        billing.customer_key(user_id, context.gateway.account),
        billing.attempts_key(user_id, AttemptKind.PAYMENT),
        billing.reputation_key(user_id),
        teams.team_key(holding.id),
        *(billing.invoice_key(user_id, ident) for ident in {next_invoice_id(holding), *paid}),
    ]


def _check_claim(holding: Subscription, plan: Plan, rows: Mapping[Key, Row]) -> None:
    claim = rows.get(subscriptions.plan_claim_key(holding.user_id, plan.id))
    if claim is not None and subscriptions.claimed_by(claim) != holding.id:
        raise subscriptions.already(subscriptions.is_financed(claim))


def _check_open(holding: Subscription, rows: Mapping[Key, Row]) -> None:
    """Raises PurchaseInFlight while the next period is being paid under the terms that would change."""
    following = open_renewal(holding, rows)
    if following is not None and following.invoice.status is InvoiceStatus.PENDING:
        raise billing.PurchaseInFlight


def open_renewal(holding: Subscription, rows: Mapping[Key, Row]) -> StoredInvoice | None:
    """The next period's invoice, where there was an attempt to pay it before its day."""
    row = rows.get(billing.invoice_key(holding.user_id, next_invoice_id(holding)))
    return None if row is None else billing_queries.read_invoice(row)


def _add_ons(holding: Subscription, plan: Plan) -> dict[int, int]:
    """Those of its add-ons that the plan has too, by service."""
    had = {
        int(item.link_id.removeprefix(ADD_ON)): item.how_many
        for item in holding.terms.items
        if item.link_id.startswith(ADD_ON)
    }
    return {service_id: count for service_id, count in had.items() if service_id in plan.add_on_service_ids}


def _terms(
    context: Context, holding: Subscription, offer: Offer, wish: Wish, coupons: tuple[CountedCoupon, ...]
) -> Terms:
    """The terms that are wished for, at today's price in the country of the purchase.

    Where further seats were bought it has as many seats as before, and else those that the plan includes. Of the plan
    that it has only price and period are new: what it grants stays as agreed.
    """
    plan, old = offer.plan, holding.terms
    bought = any(line.id == "seats" for line in old.lines)
    extra = max(0, old.seats - plan.seats_included) if bought else 0
    if extra and offer.seat_price is None:
        raise PlanNotSupportTeams
    wanted = Wanted(
        country=old.country,
        seats=plan.seats_included + extra,
        extra_seats=extra,
        add_ons=_add_ons(holding, plan),
    )
    code = currency_of(offer, wanted)
    if code != old.currency:
        raise MultipleCurrenciesFound(currencies=f"{old.currency} and {code}")
    content = quote(offer, wanted, coupons=(), refused=(), trial_open=False, now=context.now)
    months = (old.period if wish.period is None else wish.period.span).months
    way = next((w for w in content.ways if w.period is not None and w.period.months == months), None)
    if way is None:
        offered = ", ".join(w.period for w in content.ways if w.period is not None)
        raise PeriodNotOffered(offered=offered)
    new = terms_of(content, way)
    if plan.id != old.plan_id:
        return new.model_copy(update={"coupons": _following(old, plan, coupons)})
    kept = ("pay_every", "pay_every_unit", "full_amount", "lines", "plan_version")
    return old.model_copy(update={name: getattr(new, name) for name in kept})


def _resized(context: Context, holding: Subscription, seats: int) -> Terms:
    """The terms with another number of seats, at the price that was agreed; where there was none, at today's."""
    terms = holding.terms
    price = seat_price(terms)
    if price is None and seats > included_seats(terms):
        plan = catalog.plan(context.table, terms.plan_id, now=context.now)
        price = seat_price_now(catalog.offer(context.table, plan).seat_price, terms)
    return resized(terms, seats, price)


def _following(old: Terms, plan: Plan, coupons: tuple[CountedCoupon, ...]) -> tuple[TermCoupon, ...]:
    """The coupons of the purchase that serve the other plan too: they go on by their own limits."""
    serving = {
        found.coupon.slug
        for found in coupons
        if not found.coupon.revoked and (not found.coupon.plan_ids or plan.id in found.coupon.plan_ids)
    }
    return tuple(coupon for coupon in old.coupons if coupon.slug in serving)


def _proposal(
    context: Context,
    held: Held,
    plan: Plan | None,
    terms: Terms,
    rows: Mapping[Key, Row],
) -> Proposal:
    holding, at = subscription_of(held), context.now.replace(microsecond=0)
    account = context.gateway.account
    row = rows.get(billing.customer_key(holding.user_id, account))
    customer = billing_queries.read_customer(row, holding.user_id, account, context.now).customer
    invoice_id = derived_id(new_id(context.now, lambda bits: 0), "change", holding.id, holding.changes)
    trial_claims: tuple[Key, ...] = ()
    kind: When | Kept
    if holding.status is Status.FREE_TRIAL:
        trial_claims = _trial_claims(context, holding, terms.plan_id, customer)
        kind = Kept.TRIAL
        if needs_payment(holding, plan, terms) or _had_trial(context, holding, trial_claims):
            kind = When.AT_END
        reckoned = coming(holding, terms) if kind is When.AT_END else Reckoned((), 0)
    else:
        stretch = stretch_of(holding, at)
        kind = when(holding, terms, stretch)
        reckoned = _reckoned(holding, terms, kind, stretch, rows, invoice_id, at)
    return Proposal(
        held=held,
        kind=kind,
        terms=terms,
        reckoned=reckoned,
        applies_at=applies_at(holding) if kind is When.AT_END else at,
        invoice_id=invoice_id,
        plan=None if terms.plan_id == holding.terms.plan_id else plan,
        customer=customer,
        rows=rows,
        trial_claims=trial_claims,
        beside=nobody_seated(holding, terms, rows.get(teams.team_key(holding.id))),
    )


def _reckoned(
    holding: Subscription,
    terms: Terms,
    kind: When,
    stretch: Stretch,
    rows: Mapping[Key, Row],
    invoice_id: int,
    at: datetime,
) -> Reckoned:
    if kind is When.AT_END:
        return coming(holding, terms)
    keys = {ident: billing.invoice_key(holding.user_id, ident) for ident in paid_by(holding, stretch)}
    invoices = {ident: billing_queries.read_invoice(rows[key]).invoice for ident, key in keys.items()}
    if kind is When.NOW:
        return within(holding, terms, stretch, invoice_id, invoices)
    return anew(holding, terms, stretch, at, invoices)


def _trial_claims(context: Context, holding: Subscription, plan_id: int, customer: Customer) -> tuple[Key, ...]:
    """What the trial of another plan claims: one for each person and plan, and for each card where that counts."""
    if plan_id == holding.terms.plan_id:
        return ()
    keys = [subscriptions.trial_claim_key(holding.user_id, plan_id)]
    fingerprint = None if customer.card is None else customer.card.fingerprint
    if fingerprint is not None and context.limits.one_trial_per_card:
        keys.append(subscriptions.card_trial_claim_key(fingerprint, plan_id))
    return tuple(keys)


def _had_trial(context: Context, holding: Subscription, claims: tuple[Key, ...]) -> bool:
    """Whether the person, or the card, had the trial of the other plan: then it begins when this one ends."""
    return bool(claims) and bool(context.table.get_many(claims))


def _same(context: Context, held: Held) -> Proposal:
    holding = subscription_of(held)
    return Proposal(
        held=held,
        kind=Kept.SAME,
        terms=holding.terms,
        reckoned=Reckoned((), 0),
        applies_at=context.now.replace(microsecond=0),
        invoice_id=0,
        plan=None,
        customer=Customer(user_id=holding.user_id, account=context.gateway.account, updated_at=context.now),
        rows={},
    )
