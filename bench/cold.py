"""A cold start: fresh processes, in turn with processes that only import what nobody can do without.

The baseline imports chalice, pydantic and pynamodb and makes one botocore DynamoDB client. The subject imports `app`
and answers the first read of the catalog from a table that is there. Python's bytecode is compiled for both, as it is
in the package. The clock is CPU time of the whole process, its start included and clearing up at its end
left out, since a function that has started does not end; time on the wall stands beside it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.options import read_options
from bench.place import ROOT, Place, a_place
from bench.report import heading, machine, median, milliseconds, say, table, verdict

ROUNDS = 15
RATIO_MAX = 1.3
BASELINE, IN_USE, CATALOG = "the libraries alone", "the libraries, one model and read", "first read of the catalog"
REFUSED, ACCEPTED = "a webhook refused", "a webhook accepted"
KINDS = {BASELINE: "libraries", IN_USE: "in-use", CATALOG: "catalog", REFUSED: "refused", ACCEPTED: "accepted"}


@dataclass(frozen=True, slots=True)
class Start:
    """One process: nanoseconds of CPU and on the wall, and what it said of itself."""

    cpu: int
    wall: int
    modules: int
    stripe: bool


def main() -> int:
    options = read_options(__doc__ or "")
    with a_place() as place:
        starts = measure(place, options.rounds(ROUNDS, quick=1))
    heading("Cold start, milliseconds, median (least)")
    say(f"{machine()}; {len(starts[BASELINE])} fresh processes of each, in turn\n")
    columns = ("process", "CPU", "of the libraries", "at most", "", "on the wall", "ratio", "modules", "imports stripe")
    table(columns, [_row(name, starts) for name in KINDS])
    return 0


def measure(place: Place, rounds: int) -> Mapping[str, Sequence[Start]]:
    order = list(KINDS)
    starts: dict[str, list[Start]] = {name: [] for name in order}
    shuffled = random.Random(1)
    for number in range(1 + rounds):  # the first compiles
        shuffled.shuffle(order)
        for name in order:
            start = _start(place, KINDS[name])
            if number:
                starts[name].append(start)
    return starts


def _start(place: Place, kind: str) -> Start:
    """Run one process. Raises ChildProcessError where it does not do what it should."""
    began = time.perf_counter_ns()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.cold_subject", kind, str(place.academy_id)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **place.environment},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    wall = time.perf_counter_ns() - began
    if process.returncode != 0:
        raise ChildProcessError(f"{kind}: exit code {process.returncode}")
    told: Any = json.loads(said.splitlines()[-1])
    return Start(round((used.ru_utime + used.ru_stime) * 1e9), wall, told["modules"], told["stripe"])


def _row(name: str, starts: Mapping[str, Sequence[Start]]) -> tuple[str, ...]:
    cpu = _ratio(name, starts, lambda start: start.cpu)
    limit = RATIO_MAX if name == CATALOG else None
    return (
        name,
        _figure([start.cpu for start in starts[name]]),
        f"{cpu[0]:.2f} ({cpu[1]:.2f})",
        "" if limit is None else f"{limit:g}",
        verdict(cpu[0], limit),
        _figure([start.wall for start in starts[name]]),
        "{:.2f} ({:.2f})".format(*_ratio(name, starts, lambda start: start.wall)),
        str(starts[name][0].modules),
        "yes" if any(start.stripe for start in starts[name]) else "no",
    )


def _ratio(name: str, starts: Mapping[str, Sequence[Start]], of: Callable[[Start], int]) -> tuple[float, float]:
    """Of the medians, and of the least."""
    subject, baseline = [of(start) for start in starts[name]], [of(start) for start in starts[BASELINE]]
    return median(subject) / median(baseline), min(subject) / min(baseline)


def _figure(values: Sequence[int]) -> str:
    return f"{milliseconds(median(values))} ({milliseconds(min(values))})"


if __name__ == "__main__":
    raise SystemExit(main())
