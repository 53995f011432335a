"""Plans of an academy, as its staff set them up (document 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from msgspec import Meta

from chalicelib.books.catalog import plans as rules
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.model import Offer, Plan, PlanStatus, SetKind
from chalicelib.books.catalog.prices import CurrencyNotFound, InvalidCountryPrices, InvalidPrice
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.catalog.store import ChangedMeanwhile, SetNotFound, SlugTaken
from chalicelib.books.identity import queries as identity
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints._pages import filtered, link_headers, read_page
from chalicelib.entrypoints.academy.queries import Country, CountryQuery, Ident, ListQuery, Slug, ref_of
from chalicelib.entrypoints.staff.inputs import staff_of
from chalicelib.entrypoints.staff.plan_schemas import (
    ItemsAreLinked,
    OwnerIsFixed,
    PlanBody,
    PlanChange,
    StaffPlanOut,
    WarnedPlanOut,
    plan_fields,
    plan_out,
    warned_out,
)
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.catalog.save_plan import (
    AcademyServiceNotFound,
    FinancingOptionNotFound,
    InvalidSeatService,
    change_plan,
    create_plan,
    delete_plan,
    own_plan_key,
)
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.pages import Page

PATH = "/v1/payments/academy/plan"
ONE = PATH + "/{plan_ref}"
NAMED = (FinancingOptionNotFound, SetNotFound, AcademyServiceNotFound, InvalidSeatService)
INVALID = (
    rules.InvalidPlanSlug,
    rules.InvalidTimeOfLife,
    rules.InvalidTrial,
    rules.InvalidSeats,
    rules.InvalidCapacity,
    InvalidPrice,
    InvalidCountryPrices,
    CurrencyNotFound,
    OwnerIsFixed,
    ItemsAreLinked,
    SlugTaken,
)


class InvalidStatus(DomainError):
    slug = "invalid-status"
    detail = "{given} is no status of a plan."


class StaffPlanListQuery(ListQuery):
    """`status`: one or several, by commas; all but DELETED without it."""

    cohort: Ident | None = None
    syllabus: Slug | None = None
    service_slug: Slug | None = None
    currency__code: Annotated[str, Meta(max_length=3)] | None = None
    is_onboarding: bool | None = None
    country_code: Country | None = None
    status: Annotated[str, Meta(max_length=60)] | None = None


class StaffPlanQuery(CountryQuery):
    """`version`: the plan as it held under it, or will."""

    version: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: list[StaffPlanOut]},
    errors=(AcademyRequired, InvalidStatus),
)
def list_plans(call: Call, query: StaffPlanListQuery) -> Answer:
    """The academy's plans, newest first."""
    staff = staff_of(call)
    table = call.runtime.table

    def read(size: int, cursor: str | None) -> Page[Plan]:
        return catalog.plans(table, staff.academy_id, limit=size, now=call.now, cursor=cursor)

    listed = filtered(read, _wanted(call, staff, query))
    page = read_page(listed, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, _plans_out(call, staff, page.items, query.country_code), link_headers(call, page.next_cursor))


@route(
    "GET",
    ONE,
    access=Access.STAFF,
    capability="read_subscription",
    answers={200: StaffPlanOut},
    errors=(AcademyRequired, PlanNotFound),
)
def get_plan(call: Call, plan_ref: str, query: StaffPlanQuery) -> Answer:
    """A plan of the academy in any status, by id or slug; as it holds now, or under a version."""
    staff = staff_of(call)
    found = _stored(call, staff, plan_ref)
    shown = found.at(call.now)
    if query.version is not None:
        shown = catalog.plan_version(call.runtime.table, found, query.version)
    return Answer(200, _plans_out(call, staff, [shown], query.country_code)[0])


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_subscription",
    answers={201: WarnedPlanOut},
    errors=(AcademyRequired, *NAMED, *INVALID),
)
def post_plan(call: Call, body: PlanBody) -> Answer:
    """Make a plan of the academy, a draft unless it says otherwise."""
    staff = staff_of(call, body)
    plan = create_plan(call.runtime.context(call.now), staff, _fields(body))
    return Answer(201, _warned(call, staff, plan, body))


