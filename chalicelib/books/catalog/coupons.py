"""Which coupons serve a purchase. Pure; the limits of use are counted by conditional writes when it is paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from chalicelib.books.catalog.model import Coupon, Plan, ReferralType
from chalicelib.kernel.documents import Document

MANUAL_COUPONS_MAX = 1


class Refusal(StrEnum):
    """Why a coupon does not serve."""

    UNKNOWN = "unknown"
    NOT_YET = "not-yet-offered"
    EXPIRED = "expired"
    DISABLED = "disabled"
    REVOKED = "revoked"
    USED_UP = "used-up"
    USED_BY_YOU = "already-used-by-you"
    OTHER_PLAN = "not-for-this-plan"
    OTHER_PERSON = "not-for-you"
    OWN = "own-coupon"
    NO_REFERRALS = "no-referrals-for-this-plan"
    OTHER_CURRENCY = "other-currency"
    ANOTHER_AUTOMATIC = "another-applies-automatically"


class Uses(Document):
    """How often a coupon was taken so far, in total and by this person."""

    total: int = 0
    by_person: int = 0


def unusable(coupon: Coupon, *, user_id: int | None, now: datetime, uses: Uses) -> Refusal | None:
    """Why the coupon serves no purchase of this person (None: of somebody unknown), whatever is bought."""
    limited = coupon.how_many_offers >= 0
    reasons = (
        (coupon.how_many_offers == 0, Refusal.DISABLED),
        (coupon.revoked, Refusal.REVOKED),
        (now < coupon.offered_at, Refusal.NOT_YET),
        (coupon.expires_at is not None and coupon.expires_at <= now, Refusal.EXPIRED),
        (coupon.allowed_user_id not in (None, user_id), Refusal.OTHER_PERSON),
        (coupon.seller_user_id is not None and coupon.seller_user_id == user_id, Refusal.OWN),
        (limited and uses.total >= coupon.how_many_offers, Refusal.USED_UP),
        (uses.by_person >= coupon.how_many_per_person, Refusal.USED_BY_YOU),
    )
    return next((reason for refused, reason in reasons if refused), None)


def refusal(
    coupon: Coupon, plan: Plan, *, user_id: int | None, now: datetime, uses: Uses, currency: str
) -> Refusal | None:
    """Why the coupon does not serve this person's purchase of this plan; None: it serves."""
    is_referral = coupon.referral_type is not ReferralType.NO_REFERRAL
    reasons = (
        (bool(coupon.plan_ids) and plan.id not in coupon.plan_ids, Refusal.OTHER_PLAN),
        (is_referral and plan.exclude_from_referral_program, Refusal.NO_REFERRALS),
        (coupon.has_amounts and coupon.currency not in (None, currency), Refusal.OTHER_CURRENCY),
    )
    always = unusable(coupon, user_id=user_id, now=now, uses=uses)
    return always or next((reason for refused, reason in reasons if refused), None)


def the_automatic_one(candidates: Sequence[Coupon]) -> Coupon | None:
    """Of the automatic coupons that serve, the oldest is applied, and no other."""
    return min((c for c in candidates if c.is_automatic), key=lambda c: c.id, default=None)


def serves_renewal(coupon: Coupon, *, number: int, at: datetime) -> bool:
    """Whether the coupon still serves the `number`-th renewal (1 is the first after the purchase), due `at`."""
    if coupon.renewals is not None:
        return number <= coupon.renewals
    return coupon.expires_at is None or at < coupon.expires_at
