"""Invitations and students."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.documents import Document
from chalicelib.kernel.periods import Span, Unit

INVITATION_LIVES = Span(6, Unit.MONTH)
DELIVERY_SWEEP_AFTER = timedelta(minutes=1)
KEPT_AFTER = timedelta(days=180)
"""How long an invitation is kept when it cannot be accepted any more, so that its link is told why."""


class InvitationStatus(StrEnum):
    """OPEN until it is accepted or taken back; whether its time is over is for whoever reads it to see."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    TAKEN_BACK = "TAKEN_BACK"


class Owed(Document):
    """A plan that an accepted invitation has yet to deliver, by which invoice; its bag has the same id."""

    plan_id: int
    invoice_id: int


class SeatRef(Document):
    """A seat of a team that waits for whoever accepts."""

    team_id: int
    seat_id: int


class Invitation(Document):
    """Somebody without an account is asked to make one. `currency`: of the invoices of what it promises.

    `seats` are theirs from its acceptance on, where they still wait for this invitation; `for_seats`: the owner of a
    team made it, not staff, so that it ends with the last of them, and the name is what that owner says. `mails` counts
    the mails with a link; only the last link serves. `owed` is not empty only between its acceptance and the last
    delivery.
    """

    id: int
    academy_id: int
    email: str
    first_name: str
    last_name: str = ""
    phone: str | None = None
    address: str | None = None
    cohort_ids: tuple[int, ...] = ()
    plan_ids: tuple[int, ...] = ()
    currency: str | None = None
    invited_by: str
    created_at: datetime
    expires_at: datetime
    mails: int = 1
    status: InvitationStatus = InvitationStatus.OPEN
    user_id: int | None = None
    accepted_at: datetime | None = None
    owed: tuple[Owed, ...] = ()
    seats: tuple[SeatRef, ...] = ()
    for_seats: bool = False

    def is_open(self, now: datetime) -> bool:
        """It can be accepted until, and no longer at, `expires_at`."""
        return self.status is InvitationStatus.OPEN and now < self.expires_at


class Student(Document):
    """A person who belongs to an academy. It gives no rights: those come from what they own."""

    academy_id: int
    user_id: int
    cohort_ids: tuple[int, ...] = ()
    phone: str | None = None
    address: str | None = None
    added_by: str
    created_at: datetime
    invitation_id: int | None = None


def named_in(secret: str, prefix: str) -> tuple[int, int] | None:
    """The academy and the id of the invitation that the secret of a link names; None where it can be none of ours."""
    ids = secret.removeprefix(prefix)[: 2 * _ID_DIGITS]
    if not secret.startswith(prefix) or len(ids) != 2 * _ID_DIGITS or not set(ids) <= set("0123456789abcdef"):
        return None
    return int(ids[:_ID_DIGITS], 16), int(ids[_ID_DIGITS:], 16)


def name_of(academy_id: int, invitation_id: int) -> str:
    """What a secret begins with after its prefix, so that one read finds the invitation, in its academy's partition."""
    return f"{academy_id:0{_ID_DIGITS}x}{invitation_id:0{_ID_DIGITS}x}"


_ID_DIGITS = 14
