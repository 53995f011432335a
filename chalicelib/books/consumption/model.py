"""The type of a consumption session."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.documents import Document


class SessionStatus(StrEnum):
    PENDING = "PENDING"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


class Session(Document):
    """One use of a service's units by a person.

    `takings` name the ledger entries that took them: kind and id of the holder, and the entry's id. `ip` and
    `user_agent` say from where it was asked for, should the payment be disputed. `pool_uses` are what was counted of
    pools of which the person may use only so much: the team, the period's beginning in unix seconds, the units.
    """

    id: int
    user_id: int
    academy_id: int
    service_id: int
    service_slug: str
    hash: str | None
    how_many: int
    takings: tuple[tuple[str, int, str], ...]
    pool_uses: tuple[tuple[int, int, int], ...] = ()
    created_at: datetime
    eta: datetime
    cancelled_at: datetime | None = None
    ip: str | None = None
    user_agent: str | None = None

    def status(self, now: datetime) -> SessionStatus:
        if self.cancelled_at is not None:
            return SessionStatus.CANCELLED
        return SessionStatus.PENDING if now < self.eta else SessionStatus.DONE
