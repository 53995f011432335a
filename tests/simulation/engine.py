"""A DynamoDB in this process: exactly the operations and expressions that this project uses, and fast.

It stands where pynamodb's connection stands below `Table`, so that all of our own code above runs as it is. Every case
of tests/conformance runs on it beside AWS's own DynamoDB Local, with the same expectation; what it does not know
raises `Unknown`. Not done here, as the table's own code never meets it: pages of a megabyte, capacity, throttling (the
simulation throws that in front), TTL's deletion (late by design: readers cannot rely on it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords
from pynamodb.exceptions import VerboseClientError

from chalicelib.dynamo.table import BATCH_KEYS_MAX, Table
from chalicelib.dynamo.writes import TRANSACTION_ITEMS_MAX
from tests.simulation import expressions
from tests.simulation.expressions import Invalid, Unknown
from tests.simulation.rows import KEYS, Index, Item, Key, Rows, check_item, check_key

Request = dict[str, Any]
Clock = Callable[[], datetime]

TABLE_NAME = "purser-tests"
TOKEN_HOLDS_SECONDS = 600
_WRITES = frozenset({"Put", "Update", "Delete", "ConditionCheck"})
_EXPRESSIONS = ("ConditionExpression", "UpdateExpression", "KeyConditionExpression")


class Engine:
    """One table and what asks it. `clock` decides only when a transaction's token is forgotten."""

    def __init__(self, name: str = TABLE_NAME, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self.name = name
        self.clock = clock
        self.rows = Rows()
        self._tokens: dict[str, tuple[Any, float]] = {}
        self._operations: dict[str, Callable[[Request], Request]] = {
            "GetItem": self._get,
            "BatchGetItem": self._get_many,
            "Query": self._query,
            "Scan": self._scan,
            "PutItem": lambda request: self._single("Put", request),
            "UpdateItem": lambda request: self._single("Update", request),
            "DeleteItem": lambda request: self._single("Delete", request),
            "TransactWriteItems": self._transact,
        }

    @property
    def client(self) -> Engine:
        """What a connection calls, so that tests can put themselves between the two."""
        return self

    def dispatch(self, operation: str, request: Request) -> Request:
        """As pynamodb's connection: raises VerboseClientError from the client's own error."""
        try:
            return self.client._make_api_call(operation, request)
        except ClientError as error:
            raise VerboseClientError(error.response, operation, {}) from error

    def _make_api_call(self, operation: str, request: Request) -> Request:
        try:
            if operation not in self._operations:
                raise Unknown(operation)
            return self._operations[operation](request)
        except Invalid as error:
            raise refusal("ValidationException", operation, message=str(error)) from error
        except _Failed as error:
            raise refusal("ConditionalCheckFailedException", operation, **_told(error)) from error

    def _get(self, request: Request) -> Request:
        _only(request, "TableName", "Key", "ConsistentRead")
        item = self.rows.get(self._key(request))
        return {} if item is None else {"Item": item}

    def _get_many(self, request: Request) -> Request:
        _only(request, "RequestItems")
        asked = request["RequestItems"][self.name]
        _only(asked, "Keys", "ConsistentRead")
        keys = [_key_of(key) for key in asked["Keys"]]
        if not 0 < len(keys) <= BATCH_KEYS_MAX:
            raise Invalid(f"Too many items requested for the BatchGetItem call: {len(keys)}")
        if len(set(keys)) != len(keys):
            raise Invalid("Provided list of item keys contains duplicates")
        found = [item for key in keys if (item := self.rows.get(key)) is not None]
        return {"Responses": {self.name: found}, "UnprocessedKeys": {}}

    def _query(self, request: Request) -> Request:
        names, values = _given(request)
        asked = expressions.key_condition(request["KeyConditionExpression"])
        index = self.rows.indexes.get(request["IndexName"]) if "IndexName" in request else None
        if index is not None and request.get("ConsistentRead"):
            raise Invalid("Consistent reads are not supported on global secondary indexes")
        (hash_name,) = expressions.resolve((asked.hash_name,), names)
        range_name = expressions.resolve((asked.range_name,), names)[0] if asked.range_test else None
        schema = KEYS if index is None else (index.hash_name, index.range_name)
        if hash_name != schema[0] or range_name not in (None, schema[1]):
            raise Invalid(f"Query condition missed key schema element: {schema}")
        bound = values[asked.range_value] if asked.range_test else None
        found = self._in_partition(index, values[asked.hash_value]["S"], asked.range_test, bound)
        if asked.range_test == "BETWEEN":
            first, last = (values[name]["S"] for name in (asked.range_value, asked.range_last))
            found = [item for item in found if first <= item[schema[1]]["S"] <= last]
        return _page(request, found, index)

    def _in_partition(self, index: Index | None, partition: str, test: str, bound: Any) -> list[Item]:
        if index is None:
            if test == "<=":
                return self.rows.of(partition, lambda sk: sk <= bound["S"])
            return self.rows.beginning(partition, bound["S"] if test == "begins_with" else "")
        found: Iterable[Item] = self.rows.indexed(index, partition)
        if test == "<=":
            until = index.range_value(bound)
            return [item for item in found if index.range_value(item[index.range_name]) <= until]
        prefix = bound["S"] if test == "begins_with" else ""
        return [item for item in found if not prefix or item[index.range_name]["S"].startswith(prefix)]

    def _scan(self, request: Request) -> Request:
        _only(request, "TableName", "ConsistentRead")
        self._own(request)
        return {"Items": self.rows.all()}

    def _single(self, kind: str, request: Request) -> Request:
        key = self._key(request)
        old, new = self._changed(kind, key, request)
        if new is not old:
            self.rows.put(key, new)
        return {}

    def _transact(self, request: Request) -> Request:
        _only(request, "TransactItems", "ClientRequestToken")
        writes = [self._write(write) for write in request["TransactItems"]]
        if not 0 < len(writes) <= TRANSACTION_ITEMS_MAX:
            raise Invalid(f"Member must have length less than or equal to {TRANSACTION_ITEMS_MAX}")
        if len({key for _, key, _ in writes}) != len(writes):
            raise Invalid("Transaction request cannot include multiple operations on one item")
        token = request.get("ClientRequestToken")
        if token is not None and self._done_before(token, request["TransactItems"]):
            return {}
        changes, reasons = self._all_or_none(writes)
        if any(reason["Code"] != "None" for reason in reasons):
            codes = ", ".join(reason["Code"] for reason in reasons)
            message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
            code = "TransactionCanceledException"
            raise refusal(code, "TransactWriteItems", message=message, CancellationReasons=reasons)
        for key, new in changes:
            self.rows.put(key, new)
        if token is not None:
            self._tokens[token] = (request["TransactItems"], self.clock().timestamp())
        return {}

    def _all_or_none(self, writes: Sequence[tuple[str, Key, Request]]) -> tuple[list[Any], list[Request]]:
        """What every write would change, and a reason for each in their order; "None" for those that may be done."""
        changes: list[tuple[Key, Item | None]] = []
        reasons: list[Request] = []
        for kind, key, request in writes:
            try:
                old, new = self._changed(kind, key, request)
            except _Failed as failed:
                reasons.append({"Code": "ConditionalCheckFailed", "Message": str(failed), **_told(failed)})
            else:
                reasons.append({"Code": "None"})
                if new is not old:
                    changes.append((key, new))
        return changes, reasons

    def _changed(self, kind: str, key: Key, request: Request) -> tuple[Item | None, Item | None]:
        """The item as it is and as the write would leave it. Raises _Failed where its condition does not hold."""
        names, values = _given(request)
        old = self.rows.get(key)
        text = request.get("ConditionExpression")
        if text is not None and not expressions.condition(text)(old or {}, names, values):
            told = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            raise _Failed(old if told else None)
        if kind == "ConditionCheck":
            return old, old
        if kind == "Delete":
            return old, None
        new = request["Item"] if kind == "Put" else _updated(key, old, request["UpdateExpression"], names, values)
        check_item(new, self.rows.indexes, before=old)
        return old, new

    def _write(self, write: Request) -> tuple[str, Key, Request]:
        ((kind, request),) = write.items()
        if kind not in _WRITES:
            raise Unknown(f"{kind} in a transaction")
        return kind, self._key(request), request

    def _done_before(self, token: str, writes: Any) -> bool:
        since = self.clock().timestamp() - TOKEN_HOLDS_SECONDS
        while self._tokens:
            oldest = next(iter(self._tokens))
            if self._tokens[oldest][1] > since:
                break
            del self._tokens[oldest]
        known = self._tokens.get(token)
        if known is not None and known[0] != writes:
            raise refusal("IdempotentParameterMismatchException", "TransactWriteItems")
        return known is not None

    def _key(self, request: Request) -> Key:
        self._own(request)
        return _key_of(request["Item"] if "Item" in request else request["Key"])

    def _own(self, request: Request) -> None:
        if request["TableName"] != self.name:
            raise refusal("ResourceNotFoundException", "call")


class _Failed(Exception):
    """A write's condition does not hold."""

    def __init__(self, old: Item | None) -> None:
        self.old = old
        super().__init__("The conditional request failed")


def _told(failed: _Failed) -> Request:
    return {} if failed.old is None else {"Item": failed.old}


class EngineTable(Table):
    """The table as the project uses it, on an engine instead of a connection."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self.engine = engine
        self._connection: Any = engine


def refusal(code: str, operation: str, *, message: str = "", **more: Any) -> ClientError:
    """DynamoDB's own error."""
    return ClientError({"Error": {"Code": code, "Message": message or code}, **more}, operation)


def _updated(key: Key, old: Item | None, text: str, names: Any, values: Any) -> Item:
    """The item after an update: every value is computed from the item as it was, and nothing of that one is changed."""
    before: Item = old if old is not None else {"pk": {"S": key[0]}, "sk": {"S": key[1]}}
    after = dict(before)
    for action, path in _resolved(text, tuple(names.items())):
        if action.value is None:
            _remove(after, path)
            continue
        value = action.value(before, names, values)
        if action.kind == "ADD":
            value = _added(before, path, value)
        if value is None:
            raise Invalid("The provided expression refers to an attribute that does not exist in the item")
        _set(after, path, value)
    return after


@cache
def _resolved(text: str, names: tuple[tuple[str, str], ...]) -> tuple[tuple[expressions.Action, expressions.Path], ...]:
    """The actions of an update with their real paths. Raises Invalid for keys, and for two that meet in one place."""
    found = tuple((action, expressions.resolve(action.path, dict(names))) for action in expressions.update(text))
    paths = [path for _, path in found]
    for number, path in enumerate(paths):
        if path[0] in KEYS:
            raise Invalid(f"Cannot update attribute {path[0]}. This attribute is part of the key")
        for other in paths[number + 1 :]:
            if path[: len(other)] == other or other[: len(path)] == path:
                raise Invalid(f"Two document paths overlap with each other: {path} and {other}")
    return found


def _added(before: Item, path: expressions.Path, value: Any) -> Any:
    there = expressions.at(before, path)
    if len(path) > 1 or "N" not in value:
        raise Unknown(f"ADD {path} {value}")
    if there is None:
        return value
    if "N" not in there:
        raise Invalid("An operand in the update expression has an incorrect data type")
    return {"N": str(expressions.number(there) + expressions.number(value))}


def _set(item: Item, path: expressions.Path, value: Any) -> None:
    if len(path) == 1:
        item[path[0]] = value
        return
    _inside(item, path)[path[-1]] = value


def _remove(item: Item, path: expressions.Path) -> None:
    if len(path) == 1:
        item.pop(path[0], None)
    else:
        _inside(item, path).pop(path[-1], None)


def _inside(item: Item, path: expressions.Path) -> Item:
    """A copy of the innermost map of a path, in copies of the maps around it."""
    holder = item
    for name in path[:-1]:
        if "M" not in holder.get(name, {}):
            raise Invalid("The document path provided in the update expression is invalid for update")
        copied = dict(holder[name]["M"])
        holder[name] = {"M": copied}
        holder = copied
    return holder


def _page(request: Request, found: list[Item], index: Index | None) -> Request:
    """As DynamoDB: a page that is full names its last key, also where nothing comes after it."""
    newest_first = not request.get("ScanIndexForward", True)
    ordered = found[::-1] if newest_first else found
    start = request.get("ExclusiveStartKey")
    if start is not None:
        after = _place(start, index)
        ordered = [
            item for item in ordered if (_place(item, index) < after if newest_first else _place(item, index) > after)
        ]
    page = ordered[: request["Limit"]]
    if len(page) < request["Limit"]:
        return {"Items": page}
    names = KEYS if index is None else (*KEYS, index.hash_name, index.range_name)
    return {"Items": page, "LastEvaluatedKey": {name: page[-1][name] for name in names}}


def _place(item: Item, index: Index | None) -> tuple[Any, ...]:
    if index is None:
        return (item["sk"]["S"],)
    return (index.range_value(item[index.range_name]), item["pk"]["S"], item["sk"]["S"])


def _given(request: Request) -> tuple[Any, Any]:
    """The names and values of a request: all that are used are given, all that are given are used."""
    names = request.get("ExpressionAttributeNames", {})
    values = request.get("ExpressionAttributeValues", {})
    texts = tuple(request[name] for name in _EXPRESSIONS if name in request)
    used = _used(texts)
    given = names.keys() | values.keys()
    if used != given:
        raise Invalid(f"Value provided in expressions unused, or used and not provided: {sorted(used ^ given)}")
    return names, values


@cache
def _used(texts: tuple[str, ...]) -> frozenset[str]:
    for text in texts:
        reserved = {name for name in expressions.bare_names(text) if name.upper() in _reserved()}
        if reserved:
            raise Invalid(f"Attribute name is a reserved keyword; reserved keyword: {sorted(reserved)}")
    return frozenset().union(*(expressions.placeholders(text) for text in texts))


@cache
def _reserved() -> frozenset[str]:
    return frozenset(word.upper() for word in ReservedKeywords.get_reserved_keywords())


def _key_of(key: Request) -> Key:
    return check_key(key)


def _only(request: Request, *known: str) -> None:
    unknown = set(request) - set(known)
    if unknown:
        raise Unknown(f"{sorted(unknown)} of {request}")
