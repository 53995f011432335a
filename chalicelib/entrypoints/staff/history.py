"""What happened: to a person at an academy, and to the academy by the hands of its staff."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from chalicelib.books.audit import queries as audit
from chalicelib.books.audit.model import Change
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.store import UserNotFound
from chalicelib.books.timeline.model import Activity
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.entrypoints._pages import filtered, link_headers, read_page
from chalicelib.entrypoints.academy.queries import ListQuery
from chalicelib.entrypoints.staff.inputs import staff_of
from chalicelib.flows.people.timeline import person_timeline
from chalicelib.kernel.pages import Page

SUBJECT_CHARACTERS_MAX = 200
CALLER_CHARACTERS_MAX = 40


class ActivityOut(Output):
    """One thing that happened. `facts` are ids and amounts (minor units), by names that depend on the kind."""

    id: str
    kind: str
    at: Instant
    facts: dict[str, str | int | None]


class ChangeOut(Output):
    """What staff changed. `by`: user:7 or key:9. `before` is null where it was made, `after` where it was removed."""

    id: int
    by: str
    at: Instant
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditQuery(ListQuery):
    """`subject`: plan:123, user:7 and so on."""

    subject: Annotated[str, Meta(min_length=1, max_length=SUBJECT_CHARACTERS_MAX)] | None = None
    by: Annotated[str, Meta(min_length=1, max_length=CALLER_CHARACTERS_MAX)] | None = None


@route(
    "GET",
    "/v1/payments/academy/user/{user_id}/timeline",
    access=Access.STAFF,
    capability="read_consumable",
    answers={200: list[ActivityOut]},
    errors=(AcademyRequired, UserNotFound),
)
def get_timeline(call: Call, user_id: int, query: ListQuery) -> Answer:
    """What a person bought, was refused, used, got and gave back at the academy, newest first."""
    academy_id, table = staff_of(call).academy_id, call.runtime.table
    identity.user(table, user_id)

    def read(size: int, cursor: str | None) -> Page[Activity]:
        return person_timeline(table, user_id, academy_id, limit=size, cursor=cursor, now=call.now)

    page = read_page(read, limit=query.limit, offset=query.offset, cursor=query.cursor)
    shown = [ActivityOut(id=one.id, kind=one.kind, at=one.at, facts=dict(one.facts)) for one in page.items]
    return Answer(200, shown, link_headers(call, page.next_cursor))


@route(
    "GET",
    "/v1/payments/academy/audit",
    access=Access.STAFF,
    capability="crud_academy_payment_settings",
    answers={200: list[ChangeOut]},
    errors=(AcademyRequired,),
)
def list_changes(call: Call, query: AuditQuery) -> Answer:
    """Who of the academy's staff changed what, newest first, with what was there before and after.

    Of one subject a change of this moment may be missing: it is found by an index.
    """
    academy_id, table = staff_of(call).academy_id, call.runtime.table

    def read(size: int, cursor: str | None) -> Page[Change]:
        return audit.changes(table, academy_id, subject=query.subject, limit=size, cursor=cursor)

    wanted = filtered(read, lambda change: query.by in (None, change.by))
    page = read_page(wanted, limit=query.limit, offset=query.offset, cursor=query.cursor)
    return Answer(200, [_change_out(change) for change in page.items], link_headers(call, page.next_cursor))


def _change_out(change: Change) -> ChangeOut:
    return ChangeOut(
        id=change.id,
        by=change.by,
        at=change.at,
        subject=change.subject,
        before=None if change.before is None else dict(change.before),
        after=None if change.after is None else dict(change.after),
    )
