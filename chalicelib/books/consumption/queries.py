"""Reads of sessions."""

from __future__ import annotations

from chalicelib.books.consumption import store
from chalicelib.books.consumption.model import Session
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Row, load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import Page


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


def sessions_of(table: Table, user_id: int, *, limit: int, cursor: str | None = None) -> Page[Session]:
    """A page of a person's sessions of every service, newest first."""
    page = table.query(keys.user(user_id), prefix="SESSION#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Session, row) for row in page.items), page.next_cursor)


def sessions_at(table: Table, user_id: int, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[Session]:
    """A page of a person's sessions at one academy, newest first. Its cursor tells nothing of other academies."""

    def wanted(row: Row) -> bool:
        return load(Session, row).academy_id == academy_id

    page = table.query_wanted(keys.user(user_id), prefix="SESSION#", wanted=wanted, limit=limit, cursor=cursor)
    return Page(tuple(load(Session, row) for row in page.items), page.next_cursor)


def sessions(table: Table, user_id: int, service_slug: str, *, limit: int, cursor: str | None = None) -> Page[Session]:
    """A page of a person's sessions of one service, newest first. A page may be short, with a cursor."""
    page = sessions_of(table, user_id, limit=limit, cursor=cursor)
    return Page(tuple(found for found in page.items if found.service_slug == service_slug), page.next_cursor)
