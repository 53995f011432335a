"""The currencies that prices can be in."""

from __future__ import annotations

from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.kernel.money import CURRENCIES


class ListedCurrencyOut(Output):
    """`decimals`: how many an amount has."""

    code: str
    name: str
    decimals: int


@route("GET", "/v1/payments/currency", access=Access.PUBLIC, answers={200: list[ListedCurrencyOut]})
def list_currencies(call: Call) -> Answer:
    """Every currency, by code."""
    found = sorted(CURRENCIES.values(), key=lambda currency: currency.code)
    return Answer(200, [ListedCurrencyOut(code=one.code, name=one.name, decimals=one.exponent) for one in found])
