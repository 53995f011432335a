"""The inbox, for operators (D57)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from chalicelib.books.inbox import queries as inbox
from chalicelib.books.inbox import store as inbox_store
from chalicelib.books.inbox.model import Event, EventStatus, replayed
from chalicelib.books.inbox.queries import EventNotFound
from chalicelib.dynamo.table import InvalidCursor
from chalicelib.dynamo.writes import commit
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, Query, route
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX


class EventMoved(DomainError):
    kind = Kind.CONFLICT
    slug = "event-in-work"
    detail = "The event is being worked on right now. Look again in a moment."


class EventOut(Output):
    id: str
    type: str
    status: str
    attempts: int
    error: str | None
    received_at: Instant
    next_attempt_at: Instant | None


class EventWithBodyOut(EventOut):
    """`body` is the event as it came, or null where it was too large to be kept."""

    body: str | None


class EventsOut(Output):
    data: list[EventOut]
    has_more: bool
    next_cursor: str | None


class InboxQuery(Query):
    status: EventStatus = EventStatus.PENDING
    limit: Annotated[int, Meta(ge=1, le=PAGE_ITEMS_MAX)] = PAGE_ITEMS_DEFAULT
    cursor: Annotated[str, Meta(max_length=2000)] | None = None


@route("GET", "/ops/inbox", access=Access.OPERATOR, answers={200: EventsOut}, errors=(InvalidCursor,))
def list_events(call: Call, query: InboxQuery) -> Answer:
    """Events of one status, newest first."""
    page = inbox.events(call.runtime.table, query.status, limit=query.limit, cursor=query.cursor)
    data = [_event_out(event) for event in page.items]
    return Answer(200, EventsOut(data=data, has_more=page.next_cursor is not None, next_cursor=page.next_cursor))


@route(
    "GET",
    "/ops/inbox/{event_id}",
    access=Access.OPERATOR,
    answers={200: EventWithBodyOut},
    errors=(EventNotFound,),
)
def get_event(call: Call, event_id: str) -> Answer:
    """One event, with its body as it was received."""
    return Answer(200, _with_body(inbox.event(call.runtime.table, event_id)))


@route(
    "POST",
    "/ops/inbox/{event_id}/replay",
    access=Access.OPERATOR,
    answers={202: EventWithBodyOut},
    errors=(EventNotFound, EventMoved),
)
def replay_event(call: Call, event_id: str) -> Answer:
    """Have an event tried again, whatever became of it. What it caused before is not caused twice."""
    context = call.runtime.context(call.now)
    stored = inbox.event(context.table, event_id)
    again = replayed(stored.event, call.now)
    try:
        commit(context.table, [inbox_store.changed(again, version=stored.version)])
    except inbox_store.AnotherHandles as error:
        raise EventMoved from error
    context.queue.nudge_inbox(event_id)
    return Answer(202, EventWithBodyOut(**asdict(_event_out(again)), body=stored.body))


def _event_out(event: Event) -> EventOut:
    return EventOut(
        id=event.id,
        type=event.type,
        status=event.status,
        attempts=event.attempts,
        error=event.error,
        received_at=event.received_at,
        next_attempt_at=event.next_attempt_at,
    )


def _with_body(stored: inbox.StoredEvent) -> EventWithBodyOut:
    return EventWithBodyOut(**asdict(_event_out(stored.event)), body=stored.body)
