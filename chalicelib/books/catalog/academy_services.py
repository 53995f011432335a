"""What an academy's price of a service may be (the documents' academy service), and what surprises in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.books.catalog.model import ServicePrice, SetKind
from chalicelib.books.catalog.plans import Warned
from chalicelib.books.catalog.prices import checked_currency, checked_price
from chalicelib.books.catalog.pricing import highest_amount, units_price
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.money import Money
from chalicelib.kernel.quantity import UNITS_MAX

FIXED = ("service_id", "currency")
COUNTRIES_NAMED_MAX = 5


class InvalidBundleSize(DomainError):
    slug = "invalid-bundle-size"
    detail = "A bundle has 1 to 1000000000000 whole units."


class InvalidMaxItems(DomainError):
    slug = "invalid-max-items"
    detail = "The most that is sold at once is 1 to 1000000000000 whole units."


class InvalidDiscountRatio(DomainError):
    slug = "invalid-discount-ratio"
    detail = "A discount ratio multiplies the price of more than one bundle: above 0 and at most 1."


class SetsExcludeEachOther(DomainError):
    slug = "sets-exclude-each-other"
    detail = "A service is sold for mentorship service sets or for event type sets, not for both."


class PriceFixed(DomainError):
    slug = "academy-service-field-immutable"
    detail = "{fields} of an academy's price cannot change: the other amounts would mean something else."


def checked_price_of_service(price: ServicePrice) -> ServicePrice:
    """The price as it is kept.

    Raises CurrencyNotFound, InvalidPrice, InvalidBundleSize, InvalidMaxItems, InvalidDiscountRatio,
    SetsExcludeEachOther.
    """
    checked_price(price.price_per_unit)
    checked_price(price.max_amount)
    if not 1 <= price.bundle_size <= UNITS_MAX:
        raise InvalidBundleSize
    if not 1 <= price.max_items <= UNITS_MAX:
        raise InvalidMaxItems
    if not 0 < price.discount_ratio <= 1:
        raise InvalidDiscountRatio
    checked_price(price.discount_ratio)
    if price.set_ids.get(SetKind.MENTORSHIP_SERVICE) and price.set_ids.get(SetKind.EVENT_TYPE):
        raise SetsExcludeEachOther
    return price.model_copy(update={"currency": checked_currency(price.currency)})


def changed_price(before: ServicePrice, changes: Mapping[str, Any]) -> ServicePrice:
    """The price with these changes. Raises PriceFixed, and what checked_price_of_service raises."""
    after = checked_price_of_service(before.model_copy(update=dict(changes)))
    moved = [name.removesuffix("_id") for name in FIXED if getattr(after, name) != getattr(before, name)]
    if moved:
        raise PriceFixed(fields=", ".join(moved))
    return after


def surprises(price: ServicePrice) -> tuple[Warned, ...]:
    """What follows from the price that nobody might expect: the defaults sell one unit, for at most 1.00."""
    return tuple(_surprises(price))


def _surprises(price: ServicePrice) -> Iterator[Warned]:
    if price.max_items == 1:
        yield Warned(slug="one-item-limit", detail="At most one unit is sold at once (max_items is 1).")
    if price.max_items < price.bundle_size:
        yield Warned(
            slug="cap-below-bundle",
            detail=(
                f"Nothing can be bought: at least {price.bundle_size} units are sold at once (bundle_size), "
                f"and at most {price.max_items} (max_items)."
            ),
        )
    places = [country for country in (None, *sorted(price.countries)) if _is_capped(price, country)]
    if places:
        names = ["everywhere else" if place is None else place for place in places[:COUNTRIES_NAMED_MAX]]
        where = "" if places == [None] and not price.countries else f" ({', '.join(names)})"
        yield Warned(
            slug="cap-below-bundle",
            detail=f"Nothing can be bought{where}: one bundle costs more than max_amount allows.",
        )


def _is_capped(price: ServicePrice, country: str | None) -> bool:
    """Whether not even one bundle can be bought in a country."""
    bundle = units_price(price, how_many=price.bundle_size, country=country).price
    return Money.of(bundle.amount, bundle.currency).major > highest_amount(price, country)
