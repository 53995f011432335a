"""What one request cost outside the table, counted by whoever makes the calls."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Meter:
    """Calls to the payment processor during one request."""

    stripe_calls: int = 0


meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


def count_stripe_call() -> None:
    """One more call to the payment processor."""
    counted = meter.get()
    if counted is not None:
        counted.stripe_calls += 1
