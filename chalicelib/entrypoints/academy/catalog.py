"""What is for sale, as customers see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from msgspec import Meta

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.model import Plan, PlanStatus, Service, ServiceItem
from chalicelib.books.catalog.plans import FOR_SALE
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.model import Academy
from chalicelib.entrypoints._auth import AcademyRequired, academy_id_of, has_capability
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints._pages import chained, filtered, link_headers, read_page
from chalicelib.entrypoints.academy.queries import Country, CountryQuery, ListQuery, Slug, ref_of
from chalicelib.entrypoints.academy.schemas import PlanOut, ServiceItemOut, item_out, plan_out, service_item_out
from chalicelib.entrypoints.academy.service_lists import (
    PUBLIC,
    OwnedServiceOut,
    Seen,
    ServiceListQuery,
    private_scopes,
    service_page,
)
from chalicelib.kernel.pages import Page

LISTED = frozenset({PlanStatus.ACTIVE})


class PlanListQuery(ListQuery):
    country_code: Country | None = None


class ItemsQuery(ListQuery):
    """`plan` is an id or a slug; without it, the items of an academy."""

    plan: Annotated[str, Meta(min_length=1, max_length=60)] | None = None
    service_slug: Slug | None = None
    unit_type: Slug | None = None


@route(
    "GET",
    "/v1/payments/service",
    access=Access.PUBLIC,
    answers={200: list[OwnedServiceOut]},
)
def list_services(call: Call, query: ServiceListQuery) -> Answer:
    """Public services, newest first; with the capability `read_service` in an academy its private ones before them."""
    academy_id = academy_id_of(call, None)
    sees_private = academy_id is not None and has_capability(call, academy_id, "read_service")
    scopes = (*private_scopes(academy_id), PUBLIC) if academy_id is not None and sees_private else (PUBLIC,)
    return service_page(
        call, query, Seen(scopes=scopes, academy_id=academy_id, statuses=frozenset({PlanStatus.ACTIVE}))
    )


@route(
    "GET",
    "/v1/payments/serviceitem",
    access=Access.PUBLIC,
    answers={200: list[ServiceItemOut]},
    errors=(PlanNotFound, AcademyRequired),
)
def list_service_items(call: Call, query: ItemsQuery) -> Answer:
    """What a plan that is for sale contains; its staff see it in every status.

    Without a plan: what an academy's plans may contain, newest first, of private services too for whoever has the
    capability `read_service` there.
    """
    if query.plan is None:
        return _academys_items(call, query)
    plan = catalog.plan(call.runtime.table, ref_of(query.plan), now=call.now)
    if plan.status not in FOR_SALE and not has_capability(call, plan.academy_id, "read_subscription"):
        raise PlanNotFound
    found = catalog.service_items(call.runtime.table, plan)
    return Answer(200, [item_out(one) for one in found if _asked_for(query, one.item, one.service)])


@route("GET", "/v1/payments/plan", access=Access.PUBLIC, answers={200: list[PlanOut]}, errors=(AcademyRequired,))
def list_plans(call: Call, query: PlanListQuery) -> Answer:
    """The plans that an academy sells to everybody, newest first."""
    academy = _academy(call)
    table = call.runtime.table

    def read(size: int, cursor: str | None) -> Page[Plan]:
        return catalog.plans(table, academy.id, limit=size, now=call.now, cursor=cursor)

    listed = filtered(read, lambda plan: plan.status in LISTED)
    page = read_page(listed, limit=query.limit, offset=query.offset, cursor=query.cursor)
    rendered = [plan_out(offer, academy, query.country_code) for offer in catalog.whole_offers(table, page.items)]
    return Answer(200, rendered, link_headers(call, page.next_cursor))


@route(
    "GET",
    "/v1/payments/plan/{plan_ref}",
    access=Access.PUBLIC,
    answers={200: PlanOut},
    errors=(PlanNotFound,),
)
def get_plan(call: Call, plan_ref: str, query: CountryQuery) -> Answer:
    """A plan that is for sale, by id or slug; unlisted ones too for whoever knows them."""
    plan = catalog.plan(call.runtime.table, ref_of(plan_ref), now=call.now)
    if plan.status not in FOR_SALE or academy_id_of(call, None) not in (None, plan.academy_id):
        raise PlanNotFound
    academy = identity.academy(call.runtime.table, plan.academy_id)
    (offer,) = catalog.whole_offers(call.runtime.table, [plan])
    return Answer(200, plan_out(offer, academy, query.country_code))


def _academys_items(call: Call, query: ItemsQuery) -> Answer:
    academy, table = _academy(call), call.runtime.table
    sees_private = has_capability(call, academy.id, "read_service")

    def of(owner: int | None) -> Callable[[int, str | None], Page[tuple[ServiceItem, Service]]]:
        return lambda size, cursor: catalog.items_of(table, owner, reader=academy.id, limit=size, cursor=cursor)

    def wanted(found: tuple[ServiceItem, Service]) -> bool:
        return (sees_private or not found[1].private) and _asked_for(query, *found)

    items = filtered(chained(of(academy.id), of(None)), wanted)
    page = read_page(items, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [service_item_out(*found) for found in page.items], link_headers(call, page.next_cursor))


def _asked_for(query: ItemsQuery, item: ServiceItem, service: Service) -> bool:
    return query.service_slug in (None, service.slug) and query.unit_type in (None, item.unit_type)


def _academy(call: Call) -> Academy:
    academy_id = academy_id_of(call, None)
    if academy_id is None:
        raise AcademyRequired
    return identity.academy(call.runtime.table, academy_id)
