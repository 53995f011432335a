"""Reads of the audit."""

from __future__ import annotations

from chalicelib.books.audit import store
from chalicelib.books.audit.model import Change
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.pages import Page


def changes(
    table: Table, academy_id: int, *, subject: str | None = None, limit: int, cursor: str | None = None
) -> Page[Change]:
    """A page of an academy's changes, or of those of one subject, newest first."""
    if subject is None:
        page = table.query(keys.academy(academy_id), prefix="AUDIT#", limit=limit, newest_first=True, cursor=cursor)
    else:
        ref = store.subject_ref(academy_id, subject)
        page = table.query_ref(ref, limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Change, row) for row in page.items), page.next_cursor)
