"""Query strings that several requests of the academy's dialect share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.entrypoints._http import INTEGER_MAX, Query
from chalicelib.kernel.pages import OFFSET_MAX

# Python's `$` also matches before a line end that is the last character.
SLUG_PATTERN = r"^[A-Za-z0-9_-]+(?!\n)$"
COUNTRY_PATTERN = r"^[A-Za-z]{2}(?!\n)$"
ID_DIGITS_MAX = 16

Ident = Annotated[int, Meta(ge=1, le=INTEGER_MAX)]
Slug = Annotated[str, Meta(min_length=1, max_length=60, pattern=SLUG_PATTERN)]
Country = Annotated[str, Meta(pattern=COUNTRY_PATTERN)]
AcademyRef = Annotated[str, Meta(max_length=60)]
Cursor = Annotated[str, Meta(max_length=2000)]
EVERY_STATUS = frozenset(InvoiceStatus) - {InvoiceStatus.VOIDED}


class AcademyQuery(Query):
    academy: AcademyRef | None = None
    academy_id: AcademyRef | None = None


class CountryQuery(AcademyQuery):
    country_code: Country | None = None


class ListQuery(AcademyQuery):
    """`limit` above 100 reads as 100 (D72); `cursor` comes from the header Link of the page before."""

    limit: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    offset: Annotated[int, Meta(ge=0, le=OFFSET_MAX)] = 0
    cursor: Cursor | None = None


class InvoicesQuery(ListQuery):
    status: str | None = None


def invoice_statuses(text: str | None) -> frozenset[InvoiceStatus]:
    """Statuses by name, separated by commas; a name that is none matches nothing. None: every one but VOIDED (D59)."""
    if text is None:
        return EVERY_STATUS
    return frozenset(status for status in InvoiceStatus if status.value in text.upper().split(","))


def ref_of(text: str) -> int | str:
    """An id or a slug. Digits are an id: no slug is of digits only."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX else text
