"""The secret of an invitation's link: made, and found by. Only its hash is stored; a new one ends the one before."""

from __future__ import annotations

import hmac

from chalicelib.books.enrollment import queries
from chalicelib.books.enrollment.model import Invitation, name_of, named_in
from chalicelib.books.enrollment.queries import InvitationNotFound, StoredInvitation
from chalicelib.books.identity.credentials import INVITE_PREFIX, new_secret, secret_digest
from chalicelib.dynamo.table import Table


def new_link_secret(invitation: Invitation) -> str:
    """A secret that says whose invitation it opens, and proves it by 256 random bits."""
    return new_secret(INVITE_PREFIX + name_of(invitation.academy_id, invitation.id))


def address_of(front_end: str, secret: str) -> str:
    return f"{front_end.rstrip('/')}/invite/{secret}"


def invitation_of(table: Table, secret: str) -> StoredInvitation:
    """The invitation that this secret is for, whatever became of it, in one read. Raises InvitationNotFound."""
    named = named_in(secret, INVITE_PREFIX)
    if named is None:
        raise InvitationNotFound
    academy_id, invitation_id = named
    stored = queries.invitation(table, academy_id, invitation_id)
    if not hmac.compare_digest(stored.digest, secret_digest(secret)):
        raise InvitationNotFound
    return stored
