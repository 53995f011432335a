"""The outside of the simulated backend, each of it with faults in front: table, Stripe, queue, mailer."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from chalicelib.books.outbox.port import Mail
from chalicelib.dynamo.rows import Key
from chalicelib.kernel.errors import TryLater
from local.stripe_standin.inprocess import InProcessClient
from tests.simulation import faults
from tests.simulation.engine import Clock, Engine, Request, refusal
from tests.simulation.faults import Outside
from tests.world import HeldMailer, HeldQueue

T = TypeVar("T")
NOWHERE = "https://dynamodb.invalid"
BATCH_MESSAGES_MAX = 10
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"})
STRIPE_ORDERS = {
    faults.LOST: "lose_answer",
    faults.UNREACHABLE: "refuse_connection",
    faults.BUSY: "error_429",
    faults.BROKEN: "error_500",
    faults.PROCESSING: "stay_processing",
}
"""What the stand-in is ordered to do."""


class FaultyEngine(Engine):
    """The table, with DynamoDB's and the network's own ways to fail in front of it."""

    def __init__(self, outside: Outside, clock: Clock) -> None:
        super().__init__(clock=clock)
        self._outside = outside

    def _make_api_call(self, operation: str, request: Request) -> Request:
        kind = "Query of an index" if "IndexName" in request else operation
        if self._outside.acts and self._outside.acts[-1].who is not None:
            self._outside.acts[-1].touched.update(_named(request))
        told = self._outside.told is not None
        real = super()._make_api_call
        return self._outside.meet(
            kind,
            f"{_what(request)} {_print_of(request)}" if told else "",
            lambda: real(operation, request),
            lambda fault: self._struck(fault, operation, request),
        )

    def _struck(self, fault: str, operation: str, request: Request) -> Request:
        real = super()._make_api_call
        match fault:
            case faults.THROTTLED:
                raise refusal("ThrottlingException", operation)
            case faults.UNREACHABLE:
                raise ConnectTimeoutError(endpoint_url=NOWHERE)
            case faults.CONFLICT:
                raise _conflict(operation, request)
            case faults.LOST:
                real(operation, request)
                raise ReadTimeoutError(endpoint_url=NOWHERE)
            case faults.TWICE:  # botocore sends again by itself where an answer was lost
                real(operation, request)
                return real(operation, request)
            case faults.PARTIAL:
                return self._partial(real(operation, request), request)
            case faults.STALE:
                return self._stale(real(operation, request))
        raise AssertionError(fault)

    def _partial(self, answer: Request, request: Request) -> Request:
        """The last key that was asked for is left for another call."""
        last = request["RequestItems"][self.name]["Keys"][-1]
        found = [
            item for item in answer["Responses"][self.name] if (item["pk"], item["sk"]) != (last["pk"], last["sk"])
        ]
        return {"Responses": {self.name: found}, "UnprocessedKeys": {self.name: {"Keys": [last]}}}

    def _stale(self, answer: Request) -> Request:
        """An index that does not show yet what was written in this step."""
        found = [item for item in answer["Items"] if (item["pk"]["S"], item["sk"]["S"]) not in self.rows.changed]
        return {**answer, "Items": found}


class FaultyStripe(InProcessClient):
    """The wire to Stripe. The stand-in itself is ordered to misbehave, so that what it did is done."""

    outside: Outside

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **ignored: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        path = "/" + url.split("://", 1)[-1].partition("/")[2].partition("?")[0]
        real = super().request
        kind = "stripe charge" if (method, path) == ("post", "/v1/payment_intents") else f"stripe {method}"

        def otherwise(fault: str) -> tuple[str, int, Mapping[str, str]]:
            rule = {"match": f"{method.upper()} {path}", "action": STRIPE_ORDERS[fault], "times": 1}
            now = self.clock()
            self.standin.control("POST", "/_control", {"rules": [rule]}, now)
            try:
                return real(method, url, headers, post_data, **ignored)
            finally:
                self.standin.control("DELETE", "/_control", {}, now)

        what = f"{path} {_print_of((url, post_data))}" if self.outside.told is not None else ""
        return self.outside.meet(kind, what, lambda: real(method, url, headers, post_data, **ignored), otherwise)


@dataclass
class FaultyQueue(HeldQueue):
    outside: Outside | None = None

    def nudge_inbox(self, event_id: str) -> None:
        self._nudge([event_id], self.inbox)

    def nudge_outbox(self, message_id: str) -> None:
        self._nudge([message_id], self.outbox)

    def nudge_holdings(self, keys: Sequence[Key]) -> None:
        for start in range(0, len(keys), BATCH_MESSAGES_MAX):
            self._nudge(keys[start : start + BATCH_MESSAGES_MAX], self.holdings)

    def _nudge(self, nudges: Sequence[T], to: list[T]) -> None:
        """One call. Where it goes wrong, it does for one of the nudges: SQS may take some and not others."""
        assert self.outside is not None

        def otherwise(fault: str) -> None:
            to.extend(nudges[1:])
            if fault == faults.NUDGE_DOUBLED:
                to.extend((nudges[0], nudges[0]))

        self.outside.meet("queue", " ".join(map(str, nudges)), lambda: to.extend(nudges), otherwise)


@dataclass
class FaultyMailer(HeldMailer):
    outside: Outside | None = None

    def send(self, mail: Mail, *, message_id: str) -> None:
        assert self.outside is not None

        def otherwise(fault: str) -> None:
            raise TryLater

        self.outside.meet("mail", message_id, lambda: self.sent.append((mail, message_id)), otherwise)


def _conflict(operation: str, request: Request) -> ClientError:
    if operation != "TransactWriteItems":
        return refusal("TransactionConflictException", operation)
    others = [{"Code": "None"} for _ in request["TransactItems"][1:]]
    reasons = [{"Code": "TransactionConflict"}, *others]
    return refusal("TransactionCanceledException", operation, CancellationReasons=reasons)


def _keys(request: Request) -> list[Any]:
    if "TransactItems" in request:
        writes = [next(iter(write.values())) for write in request["TransactItems"]]
        return [write["Item"] if "Item" in write else write["Key"] for write in writes]
    if "RequestItems" in request:
        return [key for table in request["RequestItems"].values() for key in table["Keys"]]
    if "Item" in request:
        return [request["Item"]]
    return [request["Key"]] if "Key" in request else []


def _named(request: Request) -> list[tuple[str, str]]:
    """The keys that a request names, or its partition and prefix; an index is asked by outside ids and names none."""
    if "KeyConditionExpression" in request:
        values = request["ExpressionAttributeValues"]
        return [] if "IndexName" in request else [(values[":hash"]["S"], values.get(":prefix", {"S": ""})["S"])]
    return [(key["pk"]["S"], key["sk"]["S"]) for key in _keys(request)]


def _print_of(request: Any) -> str:
    """All that was asked, in eight characters: two runs that ask anything else differ in their traces."""
    return f"[{zlib.crc32(repr(request).encode()):08x}]"


def _what(request: Request) -> str:
    if "KeyConditionExpression" in request:
        return " ".join(next(iter(value.values())) for value in request["ExpressionAttributeValues"].values())
    return ", ".join(f"{key['pk']['S']} {key['sk']['S']}" for key in _keys(request))
