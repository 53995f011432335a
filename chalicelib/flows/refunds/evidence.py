"""What is known of a disputed payment: what was bought, from where, and what was used of it. Read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.billing.gateway import DisputeState
from chalicelib.books.billing.model import Invoice
from chalicelib.books.consumption import queries as consumption
from chalicelib.books.consumption.model import Session, SessionStatus
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.model import Holder
from chalicelib.books.timeline import queries as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.flows.context import Context
from chalicelib.flows.reconcile.handle_event import NotKnownYet, invoice_of_payment
from chalicelib.kernel.errors import DomainError, Kind

SESSIONS_READ_MAX = 1000
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
        invoice = invoice_of_payment(context, payment).invoice
    except NotKnownYet as error:
        raise DisputeNotFound from error
    user_id = invoice.buyer.user_id
    sessions = _sessions(context, user_id, since=invoice.paid_at or invoice.created_at)
    uses = [use for session in sessions for use in _uses(context, session, invoice.id)]
    activities = timeline.activities(context.table, user_id, limit=ACTIVITIES_MAX).items
    about = tuple(activity for activity in activities if activity.facts.get("invoice") == invoice.id)
    return Evidence(dispute, invoice, tuple(uses), about)


def _sessions(context: Context, user_id: int, *, since: datetime) -> Sequence[Session]:
    """The person's uses since the payment, at most a thousand."""
    found: list[Session] = []
    cursor: str | None = None
    while len(found) < SESSIONS_READ_MAX:
        page = consumption.sessions_of(context.table, user_id, limit=SESSIONS_PAGE, cursor=cursor)
        recent = [session for session in page.items if session.created_at >= since]
        found += recent
        cursor = page.next_cursor
        if cursor is None or len(recent) < len(page.items):
            break
    return found


def _uses(context: Context, session: Session, invoice_id: int) -> list[Use]:
    uses = []
    for kind, holder_id, entry_id in session.takings:
        entry = ledger.entry(context.table, Holder(kind, holder_id), entry_id)
        portions = entry.portions if entry is not None else ()
        units = sum(one.units for one in portions if one.origin is not None and one.origin.invoice_id == invoice_id)
        if units:
            uses.append(Use(session, session.service_slug, units, session.status(context.now)))
    return uses
