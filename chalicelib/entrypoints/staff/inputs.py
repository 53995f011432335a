"""Fields that several bodies of staff share, and what of a body was sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from pydantic import BeforeValidator, Field

from chalicelib.books.catalog.model import CountryPrice
from chalicelib.books.catalog.prices import PRICE_MAX
from chalicelib.entrypoints._auth import AcademyRequired, academy_id_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Call, Instant
from chalicelib.entrypoints.academy.inputs import Ref
from chalicelib.flows.catalog.edit import Staff


def _exact(value: Any) -> Any:
    """A JSON number as it was written; everything else is refused by the field itself."""
    return Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _instant(value: Any) -> Any:
    """An instant as RFC 3339 writes it, with its offset; everything else is refused by the field itself."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.convert(value, Instant).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return value


Number = Annotated[Decimal, BeforeValidator(_exact, json_schema_input_type=float)]
"""An exact decimal. Its bounds are its own."""
Price = Annotated[Number, Field(ge=0, le=PRICE_MAX)]
"""In major units."""
When = Annotated[datetime, BeforeValidator(_instant, json_schema_input_type=datetime)]
CurrencyCode = Annotated[str, Field(min_length=1, max_length=3)]
Exceptions = dict[str, Any]
"""`pricing_ratio_exceptions` (D10): `{"ES": 0.85}`, `{"es": {"ratio": 0.85}}`, explicit prices and currency inside."""


def named(kind: type[StrEnum]) -> BeforeValidator:
    """A value of an enumeration by its name; everything else is refused by the field itself."""
    values = {member.value: member for member in kind}
    return BeforeValidator(lambda value: values.get(value, value) if isinstance(value, str) else value)


def exceptions_out(countries: Mapping[str, CountryPrice]) -> dict[str, Any]:
    """`pricing_ratio_exceptions` as they are sent: a number for a ratio alone."""
    return {code: _exception_out(price) for code, price in sorted(countries.items())}


def _exception_out(price: CountryPrice) -> Any:
    ratio = {} if price.ratio is None else {"ratio": float(price.ratio)}
    if ratio and not price.prices and price.currency is None:
        return ratio["ratio"]
    currency_of = {} if price.currency is None else {"currency": price.currency}
    return {**ratio, **{name: float(amount) for name, amount in price.prices.items()}, **currency_of}


class StaffInput(Input):
    """Names the academy, which the query or the header may do instead."""

    academy: Ref | None = None
    academy_id: Ref | None = None


def omitted() -> Any:
    """The default of a field that may be left out, which leaves things as they are, and may not be null."""
    return Field(default_factory=lambda: None)


def sent(body: Input) -> dict[str, Any]:
    """What the body names, null or not; fields that were left out are not here."""
    named = body.model_fields_set - {"academy", "academy_id"}
    return {name: getattr(body, name) for name in sorted(named)}


def staff_of(call: Call, body: Any = None) -> Staff:
    """Who calls, for which academy. The route's access made sure that they may. Raises AcademyRequired."""
    academy_id = academy_id_of(call, body)
    if academy_id is None:
        raise AcademyRequired
    return Staff(academy_id=academy_id, by=call.person.caller_key, is_operator=call.person.is_operator)
