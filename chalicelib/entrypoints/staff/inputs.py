"""Fields that several bodies of staff share, and what of a body was sent."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from chalicelib.books.catalog.prices import PRICE_MAX
from chalicelib.entrypoints._auth import AcademyRequired, academy_id_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Call
from chalicelib.entrypoints.academy.inputs import Ref
from chalicelib.flows.catalog.edit import Staff


def _exact(value: Any) -> Any:
    """A JSON number as it was written; everything else is refused by the field itself."""
    return Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _read_instant(value: Any) -> Any:
    """ISO 8601 as text; everything else is refused by the field itself."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no instant of the years 1 to 9999") from error


Number = Annotated[Decimal, BeforeValidator(_exact, json_schema_input_type=float)]
"""An exact decimal. Its bounds are its own."""
Price = Annotated[Number, Field(ge=0, le=PRICE_MAX)]
"""In major units."""
CurrencyCode = Annotated[str, Field(min_length=1, max_length=3)]
At = Annotated[AwareDatetime, BeforeValidator(_read_instant), AfterValidator(_in_utc)]
"""An instant, with its offset from UTC."""
Exceptions = dict[str, Any]
"""`pricing_ratio_exceptions` (D10): `{"ES": 0.85}`, `{"es": {"ratio": 0.85}}`, explicit prices and currency inside."""


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
