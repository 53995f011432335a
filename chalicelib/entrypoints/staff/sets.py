"""What the three kinds of sets have in common: their bodies, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from chalicelib.books.catalog import set_queries as catalog
from chalicelib.books.catalog.model import ResourceSet, SetKind
from chalicelib.books.catalog.set_queries import SetNotFound
from chalicelib.books.catalog.sets import (
    MEMBERS_MAX,
    InvalidSetName,
    InvalidSetSlug,
    SetInUse,
    TooManyMembers,
)
from chalicelib.books.catalog.store import ChangedMeanwhile, SlugTaken
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Call
from chalicelib.entrypoints._pages import read_page
from chalicelib.entrypoints.academy.inputs import Ident
from chalicelib.entrypoints.academy.queries import ListQuery, ref_of
from chalicelib.entrypoints.staff.inputs import StaffInput, omitted, sent, staff_of
from chalicelib.flows.catalog.group import set_changed, set_made, set_removed
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.pages import Page

CAPABILITY = "crud_plan"
READING = (AcademyRequired, SetNotFound)
INVALID = (InvalidSetSlug, InvalidSetName, TooManyMembers, SlugTaken)
MAKING = (AcademyRequired, ChangedMeanwhile, *INVALID)
CHANGING = (AcademyRequired, SetNotFound, ChangedMeanwhile, *INVALID)
REMOVING = (AcademyRequired, SetNotFound, SetInUse, ChangedMeanwhile)
MEMBERS = {
    SetKind.COHORT: "cohorts",
    SetKind.MENTORSHIP_SERVICE: "mentorship_services",
    SetKind.EVENT_TYPE: "event_types",
}
"""What the members of each kind are called."""

Members = Annotated[list[Ident], Field(max_length=MEMBERS_MAX)]


class SetChange(StaffInput):
    """What is left out stays."""

    slugs: ClassVar[Mapping[str, str]] = {
        "slug": "invalid-slug",
        "name": "invalid-name",
    }

    slug: str = omitted()
    name: str = omitted()


class SetBody(SetChange):
    slug: str
    name: str


def listed(call: Call, kind: SetKind, query: ListQuery) -> Page[ResourceSet]:
    academy_id = staff_of(call).academy_id
    table = call.runtime.table
    return read_page(
        lambda size, cursor: catalog.sets_page(table, academy_id, kind, limit=size, cursor=cursor),
        limit=query.limit,
        offset=query.offset,
        cursor=query.cursor,
    )


def created(call: Call, kind: SetKind, body: SetBody) -> ResourceSet:
    staff = staff_of(call, body)
    new = ResourceSet(
        id=new_id(call.now), academy_id=staff.academy_id, kind=kind, **{"member_ids": (), **_changes(kind, body)}
    )
    return set_made(call.runtime.context(call.now), staff, new)


def read(call: Call, kind: SetKind, set_ref: str) -> ResourceSet:
    return catalog.resource_set(call.runtime.table, staff_of(call).academy_id, kind, ref_of(set_ref))


def altered(call: Call, kind: SetKind, set_ref: str, body: SetChange) -> ResourceSet:
    staff = staff_of(call, body)
    changes = _changes(kind, body)
    _, after = set_changed(
        call.runtime.context(call.now),
        staff,
        kind,
        ref_of(set_ref),
        lambda before: before.model_copy(update=changes),
    )
    return after


def with_members(
    call: Call, kind: SetKind, set_ref: str, body: StaffInput, rule: Callable[[tuple[int, ...]], tuple[int, ...]]
) -> tuple[ResourceSet, ResourceSet]:
    """The set before and after `rule` chose its members."""
    return set_changed(
        call.runtime.context(call.now),
        staff_of(call, body),
        kind,
        ref_of(set_ref),
        lambda before: before.model_copy(update={"member_ids": rule(before.member_ids)}),
    )


def taken_away(call: Call, kind: SetKind, set_ref: str) -> None:
    set_removed(call.runtime.context(call.now), staff_of(call), kind, ref_of(set_ref))


def _changes(kind: SetKind, body: SetChange) -> dict[str, Any]:
    """The fields of the set that the body names."""
    found = sent(body)
    if MEMBERS[kind] in found:
        found["member_ids"] = tuple(found.pop(MEMBERS[kind]))
    return found
