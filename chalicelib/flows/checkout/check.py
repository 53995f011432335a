"""Check: quote a plan and freeze the quote in a bag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import BAG_LIVES, Bag, BagKind, Buyer
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.catalog import coupon_queries, coupon_store
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.model import Offer, Plan
from chalicelib.books.catalog.plans import FOR_SALE
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.dynamo.writes import commit
from chalicelib.flows.checkout.coupons import Asking, check_how_many, chosen_coupons
from chalicelib.flows.checkout.quote import Content, Wanted, currency_of, quote
from chalicelib.flows.checkout.take_over import claimed
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.flows.waiting.room import check_room
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import new_id

SEATS_MAX = 10_000
TOKEN_ID_DIGITS = 14
TOKEN_RANDOM_BITS = 104


class SomeItemsNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "some-items-not-found"
    detail = "Some items are not for sale here: {items}."


class MoreThanOnePlan(DomainError):
    slug = "more-than-one-plan-selected"
    detail = "One bag has one plan."


class NoPlan(DomainError):
    slug = "bag-is-empty"
    detail = "The bag has no plan."


class PlanNotSupportTeams(DomainError):
    slug = "plan-not-support-teams"
    detail = "The plan has no price for further seats."


class ServiceItemNotValid(DomainError):
    slug = "service-item-not-valid"
    detail = "The service {service} is no add-on of the plan."


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is to be quoted: one plan by id or slug, and what the customer wants with it."""

    kind: BagKind
    plans: Sequence[int | str]
    academy_id: int | None = None
    country: str | None = None
    coupons: Sequence[str] = ()
    team_seats: int | None = None
    add_ons: Mapping[int | str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    bag: Bag
    content: Content


def check(context: Context, buyer: Buyer, command: Check) -> Checked:
    """Quote the plan for this person, now, and keep the quote for an hour.

    Raises SomeItemsNotFound, MoreThanOnePlan, NoPlan, TooManyCoupons, PlanNotSupportTeams, ServiceItemNotValid,
    PlanAlreadyBought, PlanAlreadyFinanced, PlanAtCapacity, and what pricing refuses.
    """
    plan, candidates = _plan_and_coupons(context, command)
    check_how_many(command.coupons)
    add_ons = {catalog.service_id(context.table, ref): how_many for ref, how_many in command.add_ons.items()}
    for service_id in add_ons:
        if service_id not in plan.add_on_service_ids:
            raise ServiceItemNotValid(service=service_id)
    plan_claim = subscriptions.plan_claim_key(buyer.user_id, plan.id)
    trial_claim = subscriptions.trial_claim_key(buyer.user_id, plan.id)
    uses = {c.coupon.id: coupon_store.person_coupon_key(buyer.user_id, c.coupon.id) for c in candidates}
    beside = [plan_claim, trial_claim, *uses.values()]
    offer, rows = catalog.offer_and_rows(context.table, plan, add_ons=add_ons, beside=beside)
    claim = claimed(context, buyer.user_id, rows.get(plan_claim))
    if claim.bought:
        raise subscriptions.already(subscriptions.is_financed(rows[plan_claim]))
    pending = claim.pending
    if pending is None:
        check_room(context, plan, buyer)
    wanted = _wanted(command, offer, add_ons)
    asking = Asking(
        plan=plan,
        user_id=buyer.user_id,
        now=context.now,
        currency=currency_of(offer, wanted),
        slugs=command.coupons,
        by_person={ident: coupon_queries.used_of(rows[key]) for ident, key in uses.items() if key in rows},
        returning=_returning(pending),
    )
    chosen, refused = chosen_coupons(asking, candidates)
    content = quote(
        offer,
        wanted,
        coupons=chosen,
        refused=refused,
        trial_open=trial_claim not in rows,
        now=context.now,
    )
    bag = _bag(context, buyer, command, plan, content)
    commit(context.table, [billing.new_bag(bag, content.model_dump_json())])
    return Checked(bag, content)


def _plan_and_coupons(context: Context, command: Check) -> tuple[Plan, tuple[coupon_queries.CountedCoupon, ...]]:
    if not command.plans:
        raise NoPlan
    if len(set(command.plans)) > 1:
        raise MoreThanOnePlan
    ref = command.plans[0]
    try:
        plan, coupons = coupon_queries.plan_and_coupons(context.table, ref, command.coupons, now=context.now)
    except catalog.PlanNotFound as error:
        raise SomeItemsNotFound(items=ref) from error
    if plan.status not in FOR_SALE or command.academy_id not in (None, plan.academy_id):
        raise SomeItemsNotFound(items=ref)
    return plan, coupons


def _wanted(command: Check, offer: Offer, add_ons: Mapping[int, int]) -> Wanted:
    included = offer.plan.seats_included
    seats = max(command.team_seats or included, included)
    if command.team_seats is not None and command.team_seats > included and offer.seat_price is None:
        raise PlanNotSupportTeams
    return Wanted(country=command.country, seats=seats, extra_seats=seats - included, add_ons=add_ons)


def _returning(pending: StoredInvoice | None) -> frozenset[int]:
    """The ids of the coupons that an unfinished purchase holds."""
    if pending is None:
        return frozenset()
    return frozenset(coupon.id for coupon in Delivery.model_validate_json(pending.delivery).coupons)


def _bag(context: Context, buyer: Buyer, command: Check, plan: Plan, content: Content) -> Bag:
    ident = new_id(context.now, context.random_bits)
    return Bag(
        id=ident,
        token=bag_token(context, ident),
        kind=command.kind,
        academy_id=plan.academy_id,
        buyer=buyer,
        currency=content.currency,
        country=command.country,
        created_at=context.now,
        expires_at=context.now + BAG_LIVES,
    )


def bag_token(context: Context, bag_id: int) -> str:
    """A new token of a bag: its id, and what nobody can guess."""
    secret = context.random_bits(TOKEN_RANDOM_BITS)
    return f"{bag_id:0{TOKEN_ID_DIGITS}x}{secret:0{TOKEN_RANDOM_BITS // 4}x}"


def bag_id_of(token: str) -> int | None:
    """The id that a bag's token carries, or None where it cannot be one of ours."""
    if len(token) != TOKEN_ID_DIGITS + TOKEN_RANDOM_BITS // 4:
        return None
    try:
        return int(token[:TOKEN_ID_DIGITS], 16)
    except ValueError:
        return None
