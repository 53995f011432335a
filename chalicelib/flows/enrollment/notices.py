"""The mails of enrollment. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.enrollment.model import Invitation
from chalicelib.books.identity.model import Academy, User
from chalicelib.books.outbox.model import Message
from chalicelib.flows.fulfillment.notices import mail
from chalicelib.kernel.ids import derived


@dataclass(frozen=True, slots=True)
class Unnamed:
    """Whoever is greeted without a name: what somebody else calls them must not come with our mails."""

    email: str
    first_name: str = ""


def invited(invitation: Invitation, academy: Academy, link: str, now: datetime) -> Message:
    """Asks somebody to make an account, once for each link."""
    until = invitation.expires_at.strftime("%Y-%m-%d")
    sentence = f"{academy.name} invites you. Choose a password at this address, before {until}, to begin:"
    subject = f"{academy.name} invites you"
    ident = derived("invitation", invitation.academy_id, invitation.id, invitation.mails)
    to = Unnamed(invitation.email) if invitation.for_seats else invitation
    return mail(ident, to, subject, sentence, [("Academy", academy.name)], now, link=link)


def added(user: User, academy: Academy, now: datetime) -> Message:
    """Tells somebody with an account that an academy counts them among its students, once for each academy."""
    sentence = f"{academy.name} has added you to its students. Sign in with your account as before."
    subject = f"You are a student of {academy.name}"
    return mail(derived("student", academy.id, user.id), user, subject, sentence, [("Academy", academy.name)], now)
