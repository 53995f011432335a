"""Sessions as rows; a second row claims the hash of one that was given."""

from __future__ import annotations

import hashlib

from chalicelib.books.consumption.model import Session
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Put, Write, absent, at_version


class HashTaken(Exception):
    """A session with this hash exists already."""


class SessionMade(Exception):
    """This very session is there: its answer was lost and it was sent again."""


class SessionIdTaken(Exception):
    """Another session of the same millisecond has this id."""


class SessionChanged(Exception):
    """The session was cancelled by somebody else at the same time."""


def session_key(user_id: int, session_id: int) -> Key:
    return Key(keys.user(user_id), keys.ordered("SESSION", session_id))


def hash_key(user_id: int, service_slug: str, given: str) -> Key:
    digest = hashlib.sha256(f"{service_slug}\x1f{given}".encode()).hexdigest()
    return Key(keys.user(user_id), f"SESSION_HASH#{digest}")


def new(session: Session) -> list[Write]:
    """Put a session, and the claim of its hash first, so that a repeat is told as such.

    Raises HashTaken, SessionMade, SessionIdTaken.
    """
    doc = session.model_dump_json()
    writes: list[Write] = []
    if session.hash is not None:
        writes.append(
            Put(
                key=hash_key(session.user_id, session.service_slug, session.hash),
                values={"session": session.id},
                condition=absent,
                refused=lambda old: HashTaken(),
            )
        )
    writes.append(
        Put(
            key=session_key(session.user_id, session.id),
            values={"doc": doc, "version": 1},
            condition=absent,
            refused=lambda old: SessionMade() if old and old.get("doc") == doc else SessionIdTaken(),
        )
    )
    return writes


def changed(session: Session, *, version: int) -> Put:
    return Put(
        key=session_key(session.user_id, session.id),
        values={"doc": session.model_dump_json(), "version": version + 1},
        condition=at_version(version),
        refused=lambda old: SessionChanged(),
    )
