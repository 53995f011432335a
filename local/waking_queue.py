"""The deployed queue's sender, and a word to the pump that it need not wait for its next look."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chalicelib.dynamo.rows import Key
from chalicelib.flows.context import Queue


class WakingQueue:
    """`flows.context.Queue` on another one."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.on_inbox: Callable[[], None] = _nobody
        self.on_outbox: Callable[[], None] = _nobody
        self.on_holdings: Callable[[], None] = _nobody

    def nudge_inbox(self, event_id: str) -> None:
        self._queue.nudge_inbox(event_id)
        self.on_inbox()

    def nudge_outbox(self, message_id: str) -> None:
        self._queue.nudge_outbox(message_id)
        self.on_outbox()

    def nudge_holdings(self, keys: Sequence[Key]) -> None:
        self._queue.nudge_holdings(keys)
        self.on_holdings()


def _nobody() -> None:
    """Nobody listens yet: the pump looks by itself."""
