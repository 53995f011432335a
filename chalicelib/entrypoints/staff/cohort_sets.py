"""Sets of cohorts, and which cohorts are in one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from pydantic import Field

from chalicelib.books.catalog import set_queries as catalog
from chalicelib.books.catalog.model import Cohort, ResourceSet, SetKind
from chalicelib.books.catalog.set_queries import CohortNotFound
from chalicelib.books.catalog.sets import CohortNotAvailable, MembersNotNamed, TooManyMembers
from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.dynamo.table import InvalidCursor
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints._pages import link_headers, read_page
from chalicelib.entrypoints.academy.queries import AcademyQuery, ListQuery
from chalicelib.entrypoints.staff import sets
from chalicelib.entrypoints.staff.cohort_schemas import CohortOut, cohort_out
from chalicelib.entrypoints.staff.inputs import StaffInput, omitted, staff_of
from chalicelib.entrypoints.staff.sets import CAPABILITY, CHANGING, MAKING, READING, REMOVING, Members
from chalicelib.kernel.pages import Page

PATH = "/v1/payments/academy/cohortset"
KIND = SetKind.COHORT
COHORTS = (CohortNotFound, CohortNotAvailable)


class CohortSetChange(sets.SetChange):
    cohorts: Members = omitted()


class CohortSetBody(sets.SetBody):
    cohorts: Members = omitted()


class MembersBody(StaffInput):
    """Cohorts by id. Those that the query names come to them."""

    cohorts: Members = Field(default_factory=list)


class MembersQuery(AcademyQuery):
    """Cohorts by id or by slug, with commas between them."""

    id: Annotated[str, Meta(pattern=r"^[0-9]{1,16}(,[0-9]{1,16})*(?!\n)$", max_length=4000)] | None = None
    slug: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_,-]+(?!\n)$", max_length=4000)] | None = None


class AddedOut(Output):
    """`added`: those that were not in the set before."""

    status: str
    added: list[int]


class RemovedOut(Output):
    """`removed`: those that were in the set before."""

    status: str
    removed: list[int]


class StaffCohortSetOut(Output):
    """`cohorts` are ids."""

    id: int
    slug: str
    name: str
    cohorts: list[int]


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: list[StaffCohortSetOut]},
    errors=(AcademyRequired,),
)
def list_sets(call: Call, query: ListQuery) -> Answer:
    """The academy's sets of cohorts, newest first."""
    page = sets.listed(call, KIND, query)
    return Answer(200, [_set_out(found) for found in page.items], link_headers(call, page.next_cursor))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={201: StaffCohortSetOut},
    errors=(*MAKING, *COHORTS),
)
def create_set(call: Call, body: CohortSetBody) -> Answer:
    """Make a set of cohorts."""
    return Answer(201, _set_out(sets.created(call, KIND, body)))


@route(
    "GET",
    PATH + "/{set_ref}",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: StaffCohortSetOut},
    errors=READING,
)
def get_set(call: Call, set_ref: str) -> Answer:
    """A set of cohorts, by id or slug."""
    return Answer(200, _set_out(sets.read(call, KIND, set_ref)))


@route(
    "PUT",
    PATH + "/{set_ref}",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: StaffCohortSetOut},
    errors=(*CHANGING, *COHORTS),
)
def change_set(call: Call, set_ref: str, body: CohortSetChange) -> Answer:
    """Change a set of cohorts. Those that are sent take the place of those that were in it."""
    return Answer(200, _set_out(sets.altered(call, KIND, set_ref, body)))


@route(
    "DELETE",
    PATH + "/{set_ref}",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={204: None},
    errors=REMOVING,
)
def delete_set(call: Call, set_ref: str) -> Answer:
    """Take away a set of cohorts that no plan and no academy service is sold with."""
    sets.taken_away(call, KIND, set_ref)
    return Answer(204)


@route(
    "GET",
    PATH + "/{set_ref}/cohort",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: list[CohortOut]},
    errors=(*READING, InvalidCursor),
)
def list_members(call: Call, set_ref: str, query: ListQuery) -> Answer:
    """The cohorts of a set, newest first."""
    found = sets.read(call, KIND, set_ref)

    def read(size: int, cursor: str | None) -> Page[Cohort]:
        return catalog.members_page(call.runtime.table, found, limit=size, cursor=cursor)

    page = read_page(read, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [cohort_out(cohort) for cohort in page.items], link_headers(call, page.next_cursor))


@route(
    "PUT",
    PATH + "/{set_ref}/cohort",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={201: AddedOut, 200: AddedOut},
    errors=(*READING, *COHORTS, MembersNotNamed, TooManyMembers, ChangedMeanwhile),
)
def add_members(call: Call, set_ref: str, query: MembersQuery, body: MembersBody) -> Answer:
    """Put cohorts into a set. 200 where all of them were in it already."""
    ids = _named(call, query, body)
    before, after = sets.with_members(call, KIND, set_ref, body, lambda members: (*members, *ids))
    added = [ident for ident in after.member_ids if ident not in set(before.member_ids)]
    return Answer(201 if added else 200, AddedOut(status="ok", added=added))


@route(
    "DELETE",
    PATH + "/{set_ref}/cohort",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: RemovedOut},
    errors=(*READING, CohortNotFound, MembersNotNamed, ChangedMeanwhile),
)
def remove_members(call: Call, set_ref: str, query: MembersQuery, body: MembersBody) -> Answer:
    """Take cohorts out of a set."""
    ids = set(_named(call, query, body))
    before, after = sets.with_members(
        call, KIND, set_ref, body, lambda members: tuple(ident for ident in members if ident not in ids)
    )
    removed = [ident for ident in before.member_ids if ident not in set(after.member_ids)]
    return Answer(200, RemovedOut(status="ok", removed=removed))


def _named(call: Call, query: MembersQuery, body: MembersBody) -> tuple[int, ...]:
    """The cohorts that the body and the query name. Raises MembersNotNamed, CohortNotFound."""
    ids = [*body.cohorts, *(int(part) for part in (query.id or "").split(",") if part)]
    slugs = [part for part in (query.slug or "").split(",") if part]
    if not (ids or slugs):
        raise MembersNotNamed
    return catalog.cohort_ids(call.runtime.table, staff_of(call, body).academy_id, [*ids, *slugs])


def _set_out(found: ResourceSet) -> StaffCohortSetOut:
    return StaffCohortSetOut(id=found.id, slug=found.slug, name=found.name, cohorts=list(found.member_ids))
