"""Conditional writes, committed in one place.

A write says what its refusal means. `commit` sends one write as a plain conditional call and several as one
transaction, maps the table's cancellation reasons back to the write that failed, and retries what collided
(TransactionConflict, throttling) with full jitter (Amazon Builders' Library, "Timeouts, retries, and
backoff with jitter").

An answer can be lost after the write was done. A refusal therefore never proves that somebody else wrote: whoever is
refused reads again and finds either its own write or another's.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.expressions.update import Update as Expression

from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Encoded, Key, Values, decode, encode
from chalicelib.dynamo.table import THROTTLED_CODES, Table
from chalicelib.kernel.errors import Defect, TryLater

TRANSACTION_ITEMS_MAX = 100
ATTEMPTS_MAX = 10
BACKOFF_FIRST_SECONDS = 0.02
BACKOFF_MAX_SECONDS = 0.8

Refused = Callable[[Values | None], Exception]
"""From the row as it was (None: there was none) to what its refusal means."""

absent = Path("pk").does_not_exist()
present = Path("pk").exists()
anyway = absent | present


def absent_or_same(doc: str) -> Condition:
    """For a lone put: botocore may send it again after an answer was lost, and must not be told that it was second."""
    same: Condition = absent | (Path("doc") == doc)
    return same


def at_version(version: int) -> Condition:
    """The row is as it was read. A row that was not there, or that an update made without a version, has version 0."""
    return Path("version").does_not_exist() if version == 0 else Path("version") == version


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """The whole row, where `condition` holds."""

    key: Key
    values: Values
    condition: Condition
    refused: Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Some attributes of a row, where `condition` holds; makes the row if there is none."""

    key: Key
    actions: tuple[Action, ...]
    condition: Condition
    refused: Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    key: Key
    condition: Condition
    refused: Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Nothing written: the others are refused where `condition` does not hold."""

    key: Key
    condition: Condition
    refused: Refused


Write = Put | Update | Delete | Check


class Unexpected(Defect):
    """A write was refused that our own rules never let be refused."""


def never(why: str) -> Refused:
    """For a condition that only a defect of ours can break."""
    return lambda old: Unexpected(f"{why}: {old!r}")


@dataclass
class Backoff:
    """How long to wait between attempts; the simulation and tests put their own source and sleep."""

    uniform: Callable[[float, float], float] = random.uniform
    sleep: Callable[[float], None] = time.sleep

    def wait(self, attempt: int) -> None:
        longest = min(BACKOFF_MAX_SECONDS, BACKOFF_FIRST_SECONDS * 2**attempt)
        self.sleep(self.uniform(0.0, longest))


backoff = Backoff()


def commit(table: Table, writes: Sequence[Write]) -> None:
    """Do all of the writes or none.

    Raises what the first refused write's `refused` says, a defect only where no other was refused, or TryLater where
    the table stayed busy.
    """
    if len(writes) > TRANSACTION_ITEMS_MAX:
        raise Unexpected(f"{len(writes)} writes do not fit one transaction")
    if len({write.key for write in writes}) != len(writes):
        raise Unexpected(f"a transaction names a row once: {[write.key for write in writes]}")
    # One token for all attempts: where an answer was lost, sending again is told that it was done. It is only a help,
    # for ten minutes and for transactions: whoever is refused reads again all the same.
    token = secrets.token_hex(16)
    for attempt in range(ATTEMPTS_MAX):
        try:
            _send(table, writes, token)
            return
        except _Collision:
            backoff.wait(attempt)
        except TryLater:
            if attempt >= 2:
                raise
            backoff.wait(attempt)
    raise TryLater


class _Collision(Exception):
    """Another transaction held one of the rows; nothing was done."""


def _send(table: Table, writes: Sequence[Write], token: str) -> None:
    try:
        if len(writes) == 1 and not isinstance(writes[0], Check):
            operation, request = _single(table.name, writes[0])
            table.call(operation, request)
        else:
            items = [{_TRANSACT_NAMES[type(write)]: _encoded(table.name, write)} for write in writes]
            table.call("TransactWriteItems", {"TransactItems": items, "ClientRequestToken": token})
    except ClientError as error:
        raise _meaning(error, writes) from error


_TRANSACT_NAMES = {Put: "Put", Update: "Update", Delete: "Delete", Check: "ConditionCheck"}
_SINGLE_NAMES = {Put: "PutItem", Update: "UpdateItem", Delete: "DeleteItem"}


def _single(table_name: str, write: Write) -> tuple[str, Encoded]:
    return _SINGLE_NAMES[type(write)], _encoded(table_name, write)


def _encoded(table_name: str, write: Write) -> Encoded:
    names: dict[str, str] = {}
    values: Encoded = {}
    request: Encoded = {"TableName": table_name, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if isinstance(write, Put):
        request["Item"] = {**write.key.encoded(), **encode(write.values)}
    else:
        request["Key"] = write.key.encoded()
    request["ConditionExpression"] = write.condition.serialize(names, values)
    if isinstance(write, Update):
        request["UpdateExpression"] = Expression(*write.actions).serialize(names, values)
    request["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
    if values:
        request["ExpressionAttributeValues"] = values
    return request


def _meaning(error: ClientError, writes: Sequence[Write]) -> Exception:
    """What the table's refusal means to the caller."""
    response: Mapping[str, Any] = error.response
    code = response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return _refusal(writes[0], response)
    if code == "TransactionConflictException":
        return _Collision()
    unforeseen: Exception = error
    if code != "TransactionCanceledException":
        return unforeseen
    reasons = response.get("CancellationReasons", ())
    meanings = [
        _refusal(write, reason)
        for write, reason in zip(writes, reasons, strict=True)
        if reason["Code"] == "ConditionalCheckFailed"
    ]
    if meanings:  # what can only follow from another write says nothing beside the refusal of that one
        return next((meaning for meaning in meanings if not isinstance(meaning, Unexpected)), meanings[0])
    if any(reason["Code"] in {"TransactionConflict"} | THROTTLED_CODES for reason in reasons):
        return _Collision()
    return unforeseen


def _refusal(write: Write, reason: Mapping[str, Any]) -> Exception:
    item = reason.get("Item")
    meaning: Exception = write.refused(decode(item).values if item else None)
    return meaning
