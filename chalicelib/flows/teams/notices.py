"""The mails of teams. Pure."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.identity.model import User
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions.model import Terms
from chalicelib.books.teams.model import Seat
from chalicelib.flows.fulfillment.notices import mail
from chalicelib.kernel.ids import derived


def seat_given(user: User, seat: Seat, terms: Terms, now: datetime) -> Message:
    """Tells somebody with an account that they have a seat in a team, once for each time that they get it."""
    plan = terms.plan_title or terms.plan_slug
    sentence = f"You have been given a seat of {plan}. Sign in with your account as before; what it gives is there."
    ident = derived("seat", seat.team_id, seat.id, seat.turn)
    return mail(ident, user, f"You have a seat of {plan}", sentence, [("Plan", plan)], now)


def seat_lost(user: User, seat: Seat, terms: Terms, now: datetime) -> Message:
    """Tells whoever had a seat that they have it no more, once for each time that they had it."""
    plan = terms.plan_title or terms.plan_slug
    sentence = (
        f"Whoever pays for {plan} has taken your seat back, so that what it gave has ended. "
        "What you bought yourself stays yours."
    )
    ident = derived("seat-lost", seat.team_id, seat.id, seat.turn)
    return mail(ident, user, f"You have no seat of {plan} any more", sentence, [("Plan", plan)], now)
