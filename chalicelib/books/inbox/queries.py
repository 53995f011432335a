"""Reads of the inbox."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.inbox import store
from chalicelib.books.inbox.model import Event, EventStatus
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import Page


class EventNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "event-not-found"
    detail = "There is no event {event} in the inbox."


@dataclass(frozen=True, slots=True)
class StoredEvent:
    event: Event
    body: str | None
    version: int


def event(table: Table, event_id: str) -> StoredEvent:
    """An event with its body and version. Raises EventNotFound."""
    row = table.get(store.event_key(event_id))
    if row is None:
        raise EventNotFound(event=event_id)
    body = row.values.get("body")
    return StoredEvent(load(Event, row), body if isinstance(body, str) else None, row.version)


def events(table: Table, status: EventStatus, *, limit: int, cursor: str | None = None) -> Page[Event]:
    """A page of events of one status, newest first."""
    page = table.query_ref(store.status_ref(status), limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Event, row) for row in page.items), page.next_cursor)


def received(table: Table, event_ids: Iterable[str]) -> frozenset[str]:
    """Which of these events the inbox has."""
    found = table.get_many([store.event_key(event_id) for event_id in event_ids])
    return frozenset(key.pk.removeprefix("INBOX#") for key in found)


def due(table: Table, now: datetime) -> list[str]:
    """Ids of pending events whose next try is due, at most a hundred a shard."""
    return [due.key.pk.removeprefix("INBOX#") for due in table.due(store.DUE, now)]
