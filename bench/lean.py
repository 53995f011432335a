"""What leaner ways of calling out would save, and what each operation would cost with them.

Each call as the app makes it, beside the same call with fewer layers, in turn. Then the operations as they are, and by
calculation: nudged by the table's stream instead of by a call to SQS, Stripe's library over a bare HTTP client, and
table calls signed by hand.
"""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import stripe
from botocore.config import Config

from bench import cpu
from bench.meters import QUEUE, STRIPE, TABLE, Cost, clock
from bench.operations import a_holder, operations
from bench.options import read_options
from bench.place import REGION, STRIPE_KEY, Place, a_place
from bench.place import TABLE as TABLE_NAME
from bench.report import heading, machine, median, milliseconds, say, table
from bench.requests import stripe_call
from bench.signed import Signed
from chalicelib.dynamo.rows import Key

ROUNDS = 60
OPERATION_ROUNDS = 6
IN_A_ROW = 3
WARMING_ROUNDS = 5
TRANSACTION_ROWS = 20
PROJECTED = ("balance", "checking", "pay", "consume", "webhook received", "webhook received and fulfilled")

AS_NOW, BARE, BY_HAND, SMALL_HTTP = "as the app does it", "bare botocore", "signed by hand", "library, http.client"
READ, TRANSACTION, NUDGE, PAYMENT = "read a row", f"{TRANSACTION_ROWS} rows in a transaction", "a nudge", "ask Stripe"
Ways = Mapping[tuple[str, str], Callable[[], Any]]

_numbers = count(1)


def main() -> int:
    options = read_options(__doc__ or "")
    with a_place() as place:
        spent = measure(ways(place), options.rounds(ROUNDS), warming=options.rounds(WARMING_ROUNDS, quick=1))
        chosen = [operation for operation in operations(place) if operation.name in PROJECTED]
        costs = cpu.measure(
            place, chosen, options.rounds(OPERATION_ROUNDS, quick=1), warming=options.rounds(1, quick=0)
        )
    heading("One call, CPU milliseconds, median (least)")
    say(machine() + "\n")
    table(("call", "way", "CPU", "of the way it is"), [_way(call, way, spent) for call, way in spent])
    heading("What operations would cost, CPU milliseconds: the first measured, the others calculated, one on another")
    columns = ("operation", "at most", "now", "no SQS call", "lean Stripe client", "table signed by hand")
    limits = {operation.name: operation.whole_ms for operation in chosen}
    table(columns, [_projected(name, limits[name], costs[name], spent) for name in PROJECTED])
    return 0


def measure(tried: Ways, rounds: int, *, warming: int) -> Mapping[tuple[str, str], Sequence[int]]:
    """Nanoseconds of CPU for each way."""
    spent: dict[tuple[str, str], list[int]] = {name: [] for name in tried}
    order = list(tried)
    shuffled = random.Random(5)
    for number in range(warming + rounds):
        shuffled.shuffle(order)
        for name in order:
            for _ in range(IN_A_ROW):
                began = clock()
                tried[name]()
                if number >= warming:
                    spent[name].append(clock() - began)
    return spent


def ways(place: Place) -> Ways:
    """Each call, in each way, ready to be made."""
    config = Config(parameter_validation=False, retries={"mode": "standard", "total_max_attempts": 3})
    session = botocore.session.get_session()
    client = session.create_client("dynamodb", region_name=REGION, endpoint_url=place.dynamodb_url, config=config)
    signed = Signed(
        place.dynamodb_url, service="dynamodb", prefix="DynamoDB_20120810", media="application/x-amz-json-1.0"
    )
    queue = Signed(
        place.environment["AWS_ENDPOINT_URL_SQS"], service="sqs", prefix="AmazonSQS", media="application/x-amz-json-1.0"
    )
    key = Key(f"ACADEMY#{place.academy_id}", "ACADEMY")
    read = {"TableName": TABLE_NAME, "Key": key.encoded(), "ConsistentRead": True}
    nudge = {"QueueUrl": place.environment["PURSER_INBOX_QUEUE_URL"], "MessageBody": json.dumps({"event_id": "evt_1"})}
    our_table, our_queue = place.runtime.table, place.runtime.queue
    return {
        (READ, AS_NOW): lambda: our_table.get(key),
        (READ, BARE): lambda: client.get_item(**read),
        (READ, BY_HAND): lambda: signed.call("GetItem", read),
        (TRANSACTION, AS_NOW): lambda: our_table.call("TransactWriteItems", _transaction()),
        (TRANSACTION, BARE): lambda: client.transact_write_items(**_transaction()),
        (TRANSACTION, BY_HAND): lambda: signed.call("TransactWriteItems", _transaction()),
        (NUDGE, AS_NOW): lambda: our_queue.nudge_inbox("evt_1"),
        (NUDGE, BY_HAND): lambda: queue.call("SendMessage", nudge),
        **_of_stripe(place),
    }


