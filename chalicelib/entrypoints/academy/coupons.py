"""Coupons as customers see them: which serve a plan, the one they give to others, and those that are theirs alone."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from chalicelib.books.catalog.coupon_terms import AutoWithoutDiscount, CouponNotFound, CouponPlanNotFound
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.books.identity.store import AcademyNotFound
from chalicelib.entrypoints._auth import AcademyRequired, academy_id_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints._pages import link_headers, read_page
from chalicelib.entrypoints.academy.inputs import Ref
from chalicelib.entrypoints.academy.queries import AcademyQuery, CountryQuery, ListQuery, ref_of
from chalicelib.entrypoints.academy.schemas import CouponOut, CurrencyOut, coupon_out, currency_out
from chalicelib.flows.catalog.own_coupons import (
    PersonalCoupon,
    WhichAcademy,
    apply_by_itself,
    personal_coupons,
    referral_coupon,
)
from chalicelib.flows.checkout.coupons import TooManyCoupons
from chalicelib.flows.checkout.find_coupons import FindCoupons, find_coupons
from chalicelib.flows.checkout.quote import PlanNotReady

SLUGS_PATTERN = r"^[A-Za-z0-9_,-]*(?!\n)$"


class CouponsQuery(CountryQuery):
    """`coupons` are slugs with commas between."""

    plan: Annotated[str, Meta(min_length=1, max_length=60)]
    coupons: Annotated[str, Meta(max_length=1300, pattern=SLUGS_PATTERN)] = ""


class OwnCouponOut(CouponOut):
    """`currency` is null where no amount needs one; `how_many_offers` -1 is without limit."""

    academy: int
    currency: CurrencyOut | None
    how_many_offers: int


class PersonalCouponOut(OwnCouponOut):
    """`is_valid`: whether it serves a purchase of its person now; `auto`: whether it applies to their renewals."""

    is_valid: bool


class AutoBody(Input):
    """`auto` left out: the other of the two."""

    auto: bool | None = None
    academy: Ref | None = None
    academy_id: Ref | None = None


@route(
    "GET",
    "/v1/payments/coupon",
    access=Access.PUBLIC,
    answers={200: list[CouponOut]},
    errors=(CouponPlanNotFound, TooManyCoupons, PlanNotReady),
)
def list_valid_coupons(call: Call, query: CouponsQuery) -> Answer:
    """The coupons that serve a plan now, the automatic one and those given, for whoever is signed in or for nobody."""
    caller = call.caller
    command = FindCoupons(
        plan=ref_of(query.plan),
        slugs=[slug for slug in dict.fromkeys(query.coupons.split(",")) if slug],
        academy_id=academy_id_of(call, None),
        country=query.country_code,
        user_id=None if caller is None or caller.kind == "api_key" else caller.user_id,
    )
    return Answer(200, [coupon_out(coupon) for coupon in find_coupons(call.runtime.context(call.now), command)])


@route(
    "GET",
    "/v1/payments/me/coupon",
    access=Access.PERSON,
    answers={200: OwnCouponOut},
    errors=(AcademyRequired, AcademyNotFound, ChangedMeanwhile),
)
def get_referral_coupon(call: Call, query: AcademyQuery) -> Answer:
    """The coupon by which the caller brings others to an academy: a tenth off for them, a tenth of the price back."""
    academy_id = academy_id_of(call, None)
    if academy_id is None:
        raise AcademyRequired
    context = call.runtime.context(call.now)
    return Answer(200, _own_out(referral_coupon(context, academy_id=academy_id, user_id=call.person.user_id)))


@route("GET", "/v1/payments/me/user/coupons", access=Access.PERSON, answers={200: list[PersonalCouponOut]})
def list_personal_coupons(call: Call, query: ListQuery) -> Answer:
    """The coupons that only the caller may use, newest first, whether or not they still serve."""
    read = personal_coupons(call.runtime.context(call.now), call.person.user_id, academy_id=academy_id_of(call, None))
    page = read_page(read, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [_personal_out(found) for found in page.items], link_headers(call, page.next_cursor))


@route(
    "PUT",
    "/v1/payments/me/user/coupons/{coupon_slug}",
    access=Access.PERSON,
    answers={200: PersonalCouponOut},
    errors=(CouponNotFound, WhichAcademy, AutoWithoutDiscount, ChangedMeanwhile),
)
def switch_personal_coupon(call: Call, coupon_slug: str, body: AutoBody) -> Answer:
    """Have a coupon that only the caller may use apply to their renewals by itself, or no longer."""
    found = apply_by_itself(
        call.runtime.context(call.now),
        call.person.user_id,
        coupon_slug,
        academy_id=academy_id_of(call, body),
        auto=body.auto,
    )
    return Answer(200, _personal_out(found))


def _own_out(coupon: Coupon) -> OwnCouponOut:
    return OwnCouponOut(
        **asdict(coupon_out(coupon)),
        academy=coupon.academy_id,
        currency=None if coupon.currency is None else currency_out(coupon.currency),
        how_many_offers=coupon.how_many_offers,
    )


def _personal_out(found: PersonalCoupon) -> PersonalCouponOut:
    return PersonalCouponOut(**asdict(_own_out(found.coupon)), is_valid=found.is_valid)
