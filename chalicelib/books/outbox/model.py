"""The types of the outbox."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.documents import Document

FIRST_SWEEP_AFTER = timedelta(seconds=60)
ATTEMPTS_MAX = 12
BACKOFF_FIRST = timedelta(minutes=1)
BACKOFF_MAX = timedelta(hours=12)


class MessageStatus(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Message(Document):
    """One mail. Its text is written when it is put, from what was agreed then.

    `confidential`: its text lets somebody in, so it is kept for as long as it waits to be sent, and no longer.
    """

    id: str
    to: str
    subject: str
    text: str
    html: str
    status: MessageStatus = MessageStatus.PENDING
    attempts: int = 0
    error: str | None = None
    created_at: datetime
    confidential: bool = False

    def at_rest(self) -> Message:
        """The message as it is kept once it waits no more."""
        return self.model_copy(update={"text": "", "html": ""}) if self.confidential else self


def next_attempt(attempts: int, now: datetime) -> datetime:
    """When to try again after so many failed attempts: doubling from a minute to twelve hours."""
    doublings: int = 2 ** min(max(attempts - 1, 0), 20)
    return now + min(BACKOFF_FIRST * doublings, BACKOFF_MAX)
