"""Which coupons a purchase has: the automatic one and those given by slug, and why others are left off. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.catalog import coupons as rules
from chalicelib.books.catalog.coupon_queries import CountedCoupon
from chalicelib.books.catalog.model import Coupon, Plan
from chalicelib.flows.checkout.quote import CouponRefused
from chalicelib.kernel.errors import DomainError


class TooManyCoupons(DomainError):
    slug = "too-many-coupons"
    detail = "At most {most} coupon can be given."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whose purchase of which plan it is, when, in which currency, and with which coupons given by slug.

    `by_person`: how often they used each coupon, by its id. `returning`: ids of coupons of an unfinished purchase that
    this one takes over: its uses come back. `user_id` is None for somebody unknown.
    """

    plan: Plan
    user_id: int | None
    now: datetime
    currency: str
    slugs: Sequence[str]
    by_person: Mapping[int, int]
    returning: frozenset[int] = frozenset()

    def uses(self, found: CountedCoupon) -> rules.Uses:
        ident = found.coupon.id
        back = int(ident in self.returning)
        by_person = self.by_person.get(ident, 0)
        return rules.Uses(total=max(found.used - back, 0), by_person=max(by_person - back, 0))


def check_how_many(slugs: Sequence[str]) -> None:
    """Raises TooManyCoupons. The automatic one is not counted."""
    if len(slugs) > rules.MANUAL_COUPONS_MAX:
        raise TooManyCoupons(most=rules.MANUAL_COUPONS_MAX)


def chosen_coupons(
    asking: Asking, candidates: Sequence[CountedCoupon]
) -> tuple[tuple[Coupon, ...], tuple[CouponRefused, ...]]:
    """The coupons that serve: the oldest automatic one, and those given; and why others that were given do not."""
    serving: dict[str, Coupon] = {}
    refusals: dict[str, rules.Refusal] = {}
    for found in candidates:
        coupon = found.coupon
        reason = rules.refusal(
            coupon,
            asking.plan,
            user_id=asking.user_id,
            now=asking.now,
            uses=asking.uses(found),
            currency=asking.currency,
        )
        if reason is None:
            serving[coupon.slug] = coupon
        else:
            refusals[coupon.slug] = reason
    automatic = rules.the_automatic_one(list(serving.values()))
    chosen = [] if automatic is None else [automatic]
    refused = []
    for slug in asking.slugs:
        given = serving.get(slug)
        if given is None:
            reason = refusals.get(slug, rules.Refusal.UNKNOWN)
            refused.append(CouponRefused(slug=slug, reason=reason))
        elif given.is_automatic and given != automatic:
            refused.append(CouponRefused(slug=slug, reason=rules.Refusal.ANOTHER_AUTOMATIC))
        elif given != automatic:
            chosen.append(given)
    return tuple(chosen), tuple(refused)
