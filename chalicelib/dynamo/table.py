"""Reads of the table, and the one connection to it.

What a request cost (calls, capacity units) is counted for whoever reports it. Throttling and lost connections that
botocore's own retries did not cure become `TryLater`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from pynamodb.connection import Connection
from pynamodb.exceptions import VerboseClientError

from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Encoded, Key, Row, decode
from chalicelib.kernel.errors import DomainError, TryLater
from chalicelib.kernel.pages import Page
from chalicelib.settings import USER_AGENT

BATCH_KEYS_MAX = 100
QUERY_ROWS_MAX = 1000
WANTED_READS_MAX = 20
DUE_PER_SHARD_MAX = 100
CONNECT_TIMEOUT_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 3.0
READ_ATTEMPTS_MAX = 3
POOL_CONNECTIONS_MAX = 64

THROTTLED_CODES = frozenset(
    {
        "ThrottlingException",
        "ThrottlingError",
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "InternalServerError",
        "ServiceUnavailable",
        "TransactionInProgressException",
    }
)
MALFORMED_CODES = frozenset({"ValidationException", "SerializationException"})


class InvalidCursor(DomainError):
    """A cursor that this list did not hand out."""

    slug = "invalid-cursor"
    detail = "The cursor is not one of this list."


@dataclass
class Usage:
    """What one request cost at the table so far. `calls` are round trips, `units` capacity units."""

    calls: int = 0
    units: float = 0.0
    operations: list[str] = field(default_factory=list)


usage: ContextVar[Usage | None] = ContextVar("usage", default=None)


@dataclass(frozen=True, slots=True)
class _List:
    """What a query reads: a partition, and the prefix of its range key."""

    hash_name: str
    partition: str
    range_name: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Due:
    """A row that waits in the due index, and since when."""

    key: Key
    at: datetime


class Table:
    """One DynamoDB table. `endpoint_url` is None for AWS itself."""

    def __init__(self, name: str, *, region: str, endpoint_url: str | None = None) -> None:
        self.name = name
        self._connection = _Connection(
            region=region,
            host=endpoint_url,
            connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS,
            read_timeout_seconds=READ_TIMEOUT_SECONDS,
            max_pool_connections=POOL_CONNECTIONS_MAX,
            retry_configuration={"mode": "standard", "total_max_attempts": READ_ATTEMPTS_MAX},
        )

    def get(self, key: Key) -> Row | None:
        """The row as it is now (a consistent read), or None."""
        answer = self.call("GetItem", {"Key": key.encoded(), "ConsistentRead": True, "TableName": self.name})
        return decode(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Row]:
        """The rows that exist, by key, in one round trip a hundred keys. Consistent for each row, not across them."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Row] = {}
        for start in range(0, len(wanted), BATCH_KEYS_MAX):
            asked = [key.encoded() for key in wanted[start : start + BATCH_KEYS_MAX]]
            for _ in range(READ_ATTEMPTS_MAX):
                request = {self.name: {"Keys": asked, "ConsistentRead": True}}
                answer = self.call("BatchGetItem", {"RequestItems": request})
                for item in answer["Responses"].get(self.name, ()):
                    row = decode(item)
                    found[row.key] = row
                asked = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if not asked:
                    break
            else:
                raise TryLater
        return found

    def query(
        self,
        pk: str,
        *,
        prefix: str = "",
        limit: int,
        newest_first: bool = False,
        cursor: str | None = None,
    ) -> Page[Row]:
        """One page of a partition's rows whose sort key begins with `prefix`. A consistent read."""
        request = {"ConsistentRead": True, **_conditions("pk", pk, "sk", prefix)}
        return self._page(request, limit, newest_first, cursor, _List("pk", pk, "sk", prefix))

    def query_wanted(
        self, pk: str, *, prefix: str, wanted: Callable[[Row], bool], limit: int, cursor: str | None = None
    ) -> Page[Row]:
        """One page of those of a partition's rows that are wanted, newest first.

        Its cursor names the last row of the page and none that is not wanted: a list of what one academy may see must
        not tell when something happened at another. Only after more than ten thousand such rows in a row it would.
        """
        found: list[Row] = []
        size = limit + 1
        for _ in range(WANTED_READS_MAX):
            page = self.query(pk, prefix=prefix, limit=min(size, QUERY_ROWS_MAX), newest_first=True, cursor=cursor)
            found += [row for row in page.items if wanted(row)]
            cursor = page.next_cursor
            if len(found) > limit:
                return Page(tuple(found[:limit]), cursor_after(found[limit - 1].key))
            if cursor is None:
                break
            size *= 4
        return Page(tuple(found), cursor)

    def query_all(self, pk: str, *, prefix: str) -> list[Row]:
        """All rows of a partition whose sort key begins with `prefix`: one round trip for each megabyte of them."""
        rows: list[Row] = []
        cursor: str | None = None
        while True:
            page = self.query(pk, prefix=prefix, limit=QUERY_ROWS_MAX, cursor=cursor)
            rows += page.items
            cursor = page.next_cursor
            if cursor is None:
                return rows

    def query_ref(
        self, ref: str, *, prefix: str = "", limit: int, newest_first: bool = False, cursor: str | None = None
    ) -> Page[Row]:
        """One page of the rows that carry this `ref`, by the index of outside ids. Eventually consistent."""
        request = {"IndexName": "by_ref", **_conditions("ref", ref, "ref_sk", prefix)}
        return self._page(request, limit, newest_first, cursor, _List("ref", ref, "ref_sk", prefix))

    def query_ref_between(self, ref: str, first: str, last: str, *, limit: int, cursor: str | None) -> Page[Row]:
        """One page of the rows that carry this `ref`, with their `ref_sk` from `first` to `last`, both included."""
        request = {"IndexName": "by_ref", **_conditions("ref", ref, "ref_sk", "")}
        request["KeyConditionExpression"] += " AND #range BETWEEN :first AND :last"
        request["ExpressionAttributeNames"]["#range"] = "ref_sk"
        request["ExpressionAttributeValues"] |= {":first": {"S": first}, ":last": {"S": last}}
        return self._page(request, limit, False, cursor, _List("ref", ref, "ref_sk", ""))

    def due(self, kind: str, now: datetime, *, enough: int = 1) -> list[Due]:
        """The rows of a kind whose time has come, the oldest first.

        The oldest hundred of each shard, and on by as many of each until there are `enough` or no more.
        """
        until = int(now.timestamp())
        places: dict[str, Encoded | None] = dict.fromkeys(keys.due_shards(kind))
        found: list[Due] = []
        while places and len(found) < enough:
            for shard, after in list(places.items()):
                page, places[shard] = self._page_of_due(shard, until, DUE_PER_SHARD_MAX, after)
                found += page
            places = {shard: after for shard, after in places.items() if after is not None}
        return sorted(found, key=lambda due: due.at)

    def query_due(self, shard: str, *, until: int, limit: int) -> list[Due]:
        """The rows of a shard that are due at or before `until` (unix seconds), the oldest first."""
        return self._page_of_due(shard, until, limit, None)[0]

    def _page_of_due(
        self, shard: str, until: int, limit: int, after: Encoded | None
    ) -> tuple[list[Due], Encoded | None]:
        """A page of what is due of a shard, and the place in the index after which the next one begins."""
        request: Encoded = {
            "TableName": self.name,
            "IndexName": "due",
            "KeyConditionExpression": "due_shard = :shard AND due_at <= :until",
            "ExpressionAttributeValues": {":shard": {"S": shard}, ":until": {"N": str(until)}},
            "Limit": limit,
        }
        if after is not None:
            request["ExclusiveStartKey"] = after
        answer = self.call("Query", request)
        rows = (decode(item) for item in answer["Items"])
        page = [Due(row.key, datetime.fromtimestamp(int(str(row.values["due_at"])), UTC)) for row in rows]
        return page, answer.get("LastEvaluatedKey")

    def call(self, operation: str, request: Encoded) -> Any:
        """One round trip. Raises TryLater where the table is busy or away, ClientError for all else."""
        spent = usage.get()
        if spent is not None:
            spent.calls += 1
            spent.operations.append(operation)
        try:
            answer = self._connection.dispatch(operation, request)
        except VerboseClientError as error:
            cause = error.__cause__
            if not isinstance(cause, ClientError):  # pragma: no cover - pynamodb always raises from the client's
                raise
            if cause.response["Error"]["Code"] in THROTTLED_CODES:
                raise TryLater from cause
            raise cause from None
        except BotoCoreError as error:
            raise TryLater from error
        if spent is not None:
            spent.units += _units(answer.get("ConsumedCapacity"))
        return answer

    def _page(self, request: Encoded, limit: int, newest_first: bool, cursor: str | None, read: _List) -> Page[Row]:
        request |= {"TableName": self.name, "Limit": limit, "ScanIndexForward": not newest_first}
        if cursor is not None:
            request["ExclusiveStartKey"] = _start_key(cursor, read)
        try:
            answer = self.call("Query", request)
        except ClientError as error:
            if cursor is not None and error.response["Error"]["Code"] in MALFORMED_CODES:
                raise InvalidCursor from error  # shaped like one, but no key that the table could have
            raise
        rows = tuple(decode(item) for item in answer["Items"])
        last = answer.get("LastEvaluatedKey")
        return Page(rows, None if last is None else _cursor(last))


