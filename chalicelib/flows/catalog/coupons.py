"""An academy's coupons, made and changed by its staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.books.catalog import coupon_queries, store
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.coupon_terms import (
    CouponNotFound,
    CouponPlanNotFound,
    changed_coupon,
    ended_coupon,
    new_coupon,
)
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.identity import queries as identity
from chalicelib.dynamo.writes import Write
from chalicelib.flows.catalog.edit import Staff, changed, made
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import new_id

AUTOMATIC_COUPONS_MAX = 50
"""Far fewer than a purchase looks at, since two that are made at once may both pass."""

PEOPLE = ("allowed_user_id", "seller_user_id")


class TooManyAutomatic(DomainError):
    slug = "too-many-automatic-coupons"
    detail = "At most {most} coupons can apply by themselves at a time: end one of them first."


def make_coupon(context: Context, staff: Staff, given: Mapping[str, Any]) -> Coupon:
    """Make a coupon of the fields that were given; `plan_ids` may have slugs.

    Raises SlugTaken, CouponPlanNotFound, UserNotFound, TooManyAutomatic, and what `new_coupon` refuses.
    """
    academy = identity.academy(context.table, staff.academy_id)
    coupon = new_coupon(
        _resolved(context, staff, given),
        ident=new_id(context.now, context.random_bits),
        academy_id=academy.id,
        currency=academy.main_currency,
        now=context.now,
    )
    if coupon.is_automatic:
        _check_room(context, coupon)
    return made(context, staff, _subject(coupon.slug), coupon)


def change_coupon(context: Context, staff: Staff, slug: str, given: Mapping[str, Any]) -> Coupon:
    """Change these fields of a coupon; how often it was used stays counted.

    Raises CouponNotFound, CouponPlanNotFound, UserNotFound, TooManyAutomatic, and what `changed_coupon` refuses.
    """
    currency = identity.academy(context.table, staff.academy_id).main_currency
    values = _resolved(context, staff, given)

    def beside(before: Coupon, after: Coupon) -> list[Write]:
        if after.is_automatic and not before.is_automatic:
            _check_room(context, after)
        return []

    return changed(
        context,
        staff,
        _subject(slug),
        Coupon,
        store.coupon_key(staff.academy_id, slug),
        lambda before: changed_coupon(before, values, currency=currency, now=context.now),
        missing=lambda: CouponNotFound(coupon=slug),
        beside=beside,
    )


def end_coupon(context: Context, staff: Staff, slug: str) -> Coupon:
    """Have a coupon expire now; it stays to be read. Raises CouponNotFound."""
    return changed(
        context,
        staff,
        _subject(slug),
        Coupon,
        store.coupon_key(staff.academy_id, slug),
        lambda before: ended_coupon(before, now=context.now),
        missing=lambda: CouponNotFound(coupon=slug),
    )


def _resolved(context: Context, staff: Staff, given: Mapping[str, Any]) -> dict[str, Any]:
    """The plans by their ids, and people who are there."""
    values = dict(given)
    if "plan_ids" in values:
        found = catalog.plan_ids(context.table, staff.academy_id, values["plan_ids"])
        missing = [ref for ref in values["plan_ids"] if ref not in found]
        if missing:
            raise CouponPlanNotFound(plan=missing[0])
        values["plan_ids"] = tuple(dict.fromkeys(found[ref] for ref in values["plan_ids"]))
    for name in PEOPLE:
        if values.get(name) is not None:
            identity.user(context.table, values[name])
    return values


def _check_room(context: Context, coupon: Coupon) -> None:
    others = set(coupon_queries.automatic_coupons(context.table, coupon.academy_id, context.now)) - {coupon.slug}
    if len(others) >= AUTOMATIC_COUPONS_MAX:
        raise TooManyAutomatic(most=AUTOMATIC_COUPONS_MAX)


def _subject(slug: str) -> str:
    return f"coupon:{slug}"
