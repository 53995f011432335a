"""The types of places and of those who wait for them."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError, Kind

PLACE_KEPT_FOR = timedelta(hours=48)
COUNT_SETTLES_AFTER = timedelta(minutes=1)
"""So long after the last purchase the index that is counted surely has it."""
LOOKED_AT_EVERY = timedelta(minutes=5)


class PlanAtCapacity(DomainError):
    kind = Kind.CONFLICT
    slug = "plan-at-capacity"
    detail = "All places of this plan are taken.{then}"


class Places(Document):
    """How many places of a plan are taken by customers or kept for those who wait. `touched_at`: the last change."""

    plan_id: int
    academy_id: int
    used: int
    touched_at: datetime


class Waiting(Document):
    """Somebody who waits. `offered_until`: a place is kept for them, and they were told."""

    id: int
    plan_id: int
    academy_id: int
    user_id: int
    email: str
    first_name: str
    joined_at: datetime
    offered_until: datetime | None = None

    def has_place(self, now: datetime) -> bool:
        return self.offered_until is not None and now < self.offered_until
