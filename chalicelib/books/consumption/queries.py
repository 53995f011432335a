"""Reads of sessions."""

from __future__ import annotations

from chalicelib.books.consumption import store
from chalicelib.books.consumption.model import Session
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import PAGE_ITEMS_MAX, Page


class SessionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "session-not-found"
    detail = "There is no such consumption session."


def session(table: Table, user_id: int, session_id: int) -> tuple[Session, int]:
    """A person's session and its version. Raises SessionNotFound."""
    row = table.get(store.session_key(user_id, session_id))
    if row is None:
        raise SessionNotFound
    return load(Session, row), row.version


def session_of_hash(table: Table, user_id: int, service_slug: str, given: str) -> Session | None:
    """The session that was made under this hash."""
    claim = table.get(store.hash_key(user_id, service_slug, given))
    if claim is None:
        return None
    ident = claim.values["session"]
    return session(table, user_id, ident)[0] if isinstance(ident, int) else None


def sessions(table: Table, user_id: int, service_slug: str, *, limit: int, cursor: str | None = None) -> Page[Session]:
    """A page of a person's sessions of one service, newest first. Looks at no more than a hundred rows."""
    page = table.query(keys.user(user_id), prefix="SESSION#", limit=PAGE_ITEMS_MAX, newest_first=True, cursor=cursor)
    found = [loaded for row in page.items if (loaded := load(Session, row)).service_slug == service_slug]
    return Page(tuple(found[:limit]), page.next_cursor)
