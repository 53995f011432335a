"""Academy services: at which price, in which bundles and for which sets an academy sells a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from pydantic import BeforeValidator, Field

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.academy_services import (
    InvalidBundleSize,
    InvalidDiscountRatio,
    InvalidMaxItems,
    PricedWithSets,
    PriceFixed,
    SetsExcludeEachOther,
)
from chalicelib.books.catalog.model import ServicePrice, SetKind
from chalicelib.books.catalog.prices import (
    CurrencyNotFound,
    InvalidCountryPrices,
    InvalidPrice,
    checked_currency,
    country_prices,
)
from chalicelib.books.catalog.queries import PriceNotFound, ServiceNotFound
from chalicelib.books.catalog.store import AcademyServiceExists, ChangedMeanwhile, SetNotFound
from chalicelib.books.identity import queries as identity
from chalicelib.entrypoints._auth import AcademyRequired, has_capability
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints._pages import filtered, link_headers, read_page
from chalicelib.entrypoints.academy.inputs import Ident, Ref
from chalicelib.entrypoints.academy.queries import Country, CountryQuery, ListQuery, Slug, ref_of
from chalicelib.entrypoints.staff.inputs import (
    CurrencyCode,
    Exceptions,
    Number,
    StaffInput,
    omitted,
    sent,
    staff_of,
)
from chalicelib.entrypoints.staff.price_schemas import (
    ChangedPriceOut,
    ServicePriceOut,
    changed_price_out,
    price_out,
    staff_price_out,
)
from chalicelib.flows.catalog.price import change_price, set_price
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.pages import Page

PATH = "/v1/payments/academy/academyservice"
PRICES = frozenset({"price", "max_amount"})
SETS_OF_A_KIND_MAX = 25
SET_FIELDS = {
    "available_mentorship_service_sets": SetKind.MENTORSHIP_SERVICE,
    "available_event_type_sets": SetKind.EVENT_TYPE,
    "available_cohort_sets": SetKind.COHORT,
}
INVALID = (
    CurrencyNotFound,
    InvalidPrice,
    InvalidBundleSize,
    InvalidMaxItems,
    InvalidDiscountRatio,
    InvalidCountryPrices,
    SetsExcludeEachOther,
    SetNotFound,
)


class OtherCurrency(DomainError):
    kind = Kind.NOT_FOUND
    slug = "academy-service-not-found-for-currency"
    detail = "The academy sells this service in {currency}."


def _whole(value: Any) -> Any:
    """A count, also as 100.0; everything else is refused by the field itself."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole, json_schema_input_type=float)]
SetIds = Annotated[list[Ident], Field(max_length=SETS_OF_A_KIND_MAX)]


class PriceChange(StaffInput):
    """What is left out stays. `service` and `currency` cannot change.

    A country may have a `price` (of a unit) and a `max_amount` of its own.
    """

    slugs: ClassVar[Mapping[str, str]] = {
        "currency": "currency-not-found",
        "price_per_unit": "invalid-price",
        "bundle_size": "invalid-bundle-size",
        "max_items": "invalid-max-items",
        "max_amount": "invalid-price",
        "discount_ratio": "invalid-discount-ratio",
    }

    service: Ref = omitted()
    currency: CurrencyCode = omitted()
    price_per_unit: Number = omitted()
    bundle_size: Whole = omitted()
    max_items: Whole = omitted()
    max_amount: Number = omitted()
    discount_ratio: Number = omitted()
    pricing_ratio_exceptions: Exceptions = omitted()
    available_mentorship_service_sets: SetIds = omitted()
    available_event_type_sets: SetIds = omitted()
    available_cohort_sets: SetIds = omitted()


class PriceBody(PriceChange):
    missing_slugs: ClassVar[Mapping[str, str]] = {
        "service": "service-required",
        "currency": "currency-required",
        "price_per_unit": "price-per-unit-required",
    }

    service: Ref
    currency: CurrencyCode
    price_per_unit: Number


class PriceListQuery(ListQuery):
    """The sets are named by their slugs. With a country, prices are those of the country."""

    currency__code: Annotated[str, Meta(max_length=3)] | None = None
    mentorship_service_set: Slug | None = None
    event_type_set: Slug | None = None
    country_code: Country | None = None


