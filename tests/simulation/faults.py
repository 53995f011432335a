"""What goes wrong at the outside calls, and where: one plan for each act, out of the seed.

An act is what one process does without a pause: a request, a webhook received, a batch of nudges, a sweep. Its plan
says at which of its outside calls something happens; what it is, is drawn when the call is seen, for a queue fails in
other ways than a table. One of the things that happen is another act in between: that is how two are at it at once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Do = Callable[[], T]

BEFORE, AFTER, ANOTHER, SLOW = "dies before", "dies after", "another in between", "slow"
LOST, TWICE, UNREACHABLE = "answer lost", "sent twice", "unreachable"
THROTTLED, CONFLICT, PARTIAL, STALE = "throttled", "conflict", "partial answer", "stale index"
BUSY, BROKEN, PROCESSING = "busy", "broken", "stays processing"
NUDGE_LOST, NUDGE_DOUBLED = "nudge lost", "nudge doubled"

READS = (BEFORE, AFTER, THROTTLED, UNREACHABLE, SLOW)
WRITES = (BEFORE, BEFORE, AFTER, AFTER, LOST, TWICE, THROTTLED, UNREACHABLE, CONFLICT, SLOW)
KINDS: Mapping[str, tuple[str, ...]] = {
    "GetItem": READS,
    "BatchGetItem": (*READS, PARTIAL),
    "Query": READS,
    "Query of an index": (*READS, STALE, STALE),
    "PutItem": WRITES,
    "UpdateItem": WRITES,
    "DeleteItem": WRITES,
    "TransactWriteItems": WRITES,
    "stripe get": (BEFORE, AFTER, LOST, UNREACHABLE, BUSY, BROKEN, SLOW),
    "stripe post": (BEFORE, AFTER, AFTER, LOST, LOST, UNREACHABLE, BUSY, BROKEN, SLOW),
    "stripe charge": (BEFORE, AFTER, AFTER, LOST, LOST, UNREACHABLE, BUSY, BROKEN, PROCESSING, PROCESSING, SLOW),
    "queue": (BEFORE, AFTER, NUDGE_LOST, NUDGE_DOUBLED),
    "mail": (BEFORE, AFTER, UNREACHABLE),
}
"""What may happen at a call of each kind; named twice is twice as likely."""

FAULTY_ACTS = 0.5
IN_A_ROW = (1, 1, 1, 2, 3, 10)
CALLS_MAX = 16
SKEW_SECONDS_MAX = 3
AIMS: tuple[tuple[frozenset[str], int], ...] = (
    (frozenset(KINDS), CALLS_MAX),
    (frozenset(kind for kind in KINDS if KINDS[kind] is WRITES), 4),
    (frozenset(kind for kind in KINDS if kind.startswith("stripe")), 3),
    (frozenset(("queue", "mail", "Query of an index")), 3),
)
"""What a plan aims at, so that rare calls fail as often: kinds of calls, and at most the how-manieth of them."""
INTERRUPTED_ACTS = 0.35
INTERRUPTED_AT_MAX = 9
DEPTH_MAX = 2
SLOW_SECONDS_MAX = 60
OTHERS_GO_ON = 0.5


class Crash(BaseException):
    """The process is killed: no handler of ours sees it."""


@dataclass
class Act:
    """One process at work. `faults`: at which of its calls to `aim` something happens. `another`: at which of all its
    calls another acts.

    `who` is the person whose request `sent` is, if it is one's; `touched` the rows that it named, and what it listed.
    """

    name: str
    skew_seconds: float = 0.0
    who: Any = None
    sent: Any = None
    aim: frozenset[str] = frozenset()
    faults: frozenset[int] = frozenset()
    another: int = 0
    calls: int = 0
    aimed: int = 0
    struck: list[str] = field(default_factory=list)
    touched: set[tuple[str, str]] = field(default_factory=set)

    def comes_to(self, kind: str) -> bool:
        """Count a call, and say whether something happens to it."""
        self.calls += 1
        if kind not in self.aim:
            return False
        self.aimed += 1
        return self.aimed in self.faults


def drawn(rng: random.Random, name: str, *, depth: int) -> Act:
    """An act with its plan."""
    act = Act(name, skew_seconds=rng.choice((0.0, 0.0, rng.uniform(-SKEW_SECONDS_MAX, SKEW_SECONDS_MAX))))
    faulty = rng.random() < (FAULTY_ACTS if depth == 1 else FAULTY_ACTS / 2)
    aim, calls_max = rng.choice(AIMS)
    first, count = rng.randint(1, calls_max), rng.choice(IN_A_ROW)
    if faulty:
        act.aim, act.faults = aim, frozenset(range(first, first + count))
    another = rng.randint(1, INTERRUPTED_AT_MAX)
    if rng.random() < INTERRUPTED_ACTS and depth < DEPTH_MAX:
        act.another = another
    return act


@dataclass
class Outside:
    """Every outside call comes through here. `acts`: those at work, the innermost last.

    `interrupt` runs another act in between; `pass_time` lets the world's clock go on.
    """

    rng: random.Random
    interrupt: Callable[[], None]
    pass_time: Callable[[float], None]
    told: Callable[[str], None] | None = None
    acts: list[Act] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    calls: int = 0

    def meet(self, kind: str, what: str, do: Do[T], otherwise: Callable[[str], T]) -> T:
        """Make a call, or let happen to it what the plan says. Raises Crash where the process dies.

        `otherwise` is what becomes of the call under a fault that only this kind of call has.
        """
        self.calls += 1
        act = self.acts[-1] if self.acts else None
        if act is None:
            return do()
        struck = act.comes_to(kind)
        if act.calls == act.another:
            self._tell(act, ANOTHER, kind, what)
            self.interrupt()
        if not struck:
            self._tell(act, None, kind, what)
            return do()
        fault = self.rng.choice(KINDS[kind])
        self._tell(act, fault, kind, what)
        act.struck.append(fault)
        if fault == BEFORE:
            raise Crash
        if fault == AFTER:
            try:
                do()
            finally:  # also where the answer is a refusal
                raise Crash
        if fault == SLOW:
            self.pass_time(self.rng.uniform(0, SLOW_SECONDS_MAX))
            if self.rng.random() < OTHERS_GO_ON and len(self.acts) < DEPTH_MAX:
                self._tell(act, ANOTHER, kind, what)
                self.interrupt()
            return do()
        return otherwise(fault)

    def _tell(self, act: Act, fault: str | None, kind: str, what: str) -> None:
        if fault is not None:
            self.counts[fault] += 1
        if self.told is not None:
            self.told(f"{'  ' * len(self.acts)}{act.calls:2d} {kind} {what}" + (f"  <- {fault}" if fault else ""))
