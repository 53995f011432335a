"""Coupons: discounts, to whom they are offered, how often, and what whoever gives them to others earns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from chalicelib.books.catalog import coupon_queries
from chalicelib.books.catalog.coupon_queries import CountedCoupon
from chalicelib.books.catalog.coupon_terms import (
    PLANS_MAX,
    AutoWithoutDiscount,
    CouponNotFound,
    CouponPlanNotFound,
    CurrencyRequired,
    InvalidDiscountValue,
    InvalidExpiry,
    InvalidOffers,
    InvalidPerPerson,
    InvalidReferralValue,
    InvalidRenewals,
    ReservedSlug,
    SlugStays,
)
from chalicelib.books.catalog.model import DiscountType, ReferralType
from chalicelib.books.catalog.prices import CurrencyNotFound, InvalidPrice
from chalicelib.books.catalog.store import ChangedMeanwhile, SlugTaken
from chalicelib.books.identity.store import UserNotFound
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.entrypoints._pages import chained, link_headers, read_page
from chalicelib.entrypoints.academy.inputs import Ident, Ref, Slug
from chalicelib.entrypoints.academy.queries import ListQuery
from chalicelib.entrypoints.academy.schemas import CurrencyOut, currency_out
from chalicelib.entrypoints.staff.inputs import CurrencyCode, Number, StaffInput, When, omitted, sent, staff_of
from chalicelib.flows.catalog.coupons import TooManyAutomatic, change_coupon, end_coupon, make_coupon
from chalicelib.kernel.pages import Page

PATH = "/v1/payments/academy/coupon"
INVALID = (
    InvalidDiscountValue,
    InvalidReferralValue,
    AutoWithoutDiscount,
    TooManyAutomatic,
    InvalidOffers,
    InvalidPerPerson,
    InvalidRenewals,
    InvalidExpiry,
    CurrencyRequired,
    CurrencyNotFound,
    InvalidPrice,
    CouponPlanNotFound,
    UserNotFound,
)
NAMES = {"allowed_user": "allowed_user_id", "seller": "seller_user_id", "plans": "plan_ids"}


class CouponChange(StaffInput):
    """What is left out stays. `slug` may be sent, and stays. Amounts are in major units of `currency`.

    `how_many_offers`: in total, -1 without limit, 0 to disable; `renewals` null: those until it expires.
    """

    slugs: ClassVar[Mapping[str, str]] = {
        "slug": "invalid-slug",
        "discount_type": "invalid-discount-type",
        "discount_value": "invalid-discount-value",
        "currency": "currency-not-found",
        "referral_type": "invalid-referral-type",
        "referral_value": "invalid-referral-value",
        "auto": "invalid-auto",
        "how_many_offers": "invalid-how-many-offers",
        "how_many_per_person": "invalid-how-many-per-person",
        "renewals": "invalid-renewals",
        "allowed_user": "invalid-allowed-user",
        "seller": "invalid-seller",
        "plans": "invalid-plans",
        "offered_at": "invalid-offered-at",
        "expires_at": "invalid-expires-at",
    }

    slug: Slug = omitted()
    discount_type: Literal["NO_DISCOUNT", "PERCENT_OFF", "FIXED_PRICE", "HAGGLING"] = omitted()
    discount_value: Number = omitted()
    currency: CurrencyCode = omitted()
    referral_type: Literal["NO_REFERRAL", "PERCENTAGE", "FIXED_PRICE"] = omitted()
    referral_value: Number = omitted()
    auto: bool = omitted()
    how_many_offers: int = omitted()
    how_many_per_person: int = omitted()
    renewals: int | None = omitted()
    allowed_user: Ident | None = omitted()
    seller: Ident | None = omitted()
    plans: Annotated[list[Ref], Field(max_length=PLANS_MAX)] = omitted()
    offered_at: When | None = omitted()
    expires_at: When | None = omitted()


class CouponBody(CouponChange):
    """`slug` is the coupon's for ever: no other coupon of the academy, ended or not, can have it."""

    slug: Slug


