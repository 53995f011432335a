"""CPU time, and whose it is.

The clock is the process's CPU time, user and system: what waits for a socket, or for a core that others hold, is not in
it. Whose it is: wrappers stand around each library's outermost functions and are counted exclusively, so that what
botocore takes inside pynamodb is botocore's.

- botocore: every API call of a client, from its arguments to the parsed answer, signing and socket included
- pynamodb: `Connection.dispatch` around that; for expressions, turning values into its operands (`Value`) and
  serializing conditions and updates
- stripe: a raw request, from its parameters to the plain JSON, socket included

All the rest is our own, and counted against us: Chalice, pydantic, msgspec, Powertools, JSON, and making and
combining the other objects of pynamodb's expressions (`Path(...)`, `a & b`). What the wrappers take themselves is
measured when they are installed, and taken off.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import botocore.client
import stripe
import stripe._stripe_service
from pynamodb.connection import Connection
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Value
from pynamodb.expressions.update import Update

clock = time.process_time_ns

TABLE, QUEUE, PYNAMODB, STRIPE = "botocore: table", "botocore: queue", "pynamodb", "stripe"
LIBRARIES = (TABLE, QUEUE, PYNAMODB, STRIPE)
CALIBRATION_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation took, in nanoseconds: CPU in all, of that each library's, and time on the wall.

    `calls` says how often each library was entered.
    """

    whole: int
    libraries: Counter[str]
    calls: Counter[str]
    wall: int

    @property
    def own(self) -> int:
        return self.whole - sum(self.libraries.values())


class Meters:
    """Counts what is spent inside the libraries while `installed`."""

    def __init__(self) -> None:
        self._spent: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._inside: list[tuple[str, int]] = []
        self._outside_ns = self._inside_ns = 0.0

    @contextmanager
    def installed(self) -> Iterator[None]:
        self._calibrate()
        with (
            patch.object(Connection, "dispatch", self._wrapped(PYNAMODB, Connection.dispatch)),
            patch.object(Condition, "serialize", self._wrapped(PYNAMODB, Condition.serialize)),
            patch.object(Update, "serialize", self._wrapped(PYNAMODB, Update.serialize)),
            patch.object(Value, "__init__", self._wrapped(PYNAMODB, Value.__init__)),
            patch.object(botocore.client.BaseClient, "_make_api_call", self._wrapped_client()),
            patch.object(stripe.StripeClient, "raw_request", self._wrapped(STRIPE, stripe.StripeClient.raw_request)),
        ):
            yield

    def measure(self, operation: Callable[[], Any]) -> Cost:
        self._spent, self._calls = Counter(), Counter()
        wall, began = time.perf_counter_ns(), clock()
        operation()
        whole, wall = clock() - began, time.perf_counter_ns() - wall
        spent, calls = self._spent, self._calls
        self._spent, self._calls = Counter(), Counter()  # what comes before the next one is nobody's
        libraries = Counter({name: spent[name] - round(calls[name] * self._inside_ns) for name in LIBRARIES})
        wrappers = round(calls.total() * (self._inside_ns + self._outside_ns))
        return Cost(whole - wrappers, libraries, calls, wall)

    def _calibrate(self) -> None:
        """How much of a wrapped call is the wrapper's: what it counts of itself, and what it adds outside of that."""
        wrapped = self._wrapped(PYNAMODB, _nothing)
        self._outside_ns = self._inside_ns = 0.0
        self._spent = Counter()
        began = clock()
        for _ in range(CALIBRATION_CALLS):
            wrapped()
        whole = clock() - began
        self._inside_ns = self._spent[PYNAMODB] / CALIBRATION_CALLS
        self._outside_ns = whole / CALIBRATION_CALLS - self._inside_ns

    def _wrapped(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            if self._inside and self._inside[-1][0] == name:  # it calls itself: a condition of conditions
                return function(*given, **named)
            return self._count(name, function, given, named)

        return counted

    def _wrapped_client(self) -> Callable[..., Any]:
        real: Callable[..., Any] = botocore.client.BaseClient._make_api_call

        def counted(client: Any, *given: Any) -> Any:
            name = TABLE if client.meta.service_model.service_name == "dynamodb" else QUEUE
            return self._count(name, real, (client, *given), {})

        return counted

    def _count(self, name: str, function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """`_inside` holds the wrapped calls that are under way, each with what those inside of it took."""
        self._inside.append((name, 0))
        began = clock()
        try:
            return function(*given, **named)
        finally:
            spent = clock() - began
            _, of_others = self._inside.pop()
            self._spent[name] += spent - of_others
            self._calls[name] += 1
            if self._inside:
                outer, before = self._inside[-1]
                self._inside[-1] = (outer, before + spent)


def _nothing() -> None:
    return None
