"""Remove a seat: it is free for others at once, and what its holder has left of it ends, or their invitation does.

They are told, where they had it.
"""

from __future__ import annotations

from chalicelib.books.enrollment.store import InvitationMoved
from chalicelib.books.identity.credentials import email_digest
from chalicelib.books.teams import queries, store
from chalicelib.books.teams.model import SeatStatus
from chalicelib.books.teams.queries import SeatNotFound
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.context import Context
from chalicelib.flows.teams.find import TeamRef, own_team
from chalicelib.flows.teams.leave import leaving
from chalicelib.flows.teams.sit import had_by
from chalicelib.flows.teams.tend_seat import tend_soon
from chalicelib.kernel.errors import DomainError, Kind, TryLater

TRIES_MAX = 8


class OwnerSeatStays(DomainError):
    kind = Kind.CONFLICT
    slug = "owner-seat-cannot-be-removed"
    detail = "The owner's own seat can neither be removed nor given to somebody else."


def remove_seat(context: Context, ref: TeamRef, seat_id: int) -> None:
    """Raises what `own_team` refuses, OwnerSeatStays, and SeatNotFound also for a seat that is free already."""
    for attempt in range(TRIES_MAX):
        found = own_team(context.table, ref)
        if seat_id == ref.holding_id:
            raise OwnerSeatStays
        stored = queries.seat(context.table, ref.holding_id, seat_id)
        seat = stored.seat
        if not seat.is_live:
            raise SeatNotFound
        free = seat.logged("REMOVED", context.now, status=SeatStatus.REMOVED, closing=had_by(seat) is not None)
        gone = leaving(context, seat, found.holding.terms)
        fewer = found.team.model_copy(update={"seats": found.team.seats - 1})
        writes: list[Write] = [
            store.changed_seat(free, version=stored.version, due_at=context.now),
            store.give_back_email(seat, email_digest(seat.email)),
            store.saved_team(fewer, version=found.stored.version),
            *gone.writes,
        ]
        try:
            commit(context.table, writes)
        except (store.TeamMoved, store.SeatMoved, InvitationMoved):
            backoff.wait(attempt)
            continue
        if gone.message is not None:
            context.queue.nudge_outbox(gone.message.id)
        tend_soon(context, store.seat_key(seat.team_id, seat.id))
        return
    raise TryLater
