"""What the tick of renewals reads where few of many are due.

The same thousand are due, once among a thousand and once among a hundred thousand. Their rows have the keys that
subscriptions have, and nothing else: the index `due` holds no more of them.

On DynamoDB Local where it is there. Units are as the engine counts them, beside what DynamoDB's rule says: an
eventually consistent query takes half a unit for each 4 KB of the index that it reads, a started one for a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from unittest.mock import patch

import botocore.session

from bench.calls import READ_UNIT_BYTES, TableCall, recorded, size
from bench.dynamodb_local import dynamodb_local
from bench.options import read_options
from bench.place import REGION, TABLE, Place, a_place
from bench.report import heading, machine, say, table
from bench.requests import WrongAnswer
from chalicelib.books.subscriptions.store import HOLDINGS_DUE, subscription_key
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Values, encode
from chalicelib.entrypoints import schedules
from chalicelib.kernel.ids import new_id

DUE, ALL = 1_000, 100_000
DUE_QUICK, ALL_QUICK = 500, 1_500
APART_MAX = 0.01
BATCH_ROWS = 25


def main() -> int:
    options = read_options(__doc__ or "")
    due, everybody = (DUE_QUICK, ALL_QUICK) if options.quick else (DUE, ALL)
    with dynamodb_local() as url, a_place(dynamodb_url=url) as place:
        now = place.runtime.clock()
        fill(place, due, now - timedelta(hours=1))
        alone = tick(place, due)
        fill(place, everybody - due, now + timedelta(days=30))
        among = tick(place, due)
    heading(f"A tick of renewals: {due:,} are due, of {due:,} and of {everybody:,}")
    say(f"{machine()}; on {'ministack' if url is None else 'DynamoDB Local'}\n")
    rows = [_row(f"{count:,}", calls) for count, calls in ((due, alone), (everybody, among))]
    table(("subscriptions", "read", "calls", "units", "by the rule", "bytes a row"), rows)
    ratio = _units(among) / _units(alone)
    say(f"\nUnits of the many, of the few: {ratio:.2f}, {'met' if abs(ratio - 1) <= APART_MAX else 'MISSED'} (1.00).")
    return 0


def fill(place: Place, count: int, since: datetime) -> None:
    """So many rows that are due one after the other, a second apart."""
    client = botocore.session.get_session().create_client(
        "dynamodb", region_name=REGION, endpoint_url=place.dynamodb_url
    )
    first = new_id(place.runtime.clock())
    for start in range(0, count, BATCH_ROWS):
        numbers = range(start, min(start + BATCH_ROWS, count))
        rows = [_waiting(first + number, since + timedelta(seconds=number)) for number in numbers]
        if client.batch_write_item(RequestItems={TABLE: rows})["UnprocessedItems"]:
            raise WrongAnswer("the table did not take every row")


def tick(place: Place, due: int) -> Sequence[TableCall]:
    """What a tick asked of the table. It hands over all that is due; to nobody, so that only the reads are counted."""
    with ExitStack() as inside:
        inside.enter_context(patch.object(place.runtime.queue, "nudge_holdings"))
        calls = inside.enter_context(recorded(place))
        found = schedules.renew({})["holdings"]
    if found != due or any(call.operation != "Query" for call in calls):
        raise WrongAnswer(f"{found} instead of {due} are due")
    return calls


def _waiting(ident: int, at: datetime) -> Any:
    values: Values = {"due_shard": keys.due_shard(HOLDINGS_DUE, str(ident)), "due_at": int(at.timestamp())}
    return {"PutRequest": {"Item": {**subscription_key(ident, ident).encoded(), **encode(values)}}}


def _row(name: str, calls: Sequence[TableCall]) -> tuple[str, ...]:
    read = [[size(item) for item in call.items] for call in calls]
    by_rule = sum(max(1, ceil(sum(sizes) / READ_UNIT_BYTES)) / 2 for sizes in read)
    rows = sum(len(sizes) for sizes in read)
    each = sum(sum(sizes) for sizes in read) / rows
    return name, str(rows), str(len(calls)), f"{_units(calls):g}", f"{by_rule:g}", f"{each:.0f}"


def _units(calls: Sequence[TableCall]) -> float:
    return sum(call.units for call in calls)


if __name__ == "__main__":
    raise SystemExit(main())
