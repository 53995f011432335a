"""Coupons that follow from others: a person's own referral coupon, and the reward for a purchase made with it. Pure.

Their slugs follow from what they are for, so that each is made once; no other coupon may have such a slug.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from chalicelib.books.catalog.model import Coupon, DiscountType, ReferralType
from chalicelib.kernel.ids import derived, derived_id, sortable
from chalicelib.kernel.money import Money, exact

REFERRAL, REWARD = "referral", "reward"
RESERVED = (f"{REFERRAL}-", f"{REWARD}-")
OWN_DISCOUNT = Decimal("0.1")
OWN_REFERRAL = Decimal("0.1")
REWARD_LIVES = timedelta(days=90)
SLUG_DIGITS = 20


def is_reserved(slug: str) -> bool:
    """Whether only a coupon that follows from another may have this slug."""
    return slug.startswith(RESERVED)


def is_own(coupon: Coupon) -> bool:
    """Whether it is somebody's own referral coupon."""
    return coupon.slug.startswith(f"{REFERRAL}-")


def own_slug(academy_id: int, user_id: int) -> str:
    return f"{REFERRAL}-{_digits(REFERRAL, academy_id, user_id)}"


def own_coupon(*, ident: int, academy_id: int, user_id: int, now: datetime) -> Coupon:
    """What a person gives to others at an academy: a tenth off their purchase, a tenth of its price for the person."""
    return Coupon(
        id=ident,
        academy_id=academy_id,
        slug=own_slug(academy_id, user_id),
        discount_type=DiscountType.PERCENT_OFF,
        discount_value=OWN_DISCOUNT,
        referral_type=ReferralType.PERCENTAGE,
        referral_value=OWN_REFERRAL,
        renewals=0,
        seller_user_id=user_id,
        offered_at=now,
    )


def earned(coupon: Coupon, *, buyer_id: int, price: Money, most: Money) -> Money:
    """What the coupon's seller earns by a purchase of this price before discounts: rounded half up once, not `most`.

    Zero where it has no seller, or the seller buys.
    """
    if coupon.seller_user_id in (None, buyer_id):
        return Money.zero(price.code)
    if coupon.referral_type is ReferralType.PERCENTAGE:
        full = Money.of(exact(price.major, coupon.referral_value), price.code)
    elif coupon.referral_type is ReferralType.FIXED_PRICE and coupon.currency in (None, price.code):
        full = Money.of(coupon.referral_value, price.code)
    else:
        return Money.zero(price.code)
    return min(full, most)


def reward(coupon: Coupon, amount: Money, *, buyer_id: int, invoice_id: int, paid_at: datetime) -> Coupon:
    """The coupon that its seller is given for a paid invoice: that amount off one purchase of theirs."""
    cause = (buyer_id, invoice_id, coupon.slug)
    return Coupon(
        id=derived_id(invoice_id, REWARD, *cause),
        academy_id=coupon.academy_id,
        slug=f"{REWARD}-{sortable(invoice_id)}-{_digits(REWARD, *cause)}",
        discount_type=DiscountType.FIXED_PRICE,
        discount_value=amount.major,
        currency=amount.code,
        how_many_offers=1,
        renewals=0,
        allowed_user_id=coupon.seller_user_id,
        offered_at=paid_at,
        expires_at=paid_at + REWARD_LIVES,
    )


def _digits(prefix: str, *parts: object) -> str:
    return derived(prefix, *parts).removeprefix(f"{prefix}_")[:SLUG_DIGITS]
