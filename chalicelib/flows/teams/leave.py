"""Leave: what is written when whoever has a seat, or is invited to it, has it no more, and what they are told."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.identity import queries as identity
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions.model import Terms
from chalicelib.books.teams.model import Seat
from chalicelib.dynamo.writes import Write
from chalicelib.flows.context import Context
from chalicelib.flows.enrollment.invite import withdrawn
from chalicelib.flows.teams.notices import seat_lost
from chalicelib.flows.teams.sit import leaving_writes


@dataclass(frozen=True, slots=True)
class Leaving:
    """`message` is None for whoever was invited only: their link says that it is over."""

    writes: tuple[Write, ...]
    message: Message | None


def leaving(context: Context, seat: Seat, terms: Terms) -> Leaving:
    """Of a seat as somebody has it. Its writes raise SeatMoved, InvitationMoved."""
    if seat.user_id is None:
        return Leaving(withdrawn(context, seat), None)
    message = seat_lost(identity.user(context.table, seat.user_id), seat, terms, context.now)
    return Leaving((*leaving_writes(seat), outbox.new(message)), message)
