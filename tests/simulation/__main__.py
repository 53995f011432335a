"""`make simulate`: many seeds on all cores; or one seed again, with its trace."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable

from tests.simulation.run import STEPS, WHOLE, Cut, Result, digest, run
from tests.simulation.shrink import shrunk

FRESH_SEEDS = 1000
SHRINK_SECONDS_MAX = 60
FAILURES_SHOWN_MAX = 5
SHRUNK_MAX = 2
LINE_MAX = 400


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="", help="FROM-TO; without it, as many fresh ones as a continuous run takes")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, help="play one seed and tell everything that happens")
    parser.add_argument("--only", help="with --seed: play these steps only (3,17,44)")
    parser.add_argument("--calm", help="with --seed: no faults in these steps")
    parser.add_argument("--digest", action="store_true", help="with --seed: only the digest of everything that happens")
    parser.add_argument("--shrink", type=float, default=SHRINK_SECONDS_MAX, help="seconds for each failure made small")
    given = parser.parse_args()
    if given.seed is None:
        return simulate(_range(given.seeds), steps=given.steps, shrink_seconds=given.shrink)
    if given.digest:
        print(digest(given.seed, steps=given.steps))  # noqa: T201
        return 0
    return replay(given.seed, steps=given.steps, cut=Cut(_numbers(given.only), _numbers(given.calm) or frozenset()))


def simulate(seeds: range, *, steps: int, shrink_seconds: float) -> int:
    """Run every seed, say what happened, and answer the exit code: 0 only where every seed held."""
    began = time.monotonic()
    tell(f"Seeds {seeds.start}-{seeds.stop - 1}, {steps} steps each")
    failed: list[Result] = []
    counts: Counter[str] = Counter()
    played = calls = 0
    days = 0.0
    for result in _results(seeds, steps):
        counts += result.counts
        played, calls, days = played + result.steps, calls + result.calls, days + result.days
        if result.wrong:
            failed.append(result)
            if len(failed) <= FAILURES_SHOWN_MAX:
                where = f"at step {result.failed_at}" if result.failed_at else "at the end"
                tell(f"seed {result.seed} FAILED {where}: {result.wrong[0][:LINE_MAX]}")
    seconds = time.monotonic() - began
    tell(f"{len(seeds)} schedules, {played} steps, {calls} outside calls, {days:.0f} simulated days, {seconds:.0f} s")
    for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        tell(f"  {count:8d} {name}")
    for result in sorted(failed, key=lambda found: found.failed_at or steps + 1)[:SHRUNK_MAX]:
        tell(f"\nSeed {result.seed} made small, to be played again by")
        tell(f"  {command(result.seed, steps, shrunk(result, steps=steps, seconds_max=shrink_seconds))}")
    tell(f"{len(failed)} of {len(seeds)} seeds failed" if failed else f"all {len(seeds)} seeds held")
    return 1 if failed else 0


def replay(seed: int, *, steps: int, cut: Cut = WHOLE) -> int:
    """Play one seed, telling every act and outside call."""
    result = run(seed, steps=steps, cut=cut, told=lambda line: tell(line[:LINE_MAX]) if line[:1] != "{" else None)
    tell(f"seed {seed}: {'held' if not result.wrong else 'FAILED'}")
    return 1 if result.wrong else 0


def command(seed: int, steps: int, cut: Cut) -> str:
    """What plays exactly this again."""
    parts = [f"python -m tests.simulation --seed {seed} --steps {steps}"]
    for name, numbers in (("only", cut.only), ("calm", cut.calm)):
        if numbers:
            parts.append(f"--{name} {','.join(str(number) for number in sorted(numbers))}")
    return " ".join(parts)


def tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _results(seeds: range, steps: int) -> Iterable[Result]:
    work = [(seed, steps) for seed in seeds]
    with multiprocessing.get_context("fork").Pool(os.cpu_count() or 1) as pool:
        yield from pool.imap_unordered(_run, work, chunksize=4)


def _run(work: tuple[int, int]) -> Result:
    seed, steps = work
    return run(seed, steps=steps)


def _range(text: str) -> range:
    if not text:
        first = int(time.time()) * FRESH_SEEDS
        return range(first, first + FRESH_SEEDS)
    first_text, _, last = text.partition("-")
    return range(int(first_text), int(last or first_text) + 1)


def _numbers(text: str | None) -> frozenset[int] | None:
    return None if text is None else frozenset(int(number) for number in text.split(",") if number)


if __name__ == "__main__":
    sys.exit(main())
