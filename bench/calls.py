"""Calls and capacity units of the table for each operation, beyond the one that finds the caller.

Units are as ministack counts them by DynamoDB's published rules: a strongly consistent read 1 for each 4 KB, a write 1
for each KB, twice that in a transaction, and what each index takes that it touches. ministack does not count a
BatchGetItem: that is done here by the same rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.operations import check, operations
from bench.options import read_options
from bench.place import Place, a_place
from bench.report import heading, machine, say, table, verdict
from bench.requests import WrongAnswer
from bench.turns import turns

READ_UNIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class TableCall:
    operation: str
    request: Any
    rows: int
    units: float
    finds_caller: bool
    items: Sequence[Any] = ()


@contextmanager
def recorded(place: Place) -> Iterator[list[TableCall]]:
    """Every call of the table while inside."""
    connection: Any = place.runtime.table._connection
    calls: list[TableCall] = []
    dispatch = connection.dispatch

    def recording(operation: str, request: Any) -> Any:
        answer = dispatch(operation, request)
        units = _batch_units(request, answer) if operation == "BatchGetItem" else _units(answer)
        finds = _finds_caller(request)
        calls.append(TableCall(operation, request, _rows(request, answer), units, finds, answer.get("Items", ())))
        return answer

    connection.dispatch = recording
    try:
        yield calls
    finally:
        del connection.dispatch


def main() -> int:
    options = read_options(__doc__ or "")
    with a_place() as place:
        figures = []
        for operation in (*operations(place), *turns(place)):
            for _ in range(options.rounds(3, quick=1)):  # the first may build what later ones have
                send = operation.prepare()
                with recorded(place) as calls:
                    send()
                check(send)
            figures.append((operation, calls))
    heading("Calls of the table beyond the one that finds the caller")
    say(machine() + "\n")
    rows = []
    for operation, calls in figures:
        counted = [call for call in calls if not call.finds_caller]
        if len(calls) - len(counted) > 1:
            raise WrongAnswer(f"{operation.name} looks for the caller twice")
        most = "" if operation.calls is None else str(operation.calls)
        rows.append(
            (
                operation.name,
                str(len(counted)),
                most,
                verdict(len(counted), operation.calls),
                f"{sum(call.units for call in counted):g}",
                ", ".join(f"{call.operation} ({call.rows} rows, {call.units:g} units)" for call in counted),
            )
        )
    table(("operation", "calls", "at most", "", "units", "which"), rows)
    say("\nBaseline: the call that finds the caller is 1 GetItem, 1 unit; none for a webhook and the public catalog.")
    return 0


def _rows(request: Any, answer: Any) -> int:
    if "TransactItems" in request:
        return len(request["TransactItems"])
    if "RequestItems" in request:
        return sum(len(asked["Keys"]) for asked in request["RequestItems"].values())
    return len(answer["Items"]) if "Items" in answer else 1


def _units(answer: Any) -> float:
    consumed = answer.get("ConsumedCapacity") or []
    return sum(float(one["CapacityUnits"]) for one in (consumed if isinstance(consumed, list) else [consumed]))


def _batch_units(request: Any, answer: Any) -> float:
    """1 for each 4 KB of a row, and 1 for a row that is not there."""
    asked = sum(len(wanted["Keys"]) for wanted in request["RequestItems"].values())
    found = [item for items in answer["Responses"].values() for item in items]
    return sum(-(-size(item) // READ_UNIT_BYTES) for item in found) + asked - len(found)


def size(item: Any) -> int:
    """About what DynamoDB takes for it: names and values in UTF-8."""
    return sum(len(name.encode()) + len(str(value).encode()) - len("{'S': ''}") for name, value in item.items())


def _finds_caller(request: Any) -> bool:
    key = request.get("Key", {})
    return bool(key) and key["pk"]["S"].startswith("TOKEN#")


if __name__ == "__main__":
    raise SystemExit(main())