@route(
    "PUT",
    ONE,
    access=Access.STAFF,
    capability="crud_subscription",
    answers={200: WarnedPlanOut},
    errors=(
        AcademyRequired,
        PlanNotFound,
        rules.PlanDeleted,
        rules.PlanHasSubscriptions,
        rules.InvalidAppliesFrom,
        ChangedMeanwhile,
        *NAMED,
        *INVALID,
    ),
)
def put_plan(call: Call, plan_ref: str, body: PlanChange) -> Answer:
    """Change a plan for whoever buys it from now on, or from `applies_from` on. What was sold stays as it is."""
    staff = staff_of(call, body)
    context = call.runtime.context(call.now)
    plan = change_plan(context, staff, ref_of(plan_ref), _fields(body), applies_from=body.applies_from)
    return Answer(200, _warned(call, staff, plan.at(call.now), body))


@route(
    "DELETE",
    ONE,
    access=Access.STAFF,
    capability="crud_subscription",
    answers={204: None},
    errors=(AcademyRequired, PlanNotFound, rules.PlanHasSubscriptions, ChangedMeanwhile),
)
def remove_plan(call: Call, plan_ref: str) -> Answer:
    """Make a plan that nobody has DELETED: it is sold no more, and stays readable."""
    staff = staff_of(call)
    delete_plan(call.runtime.context(call.now), staff, ref_of(plan_ref))
    return Answer(204)


def _fields(body: PlanChange) -> dict[str, Any]:
    if "service_items" in body.model_fields_set:
        raise ItemsAreLinked
    return plan_fields(body)


def _wanted(call: Call, staff: Staff, query: StaffPlanListQuery) -> Callable[[Plan], bool]:
    statuses = _statuses(query.status)
    table = call.runtime.table
    sets: frozenset[int] | None = None
    if query.cohort is not None or query.syllabus is not None:
        sets = catalog.cohort_set_ids(table, staff.academy_id, cohort_id=query.cohort, syllabus=query.syllabus)
    service_id = None if query.service_slug is None else catalog.known_service_id(table, query.service_slug)

    def wanted(plan: Plan) -> bool:
        return (
            plan.status in statuses
            and query.is_onboarding in (None, plan.is_onboarding)
            and (query.currency__code is None or plan.currency == query.currency__code.upper())
            and (sets is None or plan.cohort_set_id in sets)
            and (query.service_slug is None or service_id in {item.service_id for item in plan.items})
        )

    return wanted


def _statuses(text: str | None) -> frozenset[PlanStatus]:
    if text is None:
        return frozenset(PlanStatus) - {PlanStatus.DELETED}
    names = text.upper().split(",")
    known = {status.value for status in PlanStatus}
    for name in names:
        if name not in known:
            raise InvalidStatus(given=repr(name))
    return frozenset(PlanStatus(name) for name in names)


def _stored(call: Call, staff: Staff, plan_ref: str) -> Plan:
    context = call.runtime.context(call.now)
    return catalog.stored_plan(call.runtime.table, own_plan_key(context, staff, ref_of(plan_ref)))


def _warned(call: Call, staff: Staff, plan: Plan, body: PlanChange) -> WarnedPlanOut:
    offer = catalog.offer(call.runtime.table, plan)
    warned = rules.warnings(offer, trial_was_named="trial_duration" in body.model_fields_set)
    return warned_out(_offers_out(call, staff, [offer], None)[0], warned)


def _plans_out(call: Call, staff: Staff, plans: Sequence[Plan], country: str | None) -> list[StaffPlanOut]:
    return _offers_out(call, staff, catalog.offers(call.runtime.table, plans), country)


def _offers_out(call: Call, staff: Staff, offers: Sequence[Offer], country: str | None) -> list[StaffPlanOut]:
    """Rendered together, so that what they share is read once."""
    table = call.runtime.table
    academy = identity.academy(table, staff.academy_id)
    priced = any(offer.plan.seat_service_id or offer.plan.add_on_service_ids for offer in offers)
    prices = catalog.all_prices(table, staff.academy_id) if priced else []
    members = {
        ident for offer in offers for found in offer.sets if found.kind is SetKind.COHORT for ident in found.member_ids
    }
    cohorts = catalog.cohorts(table, staff.academy_id, sorted(members)) if members else {}
    return [plan_out(offer, academy, prices=prices, cohorts=cohorts, country=country) for offer in offers]
