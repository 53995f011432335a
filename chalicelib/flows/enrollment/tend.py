"""Tend: staff take an open invitation back, or send it again with a new link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.books.enrollment import queries, store
from chalicelib.books.enrollment.model import INVITATION_LIVES, Invitation, InvitationStatus
from chalicelib.books.enrollment.queries import InvitationNotFound, StoredInvitation
from chalicelib.books.enrollment.store import InvitationMoved
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.credentials import email_digest, secret_digest
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.catalog.edit import Staff, audited
from chalicelib.flows.context import Context
from chalicelib.flows.enrollment.enroll import subject_of
from chalicelib.flows.enrollment.link import address_of, new_link_secret
from chalicelib.flows.enrollment.notices import invited
from chalicelib.kernel.errors import TryLater
from chalicelib.kernel.periods import after

TRIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Tended:
    """An invitation as it is to be, and what is written with it."""

    invitation: Invitation
    beside: tuple[Write, ...]
    digest: str = field(repr=False)
    message: Message | None = None


def take_back(context: Context, staff: Staff, invitation_id: int) -> None:
    """From now on nobody can accept it. Raises InvitationNotFound where it is not open any more."""

    def change(stored: StoredInvitation) -> Tended:
        ended = stored.invitation.model_copy(update={"status": InvitationStatus.TAKEN_BACK})
        return Tended(ended, (store.give_back_email(ended, email_digest(ended.email)),), stored.digest)

    _tend(context, staff, invitation_id, change)


def send_again(context: Context, staff: Staff, invitation_id: int, *, front_end: str) -> Invitation:
    """Mail a new link, good for another six months; the one before serves no more. Raises InvitationNotFound."""
    academy = identity.academy(context.table, staff.academy_id)

    def change(stored: StoredInvitation) -> Tended:
        before = stored.invitation
        renewed = before.model_copy(
            update={"mails": before.mails + 1, "expires_at": after(context.now, INVITATION_LIVES)}
        )
        secret = new_link_secret(renewed)
        message = invited(renewed, academy, address_of(front_end, secret), context.now)
        claim = store.claim_email(
            renewed, email_digest(renewed.email), now=context.now, refused=lambda old: InvitationMoved()
        )
        return Tended(renewed, (claim, outbox.new(message)), secret_digest(secret), message)

    return _tend(context, staff, invitation_id, change).invitation


def _tend(context: Context, staff: Staff, invitation_id: int, change: Callable[[StoredInvitation], Tended]) -> Tended:
    for attempt in range(TRIES_MAX):
        stored = queries.invitation(context.table, staff.academy_id, invitation_id)
        before = stored.invitation
        if not before.is_open(context.now):
            raise InvitationNotFound
        tended = change(stored)
        writes = [
            store.changed_invitation(tended.invitation, digest=tended.digest, version=stored.version),
            audited(context, staff, subject_of(before), before, tended.invitation),
            *tended.beside,
        ]
        try:
            commit(context.table, writes)
        except InvitationMoved:
            backoff.wait(attempt)
            continue
        if tended.message is not None:
            context.queue.nudge_outbox(tended.message.id)
        return tended
    raise TryLater
