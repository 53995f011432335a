"""What a coupon may be, as staff give it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import asdict

from chalicelib.books.catalog.model import Coupon, DiscountType, ReferralType
from chalicelib.books.catalog.prices import checked_currency, checked_price
from chalicelib.books.catalog.referrals import RESERVED, is_reserved
from chalicelib.kernel.errors import DomainError, Kind

COUNT_MAX = 1_000_000_000
RENEWALS_MAX = 1200
PLANS_MAX = 100


class CouponNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "coupon-not-found"
    detail = "There is no coupon {coupon}."


class CouponPlanNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "plan-not-found"
    detail = "There is no plan {plan} here."


class ReservedSlug(DomainError):
    slug = "invalid-slug"
    detail = "A coupon's slug is not digits only and begins with none of {reserved}, which follow from other coupons."


class SlugStays(DomainError):
    slug = "invalid-slug"
    detail = "A coupon keeps its slug, {kept}."


class InvalidDiscountValue(DomainError):
    slug = "invalid-discount-value"
    detail = "A percentage off is from 0 to 1; an amount off is 0 or more."


class InvalidReferralValue(DomainError):
    slug = "invalid-referral-value"
    detail = "A referral of PERCENTAGE is from 0 to 1, one of FIXED_PRICE 0 or more; without a type it is 0."


class AutoWithoutDiscount(DomainError):
    slug = "auto-without-discount"
    detail = "A coupon that applies by itself must take something off."


class InvalidOffers(DomainError):
    slug = "invalid-how-many-offers"
    detail = "A coupon is offered a number of times, 0 to be disabled, or -1 without limit."


class InvalidPerPerson(DomainError):
    slug = "invalid-how-many-per-person"
    detail = "A person may use a coupon once or more often."


class InvalidRenewals(DomainError):
    slug = "invalid-renewals"
    detail = "A coupon serves 0 to 1200 renewals, or null: those until it expires."


class InvalidExpiry(DomainError):
    slug = "invalid-expires-at"
    detail = "A coupon expires after it is first offered."


class CurrencyRequired(DomainError):
    slug = "currency-required"
    detail = "Say in which currency the amount is."


def new_coupon(given: Mapping[str, Any], *, ident: int, academy_id: int, currency: str | None, now: datetime) -> Coupon:
    """A coupon of the fields that were given, by the names of the model. `currency`: where none is given.

    Raises ReservedSlug, and what `_checked` raises.
    """
    if given["slug"].isdigit() or is_reserved(given["slug"]):  # digits could be an id
        raise ReservedSlug(reserved=", ".join(RESERVED))
    no_discount = given.get("discount_type") is DiscountType.NO_DISCOUNT
    if "discount_value" not in given and not no_discount:
        raise InvalidDiscountValue
    # Its own defaults, and every field of it: what is given stands over them.
    plain = Coupon(id=ident, academy_id=academy_id, slug=given["slug"], discount_value=Decimal(0), offered_at=now)
    return _checked({**asdict(plain), "currency": currency, **given}, given)


def changed_coupon(before: Coupon, given: Mapping[str, Any], *, currency: str | None, now: datetime) -> Coupon:
    """The coupon with these fields; it is offered anew where the number of offers changes.

    Raises SlugStays, and what `_checked` raises.
    """
    if given.get("slug", before.slug) != before.slug:
        raise SlugStays(kept=before.slug)
    values = {**asdict(before), **given}
    if values["how_many_offers"] != before.how_many_offers and "offered_at" not in given:
        values["offered_at"] = now
    if values["currency"] is None:
        values["currency"] = currency
    return _checked(values, given)


def ended_coupon(before: Coupon, *, now: datetime) -> Coupon:
    """The coupon as of now expired; one that has expired stays as it is."""
    if before.expires_at is not None and before.expires_at <= now:
        return before
    return before.model_copy(update={"expires_at": now})


def _checked(values: dict[str, Any], given: Mapping[str, Any]) -> Coupon:
    """The coupon. An expiry is looked at where it or the beginning was given: an ended coupon can be changed.

    Raises InvalidDiscountValue, InvalidReferralValue, AutoWithoutDiscount, InvalidOffers, InvalidPerPerson,
    InvalidRenewals, InvalidExpiry, CurrencyRequired, CurrencyNotFound, InvalidPrice.
    """
    discount, referral = values["discount_value"], values["referral_value"]
    percent_off = values["discount_type"] is DiscountType.PERCENT_OFF
    percentage = values["referral_type"] is ReferralType.PERCENTAGE
    renewals, expires_at = values["renewals"], values["expires_at"]
    timed = {"offered_at", "expires_at"} & set(given)
    rules = (
        (discount < 0 or (percent_off and discount > 1), InvalidDiscountValue),
        (referral < 0 or (percentage and referral > 1), InvalidReferralValue),
        (referral != 0 and values["referral_type"] is ReferralType.NO_REFERRAL, InvalidReferralValue),
        (values["auto"] and values["discount_type"] is DiscountType.NO_DISCOUNT, AutoWithoutDiscount),
        (not -1 <= values["how_many_offers"] <= COUNT_MAX, InvalidOffers),
        (not 1 <= values["how_many_per_person"] <= COUNT_MAX, InvalidPerPerson),
        (renewals is not None and not 0 <= renewals <= RENEWALS_MAX, InvalidRenewals),
        (bool(timed) and expires_at is not None and expires_at <= values["offered_at"], InvalidExpiry),
    )
    for broken, error in rules:
        if broken:
            raise error
    for amount in (discount, referral):
        checked_price(amount)
    if values["currency"] is not None:
        values["currency"] = checked_currency(values["currency"])
    coupon = Coupon(**values)
    if coupon.has_amounts and coupon.currency is None:
        raise CurrencyRequired
    return coupon
