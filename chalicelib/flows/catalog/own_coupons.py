"""A person's own coupons: the one that they give to others, and those that only they may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.books.catalog import coupon_queries
from chalicelib.books.catalog.coupon_queries import CountedCoupon
from chalicelib.books.catalog.coupon_terms import AutoWithoutDiscount, CouponNotFound
from chalicelib.books.catalog.coupons import Uses, unusable
from chalicelib.books.catalog.model import Coupon, DiscountType
from chalicelib.books.catalog.operations import change, creation
from chalicelib.books.catalog.referrals import own_coupon, own_slug
from chalicelib.books.catalog.store import ChangedMeanwhile, SlugTaken, coupon_key
from chalicelib.books.identity import queries as identity
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import backoff, commit
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.pages import PAGE_ITEMS_MAX, Page

TRIES_MAX = 10
PAGES_READ_MAX = 10


@dataclass(frozen=True, slots=True)
class PersonalCoupon:
    """`is_valid`: whether it serves some purchase of its person now."""

    coupon: Coupon
    is_valid: bool


class WhichAcademy(DomainError):
    slug = "academy-required"
    detail = "You have a coupon {coupon} at several academies: say at which."


def referral_coupon(context: Context, *, academy_id: int, user_id: int) -> Coupon:
    """The coupon by which a person brings others to an academy, made when first asked for. Raises AcademyNotFound."""
    slug = own_slug(academy_id, user_id)
    for _ in range(2):
        found = coupon_queries.coupon(context.table, academy_id, slug)
        if found is not None:
            return found.coupon
        identity.academy(context.table, academy_id)
        ident = new_id(context.now, context.random_bits)
        made = own_coupon(ident=ident, academy_id=academy_id, user_id=user_id, now=context.now)
        try:
            commit(context.table, creation(made))
        except SlugTaken:  # asked for twice at once
            continue
        return made
    raise ChangedMeanwhile


def personal_coupons(
    context: Context, user_id: int, *, academy_id: int | None
) -> Callable[[int, str | None], Page[PersonalCoupon]]:
    """Reads pages of the coupons that only this person may use, newest first: all, or those of one academy."""

    def read(size: int, cursor: str | None) -> Page[PersonalCoupon]:
        page = coupon_queries.persons_coupons(context.table, user_id, limit=size, cursor=cursor)
        found = [one for one in page.items if academy_id in (None, one.coupon.academy_id)]
        uses = coupon_queries.person_uses(context.table, user_id, [one.coupon for one in found])
        return Page(tuple(_personal(context, one, uses.get(one.coupon.id, 0)) for one in found), page.next_cursor)

    return read


def apply_by_itself(
    context: Context, user_id: int, slug: str, *, academy_id: int | None, auto: bool | None
) -> PersonalCoupon:
    """Have a coupon that only this person may use apply to their renewals, or no longer; None: the other of the two.

    Raises CouponNotFound, WhichAcademy, AutoWithoutDiscount.
    """
    key = coupon_key(_academy_of(context, user_id, slug) if academy_id is None else academy_id, slug)
    for attempt in range(TRIES_MAX):
        row = context.table.get(key)
        before = None if row is None else load(Coupon, row)
        if row is None or before is None or before.allowed_user_id != user_id:
            raise CouponNotFound(coupon=slug)
        after = before.model_copy(update={"auto": not before.auto if auto is None else auto})
        if after.auto and after.discount_type is DiscountType.NO_DISCOUNT:
            raise AutoWithoutDiscount
        try:
            if after != before:
                commit(context.table, change(before, after, version=row.version))
        except ChangedMeanwhile:
            backoff.wait(attempt)
            continue
        uses = coupon_queries.person_uses(context.table, user_id, [after])
        return _personal(context, CountedCoupon(after, coupon_queries.used_of(row)), uses.get(after.id, 0))
    raise ChangedMeanwhile


def _academy_of(context: Context, user_id: int, slug: str) -> int:
    """The one academy at which the person has a coupon with this slug."""
    academies: set[int] = set()
    cursor: str | None = None
    for _ in range(PAGES_READ_MAX):
        page = coupon_queries.persons_coupons(context.table, user_id, limit=PAGE_ITEMS_MAX, cursor=cursor)
        academies |= {found.coupon.academy_id for found in page.items if found.coupon.slug == slug}
        cursor = page.next_cursor
        if cursor is None:
            break
    if not academies:
        raise CouponNotFound(coupon=slug)
    if len(academies) > 1:
        raise WhichAcademy(coupon=slug)
    return academies.pop()


def _personal(context: Context, found: CountedCoupon, by_person: int) -> PersonalCoupon:
    coupon = found.coupon
    uses = Uses(total=found.used, by_person=by_person)
    reason = unusable(coupon, user_id=coupon.allowed_user_id, now=context.now, uses=uses)
    return PersonalCoupon(coupon, reason is None)
