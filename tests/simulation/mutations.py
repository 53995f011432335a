"""`make mutations`: each guard removed, one at a time, and the number of seeds until the simulation sees it.

A simulation that cannot fail proves nothing. The table is for docs/reliability.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from dataclasses import dataclass

from tests.simulation.elsewhere import ELSEWHERE
from tests.simulation.guards import GUARDS, Guard
from tests.simulation.recurring_guards import RECURRING
from tests.simulation.run import STEPS, run
from tests.simulation.stage import a_stage

EVERY = (*GUARDS, *RECURRING)
SEEDS_MAX = 200
WRONG_MAX = 110


@dataclass(frozen=True)
class Caught:
    """What became of one guard's removal. `seeds` is None where no seed saw it."""

    guard: str
    seeds: int | None
    wrong: str


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutations", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="after so many a guard counts as not missed")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--only", default="", help="guards whose names have one of these in them (a;b)")
    given = parser.parse_args()
    began = time.monotonic()
    wanted = [
        (number, given.seeds, given.steps)
        for number, one in enumerate(EVERY)
        if any(part in one.name for part in given.only.split(";"))
    ]
    found = []
    with multiprocessing.get_context("fork").Pool(os.cpu_count() or 1) as pool:
        for one in pool.imap_unordered(_try, wanted, chunksize=1):
            found.append(one)
            tell(f"| {one.guard} | {one.seeds or '-'} | {one.wrong or ELSEWHERE.get(one.guard, '')} |")
    unexplained = [one for one in found if one.seeds is None and one.guard not in ELSEWHERE]
    tell(f"{len(found)} guards, {sum(1 for one in found if one.seeds)} missed, {time.monotonic() - began:.0f} s")
    return 1 if unexplained else 0


def caught(guard: Guard, *, seeds_max: int, steps: int = STEPS) -> Caught:
    """Run seeds from 1 on without the guard until one fails that holds with it."""
    with a_stage(random.Random(0)):
        pass  # what every run begins with was made with all guards in place
    for seed in range(1, seeds_max + 1):
        with guard.removed():
            wrong = run(seed, steps=steps).wrong
        if wrong and not run(seed, steps=steps).wrong:
            return Caught(guard.name, seed, wrong[0][:WRONG_MAX].replace("|", "/"))
    return Caught(guard.name, None, "")


def tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _try(work: tuple[int, int, int]) -> Caught:
    number, seeds_max, steps = work
    return caught(EVERY[number], seeds_max=seeds_max, steps=steps)


if __name__ == "__main__":
    sys.exit(main())
