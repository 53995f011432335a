"""Time passing: the minute's tick, and the clock being moved day by day with all that it makes due.

The reconcilers find what nothing else brings: they run each minute too, and where the clock is moved once a week of it
and at its end, when all else has settled. (Each day would take as long as all the rest of the day.)
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from local.clock import MovableClock
from local.pump import Pump

DAY_SECONDS = 86_400
RECONCILED_DAYS = 7
TICK_SECONDS = 60
ROUNDS_PER_STEP_MAX = 30
SETTLE_SECONDS_MAX = 30.0

Tick = Callable[[dict[str, Any], Any], Any]

_log = logging.getLogger("local.timeline")


class Webhooks(Protocol):
    """Whoever sends webhooks by this clock; nobody, where Stripe itself does."""

    def settle(self, timeout_seconds: float) -> bool:
        """Wait until none is due and none is on its way; False after the timeout (real seconds)."""


class Unsettled(RuntimeError):
    """The work of one day caused new work, round after round."""


class Timeline:
    """Ticks each minute; `advance` moves the clock. Only one of the two runs at a time."""

    def __init__(
        self,
        clock: MovableClock,
        *,
        ticks: tuple[Tick, ...],
        pumps: tuple[Pump, ...],
        webhooks: Webhooks | None,
        reconcilers: tuple[Tick, ...] = (),
    ) -> None:
        self._clock = clock
        self._ticks = ticks
        self._reconcilers = reconcilers
        self._pumps = pumps
        self._webhooks = webhooks
        self._running = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="minutes", daemon=True)
        self.after_minute: Callable[[], None] = _nothing

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the ticks and any move of the clock after the step at hand."""
        self._stopping.set()
        self._thread.join()
        with self._running:
            return

    def advance(self, seconds: int) -> None:
        """Move the clock and answer when what became due, its messages and its webhooks have settled.

        Raises EndOfTime before anything moved, and Unsettled.
        """
        with self._running:
            self._clock.check(seconds)
            self._settle()
            left, days = seconds, 0
            while left > 0 and not self._stopping.is_set():
                step = min(left, DAY_SECONDS)
                self._clock.advance(step)
                left, days = left - step, days + 1
                self._settle()
                if days % RECONCILED_DAYS == 0 and left > 0:
                    self._reconcile()
            self._reconcile()
            self.after_minute()

    def _reconcile(self) -> None:
        """Until nothing more is found, and what was found has settled."""
        for _ in range(ROUNDS_PER_STEP_MAX):
            if not self._all_ticked(self._reconcilers):
                return
            self._settle()
        raise Unsettled(f"differences went on for {ROUNDS_PER_STEP_MAX} rounds")

    def _settle(self) -> None:
        for _ in range(ROUNDS_PER_STEP_MAX):
            worked = self._all_ticked(self._ticks)
            sent = self._webhooks is None or self._webhooks.settle(SETTLE_SECONDS_MAX)
            handled = sum(pump.drain() for pump in self._pumps)
            if sent and not worked and not handled:
                return
        raise Unsettled(f"work went on for {ROUNDS_PER_STEP_MAX} rounds at {self._clock.now():%Y-%m-%d %H:%M}")

    def _all_ticked(self, ticks: tuple[Tick, ...]) -> bool:
        """Whether one of them found something to do; each has its turn."""
        worked = [self._ticked(tick) for tick in ticks]
        return any(worked)

    def _ticked(self, tick: Tick) -> bool:
        """Whether the tick found something to do."""
        done = tick(_schedule_event(self._clock), None)
        return any(done.values()) if isinstance(done, dict) else False

    def _run(self) -> None:
        """A tick each minute. The machine's minutes are the clock's: they differ by an offset."""
        due = time.monotonic() + TICK_SECONDS
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due += TICK_SECONDS
            with self._running:
                self._minute()

    def _minute(self) -> None:
        try:
            self._all_ticked(self._ticks)
            self._all_ticked(self._reconcilers)
            self.after_minute()
        except Exception:  # noqa: BLE001  # the edge: a schedule that fails is logged and runs again in a minute
            _log.exception("the minute's tick failed")


def _schedule_event(clock: MovableClock) -> dict[str, Any]:
    """What EventBridge hands to a scheduled function."""
    return {
        "version": "0",
        "id": f"local-{clock.seconds()}",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [],
        "detail": {},
    }


def _nothing() -> None:
    """Nothing is kept."""
