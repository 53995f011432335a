"""Reads of invitations."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.books.enrollment import store
from chalicelib.books.enrollment.model import Invitation
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import Page


class InvitationNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "invitation-not-found"
    detail = "There is no such invitation."


@dataclass(frozen=True, slots=True)
class StoredInvitation:
    """An invitation as it was read. `digest` is the hash of its link's secret."""

    invitation: Invitation
    version: int
    digest: str = field(repr=False)


def read_invitation(row: Row) -> StoredInvitation:
    return StoredInvitation(load(Invitation, row), row.version, str(row.values["digest"]))


def invitation(table: Table, academy_id: int, invitation_id: int) -> StoredInvitation:
    """An academy's invitation, whatever became of it. Raises InvitationNotFound."""
    row = table.get(store.invitation_key(academy_id, invitation_id))
    if row is None:
        raise InvitationNotFound
    return read_invitation(row)


def invitation_to(table: Table, academy_id: int, email_digest: str) -> StoredInvitation | None:
    """The invitation that has claimed an e-mail at an academy: the open one, or one that has expired since."""
    row = table.get(store.claim_key(academy_id, email_digest))
    return None if row is None else invitation(table, academy_id, int(str(row.values["id"])))


def open_invitations(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[Invitation]:
    """A page of an academy's invitations that were neither accepted nor taken back, newest first; some have expired.

    One of this moment may be missing.
    """
    page = table.query_ref(store.open_ref(academy_id), limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Invitation, row) for row in page.items), page.next_cursor)


def due_invitations(table: Table, now: datetime) -> list[Key]:
    """Keys of accepted invitations that owe something since a minute, at most a hundred a shard."""
    return [due.key for due in table.due(store.DUE, now)]
