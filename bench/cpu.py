"""CPU in process for each operation, all libraries included, and what is our own of it.

Every round does each operation five times in a row, as a warm function does in a burst, and the baseline likewise: one
GetItem by a bare botocore client, the least that anything here could cost. The order is another one in each round.
`bench.meters` says what is counted as whose.

A machine has fast and slow hours, and so what is judged is the ratio to the baseline of the same run: "at rest" is that
ratio in milliseconds of this project's machine when nothing else runs there. What was measured stands beside it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import botocore.session
from botocore.config import Config

from bench.meters import LIBRARIES, Cost, Meters
from bench.operations import Operation, check, operations
from bench.options import read_options
from bench.place import REGION, TABLE, Place, a_place
from bench.report import heading, machine, median, milliseconds, say, table, verdict
from bench.requests import Send

ROUNDS = 20
WARMING_ROUNDS = 2
IN_A_ROW = 5
BASELINE_AT_REST_MS = 0.90
"""What the baseline took on this project's machine (2 virtual CPUs, CPython 3.11) when nothing else ran there."""
BASELINE = "one bare GetItem"
OTHERS = """
What others cost in process on such a machine, as text, not measured in this run:
dj-stripe 2.8 CPU seconds for 1,000 webhooks verified and stored, 10.9 (and 2.5 of its database) for 1,000 processed;
a billing system on Django and PostgreSQL: balance 31 ms (15.4 s with 10,000 consumables), checking 84, pay by card 95,
consume 52."""


def main() -> int:
    options = read_options(__doc__ or "")
    with a_place() as place:
        measured = operations(place)
        warming = options.rounds(WARMING_ROUNDS, quick=0)
        costs = measure(place, measured, options.rounds(ROUNDS, quick=1), warming=warming)
    heading("CPU in process, milliseconds, median (least)")
    say(f"{machine()}; {len(costs[BASELINE])} of each\n")
    judged = ("whole", "bare GetItems", "at rest", "at most", "")
    columns = ("operation", *judged, "own", *judged[1:], *LIBRARIES, "on the wall")
    rows = [_row(operation, costs[operation.name], costs[BASELINE]) for operation in measured]
    table(columns, [*rows, _row(Operation(BASELINE, lambda: lambda: None), costs[BASELINE], costs[BASELINE])])
    say(OTHERS)
    return 0


def measure(place: Place, measured: Sequence[Operation], rounds: int, *, warming: int) -> Mapping[str, Sequence[Cost]]:
    """Costs by operation, and of the baseline."""
    order = [*measured, Operation(BASELINE, bare_get(place))]
    costs: dict[str, list[Cost]] = {operation.name: [] for operation in order}
    shuffled = random.Random(3)
    meters = Meters()
    with meters.installed():
        for number in range(warming + rounds):
            shuffled.shuffle(order)
            for operation in order:
                sends = [operation.prepare() for _ in range(IN_A_ROW)]
                taken = [meters.measure(send) for send in sends]
                for send in sends:
                    check(send)
                if number >= warming:
                    costs[operation.name] += taken
    return costs


def bare_get(place: Place) -> Send:
    """Prepares a read of the academy's row by botocore alone, with the settings of our table's client."""
    config = Config(parameter_validation=False, retries={"mode": "standard", "total_max_attempts": 3})
    session = botocore.session.get_session()
    client = session.create_client("dynamodb", region_name=REGION, endpoint_url=place.dynamodb_url, config=config)
    key = {"pk": {"S": f"ACADEMY#{place.academy_id}"}, "sk": {"S": "ACADEMY"}}
    return lambda: lambda: client.get_item(TableName=TABLE, Key=key, ConsistentRead=True)


def _row(operation: Operation, costs: Sequence[Cost], baseline: Sequence[Cost]) -> tuple[str, ...]:
    whole = median([cost.whole for cost in costs])
    own = median([cost.own for cost in costs])
    bare = median([cost.whole for cost in baseline])
    return (
        operation.name,
        f"{milliseconds(whole)} ({milliseconds(min(cost.whole for cost in costs))})",
        *_judged(whole / bare, operation.whole_ms),
        f"{milliseconds(own)} ({milliseconds(min(cost.own for cost in costs))})",
        *_judged(own / bare, operation.own_ms),
        *(milliseconds(median([cost.libraries[name] for cost in costs])) for name in LIBRARIES),
        milliseconds(median([cost.wall for cost in costs])),
    )


def _judged(ratio: float, at_most_ms: float | None) -> tuple[str, ...]:
    at_rest_ms = ratio * BASELINE_AT_REST_MS
    limit = "" if at_most_ms is None else f"{at_most_ms:g}"
    return f"{ratio:.1f}", f"{at_rest_ms:.2f}", limit, verdict(at_rest_ms, at_most_ms)


if __name__ == "__main__":
    raise SystemExit(main())
