"""What is known of a disputed payment: what was bought, from where, and what was used of it. Read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.billing.gateway import DisputeState
from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.consumption import queries as consumption
from chalicelib.books.consumption.model import Session, SessionStatus
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.model import Holder, Portion
from chalicelib.books.teams import queries as teams
from chalicelib.books.timeline import queries as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.flows.reconcile.handle_event import NotKnownYet, invoice_of_payment
from chalicelib.kernel.errors import DomainError, Kind

SESSIONS_READ_MAX = 1000
PEOPLE_READ_MAX = 200
SESSIONS_PAGE = 100
ACTIVITIES_MAX = 100


class DisputeNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "dispute-not-found"
    detail = "There is no such dispute of a payment of ours."


@dataclass(frozen=True, slots=True)
class Use:
    """Units of the payment that one use took."""

    session: Session
    service: str
    units: int
    status: SessionStatus


@dataclass(frozen=True, slots=True)
class Evidence:
    """`uses` and `activities` are the newest first."""

    dispute: DisputeState
    invoice: Invoice
    uses: tuple[Use, ...]
    activities: tuple[Activity, ...]


def evidence(context: Context, dispute_id: str) -> Evidence:
    """Gather it. Raises DisputeNotFound, PaymentServiceDown."""
    dispute = context.gateway.dispute(dispute_id)
    if dispute is None or dispute.payment_id is None:
        raise DisputeNotFound
    payment = context.gateway.payment(dispute.payment_id)
    if payment is None:
        raise DisputeNotFound
    try:
        stored = invoice_of_payment(context, payment)
    except NotKnownYet as error:
        raise DisputeNotFound from error
    invoice = stored.invoice
    uses = _uses(context, stored)
    activities = timeline.activities(context.table, invoice.buyer.user_id, limit=ACTIVITIES_MAX).items
    about = tuple(activity for activity in activities if activity.facts.get("invoice") == invoice.id)
    return Evidence(dispute, invoice, tuple(uses), about)


def _uses(context: Context, stored: StoredInvoice) -> list[Use]:
    """What the buyer used of it since the payment, and those who sit in the team that it paid for."""
    invoice, team_id = stored.invoice, _team_id(stored)
    people = {invoice.buyer.user_id: None}
    if team_id is not None:
        seats = teams.seats(context.table, team_id)
        people |= {seat.seat.user_id: None for seat in seats if seat.seat.user_id is not None}
    sessions: list[Session] = []
    for user_id in list(people)[:PEOPLE_READ_MAX]:
        left = SESSIONS_READ_MAX - len(sessions)
        sessions += _sessions(context, user_id, since=invoice.paid_at or invoice.created_at, enough=left)
    sessions.sort(key=lambda session: session.id, reverse=True)
    return [use for session in sessions for use in _uses_of(context, session, invoice, team_id)]


def _team_id(stored: StoredInvoice) -> int | None:
    """The team whose units it paid for, had its plan one."""
    units = Delivery.model_validate_json(stored.delivery).units
    if units is not None:
        return None if units.pool is None else units.pool.team_id
    return stored.invoice.subscription_id or stored.invoice.financing_id


def _sessions(context: Context, user_id: int, *, since: datetime, enough: int) -> Sequence[Session]:
    """A person's uses since the payment, the newest first, at most so many."""
    found: list[Session] = []
    cursor: str | None = None
    while len(found) < enough:
        page = consumption.sessions_of(context.table, user_id, limit=SESSIONS_PAGE, cursor=cursor)
        recent = [session for session in page.items if session.created_at >= since]
        found += recent
        cursor = page.next_cursor
        if cursor is None or len(recent) < len(page.items):
            break
    return found[:enough]


def _uses_of(context: Context, session: Session, invoice: Invoice, team_id: int | None) -> list[Use]:
    uses = []
    for kind, holder_id, entry_id in session.takings:
        entry = ledger.entry(context.table, Holder(kind, holder_id), entry_id)
        portions = entry.portions if entry is not None else ()
        units = sum(one.units for one in portions if _is_of(one, invoice, team_id))
        if units:
            uses.append(Use(session, session.service_slug, units, session.status(context.now)))
    return uses


def _is_of(portion: Portion, invoice: Invoice, team_id: int | None) -> bool:
    """Whether units are of the payment. Of a plan's unlimited units, and of a seat's own, no single payment is known:
    they are of every one that the plan had before they were used.
    """
    origin = portion.origin
    if origin is None:
        return False
    if origin.invoice_id == invoice.id:
        return True
    of_plan = (origin.subscription_id, origin.financing_id) == (invoice.subscription_id, invoice.financing_id)
    is_whole = portion.unlimited or origin.seat_id is not None
    return is_whole and of_plan and team_id in (origin.subscription_id, origin.financing_id)
