"""Invite: somebody without an account is promised a seat of a team, by the invitation that they have or a new one."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.enrollment import queries, store
from chalicelib.books.enrollment.model import INVITATION_LIVES, Invitation, InvitationStatus, SeatRef
from chalicelib.books.enrollment.queries import InvitationNotFound, StoredInvitation
from chalicelib.books.enrollment.store import InvitationMoved
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.credentials import email_digest, secret_digest
from chalicelib.books.identity.model import Academy
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.books.teams.model import Seat
from chalicelib.dynamo.writes import Write
from chalicelib.flows.context import Context
from chalicelib.flows.enrollment.link import address_of, new_link_secret
from chalicelib.flows.enrollment.notices import invited
from chalicelib.kernel import periods
from chalicelib.kernel.errors import DomainError, Kind

SEATS_PROMISED_MAX = 10
"""Three writes for each when it is accepted, beside those of its plans, in one transaction of a hundred."""


class TooManyInvitedTo(DomainError):
    kind = Kind.CONFLICT
    slug = "invited-to-too-many-seats"
    detail = f"Somebody with this e-mail is invited to {SEATS_PROMISED_MAX} seats already, and has accepted none."


@dataclass(frozen=True, slots=True)
class Invited:
    """The invitation, what is mailed, and what is written: refused as InvitationMoved."""

    invitation: Invitation
    message: Message
    writes: tuple[Write, ...]


def invite_to_seat(context: Context, seat: Seat, *, ident: int, invited_by: str) -> Invited:
    """Promise the seat. Of somebody's links only the last one serves, and it serves for all that they are promised.

    Raises TooManyInvitedTo.
    """
    academy = identity.academy(context.table, seat.academy_id)
    digest = email_digest(seat.email)
    found = queries.invitation_to(context.table, academy.id, digest)
    ref = SeatRef(team_id=seat.team_id, seat_id=seat.id)
    if found is not None and found.invitation.is_open(context.now):
        return _promised_too(context, academy, found, ref, digest)
    invitation = Invitation(
        id=ident,
        academy_id=academy.id,
        email=seat.email,
        first_name=seat.first_name or seat.email.partition("@")[0],
        last_name=seat.last_name,
        currency=academy.main_currency,
        invited_by=invited_by,
        created_at=context.now,
        expires_at=periods.after(context.now, INVITATION_LIVES),
        seats=(ref,),
        for_seats=True,
    )
    secret = new_link_secret(invitation)
    message = invited(invitation, academy, address_of(context.front_end, secret), context.now)
    writes = (
        store.claim_email(invitation, digest, now=context.now, refused=lambda old: InvitationMoved()),
        store.new_invitation(invitation, digest=secret_digest(secret)),
        outbox.new(message),
    )
    return Invited(invitation, message, writes)


def withdrawn(context: Context, seat: Seat) -> tuple[Write, ...]:
    """What promises a seat no more to whoever is invited to it. Raises InvitationMoved.

    An invitation that was made for seats ends with the last one; one that staff made goes on without it.
    """
    if seat.invitation_id is None:
        return ()
    try:
        stored = queries.invitation(context.table, seat.academy_id, seat.invitation_id)
    except InvitationNotFound:
        return ()  # it is so long ago that it was cleared away
    before, ref = stored.invitation, SeatRef(team_id=seat.team_id, seat_id=seat.id)
    if not before.is_open(context.now):
        return ()
    after = before.model_copy(update={"seats": tuple(other for other in before.seats if other != ref)})
    if after.seats or not after.for_seats:
        return (store.changed_invitation(after, digest=stored.digest, version=stored.version),)
    ended = after.model_copy(update={"status": InvitationStatus.TAKEN_BACK})
    return (
        store.changed_invitation(ended, digest=stored.digest, version=stored.version),
        store.give_back_email(ended, email_digest(ended.email)),
    )


def _promised_too(context: Context, academy: Academy, found: StoredInvitation, ref: SeatRef, digest: str) -> Invited:
    before = found.invitation
    if len(before.seats) >= SEATS_PROMISED_MAX:
        raise TooManyInvitedTo
    changes = {
        "seats": (*before.seats, ref),
        "mails": before.mails + 1,
        "expires_at": periods.after(context.now, INVITATION_LIVES),
    }
    invitation = before.model_copy(update=changes)
    secret = new_link_secret(invitation)
    message = invited(invitation, academy, address_of(context.front_end, secret), context.now)
    writes = (
        store.claim_email(invitation, digest, now=context.now, refused=lambda old: InvitationMoved()),
        store.changed_invitation(invitation, digest=secret_digest(secret), version=found.version),
        outbox.new(message),
    )
    return Invited(invitation, message, writes)
