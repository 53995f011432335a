"""Time passing: the minute's tick, and the clock being moved day by day with all that it makes due; days in which
nothing is due pass at once.

The reconcilers find what nothing else brings: they run each minute too, and where the clock is moved once in four weeks
of it and at its end, when all else has settled. (Each day would take as long as all the rest of the day.)

What is due of subscriptions and financings within a day is done at its own instants, the earliest first, and what that
caused settles before the clock goes on: so a move of many days comes to the same as so many moves of one.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from chalicelib.dynamo.table import Due
from local.clock import MovableClock
from local.due import Waiting
from local.pump import Pump

DAY_SECONDS = 86_400
RECONCILED_DAYS = 28
"""Within the thirty days for which the processor lists its events."""
TICK_SECONDS = 60
STOP_SECONDS_MIN = 3600
"""What is due within an hour is done together: a day has at most so many stops."""
ROUNDS_PER_STEP_MAX = 30
SETTLE_SECONDS_MAX = 30.0

Tick = Callable[[dict[str, Any], Any], Any]

_log = logging.getLogger("local.timeline")


class Webhooks(Protocol):
    """Whoever sends webhooks by this clock; nobody, where Stripe itself does."""

    def settle(self, timeout_seconds: float) -> bool:
        """Wait until none is due and none is on its way; False after the timeout (real seconds)."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """The tick that nudges what recurs, the pump of its worker, and what waits for an instant."""

    tick: Tick
    pump: Pump
    waiting: Callable[[datetime], Waiting]


class Unsettled(RuntimeError):
    """The work of one day caused new work, round after round."""


class Timeline:
    """Ticks each minute; `advance` moves the clock. Only one of the two runs at a time."""

    def __init__(
        self,
        clock: MovableClock,
        *,
        tick: Tick,
        pumps: tuple[Pump, ...],
        webhooks: Webhooks | None,
        recurring: Recurring | None = None,
        reconcilers: tuple[Tick, ...] = (),
    ) -> None:
        self._clock = clock
        self._tick = tick
        self._recurring = recurring
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
            left = seconds
            while left > 0 and not self._stopping.is_set():
                step = min(left, RECONCILED_DAYS * DAY_SECONDS)
                self._pass(step)
                left -= step
                if left > 0:
                    self._reconcile()
            self._reconcile()
            self.after_minute()

    def _pass(self, seconds: int) -> None:
        """Move on by this, with a stop where something is due before."""
        passed = 0
        while passed < seconds and not self._stopping.is_set():
            step = self._seconds_to_stop(passed, seconds)
            self._clock.advance(step)
            passed += step
            self._settle()

    def _seconds_to_stop(self, passed: int, seconds: int) -> int:
        """To what recurs next, or to the end of the first day in which anything else is due; else to the end."""
        now = self._clock.now()
        waiting = self._waiting(now + timedelta(seconds=seconds - passed))
        stops = [seconds - passed]
        after = [(one.at - now).total_seconds() for one in waiting.recurring if one.at > now]
        if after:
            stops.append(max(math.ceil(after[0]), STOP_SECONDS_MIN))
        others = now if waiting.webhooks else waiting.others
        if others is not None:
            days = (passed + max(0.0, (others - now).total_seconds())) // DAY_SECONDS
            stops.append((int(days) + 1) * DAY_SECONDS - passed)
        return min(stops)

    def _waiting(self, at: datetime) -> Waiting:
        return Waiting(others=self._clock.now()) if self._recurring is None else self._recurring.waiting(at)

    def _reconcile(self) -> None:
        """Until nothing more is found, and what was found has settled."""
        for _ in range(ROUNDS_PER_STEP_MAX):
            if not self._all_ticked(self._reconcilers):
                return
            self._settle()
        raise Unsettled(f"differences went on for {ROUNDS_PER_STEP_MAX} rounds")

    def _settle(self) -> None:
        """Until all is quiet, but for what is due and stays so: with the processor away, it waits for another step."""
        last: list[Due] = []
        for _ in range(ROUNDS_PER_STEP_MAX):
            waiting = self._waiting(self._clock.now())
            due = waiting.recurring
            worked = waiting.others is not None and self._ticked(self._tick)
            if self._recurring is not None and due:
                self._ticked(self._recurring.tick)
            sent = self._webhooks is None or self._webhooks.settle(SETTLE_SECONDS_MAX)
            handled = sum(pump.drain() for pump in self._pumps)
            tended = 0 if self._recurring is None else self._recurring.pump.drain()
            stays = due == last if due else not tended
            if sent and not worked and not handled and stays:
                return
            last = due
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
            self._ticked(self._tick)
            if self._recurring is not None:
                self._ticked(self._recurring.tick)
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
