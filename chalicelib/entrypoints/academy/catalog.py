"""What is for sale, as customers see it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.model import Plan, PlanStatus, SetKind
from chalicelib.books.catalog.queries import PlanNotFound, PriceNotFound, ServiceNotFound
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.model import Academy
from chalicelib.entrypoints._auth import AcademyRequired, academy_id_of
from chalicelib.entrypoints._http import Access, Answer, Call, Query, route
from chalicelib.entrypoints._pages import filtered, link_headers, read_page
from chalicelib.entrypoints.academy.queries import Country, CountryQuery, ListQuery, Slug, plan_ref_of
from chalicelib.entrypoints.academy.schemas import (
    PlanOut,
    ServiceItemOut,
    ServiceOut,
    ServicePriceOut,
    item_out,
    plan_out,
    price_out,
    service_out,
)
from chalicelib.flows.checkout.check import FOR_SALE
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import Page


class ServicePrivate(DomainError):
    kind = Kind.NOT_FOUND
    slug = "service-not-found"
    detail = "There is no service {service}."


class PlanListQuery(ListQuery):
    country_code: Country | None = None


class ItemsQuery(Query):
    plan: Annotated[str, Meta(min_length=1, max_length=60)]
    service_slug: Slug | None = None
    unit_type: Slug | None = None


@route("GET", "/v1/payments/service", access=Access.PUBLIC, answers={200: list[ServiceOut]})
def list_services(call: Call, query: ListQuery) -> Answer:
    """Public services, newest first; with the capability `read_service` in an academy also its private ones."""
    table = call.runtime.table
    page = read_page(
        lambda size, cursor: catalog.services(table, "public", limit=size, cursor=cursor),
        limit=query.limit,
        offset=query.offset,
        cursor=query.cursor,
    )
    private = _private_services(call) if query.cursor is None and query.offset == 0 else []
    return Answer(200, private + [service_out(s) for s in page.items], link_headers(call, page.next_cursor))


@route(
    "GET",
    "/v1/payments/academy/academyservice/{service_ref}",
    access=Access.PERSON,
    answers={200: ServicePriceOut},
    errors=(AcademyRequired, ServiceNotFound, PriceNotFound),
)
def get_service_price(call: Call, service_ref: str, query: CountryQuery) -> Answer:
    """The price of a service at an academy, in a country."""
    academy = _academy(call)
    table = call.runtime.table
    service, price = catalog.service_and_price(table, service_ref, academy.id)
    if service.private and not _may_read(call, academy.id, "read_academyservice"):
        raise ServicePrivate(service=service_ref)
    sets = [s for kind in SetKind for s in catalog.sets(table, academy.id, kind, price.set_ids.get(kind, ()))]
    return Answer(200, price_out(service, price, academy, sets, query.country_code))


@route(
    "GET",
    "/v1/payments/serviceitem",
    access=Access.PUBLIC,
    answers={200: list[ServiceItemOut]},
    errors=(PlanNotFound,),
)
def list_service_items(call: Call, query: ItemsQuery) -> Answer:
    """What a plan that is for sale contains; its staff see it in every status."""
    plan = catalog.plan(call.runtime.table, plan_ref_of(query.plan), now=call.now)
    if plan.status not in FOR_SALE and not _may_read(call, plan.academy_id, "read_subscription"):
        raise PlanNotFound
    found = catalog.service_items(call.runtime.table, plan)
    kept = [
        item_out(one)
        for one in found
        if query.service_slug in (None, one.service.slug) and query.unit_type in (None, one.item.unit_type)
    ]
    return Answer(200, kept)


@route("GET", "/v1/payments/plan", access=Access.PUBLIC, answers={200: list[PlanOut]}, errors=(AcademyRequired,))
def list_plans(call: Call, query: PlanListQuery) -> Answer:
    """The plans that an academy sells to everybody, newest first."""
    academy = _academy(call)
    table = call.runtime.table

    def read(size: int, cursor: str | None) -> Page[Plan]:
        return catalog.plans(table, academy.id, limit=size, now=call.now, cursor=cursor)

    listed = filtered(read, lambda plan: plan.status is PlanStatus.ACTIVE)
    page = read_page(listed, limit=query.limit, offset=query.offset, cursor=query.cursor)
    rendered = [plan_out(offer, academy, query.country_code) for offer in catalog.offers(table, page.items)]
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
    plan = catalog.plan(call.runtime.table, plan_ref_of(plan_ref), now=call.now)
    if plan.status not in FOR_SALE or academy_id_of(call, None) not in (None, plan.academy_id):
        raise PlanNotFound
    academy = identity.academy(call.runtime.table, plan.academy_id)
    return Answer(200, plan_out(catalog.offer(call.runtime.table, plan), academy, query.country_code))


def _academy(call: Call) -> Academy:
    academy_id = academy_id_of(call, None)
    if academy_id is None:
        raise AcademyRequired
    return identity.academy(call.runtime.table, academy_id)


def _may_read(call: Call, academy_id: int, capability: str) -> bool:
    """Whether the caller is staff of the academy with this capability."""
    if call.caller is None or call.caller.kind == "api_key":
        return False
    found = identity.membership(call.runtime.table, call.caller.user_id, academy_id)
    return found is not None and capability in found.capabilities


def _private_services(call: Call) -> list[ServiceOut]:
    academy_id = academy_id_of(call, None)
    if academy_id is None or not _may_read(call, academy_id, "read_service"):
        return []
    table = call.runtime.table
    found = [
        service for owner in (academy_id, 0) for service in catalog.services(table, f"private#{owner}", limit=100).items
    ]
    return [service_out(service) for service in sorted(found, key=lambda service: -service.id)]
