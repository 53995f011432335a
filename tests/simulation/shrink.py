"""A failing run made small: steps are left out, then faults, as long as it fails in the same way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from tests.simulation.run import Cut, Result, run


def shrunk(result: Result, *, steps: int, seconds_max: float) -> Cut:
    """The smallest cut found in that time that still fails as `result` did."""
    until = time.monotonic() + seconds_max
    wanted = _kind(result)

    def fails(cut: Cut) -> bool:
        again = run(result.seed, steps=steps, cut=cut)
        return bool(again.wrong) and _kind(again) == wanted

    last = result.failed_at or steps
    kept = _fewest(list(range(1, last + 1)), lambda only: fails(Cut(frozenset(only))), until)
    only = frozenset(kept)
    needed = _fewest(kept, lambda faulty: fails(Cut(only, only - frozenset(faulty))), until)
    return Cut(only, only - frozenset(needed))


def _fewest(things: list[int], fails: Callable[[list[int]], bool], until: float) -> list[int]:
    """Leave out ever smaller parts while what is left still fails (Zeller, "Simplifying failure-inducing input")."""
    parts = 2
    while things and time.monotonic() < until:
        size = max(1, -(-len(things) // parts))
        for start in range(0, len(things), size):
            rest = things[:start] + things[start + size :]
            if time.monotonic() >= until:
                return things
            if fails(rest):
                things, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                return things
            parts = min(len(things), parts * 2)
    return things


def _kind(result: Result) -> str:
    """What is wrong, without its ids and amounts."""
    return re.sub(r"\w*\d\w*", "#", result.wrong[0]) if result.wrong else ""
