"""Reads of the timeline."""

from __future__ import annotations

from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Row, load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.pages import Page


def activities(table: Table, user_id: int, *, limit: int, cursor: str | None = None) -> Page[Activity]:
    """A page of what happened to a person, newest first."""
    page = table.query(keys.user(user_id), prefix="ACT#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Activity, row) for row in page.items), page.next_cursor)


def activities_at(
    table: Table, user_id: int, academy_id: int, *, limit: int, cursor: str | None = None
) -> Page[Activity]:
    """A page of what happened to a person at one academy, newest first. Its cursor tells nothing of other academies."""

    def wanted(row: Row) -> bool:
        return load(Activity, row).academy_id == academy_id

    page = table.query_wanted(keys.user(user_id), prefix="ACT#", wanted=wanted, limit=limit, cursor=cursor)
    return Page(tuple(load(Activity, row) for row in page.items), page.next_cursor)
