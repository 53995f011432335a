"""Services: what can be owned. An academy defines its own, and sells every one that it sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.definitions import (
    InvalidGroups,
    InvalidServiceSlug,
    InvalidSession,
    NotTheOwner,
    ServiceFixed,
)
from chalicelib.books.catalog.model import Consumer, Group, PlanStatus, Service, ServiceType
from chalicelib.books.catalog.queries import ServiceNotFound
from chalicelib.books.catalog.store import ChangedMeanwhile, SlugTaken
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints.academy.queries import ref_of
from chalicelib.entrypoints.academy.service_lists import (
    PUBLIC,
    OwnedServiceOut,
    Seen,
    ServiceListQuery,
    owned_services,
    private_scopes,
    service_page,
)
from chalicelib.entrypoints.staff.inputs import StaffInput, named, omitted, sent, staff_of
from chalicelib.flows.catalog.define import define, redefine
from chalicelib.kernel.ids import new_id

PATH = "/v1/payments/academy/service"
INVALID = (InvalidServiceSlug, InvalidSession, InvalidGroups)
OFFERED = frozenset(PlanStatus) - {PlanStatus.DELETED}
GROUPS_MAX = 50

Name = Annotated[str, Field(min_length=1, max_length=100)]


def _seconds(value: Any) -> Any:
    """Seconds, also as text ("3600"); everything else is refused by the field itself."""
    is_count = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16
    return int(value) if is_count else value


def _type(value: Any) -> Any:
    """Document 1 writes one of the types shorter (D50)."""
    return ServiceType.MENTORSHIP_SERVICE_SET if value == "MENTORSHIP_SERVICE" else value


Seconds = Annotated[int, BeforeValidator(_seconds, json_schema_input_type=int | str)]
TypeIn = Annotated[ServiceType, named(ServiceType), BeforeValidator(_type)]
ConsumerIn = Annotated[Consumer, named(Consumer)]


class PermissionIn(Input):
    codename: Name
    name: Name


class GroupIn(Input):
    name: Name
    permissions: Annotated[list[PermissionIn], Field(default_factory=list, max_length=100)]


class ServiceChange(StaffInput):
    """What is left out stays. `slug`, `type` and `consumer` cannot change."""

    slugs: ClassVar[Mapping[str, str]] = {
        "slug": "invalid-slug",
        "type": "invalid-service-type",
        "consumer": "invalid-consumer",
        "session_duration": "invalid-session-duration",
        "groups": "invalid-groups",
    }

    slug: Annotated[str, Field(max_length=200)] = omitted()
    title: Annotated[str, Field(min_length=1, max_length=60)] = omitted()
    description: Annotated[str, Field(max_length=255)] = omitted()
    icon_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s]+$")] | None = None
    type: TypeIn = omitted()
    consumer: ConsumerIn = omitted()
    private: bool = omitted()
    session_duration: Seconds | None = None
    groups: Annotated[list[GroupIn], Field(max_length=GROUPS_MAX)] = omitted()


class ServiceBody(ServiceChange):
    missing_slugs: ClassVar[Mapping[str, str]] = {"slug": "slug-required"}

    slug: Annotated[str, Field(max_length=200)]
    title: Annotated[str, Field(min_length=1, max_length=60)]


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="read_service",
    answers={200: list[OwnedServiceOut]},
    errors=(AcademyRequired,),
)
def list_services(call: Call, query: ServiceListQuery) -> Answer:
    """The academy's private services, newest first, then private ones of nobody, then every public one."""
    academy_id = staff_of(call).academy_id
    scopes = (*private_scopes(academy_id), PUBLIC)
    return service_page(call, query, Seen(scopes=scopes, academy_id=academy_id, statuses=OFFERED))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_service",
    answers={201: OwnedServiceOut},
    errors=(AcademyRequired, SlugTaken, *INVALID),
)
def create_service(call: Call, body: ServiceBody) -> Answer:
    """Make a service that the academy owns. It is private, unless it is said to be public: for every academy."""
    staff = staff_of(call, body)
    service = Service(id=new_id(call.now), owner_id=staff.academy_id, **service_fields(body))
    service = define(call.runtime.context(call.now), staff, service)
    return Answer(201, owned_services(call.runtime.table, [service])[0])


@route(
    "GET",
    PATH + "/{service_ref}",
    access=Access.STAFF,
    capability="read_service",
    answers={200: OwnedServiceOut},
    errors=(AcademyRequired, ServiceNotFound),
)
def get_service(call: Call, service_ref: str) -> Answer:
    """A service of the academy, of nobody, or a public one, by slug or id."""
    table = call.runtime.table
    service = catalog.visible_service(table, staff_of(call).academy_id, ref_of(service_ref))
    return Answer(200, owned_services(table, [service])[0])


@route(
    "PUT",
    PATH + "/{service_ref}",
    access=Access.STAFF,
    capability="crud_service",
    answers={200: OwnedServiceOut},
    errors=(AcademyRequired, ServiceNotFound, NotTheOwner, ServiceFixed, ChangedMeanwhile, *INVALID),
)
def change_service(call: Call, service_ref: str, body: ServiceChange) -> Answer:
    """Change a service of the academy; an operator may change one of nobody.

    Whoever holds units keeps them. A service that becomes private leaves the lists of others, who may go on selling
    what they sell of it.
    """
    staff = staff_of(call, body)
    service = redefine(call.runtime.context(call.now), staff, ref_of(service_ref), service_fields(body))
    return Answer(200, owned_services(call.runtime.table, [service])[0])


def service_fields(body: ServiceChange) -> dict[str, Any]:
    """What was sent, as the fields of a service."""
    found = sent(body)
    if "session_duration" in found:
        found["session_seconds"] = found.pop("session_duration")
    if "groups" in found:
        found["groups"] = tuple(Group.model_validate(group.model_dump()) for group in body.groups)
    return found
