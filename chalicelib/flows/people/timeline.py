"""A person's timeline at one academy: what happened to them and what they used, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.consumption import queries as consumption
from chalicelib.books.consumption import store as consumption_store
from chalicelib.books.consumption.model import Session
from chalicelib.books.timeline import queries as timeline
from chalicelib.books.timeline import store as timeline_store
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import InvalidCursor, Table, cursor_after
from chalicelib.kernel.pages import Page

AT_ITS_END = "~"
"""In the place of a cursor, for a list that is through."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of one of the lists, as an activity, and where it is: milliseconds, and its key."""

    at: int
    key: Key
    activity: Activity


@dataclass(frozen=True, slots=True)
class _Part:
    """What was read of one list from where it is."""

    begins: str
    rows: Sequence[_Row]
    next_cursor: str | None

    def after(self, count: int) -> str:
        """Where the list goes on when so many of its rows were shown."""
        if count == len(self.rows):
            return self.next_cursor or AT_ITS_END
        return cursor_after(self.rows[count - 1].key) if count else self.begins


def person_timeline(
    table: Table, user_id: int, academy_id: int, *, limit: int, cursor: str | None, now: datetime
) -> Page[Activity]:
    """A page of it. Uses have no activities of their own: they are read from the sessions, which are kept anyway.

    Raises InvalidCursor.
    """
    reads: tuple[Callable[[str], _Part], ...] = (
        lambda begins: _activities(table, user_id, academy_id, limit, begins),
        lambda begins: _uses(table, user_id, academy_id, limit, begins, now),
    )
    begin = [""] * len(reads) if cursor is None else cursor.split(".")
    if len(begin) != len(reads) or (cursor is not None and set(begin) == {AT_ITS_END}):
        raise InvalidCursor
    parts = [
        _Part(AT_ITS_END, (), None) if place == AT_ITS_END else read(place)
        for read, place in zip(reads, begin, strict=True)
    ]
    merged = sorted(
        ((row, number) for number, part in enumerate(parts) for row in part.rows), key=lambda found: -found[0].at
    )
    shown = merged[:limit]
    places = [part.after(sum(of == number for _, of in shown)) for number, part in enumerate(parts)]
    more = any(place != AT_ITS_END for place in places)
    return Page(tuple(row.activity for row, _ in shown), ".".join(places) if more else None)


def _activities(table: Table, user_id: int, academy_id: int, limit: int, begins: str) -> _Part:
    page = timeline.activities_at(table, user_id, academy_id, limit=limit, cursor=begins or None)
    rows = [_Row(_milliseconds(found.at), timeline_store.key_of(found), found) for found in page.items]
    return _Part(begins, rows, page.next_cursor)


def _uses(table: Table, user_id: int, academy_id: int, limit: int, begins: str, now: datetime) -> _Part:
    page = consumption.sessions_at(table, user_id, academy_id, limit=limit, cursor=begins or None)
    rows = [
        _Row(_milliseconds(found.created_at), consumption_store.session_key(user_id, found.id), _use(found, now))
        for found in page.items
    ]
    return _Part(begins, rows, page.next_cursor)


def _use(session: Session, now: datetime) -> Activity:
    return Activity(
        id=f"use_{session.id}",
        user_id=session.user_id,
        academy_id=session.academy_id,
        kind="units-used",
        at=session.created_at,
        facts={
            "session": session.id,
            "service": session.service_slug,
            "how_many": session.how_many,
            "status": session.status(now),
        },
    )


def _milliseconds(at: datetime) -> int:
    """As precise as the keys are by which both lists are in order."""
    return int(at.timestamp() * 1000)