class _Connection(Connection):
    """pynamodb's, with what it has no argument for."""

    @property
    def session(self) -> Session:
        session = super().session
        session.set_default_client_config(Config(user_agent=USER_AGENT))
        return session


def _conditions(hash_name: str, hash_value: str, range_name: str, prefix: str) -> Encoded:
    expression = "#hash = :hash"  # by placeholder: `ref` is one of DynamoDB's reserved words
    names = {"#hash": hash_name}
    values = {":hash": {"S": hash_value}}
    if prefix:
        expression += " AND begins_with(#range, :prefix)"
        names["#range"] = range_name
        values[":prefix"] = {"S": prefix}
    return {
        "KeyConditionExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def cursor_after(key: Key) -> str:
    """A cursor that goes on after this row of its partition."""
    return _cursor(key.encoded())


def _cursor(last: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(last, sort_keys=True).encode()).decode().rstrip("=")


def _start_key(cursor: str, read: _List) -> Encoded:
    """A cursor names a key of this list; one of another partition would be another list, perhaps another tenant's."""
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        shaped = set(key) == {"pk", "sk", read.hash_name, read.range_name} and all(map(_is_text, key.values()))
        inside = shaped and key[read.hash_name]["S"] == read.partition
        inside = inside and key[read.range_name]["S"].startswith(read.prefix)
    except (ValueError, binascii.Error, TypeError, AttributeError, RecursionError) as error:
        raise InvalidCursor from error
    if not inside:
        raise InvalidCursor
    return dict(key)


def _is_text(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"S"} and isinstance(value["S"], str) and value["S"] != ""


def _units(consumed: Any) -> float:
    if isinstance(consumed, list):
        return sum(_units(one) for one in consumed)
    return float(consumed["CapacityUnits"]) if consumed else 0.0
