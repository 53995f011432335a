"""Sit: what is written when somebody takes a seat, and when they leave it."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.enrollment.model import Invitation
from chalicelib.books.identity.model import User
from chalicelib.books.ledger import pool_store
from chalicelib.books.ledger.model import Holder
from chalicelib.books.subscriptions.model import Terms
from chalicelib.books.subscriptions.queries import read_holding
from chalicelib.books.teams import queries, store
from chalicelib.books.teams.model import Membership, Seat, SeatStatus
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write
from chalicelib.flows.context import Context
from chalicelib.flows.teams.seats import holder_of
from chalicelib.flows.teams.tend_seat import holding_key_of


def is_pooled(terms: Terms) -> bool:
    return any(item.pooled for item in terms.items)


def sitting_writes(seat: Seat, terms: Terms) -> list[Write]:
    """Whoever sits there sees the team, and uses its pool. Raises SeatMoved where they sit in the team already."""
    if seat.user_id is None:
        return []
    membership = Membership(team_id=seat.team_id, owner_id=seat.owner_id, seat_id=seat.id, financed=seat.financed)
    writes: list[Write] = [store.new_member(seat.user_id, membership)]
    if is_pooled(terms):
        writes.append(pool_store.pool_write(Holder.person(seat.user_id), Holder.team(seat.team_id)))
    return writes


def leaving_writes(seat: Seat) -> list[Write]:
    """Raises SeatMoved where they do not sit there any more."""
    if seat.user_id is None:
        return []
    pool = pool_store.pool_closed(Holder.person(seat.user_id), Holder.team(seat.team_id))
    return [store.gone_member(seat.user_id, seat), pool]


def had_by(seat: Seat) -> Holder | None:
    """Who has units of a seat; None where it never had any."""
    return holder_of(seat) if seat.user_id is not None or seat.turn else None


def handed_over(before: Seat, after: Seat) -> Seat:
    """The seat after somebody else got it: what is left of its units is to come to them, as lots of another turn."""
    holder = had_by(before)
    if holder is None or holder == holder_of(after):
        return after
    return after.model_copy(update={"turn": before.turn + 1, "moving_from": (holder.kind, holder.id)})


def seated(context: Context, invitation: Invitation, user: User) -> tuple[tuple[Key, ...], list[Write]]:
    """The seats that an accepted invitation fills, and what is written for them, which raises SeatMoved.

    One that was given to somebody else meanwhile, or is free, is left alone.
    """
    keys = [store.seat_key(ref.team_id, ref.seat_id) for ref in invitation.seats]
    waiting = [
        stored
        for stored in map(queries.read_seat, context.table.get_many(keys).values())
        if stored.seat.status is SeatStatus.INVITED and stored.seat.invitation_id == invitation.id
    ]
    holdings = context.table.get_many(holding_key_of(stored.seat) for stored in waiting)
    writes: list[Write] = []
    for stored in waiting:
        terms = read_holding(holdings[holding_key_of(stored.seat)]).holding.terms
        seat = filled(stored.seat, user, context.now)
        writes.append(store.changed_seat(seat, version=stored.version, due_at=context.now))
        writes += sitting_writes(seat, terms)
    return tuple(store.seat_key(stored.seat.team_id, stored.seat.id) for stored in waiting), writes


def filled(seat: Seat, user: User, now: datetime) -> Seat:
    """The seat that waited for somebody once they have it."""
    return handed_over(seat, seat.logged("ACCEPTED", now, user_id=user.id, status=SeatStatus.ACTIVE))