class StaffCouponOut(Output):
    """`times_used` is null where uses are not counted in total: those of a coupon without limit.

    `plans` are ids; none: every plan. `currency` is null where no amount needs one.
    """

    id: int
    slug: str
    discount_type: str
    discount_value: float
    currency: CurrencyOut | None
    referral_type: str
    referral_value: float
    auto: bool
    how_many_offers: int
    how_many_per_person: int
    renewals: int | None
    allowed_user: int | None
    seller: int | None
    plans: list[int]
    offered_at: Instant
    expires_at: Instant | None
    is_revoked: bool
    times_used: int | None


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: list[StaffCouponOut]},
    errors=(AcademyRequired,),
)
def list_coupons(call: Call, query: ListQuery) -> Answer:
    """The academy's coupons, ended ones too, newest first; then those of single persons: referral coupons, rewards."""
    staff = staff_of(call)
    table = call.runtime.table

    def own(size: int, cursor: str | None) -> Page[CountedCoupon]:
        return coupon_queries.coupons(table, staff.academy_id, limit=size, cursor=cursor)

    def others(size: int, cursor: str | None) -> Page[CountedCoupon]:
        return coupon_queries.other_coupons(table, staff.academy_id, limit=size, cursor=cursor)

    page = read_page(chained(own, others), limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [_coupon_out(found) for found in page.items], link_headers(call, page.next_cursor))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_subscription",
    answers={201: StaffCouponOut},
    errors=(AcademyRequired, ReservedSlug, SlugTaken, *INVALID),
)
def create_coupon(call: Call, body: CouponBody) -> Answer:
    """Make a coupon of the academy."""
    made = make_coupon(call.runtime.context(call.now), staff_of(call, body), coupon_fields(body))
    return Answer(201, _coupon_out(CountedCoupon(made, 0)))


@route(
    "GET",
    PATH + "/{coupon_slug}",
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: StaffCouponOut},
    errors=(AcademyRequired, CouponNotFound),
)
def get_coupon(call: Call, coupon_slug: str) -> Answer:
    """A coupon of the academy, whether or not it has ended."""
    return Answer(200, _coupon_out(_read(call, staff_of(call).academy_id, coupon_slug)))


@route(
    "PUT",
    PATH + "/{coupon_slug}",
    access=Access.STAFF,
    capability="crud_subscription",
    answers={200: StaffCouponOut},
    errors=(AcademyRequired, CouponNotFound, SlugStays, ChangedMeanwhile, *INVALID),
)
def change_a_coupon(call: Call, coupon_slug: str, body: CouponChange) -> Answer:
    """Change a coupon, for whoever checks a purchase from now on; how often it was used stays counted.

    Where fewer are offered than were used, it is used up. A changed number of offers begins now, unless it says when.
    """
    staff = staff_of(call, body)
    change_coupon(call.runtime.context(call.now), staff, coupon_slug, coupon_fields(body))
    return Answer(200, _coupon_out(_read(call, staff.academy_id, coupon_slug)))


@route(
    "DELETE",
    PATH + "/{coupon_slug}",
    access=Access.STAFF,
    capability="crud_subscription",
    answers={204: None},
    errors=(AcademyRequired, CouponNotFound, ChangedMeanwhile),
)
def end_a_coupon(call: Call, coupon_slug: str) -> Answer:
    """Have a coupon expire now. It stays to be read; ended again it stays as it is."""
    end_coupon(call.runtime.context(call.now), staff_of(call), coupon_slug)
    return Answer(204)


def _read(call: Call, academy_id: int, slug: str) -> CountedCoupon:
    found = coupon_queries.coupon(call.runtime.table, academy_id, slug)
    if found is None:
        raise CouponNotFound(coupon=slug)
    return found


def coupon_fields(body: CouponChange) -> dict[str, Any]:
    """What was sent, by the names of the model."""
    given = {NAMES.get(name, name): value for name, value in sent(body).items()}
    if "discount_type" in given:
        given["discount_type"] = DiscountType(given["discount_type"])
    if "referral_type" in given:
        given["referral_type"] = ReferralType(given["referral_type"])
    if given.get("offered_at", "") is None:
        del given["offered_at"]
    return given


def _coupon_out(found: CountedCoupon) -> StaffCouponOut:
    coupon = found.coupon
    return StaffCouponOut(
        id=coupon.id,
        slug=coupon.slug,
        discount_type=coupon.discount_type,
        discount_value=float(coupon.discount_value),
        currency=None if coupon.currency is None else currency_out(coupon.currency),
        referral_type=coupon.referral_type,
        referral_value=float(coupon.referral_value),
        auto=coupon.auto,
        how_many_offers=coupon.how_many_offers,
        how_many_per_person=coupon.how_many_per_person,
        renewals=coupon.renewals,
        allowed_user=coupon.allowed_user_id,
        seller=coupon.seller_user_id,
        plans=list(coupon.plan_ids),
        offered_at=coupon.offered_at,
        expires_at=coupon.expires_at,
        is_revoked=coupon.revoked,
        times_used=found.used if coupon.how_many_offers >= 0 else None,
    )
