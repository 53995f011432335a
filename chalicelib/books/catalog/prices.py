"""Prices as staff give them: currencies, amounts, and what differs by country (D10). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from chalicelib.books.catalog.model import CountryPrice
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.money import Money, UnknownCurrency, currency

COUNTRIES_MAX = 250
DECIMALS_MAX = 8
PRICE_MAX = Decimal(1_000_000_000)
RATIO_MAX = Decimal(1000)


class CurrencyNotFound(DomainError):
    slug = "currency-not-found"
    detail = "Currency not found"


class InvalidPrice(DomainError):
    slug = "invalid-price"
    detail = (
        "{given} is no price: a number from 0 to 1000000000 with at most 8 decimals, 0 or at least what can be charged."
    )


class InvalidCountryPrices(DomainError):
    slug = "invalid-pricing-ratio-exceptions"
    detail = "{country} is no exception that can be read: {why}."


def checked_currency(code: str) -> str:
    """The code in capitals. Raises CurrencyNotFound."""
    try:
        return currency(code).code
    except UnknownCurrency as error:
        raise CurrencyNotFound from error


def checked_price(given: Decimal, code: str | None = None) -> Decimal:
    """An exact price in major units. Raises InvalidPrice.

    In a currency, it is of something that is sold whole: one above 0 that would be charged as 0 is refused.
    """
    if not (given.is_finite() and 0 <= given <= PRICE_MAX and _decimals(given) <= DECIMALS_MAX):
        raise InvalidPrice(given=given)
    if code is not None and given > 0 and Money.of(given, checked_currency(code)).minor == 0:
        raise InvalidPrice(given=given)
    return given


def country_prices(sent: Mapping[str, Any], fields: Collection[str]) -> dict[str, CountryPrice]:
    """`{"ES": 0.85, "mx": {"ratio": 0.7}, "IN": {"price_per_month": 9, "currency": "INR"}}`, by capital country codes.

    `fields` are the prices that may be given. Raises InvalidCountryPrices, CurrencyNotFound.
    """
    if len(sent) > COUNTRIES_MAX:
        raise InvalidCountryPrices(country="it", why=f"it has more than {COUNTRIES_MAX} countries")
    found: dict[str, CountryPrice] = {}
    for country, value in sent.items():
        code = country.upper()
        if not (len(country) == 2 and country.isascii() and country.isalpha()):
            raise InvalidCountryPrices(country=repr(country[:20]), why="countries have codes of two letters")
        if code in found:
            raise InvalidCountryPrices(country=code, why="it stands there twice")
        found[code] = _country_price(code, value, fields)
    return found


def _country_price(country: str, value: Any, fields: Collection[str]) -> CountryPrice:
    given = value if isinstance(value, Mapping) else {"ratio": value}
    unknown = sorted(set(given) - {"ratio", "currency", *fields})
    if unknown or not given:
        raise InvalidCountryPrices(country=country, why=f"it may have ratio, currency, {', '.join(sorted(fields))}")
    code = given.get("currency")
    if code is not None and not isinstance(code, str):
        raise CurrencyNotFound
    ratio = None if given.get("ratio") is None else _number(country, given["ratio"])
    if ratio is not None and not 0 < ratio <= RATIO_MAX:
        raise InvalidCountryPrices(country=country, why="a ratio is above 0 and at most 1000")
    prices = {name: _number(country, given[name]) for name in fields if given.get(name) is not None}
    if ratio is None and not prices:
        raise InvalidCountryPrices(country=country, why="it has neither a ratio nor a price")
    if any(not 0 <= price <= PRICE_MAX for price in prices.values()):
        raise InvalidCountryPrices(country=country, why="a price is from 0 to 1000000000")
    return CountryPrice(ratio=ratio, prices=prices, currency=None if code is None else checked_currency(code))


def _number(country: str, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise InvalidCountryPrices(country=country, why="what is not a number is no price and no ratio")
    number = Decimal(str(value))
    if not number.is_finite() or _decimals(number) > DECIMALS_MAX:
        raise InvalidCountryPrices(country=country, why=f"a number has at most {DECIMALS_MAX} decimals")
    return number


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
