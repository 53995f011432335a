"""A table in this process for single-threaded tests: moto behind one lock, one client, emptied for each test.

moto oversells under threads, copies a whole table for each write of a transaction and keeps every copy until it is
reset. So: a lock around its handler, small tables, one client for the whole run, a reset before each test. What needs
real concurrency or a big table goes to ministack or DynamoDB Local instead.

Throttling, conflicts and lost answers, which moto never gives, are put in front of it with `answering`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any
from unittest.mock import patch

import botocore.session
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws
from moto.dynamodb.responses import DynamoHandler
from moto.moto_api._internal.models import moto_api_backend

from chalicelib.dynamo.rows import Row, decode
from chalicelib.dynamo.table import Table
from infra.table import create_table

TABLE_NAME = "purser-tests"
REGION = "us-east-1"


@contextmanager
def moto_table() -> Iterator[Table]:
    """An empty table, made from the declaration that production deploys."""
    _lock_moto()
    aws = mock_aws()
    aws.start(reset=False)
    try:
        moto_api_backend.reset()
        create_table(_client(), TABLE_NAME)
        yield _table()
    finally:
        aws.stop()


def all_rows(table: Table) -> list[Row]:
    """Every row of a table on any engine, by key."""
    found: list[Row] = []
    request: dict[str, Any] = {"TableName": table.name, "ConsistentRead": True}
    while True:
        answer = table.call("Scan", request)
        found += [decode(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return sorted(found, key=lambda row: (row.key.pk, row.key.sk))
        request = request | {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


@dataclass(frozen=True)
class Lost:
    """The table does what it was asked, and its answer gets lost on the way."""


Planned = Exception | Mapping[str, Any] | Lost | None


@contextmanager
def answering(table: Table, *planned: Planned) -> Iterator[list[str]]:
    """Answer the table's next calls as planned, one each; later ones reach the table.

    An exception is raised instead of the call, a mapping is its answer, `Lost()` does it and then times out, None lets
    it through. Yields the names of the operations called. Fails if a planned answer was not used.
    """
    client = table._connection.client
    real = client._make_api_call
    left = list(planned)
    called: list[str] = []

    def answer(operation: str, request: Any) -> Any:
        called.append(operation)
        plan = left.pop(0) if left else None
        if isinstance(plan, Exception):
            raise plan
        if isinstance(plan, Mapping):
            return plan
        done = real(operation, request)
        if isinstance(plan, Lost):
            raise ReadTimeoutError(endpoint_url="https://dynamodb.invalid")
        return done

    with patch.object(client, "_make_api_call", answer):
        yield called
    assert not left, f"never asked for: {left}"


def refusal(code: str, operation: str = "TransactWriteItems", **more: Any) -> ClientError:
    """DynamoDB's own error, for instance `refusal("ThrottlingException")`."""
    return ClientError({"Error": {"Code": code, "Message": code}, **more}, operation)


def cancelled(*codes: str) -> ClientError:
    """A cancelled transaction with one reason for each of its writes; "None" for those that passed."""
    return refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


@cache
def _client() -> Any:
    return botocore.session.get_session().create_client("dynamodb", region_name=REGION)


@cache
def _table() -> Table:
    return Table(TABLE_NAME, region=REGION)


@cache
def _lock_moto() -> None:
    """moto's tables are plain dictionaries; without this, two threads sell the last unit twice."""
    lock = threading.RLock()
    call_action: Any = DynamoHandler.call_action

    @wraps(call_action)
    def locked(handler: DynamoHandler) -> Any:
        with lock:
            return call_action(handler)

    # Never undone: every moto of this process wants it.
    patch.object(DynamoHandler, "call_action", locked).start()
