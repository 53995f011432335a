"""Whether a balance and a use cost the same with few and with many past entries.

Two people hold the same plan. The first used it 10 times, the second 10,000 times: those uses are rows as the flow
wrote them for one use, copied under other ids. Both then read their balance and use a unit in turn.

On DynamoDB Local where it is there. On ministack the time on the wall means nothing: it reads the whole partition.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import botocore.session

from bench.calls import TableCall, recorded
from bench.dynamodb_local import dynamodb_local
from bench.meters import Cost, Meters
from bench.operations import BALANCE, a_holder, consuming
from bench.options import read_options
from bench.place import REGION, TABLE, Place, a_place
from bench.report import heading, machine, median, milliseconds, say, table
from bench.requests import Person, Send, WrongAnswer, request
from chalicelib.books.ledger.model import Holder

FEW, MANY, MANY_QUICK = 10, 10_000, 50
ROUNDS = 100
WARMING_ROUNDS = 5
APART_MAX = 0.10
BATCH_ROWS = 25

Key = tuple[str, int]
Costs = Mapping[Key, Sequence[Cost]]


def main() -> int:
    options = read_options(__doc__ or "")
    many = MANY_QUICK if options.quick else MANY
    with dynamodb_local() as url, a_place(dynamodb_url=url) as place:
        people = {number: a_holder(place) for number in (FEW, many)}
        for number, person in people.items():
            use_often(place, person, number)
        warming = options.rounds(WARMING_ROUNDS, quick=0)
        costs, calls = measure(place, people, options.rounds(ROUNDS, quick=1), warming=warming)
    heading(f"With {FEW} and with {many:,} past entries")
    say(f"{machine()}; {len(costs['balance', FEW])} of each; on {'ministack' if url is None else 'DynamoDB Local'}\n")
    columns = ("operation", "entries", "calls", "units", "CPU ms, median (least)", "ms on the wall", "of the few")
    table(columns, [_row(key, costs, calls) for key in costs])
    say(f"\nAt most {APART_MAX:.0%} apart: {_verdict(costs, calls, many)}.")
    say("Time on the wall is mostly the emulator's; neither keeps a partition as DynamoDB does.")
    return 0


def use_often(place: Place, person: Person, times: int) -> None:
    """Make `times` uses in the past: one by the flow, the others copies of its rows."""
    with recorded(place) as calls:
        made = consuming(person)()
    writes = [item["Put"]["Item"] for call in calls for item in call.request.get("TransactItems", ()) if "Put" in item]
    client = botocore.session.get_session().create_client(
        "dynamodb", region_name=REGION, endpoint_url=place.dynamodb_url
    )
    rows = [row for number in range(1, times) for row in _copied(writes, made["id"], number)]
    for start in range(0, len(rows), BATCH_ROWS):
        batch = [{"PutRequest": {"Item": row}} for row in rows[start : start + BATCH_ROWS]]
        if client.batch_write_item(RequestItems={TABLE: batch})["UnprocessedItems"]:
            raise WrongAnswer("the table did not take every row")
    _check_entries(client, person, times)


def measure(
    place: Place, people: Mapping[int, Person], rounds: int, *, warming: int
) -> tuple[Costs, Mapping[Key, Sequence[TableCall]]]:
    """Costs and the calls of the last round, by operation and number of entries, all in turn."""
    prepared: dict[Key, Callable[[], Send]] = {}
    for number, person in people.items():
        prepared["balance", number] = partial(request, "GET", BALANCE, person=person)
        prepared["consume", number] = partial(consuming, person)
    order = sorted(prepared)
    costs: dict[Key, list[Cost]] = {key: [] for key in order}
    calls: dict[Key, Sequence[TableCall]] = {}
    shuffled = random.Random(9)
    meters = Meters()
    with meters.installed():
        for number in range(warming + rounds):
            shuffled.shuffle(order)
            for key in order:
                send = prepared[key]()
                with recorded(place) as calls[key]:
                    cost = meters.measure(send)
                if number >= warming:
                    costs[key].append(cost)
    return costs, calls


def _copied(writes: Sequence[Any], made: int, number: int) -> list[Any]:
    """The rows of one use as those of an earlier one."""
    earlier = json.loads(json.dumps(writes).replace(str(made), str(made - number)))
    for row in earlier:
        if row["sk"]["S"].startswith("SESSION_HASH#"):
            row["sk"]["S"] = f"SESSION_HASH#{number:064x}"
    return list(earlier)


def _check_entries(client: Any, person: Person, times: int) -> None:
    """Every use has its entry, beside the one of each unit that the plan granted."""
    values = {":pk": {"S": Holder.person(person.user_id).partition}, ":sk": {"S": "ENTRY#"}}
    pages = client.get_paginator("query").paginate(
        TableName=TABLE,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues=values,
        Select="COUNT",
    )
    found = sum(page["Count"] for page in pages)
    if found < times:
        raise WrongAnswer(f"{found} entries instead of {times}")


def _row(key: Key, costs: Costs, calls: Mapping[Key, Sequence[TableCall]]) -> tuple[str, ...]:
    name, number = key
    of_these, of_few = costs[key], costs[name, FEW]
    whole = median([cost.whole for cost in of_these])
    return (
        name,
        f"{number:,}",
        str(len(calls[key])),
        f"{sum(call.units for call in calls[key]):g}",
        f"{milliseconds(whole)} ({milliseconds(min(cost.whole for cost in of_these))})",
        milliseconds(median([cost.wall for cost in of_these])),
        f"{whole / median([cost.whole for cost in of_few]):.2f}",
    )


def _verdict(costs: Costs, calls: Mapping[Key, Sequence[TableCall]], many: int) -> str:
    said = []
    for name in ("balance", "consume"):
        units = [sum(call.units for call in calls[name, number]) for number in (FEW, many)]
        cpu = [median([cost.whole for cost in costs[name, number]]) for number in (FEW, many)]
        for what, (few, more) in (("units", units), ("CPU", cpu)):
            met = "met" if abs(more / few - 1) <= APART_MAX else "MISSED"
            said.append(f"{name} {what} {more / few:.2f} {met}")
    return ", ".join(said)


if __name__ == "__main__":
    raise SystemExit(main())
