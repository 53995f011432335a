"""Cancel a session: give its units back to the lots they came from, once, while it is pending."""

from __future__ import annotations

from chalicelib.books.consumption import queries as consumption_queries
from chalicelib.books.consumption import store as consumption
from chalicelib.books.consumption.model import Session, SessionStatus
from chalicelib.books.idempotency.model import RequestInFlight
from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.model import Entry, EntryKind, Holder
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.teams import store as teams
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.metering.reopened import reopened
from chalicelib.kernel.errors import Defect, DomainError, Kind

TRIES_MAX = 25
MOVED = (ledger.Moved, consumption.SessionChanged, subscriptions.HoldingMoved, teams.SeatMoved)


class SessionDone(DomainError):
    kind = Kind.CONFLICT
    slug = "session-already-done"
    detail = "The session is over; its units are used."


class SessionCancelled(DomainError):
    kind = Kind.CONFLICT
    slug = "session-already-cancelled"
    detail = "The session was cancelled before."


def cancel_session(context: Context, user_id: int, session_id: int, *, service_slug: str) -> Session:
    """Give the units back. Raises SessionNotFound, SessionDone, SessionCancelled."""
    for _ in range(TRIES_MAX):
        session, version = consumption_queries.session(context.table, user_id, session_id)
        if session.service_slug != service_slug:
            raise consumption_queries.SessionNotFound
        status = session.status(context.now)
        if status is SessionStatus.CANCELLED:
            raise SessionCancelled
        if status is SessionStatus.DONE:
            raise SessionDone
        cancelled = session.model_copy(update={"cancelled_at": context.now})
        writes: list[Write] = [consumption.changed(cancelled, version=version)]
        unchanged: dict[Key, Write] = {}
        for kind, holder_id, entry_id in session.takings:
            coming, as_read = _give_back(context, Holder(kind, holder_id), entry_id, session)
            writes += coming
            unchanged |= as_read
        writes += [
            teams.pool_use_back(team_id, user_id, since=since, units=units)
            for team_id, since, units in session.pool_uses
        ]
        try:
            commit(context.table, [*writes, *unchanged.values()])
        except MOVED:
            continue
        return cancelled
    raise RequestInFlight


def _give_back(
    context: Context, holder: Holder, entry_id: str, session: Session
) -> tuple[list[Write], dict[Key, Write]]:
    taken = ledger_queries.entry(context.table, holder, entry_id)
    if taken is None:
        raise Defect(f"session {session.id} has no entry {entry_id}")
    counted = [portion for portion in taken.portions if not portion.unlimited]
    released = Entry(
        id=entry_id.removesuffix("consume") + "release",
        kind=EntryKind.RELEASE,
        unit=taken.unit,
        units=sum(portion.units for portion in counted),
        portions=taken.portions,
        cause=f"session:{session.id}",
        at=context.now,
    )
    balance = ledger_queries.page(context.table, holder, taken.unit, taken.portions[0].page)
    released, unchanged = reopened(context, holder, session.user_id, released, balance)
    return ledger.give_back_writes(holder, balance, entry=released), unchanged
