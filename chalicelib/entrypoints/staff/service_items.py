"""Service items: so many units of a service, for plans to grant. Only how they are shown ever changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta
from msgspec.structs import asdict
from pydantic import Field

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.definitions import NotTheOwner
from chalicelib.books.catalog.model import Feature, Service, ServiceItem
from chalicelib.books.catalog.queries import ServiceNotFound
from chalicelib.books.catalog.service_items import (
    InvalidFeatures,
    InvalidHowMany,
    InvalidRenewal,
    InvalidSortPriority,
    InvalidUnitType,
    ItemNotFound,
    NoUpdatableFields,
)
from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import INTEGER_MAX, Access, Answer, Call, route
from chalicelib.entrypoints._pages import chained, filtered, link_headers, read_page
from chalicelib.entrypoints.academy.inputs import Ref
from chalicelib.entrypoints.academy.queries import ListQuery, Slug, ref_of
from chalicelib.entrypoints.academy.schemas import ServiceItemOut, service_item_out
from chalicelib.entrypoints.staff.inputs import StaffInput, named, omitted, sent, staff_of
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.catalog.itemize import change_item, itemize
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.pages import Page
from chalicelib.kernel.periods import Unit

PATH = "/v1/payments/academy/serviceitem"
INVALID = (InvalidHowMany, InvalidUnitType, InvalidRenewal, InvalidSortPriority, InvalidFeatures)
LANGUAGES_MAX = 50

UnitIn = Annotated[Unit, named(Unit)]
Line = Annotated[str, Field(max_length=200)]
ItemAndService = tuple[ServiceItem, Service]


class FeatureIn(Input):
    lang: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
    title: Line | None = None
    one_line_desc: Line | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None


Features = Annotated[list[FeatureIn], Field(max_length=LANGUAGES_MAX)]


class ItemChange(StaffInput):
    """What is left out stays. The other fields are refused, whatever they say."""

    slugs: ClassVar[Mapping[str, str]] = {"sort_priority": "invalid-sort-priority", "features": "invalid-features"}

    is_team_allowed: bool = omitted()
    sort_priority: int = omitted()
    features: Features = omitted()
    service: Any = omitted()
    unit_type: Any = omitted()
    how_many: Any = omitted()
    is_renewable: Any = omitted()
    renew_at: Any = omitted()
    renew_at_unit: Any = omitted()


class ItemBody(StaffInput):
    """`how_many` -1 is unlimited. An item that is not renewable is granted once; one that is, each `renew_at` units."""

    slugs: ClassVar[Mapping[str, str]] = {
        "how_many": "invalid-how-many",
        "unit_type": "invalid-unit-type",
        "renew_at": "invalid-renew-at",
        "renew_at_unit": "invalid-renew-at",
        "sort_priority": "invalid-sort-priority",
        "features": "invalid-features",
    }
    missing_slugs: ClassVar[Mapping[str, str]] = {"service": "service-required"}

    service: Ref
    how_many: int
    unit_type: Annotated[str, Field(max_length=20)] = "UNIT"
    sort_priority: int = 1
    is_renewable: bool = False
    is_team_allowed: bool = False
    renew_at: int = 1
    renew_at_unit: UnitIn = Unit.MONTH
    features: Features = Field(default_factory=list)


class ItemListQuery(ListQuery):
    """`service` is an id or a slug."""

    service: Slug | None = None
    is_renewable: bool | None = None
    is_team_allowed: bool | None = None
    renew_at: Annotated[int, Meta(ge=1, le=INTEGER_MAX)] | None = None
    renew_at_unit: Unit | None = None
    how_many: Annotated[int, Meta(ge=-1, le=INTEGER_MAX)] | None = None
    unit_type: Slug | None = None


FILTERS = ("is_renewable", "is_team_allowed", "renew_at", "renew_at_unit", "how_many", "unit_type")


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="read_service",
    answers={200: list[ServiceItemOut]},
    errors=(AcademyRequired,),
)
def list_items(call: Call, query: ItemListQuery) -> Answer:
    """The academy's service items, newest first, then those of everyone."""
    academy_id = staff_of(call).academy_id
    table = call.runtime.table

    def of(owner: int | None) -> Callable[[int, str | None], Page[ItemAndService]]:
        return lambda size, cursor: catalog.items_of(table, owner, reader=academy_id, limit=size, cursor=cursor)

    both = filtered(chained(of(academy_id), of(None)), _wanted(query))
    page = read_page(both, limit=query.limit, offset=query.offset, cursor=query.cursor)
    shown = [service_item_out(item, service) for item, service in page.items]
    return Answer(200, shown, link_headers(call, page.next_cursor))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_service",
    answers={201: ServiceItemOut},
    errors=(AcademyRequired, ServiceNotFound, *INVALID),
)
def create_item(call: Call, body: ItemBody) -> Answer:
    """Make a service item of the academy, of a service that it sees."""
    staff = staff_of(call, body)
    service = catalog.visible_service(call.runtime.table, staff.academy_id, body.service)
    item = itemize(call.runtime.context(call.now), staff, _item(call, staff, service, body), service)
    return Answer(201, service_item_out(item, service))


@route(
    "GET",
    PATH + "/{item_id}",
    access=Access.STAFF,
    capability="read_service",
    answers={200: ServiceItemOut},
    errors=(AcademyRequired, ItemNotFound),
)
def get_item(call: Call, item_id: int) -> Answer:
    """A service item of the academy, or of everyone."""
    return Answer(
        200, service_item_out(*catalog.item_and_service(call.runtime.table, staff_of(call).academy_id, item_id))
    )


@route(
    "PUT",
    PATH + "/{item_id}",
    access=Access.STAFF,
    capability="crud_service",
    answers={200: ServiceItemOut},
    errors=(AcademyRequired, ItemNotFound, NotTheOwner, NoUpdatableFields, ChangedMeanwhile, *INVALID),
)
def change_service_item(call: Call, item_id: int, body: ItemChange) -> Answer:
    """Change how a service item of the academy is shown, and whether teams have it, for whoever buys from now on."""
    staff = staff_of(call, body)
    changes = sent(body)
    if changes.get("features") is not None:
        changes["features"] = features_of(body.features)
    return Answer(200, service_item_out(*change_item(call.runtime.context(call.now), staff, item_id, changes)))


def _wanted(query: ItemListQuery) -> Callable[[ItemAndService], bool]:
    """Whether an item is what the query asks for."""
    asked = {name: value for name, value in asdict(query).items() if name in FILTERS and value is not None}
    ref = None if query.service is None else ref_of(query.service)

    def wanted(found: ItemAndService) -> bool:
        item, service = found
        return ref in (None, service.id, service.slug) and all(getattr(item, n) == v for n, v in asked.items())

    return wanted


def _item(call: Call, staff: Staff, service: Service, body: ItemBody) -> ServiceItem:
    return ServiceItem(
        id=new_id(call.now),
        owner_id=staff.academy_id,
        service_id=service.id,
        how_many=body.how_many,
        unit_type=body.unit_type,
        sort_priority=body.sort_priority,
        is_renewable=body.is_renewable,
        is_team_allowed=body.is_team_allowed,
        renew_at=body.renew_at,
        renew_at_unit=body.renew_at_unit,
        features=features_of(body.features),
    )


def features_of(sent_features: list[FeatureIn]) -> tuple[Feature, ...]:
    return tuple(Feature.model_validate(feature.model_dump()) for feature in sent_features)
