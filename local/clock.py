"""The clock of the local run: the machine's own, plus an offset that only grows."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

LAST_INSTANT: Final = datetime(2090, 1, 1, tzinfo=UTC)
"""Ids have room until 2094 (kernel/ids), and what is made near the end still looks some years ahead."""


class EndOfTime(ValueError):
    """The clock would pass its last instant."""


class MovableClock:
    """Tells aware UTC. `offset_seconds` is how far it is ahead of the machine's clock."""

    def __init__(self, offset_seconds: float = 0) -> None:
        self.offset_seconds = offset_seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.offset_seconds, UTC)

    def seconds(self) -> int:
        """Unix seconds."""
        return int(self.now().timestamp())

    def check(self, seconds: float) -> None:
        """Raises EndOfTime where the clock cannot move so far, and ValueError for a step back."""
        if seconds < 0:
            raise ValueError("the clock never goes back")
        if self.now().timestamp() + seconds > LAST_INSTANT.timestamp():
            raise EndOfTime(f"the local clock ends at {LAST_INSTANT:%Y-%m-%d}")

    def advance(self, seconds: float) -> None:
        """Move ahead. Raises as `check` does."""
        self.check(seconds)
        self.offset_seconds += seconds
