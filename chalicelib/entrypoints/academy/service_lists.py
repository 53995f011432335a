"""Lists of services, for everybody and for staff: the same filters, the same shape."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog import set_queries
from chalicelib.books.catalog.model import PlanStatus, Service, SetKind
from chalicelib.books.identity import queries as identity
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints._http import Answer, Call
from chalicelib.entrypoints._pages import chained, filtered, link_headers, read_page
from chalicelib.entrypoints.academy.queries import ListQuery, Slug
from chalicelib.entrypoints.academy.schemas import AcademyOut, ServiceOut, academy_out, service_out
from chalicelib.flows.catalog.sold_for import services_sold_for
from chalicelib.kernel.documents import Frozen
from chalicelib.kernel.pages import Page

PUBLIC = "public"


class ServiceListQuery(ListQuery):
    """`group`: the name of a permission group, or the codename of one of its permissions.

    `cohort_slug` and `mentorship_service_slug`: what the academy sells for that cohort, or for the set of mentorship
    services with that slug; without an academy, what any does.
    """

    group: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    cohort_slug: Slug | None = None
    mentorship_service_slug: Slug | None = None


class OwnedServiceOut(ServiceOut):
    """A service with its owner. `owner` is null for services of nobody."""

    owner: AcademyOut | None  # type: ignore[assignment]


class Seen(Frozen):
    """Whose lists are read: those of these scopes, one after the other, for an academy where one is named.

    Filters by cohort and mentorship look at its plans with one of these statuses.
    """

    scopes: tuple[str, ...]
    academy_id: int | None
    statuses: frozenset[PlanStatus]


def service_page(call: Call, query: ServiceListQuery, seen: Seen) -> Answer:
    """A page of services."""
    table = call.runtime.table

    def of(scope: str) -> Callable[[int, str | None], Page[Service]]:
        return lambda size, cursor: catalog.services(table, scope, limit=size, cursor=cursor)

    read = chained(*(of(scope) for scope in seen.scopes))
    tests = _tests(call, query, seen)
    if tests:
        read = filtered(read, lambda service: all(test(service) for test in tests))
    page = read_page(read, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, owned_services(table, page.items), link_headers(call, page.next_cursor))


def owned_services(table: Table, services: Collection[Service]) -> list[OwnedServiceOut]:
    """Services as they are shown, their owners read together."""
    owners = identity.academies_by_id(table, (s.owner_id for s in services if s.owner_id is not None))
    return [
        OwnedServiceOut(
            **{
                **asdict(service_out(service)),
                "owner": None if service.owner_id is None else academy_out(owners[service.owner_id]),
            }
        )
        for service in services
    ]


def private_scopes(academy_id: int) -> tuple[str, str]:
    """The lists of the private services that an academy's staff see: its own, and nobody's."""
    return f"private#{academy_id}", "private#0"


def _tests(call: Call, query: ServiceListQuery, seen: Seen) -> Sequence[Callable[[Service], bool]]:
    found: list[Callable[[Service], bool]] = []
    group = query.group
    if group is not None:
        found.append(lambda service: group in _group_names(service))
    for kind, slug in (
        (SetKind.COHORT, query.cohort_slug),
        (SetKind.MENTORSHIP_SERVICE, query.mentorship_service_slug),
    ):
        if slug is not None:
            found.append(_sold_for(call, seen, kind, slug))
    return found


def _sold_for(call: Call, seen: Seen, kind: SetKind, slug: str) -> Callable[[Service], bool]:
    """Of the academy that is named; else of every one that has something with this slug."""
    context = call.runtime.context(call.now)
    ids = {
        service_id
        for academy_id in _academies(context.table, seen, kind, slug)
        for service_id in services_sold_for(context, academy_id, kind=kind, slug=slug, statuses=seen.statuses)
    }
    return lambda service: service.id in ids


def _academies(table: Table, seen: Seen, kind: SetKind, slug: str) -> tuple[int, ...]:
    if seen.academy_id is not None:
        return (seen.academy_id,)
    return set_queries.academies_naming(table, kind=kind, slug=slug)


def _group_names(service: Service) -> Iterable[str]:
    for group in service.groups:
        yield group.name
        yield from (permission.codename for permission in group.permissions)
