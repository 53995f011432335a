"""What every journey is given: the table, the ports, the time, and the limits of this deployment."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from chalicelib.books.billing.gateway import Gateway
from chalicelib.books.subscriptions.queries import Held
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import Table
from chalicelib.kernel.ids import RandomBits


class Queue(Protocol):
    """Nudges. The row in the table is the truth: a nudge that is lost delays and never loses."""

    def nudge_inbox(self, event_id: str) -> None:
        """Say that a stored event waits. Never raises: what fails is logged and counted."""

    def nudge_outbox(self, message_id: str) -> None:
        """Say that a message waits to be sent. Never raises: what fails is logged and counted."""

    def nudge_holdings(self, keys: Sequence[Key]) -> None:
        """Say that something must be done about the holdings of these rows, in this order as far as it may be.

        Never raises: what fails is logged and counted.
        """


class SpentPolicy(StrEnum):
    """What becomes of units that are refunded and were used before: nothing, the next purchases of that unit pay them
    first, or their owner cannot buy until they are back.
    """

    FORGIVE = "forgive"
    DEBT = "debt"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Limits:
    """What this deployment allows (settings)."""

    card_attempts_per_hour: int = 10
    declines_per_hour: int = 5
    one_trial_per_card: bool = False
    live_mode: bool = True
    spent_policy: SpentPolicy = SpentPolicy.FORGIVE


@dataclass(frozen=True, slots=True)
class Context:
    """`now` is the one instant of the request or event: aware UTC. `front_end` is where links in mails lead.

    `holdings` are those that this very call has written last (`flows/fulfillment/latest.py`).
    """

    table: Table
    gateway: Gateway
    queue: Queue
    now: datetime
    limits: Limits
    front_end: str = "http://127.0.0.1:8000"
    random_bits: RandomBits = field(default=secrets.randbits)
    holdings: dict[Key, Held] = field(default_factory=dict)
