"""The type of an activity."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from chalicelib.kernel.documents import Document


class Activity(Document):
    """One thing that happened. `id` follows from its cause; `facts` are ids and amounts, no personal data."""

    id: str
    user_id: int
    academy_id: int | None
    kind: str
    at: datetime
    facts: Mapping[str, str | int | None] = {}
