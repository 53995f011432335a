"""Reads of the timeline."""

from __future__ import annotations

from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.pages import Page


def activities(table: Table, user_id: int, *, limit: int, cursor: str | None = None) -> Page[Activity]:
    """A page of what happened to a person, newest first."""
    page = table.query(keys.user(user_id), prefix="ACT#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Activity, row) for row in page.items), page.next_cursor)
