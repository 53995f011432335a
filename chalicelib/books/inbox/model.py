"""The types of the inbox (D57)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.documents import Document

FIRST_SWEEP_AFTER = timedelta(seconds=60)
BACKOFF_FIRST = timedelta(seconds=30)
BACKOFF_MAX = timedelta(hours=6)
GIVE_UP_AFTER = timedelta(days=3)
ATTEMPTS_MIN = 8
"""Before so many tries nothing is given up, however long nobody tried: about an hour of them."""


class EventStatus(StrEnum):
    """`pending`: to be handled or tried again; `ignored`: recorded only; `parked`: given up, with its error."""

    PENDING = "pending"
    HANDLED = "handled"
    IGNORED = "ignored"
    PARKED = "parked"


class Event(Document):
    """A received event. Its body is stored beside it, unless it was too large for a row."""

    id: str
    type: str
    status: EventStatus = EventStatus.PENDING
    attempts: int = 0
    error: str | None = None
    object_id: str | None = None
    previous_customer: str | None = None
    received_at: datetime
    tried_since: datetime
    next_attempt_at: datetime | None = None
    body_stored: bool = True


def arrived(ident: str, kind: str, *, object_id: str | None, previous_customer: str | None, now: datetime) -> Event:
    """An event as it is stored first, whoever brought it."""
    return Event(
        id=ident,
        type=kind,
        object_id=object_id,
        previous_customer=previous_customer,
        received_at=now,
        tried_since=now,
    )


def after_failure(event: Event, error: str, now: datetime) -> Event:
    """The event after a try that did not succeed: tried again later, doubling, and parked after about three days."""
    attempts = event.attempts + 1
    wait = min(BACKOFF_FIRST * 2 ** min(attempts - 1, 20), BACKOFF_MAX)
    parked = attempts >= ATTEMPTS_MIN and now + wait > event.tried_since + GIVE_UP_AFTER
    return event.model_copy(
        update={
            "attempts": attempts,
            "error": error[:500],
            "status": EventStatus.PARKED if parked else EventStatus.PENDING,
            "next_attempt_at": None if parked else now + wait,
        }
    )


def settled(event: Event, status: EventStatus) -> Event:
    """The event after the try that settled it."""
    return event.model_copy(
        update={"attempts": event.attempts + 1, "status": status, "error": None, "next_attempt_at": None}
    )


def replayed(event: Event, now: datetime) -> Event:
    """The event as an operator wants it tried again, with three days to succeed."""
    return event.model_copy(
        update={
            "status": EventStatus.PENDING,
            "attempts": 0,
            "error": None,
            "tried_since": now,
            "next_attempt_at": now,
        }
    )
