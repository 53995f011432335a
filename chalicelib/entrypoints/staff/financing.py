"""Financing options: so many monthly payments of a price."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.financing import (
    MONTHS_MAX,
    InvalidMonthlyPrice,
    InvalidMonths,
    OptionInUse,
    OptionNotFound,
)
from chalicelib.books.catalog.model import FinancingOption
from chalicelib.books.catalog.prices import (
    CurrencyNotFound,
    InvalidCountryPrices,
    InvalidPrice,
    country_prices,
)
from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.model import Academy
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints._pages import chained, filtered, link_headers, read_page
from chalicelib.entrypoints.academy.queries import ListQuery
from chalicelib.entrypoints.academy.schemas import AcademyOut, CurrencyOut, academy_out, currency_out, shown_price
from chalicelib.entrypoints.staff.inputs import (
    CurrencyCode,
    Exceptions,
    Number,
    StaffInput,
    exceptions_out,
    omitted,
    sent,
    staff_of,
)
from chalicelib.flows.catalog.finance import option_changed, option_made, option_removed
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.pages import Page

PATH = "/v1/payments/academy/financingoption"
PRICES = frozenset({"price"})
INVALID = (InvalidMonthlyPrice, InvalidMonths, InvalidPrice, InvalidCountryPrices, CurrencyNotFound)


class OptionChange(StaffInput):
    """What is left out stays. A country's own price is its `price`."""

    slugs: ClassVar[Mapping[str, str]] = {
        "monthly_price": "invalid-monthly-price",
        "how_many_months": "invalid-months",
        "currency": "currency-not-found",
    }

    monthly_price: Number = omitted()
    how_many_months: int = omitted()
    currency: CurrencyCode = omitted()
    pricing_ratio_exceptions: Exceptions = omitted()


class OptionBody(OptionChange):
    missing_slugs: ClassVar[Mapping[str, str]] = {"currency": "currency-required"}

    monthly_price: Number
    how_many_months: int
    currency: CurrencyCode


class OptionListQuery(ListQuery):
    currency: Annotated[str, Meta(max_length=3)] | None = None
    how_many_months: Annotated[int, Meta(ge=1, le=MONTHS_MAX)] | None = None


class StaffOptionOut(Output):
    """`academy` is null for an option that every academy may use."""

    id: int
    academy: AcademyOut | None
    monthly_price: float
    how_many_months: int
    currency: CurrencyOut
    pricing_ratio_exceptions: dict[str, Any]


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: list[StaffOptionOut]},
    errors=(AcademyRequired,),
)
def list_options(call: Call, query: OptionListQuery) -> Answer:
    """The academy's financing options, newest first, then those of everyone."""
    staff = staff_of(call)
    table = call.runtime.table
    academy = identity.academy(table, staff.academy_id)

    def wanted(option: FinancingOption) -> bool:
        same = query.currency is None or option.currency == query.currency.upper()
        return same and query.how_many_months in (None, option.how_many_months)

    def of(owner: int | None) -> Callable[[int, str | None], Page[FinancingOption]]:
        return lambda size, cursor: catalog.financing_options(table, owner, limit=size, cursor=cursor)

    both = filtered(chained(of(staff.academy_id), of(None)), wanted)
    page = read_page(both, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [_option_out(option, academy) for option in page.items], link_headers(call, page.next_cursor))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_subscription",
    answers={201: StaffOptionOut},
    errors=(AcademyRequired, *INVALID),
)
def create_option(call: Call, body: OptionBody) -> Answer:
    """Make a financing option of the academy."""
    staff = staff_of(call, body)
    context = call.runtime.context(call.now)
    academy = identity.academy(call.runtime.table, staff.academy_id)
    option = FinancingOption(
        id=new_id(call.now),
        academy_id=staff.academy_id,
        monthly_price=body.monthly_price,
        how_many_months=body.how_many_months,
        currency=body.currency,
        countries=country_prices(body.pricing_ratio_exceptions or {}, PRICES),
    )
    option = option_made(context, staff, option)
    return Answer(201, _option_out(option, academy))


@route(
    "GET",
    PATH + "/{option_id}",
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: StaffOptionOut},
    errors=(AcademyRequired, OptionNotFound),
)
def get_option(call: Call, option_id: int) -> Answer:
    """A financing option of the academy, or of everyone."""
    staff = staff_of(call)
    table = call.runtime.table
    found = catalog.financing_option(table, staff.academy_id, option_id)
    if found is None:
        raise OptionNotFound
    return Answer(200, _option_out(found, identity.academy(table, staff.academy_id)))


@route(
    "PUT",
    PATH + "/{option_id}",
    access=Access.STAFF,
    capability="crud_subscription",
    answers={200: StaffOptionOut},
    errors=(AcademyRequired, OptionNotFound, ChangedMeanwhile, *INVALID),
)
def change_option(call: Call, option_id: int, body: OptionChange) -> Answer:
    """Change a financing option of the academy, for whoever buys from now on: what was bought keeps its price."""
    staff = staff_of(call, body)
    changes = sent(body)
    if "pricing_ratio_exceptions" in changes:
        changes["countries"] = country_prices(changes.pop("pricing_ratio_exceptions"), PRICES)
    option = option_changed(call.runtime.context(call.now), staff, option_id, changes)
    return Answer(200, _option_out(option, identity.academy(call.runtime.table, staff.academy_id)))


@route(
    "DELETE",
    PATH + "/{option_id}",
    access=Access.STAFF,
    capability="crud_subscription",
    answers={204: None},
    errors=(AcademyRequired, OptionNotFound, OptionInUse, ChangedMeanwhile),
)
def delete_option(call: Call, option_id: int) -> Answer:
    """Take away a financing option that no plan is sold by."""
    staff = staff_of(call)
    option_removed(call.runtime.context(call.now), staff, option_id)
    return Answer(204)


def _option_out(option: FinancingOption, academy: Academy) -> StaffOptionOut:
    return StaffOptionOut(
        id=option.id,
        academy=None if option.academy_id is None else academy_out(academy),
        monthly_price=shown_price(option.monthly_price, option.currency),
        how_many_months=option.how_many_months,
        currency=currency_out(option.currency),
        pricing_ratio_exceptions=exceptions_out(option.countries),
    )
