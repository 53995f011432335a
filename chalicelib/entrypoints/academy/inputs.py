"""Fields that several bodies of the academy's dialect share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib.books.catalog.model import Period
from chalicelib.entrypoints._http import INTEGER_MAX


def period_named(value: Any) -> Any:
    """A period by its name, in any case of its letters; what names none stays as it was sent."""
    return Period.__members__.get(value.upper(), value) if isinstance(value, str) else value


Ident = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
Slug = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")]
Ref = Ident | Slug
"""An id or a slug."""
Country = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$")]
Secret = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_]+$")]
ChosenPeriod = Annotated[Period, BeforeValidator(period_named)]
