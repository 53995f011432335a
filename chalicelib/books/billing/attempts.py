"""How often somebody may try: card attempts and declined payments within an hour (D60). Pure.

An attempt counts from when it begins, so that a hundred at once count too. It is taken off when the payment succeeds or
waits for the bank, and counts again should the bank decline in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.errors import DomainError, Kind

WINDOW = timedelta(hours=1)
PREFIX = "try_"


class AttemptKind(StrEnum):
    CARD = "card"
    PAYMENT = "payment"


class TooManyAttempts(DomainError):
    kind = Kind.TOO_MANY
    slug = "too-many-attempts"
    detail = "Too many attempts within an hour. Try again later."

    def __init__(self, *, wait_seconds: int) -> None:
        super().__init__()
        self.retry_after_seconds = wait_seconds


def recent(values: Mapping[str, object], now: datetime) -> dict[str, int]:
    """The attempts of a row within the last hour: attribute name to unix seconds."""
    since = int((now - WINDOW).timestamp())
    return {name: at for name, at in values.items() if name.startswith(PREFIX) and isinstance(at, int) and at > since}


def check(values: Mapping[str, object], *, limit: int, now: datetime) -> None:
    """Raise TooManyAttempts, with the time until the oldest one is an hour old, where the limit is reached."""
    counted = sorted(recent(values, now).values())
    if len(counted) >= limit:
        first_to_go = counted[len(counted) - limit]
        raise TooManyAttempts(wait_seconds=max(1, first_to_go + int(WINDOW.total_seconds()) - int(now.timestamp())))
