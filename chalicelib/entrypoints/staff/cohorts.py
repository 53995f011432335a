"""Cohorts: what students are enrolled in, and whether it is for sale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chalicelib.books.catalog import set_queries as catalog
from chalicelib.books.catalog.model import Cohort
from chalicelib.books.catalog.set_queries import CohortNotFound
from chalicelib.books.catalog.sets import CohortInSet, InvalidSetName, InvalidSetSlug
from chalicelib.books.catalog.store import ChangedMeanwhile, SlugTaken
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints._pages import link_headers, read_page
from chalicelib.entrypoints.academy.inputs import Slug
from chalicelib.entrypoints.academy.queries import ListQuery, ref_of
from chalicelib.entrypoints.staff.cohort_schemas import CohortOut, cohort_out
from chalicelib.entrypoints.staff.inputs import StaffInput, omitted, sent, staff_of
from chalicelib.flows.catalog.group import cohort_changed, cohort_made
from chalicelib.kernel.ids import new_id

PATH = "/v1/admissions/academy/cohort"
CAPABILITY = "crud_plan"
INVALID = (InvalidSetSlug, InvalidSetName, SlugTaken)


class CohortChange(StaffInput):
    """What is left out stays. `syllabus` is a slug; null: none."""

    slugs: ClassVar[Mapping[str, str]] = {"slug": "invalid-slug", "name": "invalid-name"}

    slug: str = omitted()
    name: str = omitted()
    available_as_saas: bool = omitted()
    syllabus: Slug | None = None


class CohortBody(CohortChange):
    slug: str
    name: str
    available_as_saas: bool = False


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: list[CohortOut]},
    errors=(AcademyRequired,),
)
def list_cohorts(call: Call, query: ListQuery) -> Answer:
    """The academy's cohorts, newest first."""
    academy_id, table = staff_of(call).academy_id, call.runtime.table
    page = read_page(
        lambda size, cursor: catalog.cohorts_page(table, academy_id, limit=size, cursor=cursor),
        limit=query.limit,
        offset=query.offset,
        cursor=query.cursor,
    )
    return Answer(200, [cohort_out(found) for found in page.items], link_headers(call, page.next_cursor))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={201: CohortOut},
    errors=(AcademyRequired, *INVALID),
)
def create_cohort(call: Call, body: CohortBody) -> Answer:
    """Make a cohort of the academy."""
    staff = staff_of(call, body)
    new = Cohort(
        id=new_id(call.now),
        academy_id=staff.academy_id,
        slug=body.slug,
        name=body.name,
        available_as_saas=body.available_as_saas,
        syllabus=body.syllabus,
    )
    return Answer(201, cohort_out(cohort_made(call.runtime.context(call.now), staff, new)))


@route(
    "GET",
    PATH + "/{cohort_ref}",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: CohortOut},
    errors=(AcademyRequired, CohortNotFound),
)
def get_cohort(call: Call, cohort_ref: str) -> Answer:
    """A cohort of the academy, by id or slug."""
    return Answer(200, cohort_out(catalog.cohort(call.runtime.table, staff_of(call).academy_id, ref_of(cohort_ref))))


@route(
    "PUT",
    PATH + "/{cohort_ref}",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: CohortOut},
    errors=(AcademyRequired, CohortNotFound, CohortInSet, ChangedMeanwhile, *INVALID),
)
def change_cohort(call: Call, cohort_ref: str, body: CohortChange) -> Answer:
    """Change a cohort. One that is in a set stays available as SaaS."""
    changes = sent(body)
    cohort = cohort_changed(
        call.runtime.context(call.now),
        staff_of(call, body),
        ref_of(cohort_ref),
        lambda before: before.model_copy(update=changes),
    )
    return Answer(200, cohort_out(cohort))