def _of_stripe(place: Place) -> Ways:
    a_holder(place)
    payment = stripe_call(place, "GET", "/v1/payment_intents?limit=1")["data"][0]["id"]
    client = _SmallClient(place.stripe_url)
    library = stripe.StripeClient(STRIPE_KEY, http_client=client, base_addresses={"api": place.stripe_url})
    path = f"/v1/payment_intents/{payment}?expand[0]=latest_charge"
    headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
    gateway = place.runtime.gateway
    return {
        (PAYMENT, AS_NOW): lambda: gateway.payment(payment),
        (PAYMENT, SMALL_HTTP): lambda: library.raw_request(
            "get", f"/v1/payment_intents/{payment}", expand=["latest_charge"]
        ),
        (PAYMENT, "no library"): lambda: json.loads(client.request("get", place.stripe_url + path, headers)[0]),
    }


class _SmallClient(stripe.HTTPClient):
    """The library over one kept connection of http.client, without `requests`. No retries, no TLS."""

    name = "small"

    def __init__(self, url: str) -> None:
        super().__init__()
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_ignored: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._connection.request(method.upper(), path, post_data, dict(headers or {}))
        answer = self._connection.getresponse()
        return answer.read().decode(), answer.status, dict(answer.headers)

    def close(self) -> None:
        self._connection.close()


def _transaction() -> Any:
    """Puts of rows of usual size that are not there, as many as a delivery of seven units has."""
    number = next(_numbers)
    rows = [
        {"pk": {"S": f"BENCH#{number}"}, "sk": {"S": f"ROW#{row}"}, "doc": {"S": "x" * 500}, "version": {"N": "1"}}
        for row in range(TRANSACTION_ROWS)
    ]
    condition = {"ConditionExpression": "attribute_not_exists(pk)", "TableName": TABLE_NAME}
    return {"TransactItems": [{"Put": {"Item": row, **condition}} for row in rows]}


def _way(call: str, way: str, spent: Mapping[tuple[str, str], Sequence[int]]) -> tuple[str, ...]:
    values = spent[call, way]
    ratio = median(values) / median(spent[call, AS_NOW])
    return call, way, f"{milliseconds(median(values))} ({milliseconds(min(values))})", f"{ratio:.2f}"


def _projected(
    name: str, limit: float | None, costs: Sequence[Cost], spent: Mapping[tuple[str, str], Sequence[int]]
) -> tuple[str, ...]:
    now = median([cost.whole for cost in costs])
    saved = [
        median([cost.libraries[QUEUE] for cost in costs]),
        costs[0].calls[STRIPE] and _saved(spent, PAYMENT, SMALL_HTTP),
        costs[0].calls[TABLE] * _saved(spent, READ, BY_HAND),
    ]
    after = [now - sum(saved[: place + 1]) for place in range(len(saved))]
    return name, "" if limit is None else f"{limit:g}", *(milliseconds(value) for value in (now, *after))


def _saved(spent: Mapping[tuple[str, str], Sequence[int]], call: str, way: str) -> float:
    return median(spent[call, AS_NOW]) - median(spent[call, way])


if __name__ == "__main__":
    raise SystemExit(main())