class PriceQuery(CountryQuery):
    currency__code: Annotated[str, Meta(max_length=3)] | None = None


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="read_academyservice",
    answers={200: list[ServicePriceOut]},
    errors=(AcademyRequired,),
)
def list_prices(call: Call, query: PriceListQuery) -> Answer:
    """What the academy sells services for, newest first."""
    academy_id = staff_of(call).academy_id
    table = call.runtime.table
    academy = identity.academy(table, academy_id)

    def read(size: int, cursor: str | None) -> Page[PricedWithSets]:
        page = catalog.prices(table, academy_id, limit=size, cursor=cursor)
        return Page(catalog.priced_with_sets(table, page.items), page.next_cursor)

    page = read_page(filtered(read, _wanted(query)), limit=query.limit, offset=query.offset, cursor=query.cursor)
    shown = [staff_price_out(found, academy, query.country_code) for found in page.items]
    return Answer(200, shown, link_headers(call, page.next_cursor))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_academyservice",
    answers={201: ChangedPriceOut},
    errors=(AcademyRequired, ServiceNotFound, AcademyServiceExists, *INVALID),
)
def create_price(call: Call, body: PriceBody) -> Answer:
    """Sell a service that the academy sees. Without limits of its own, one unit at once and for at most 1.00."""
    staff = staff_of(call, body)
    table = call.runtime.table
    service = catalog.visible_service(table, staff.academy_id, body.service)
    fields = {**price_fields(body), "service_id": service.id}
    price = ServicePrice(id=new_id(call.now), academy_id=staff.academy_id, **fields)
    return Answer(201, _changed_out(call, set_price(call.runtime.context(call.now), staff, price)))


@route(
    "GET",
    PATH + "/{service_ref}",
    access=Access.PERSON,
    answers={200: ServicePriceOut},
    errors=(AcademyRequired, ServiceNotFound, PriceNotFound, OtherCurrency),
)
def get_price(call: Call, service_ref: str, query: PriceQuery) -> Answer:
    """The price of a service at an academy, in a country. A private service's is shown to staff who read prices."""
    academy_id = staff_of(call).academy_id
    table = call.runtime.table
    academy = identity.academy(table, academy_id)
    ref = ref_of(service_ref)
    service, price = catalog.service_and_price(table, ref, academy_id)
    is_staff = has_capability(call, academy_id, "read_academyservice")
    if service.private and not is_staff:
        raise ServiceNotFound(service=ref)
    if query.currency__code is not None and query.currency__code.upper() != price.currency:
        raise OtherCurrency(currency=price.currency)
    (found,) = catalog.priced_with_sets(table, [price])
    shown = staff_price_out if is_staff else price_out
    return Answer(200, shown(found, academy, query.country_code))


@route(
    "PUT",
    PATH + "/{service_ref}",
    access=Access.STAFF,
    capability="crud_academyservice",
    answers={200: ChangedPriceOut},
    errors=(AcademyRequired, ServiceNotFound, PriceNotFound, PriceFixed, ChangedMeanwhile, *INVALID),
)
def change_service_price(call: Call, service_ref: str, body: PriceChange) -> Answer:
    """Change the price of a service, for whoever buys from now on: what was bought keeps its price."""
    staff = staff_of(call, body)
    table = call.runtime.table
    ident = catalog.service_id(table, ref_of(service_ref))
    changes = price_fields(body)
    if "service" in body.model_fields_set:
        changes["service_id"] = catalog.service_id(table, body.service)
    return Answer(200, _changed_out(call, change_price(call.runtime.context(call.now), staff, ident, changes)))


def price_fields(body: PriceChange) -> dict[str, Any]:
    """What was sent, as the fields of a price, but for its service."""
    found = sent(body)
    found.pop("service", None)
    if "currency" in found:
        found["currency"] = checked_currency(body.currency)
    if "pricing_ratio_exceptions" in found:
        found["countries"] = country_prices(found.pop("pricing_ratio_exceptions"), PRICES)
    sets = {kind: tuple(dict.fromkeys(found.pop(name))) for name, kind in SET_FIELDS.items() if name in found}
    return {**found, "set_ids": sets} if sets else found


def _wanted(query: PriceListQuery) -> Callable[[PricedWithSets], bool]:
    """Whether a price is what the query asks for."""
    code = None if query.currency__code is None else query.currency__code.upper()
    slugs = {SetKind.MENTORSHIP_SERVICE: query.mentorship_service_set, SetKind.EVENT_TYPE: query.event_type_set}

    def wanted(found: PricedWithSets) -> bool:
        offered = {(one.kind, one.slug) for one in found.sets}
        named = {(kind, slug) for kind, slug in slugs.items() if slug is not None}
        return code in (None, found.price.currency) and named <= offered

    return wanted


def _changed_out(call: Call, price: ServicePrice) -> ChangedPriceOut:
    table = call.runtime.table
    (found,) = catalog.priced_with_sets(table, [price])
    return changed_price_out(found, identity.academy(table, price.academy_id))
