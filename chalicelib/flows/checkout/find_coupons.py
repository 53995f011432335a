"""Find coupons: which would serve a purchase of a plan now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.books.catalog import coupon_queries, coupon_store
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.coupon_terms import CouponPlanNotFound
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.catalog.plans import FOR_SALE
from chalicelib.flows.checkout.coupons import Asking, check_how_many, chosen_coupons
from chalicelib.flows.checkout.quote import Wanted, currency_of
from chalicelib.flows.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class FindCoupons:
    """For which plan, by id or slug, and which person; None is somebody unknown."""

    plan: int | str
    slugs: Sequence[str] = ()
    academy_id: int | None = None
    country: str | None = None
    user_id: int | None = None


def find_coupons(context: Context, command: FindCoupons) -> tuple[Coupon, ...]:
    """The coupons that serve, as a check would choose them. Raises TooManyCoupons, CouponPlanNotFound, PlanNotReady."""
    check_how_many(command.slugs)
    try:
        plan, candidates = coupon_queries.plan_and_coupons(context.table, command.plan, command.slugs, now=context.now)
    except catalog.PlanNotFound as error:
        raise CouponPlanNotFound(plan=command.plan) from error
    if plan.status not in FOR_SALE or command.academy_id not in (None, plan.academy_id):
        raise CouponPlanNotFound(plan=command.plan)
    user_id = command.user_id
    uses = (
        {}
        if user_id is None
        else {c.coupon.id: coupon_store.person_coupon_key(user_id, c.coupon.id) for c in candidates}
    )
    offer, rows = catalog.offer_and_rows(context.table, plan, beside=uses.values())
    asking = Asking(
        plan=plan,
        user_id=user_id,
        now=context.now,
        currency=currency_of(offer, Wanted(country=command.country)),
        slugs=command.slugs,
        by_person={ident: coupon_queries.used_of(rows[key]) for ident, key in uses.items() if key in rows},
    )
    return chosen_coupons(asking, candidates)[0]
