"""Sets of mentorship services, which are known by their ids alone."""

from __future__ import annotations

from chalicelib.books.catalog.model import ResourceSet, SetKind
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints._pages import link_headers
from chalicelib.entrypoints.academy.queries import ListQuery
from chalicelib.entrypoints.staff import sets
from chalicelib.entrypoints.staff.inputs import omitted
from chalicelib.entrypoints.staff.sets import CAPABILITY, CHANGING, MAKING, READING, REMOVING, Members

PATH = "/v1/payments/academy/mentorshipserviceset"
KIND = SetKind.MENTORSHIP_SERVICE


class MentorshipServiceSetChange(sets.SetChange):
    mentorship_services: Members = omitted()


class MentorshipServiceSetBody(sets.SetBody):
    mentorship_services: Members = omitted()


class StaffMentorshipServiceSetOut(Output):
    """`mentorship_services` are ids."""

    id: int
    slug: str
    name: str
    mentorship_services: list[int]


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: list[StaffMentorshipServiceSetOut]},
    errors=(AcademyRequired,),
)
def list_sets(call: Call, query: ListQuery) -> Answer:
    """The academy's sets of mentorship services, newest first."""
    page = sets.listed(call, KIND, query)
    return Answer(200, [_set_out(found) for found in page.items], link_headers(call, page.next_cursor))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={201: StaffMentorshipServiceSetOut},
    errors=MAKING,
)
def create_set(call: Call, body: MentorshipServiceSetBody) -> Answer:
    """Make a set of mentorship services."""
    return Answer(201, _set_out(sets.created(call, KIND, body)))


@route(
    "GET",
    PATH + "/{set_ref}",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: StaffMentorshipServiceSetOut},
    errors=READING,
)
def get_set(call: Call, set_ref: str) -> Answer:
    """A set of mentorship services, by id or slug."""
    return Answer(200, _set_out(sets.read(call, KIND, set_ref)))


@route(
    "PUT",
    PATH + "/{set_ref}",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: StaffMentorshipServiceSetOut},
    errors=CHANGING,
)
def change_set(call: Call, set_ref: str, body: MentorshipServiceSetChange) -> Answer:
    """Change a set of mentorship services. Those that are sent take the place of those that were in it."""
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
    """Take away a set of mentorship services that no plan and no academy service is sold with."""
    sets.taken_away(call, KIND, set_ref)
    return Answer(204)


def _set_out(found: ResourceSet) -> StaffMentorshipServiceSetOut:
    return StaffMentorshipServiceSetOut(
        id=found.id, slug=found.slug, name=found.name, mentorship_services=list(found.member_ids)
    )
