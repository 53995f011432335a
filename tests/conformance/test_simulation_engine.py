"""What the simulation's engine takes, answers and refuses in the corners: the same as AWS's own engine.

The other files of this folder run on it too; here is what no store of ours does, and what a defect of ours would meet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.dynamo.rows import Key, Values
from chalicelib.dynamo.table import Table
from tests.conformance.cases import everything, fill
from tests.conformance.conftest import SIMULATION
from tests.services import DYNAMODB_LOCAL, engine_names

Request = dict[str, Any]
HERE = Key("PLACE#1", "HERE")
ROW: Values = {"n": 5, "s": "b", "yes": True, "nested": {"r": 5, "o": "x"}}
EXACT = [SIMULATION, *(name for name in engine_names() if name == DYNAMODB_LOCAL)]

pytestmark = pytest.mark.parametrize("table", EXACT, indirect=True)


def an_update(table: Table, expression: str, **more: Any) -> Request:
    return {"TableName": table.name, "Key": HERE.encoded(), "UpdateExpression": expression, **more}


def values(**given: Any) -> Request:
    return {"ExpressionAttributeValues": {f":{name}": value for name, value in given.items()}}


def names(**given: str) -> Request:
    return {"ExpressionAttributeNames": {f"#{name}": value for name, value in given.items()}}


FIVE, SIX, TEXT = {"N": "5"}, {"N": "6"}, {"S": "b"}
CONDITIONS: dict[str, tuple[str, Request, bool]] = {
    "equal": ("n = :v", values(v=FIVE), True),
    "equal to another type": ("n = :v", values(v={"S": "5"}), False),
    "equal where there is none": ("m = :v", values(v=FIVE), False),
    "unequal": ("n <> :v", values(v=SIX), True),
    "unequal to another type": ("n <> :v", values(v={"S": "5"}), True),
    "unequal where there is none": ("m <> :v", values(v=FIVE), True),
    "less": ("n < :v", values(v=SIX), True),
    "less than the same": ("n < :v", values(v=FIVE), False),
    "numbers, not their texts": ("n < :v", values(v={"N": "10"}), True),
    "less where there is none": ("m < :v", values(v=SIX), False),
    "less than another type": ("n < :v", values(v=TEXT), False),
    "at least": ("n >= :v", values(v=FIVE), True),
    "texts in their order": ("s > :v", values(v={"S": "a"}), True),
    "inside a map": ("nested.r >= :v", values(v=FIVE), True),
    "inside what is no map": ("n.r >= :v", values(v=FIVE), False),
    "inside a map that is not there": ("m.r = :v", values(v=FIVE), False),
    "there": ("attribute_exists(nested.r)", {}, True),
    "not there": ("attribute_not_exists(nested.x)", {}, True),
    "not": ("NOT n = :v", values(v=SIX), True),
    "and before or": ("n = :v OR n = :w AND n = :w", values(v=FIVE, w=SIX), True),
    "brackets": ("(n = :v OR n = :w) AND n = :w", values(v=FIVE, w=SIX), False),
    "a yes": ("yes = :v", values(v={"BOOL": True}), True),
    "two attributes": ("nested.r = n", {}, True),
}

INVALID: dict[str, Callable[[Table], tuple[str, Request]]] = {
    "a value inside a map that is not there": lambda t: ("UpdateItem", an_update(t, "SET m.r = :v", **values(v=FIVE))),
    "a sum with what is not there": lambda t: ("UpdateItem", an_update(t, "SET n = m + :v", **values(v=FIVE))),
    "a sum of texts": lambda t: ("UpdateItem", an_update(t, "SET s = s + :v", **values(v=FIVE))),
    "adding to a text": lambda t: ("UpdateItem", an_update(t, "ADD s :v", **values(v=FIVE))),
    "a copy of what is not there": lambda t: ("UpdateItem", an_update(t, "SET n = m")),
    "neither of two that are not there": lambda t: ("UpdateItem", an_update(t, "SET n = if_not_exists(m, k)")),
    "one path twice": lambda t: ("UpdateItem", an_update(t, "SET n = :v REMOVE n", **values(v=FIVE))),
    "a path inside another": lambda t: (
        "UpdateItem",
        an_update(t, "SET nested.r = :v REMOVE nested", **values(v=FIVE)),
    ),
    "the key": lambda t: ("UpdateItem", an_update(t, "SET sk = :v", **values(v=TEXT))),
    "a reserved word": lambda t: ("UpdateItem", an_update(t, "SET ref = :v", **values(v=TEXT))),
    "a name that is not given": lambda t: ("UpdateItem", an_update(t, "SET #n = :v", **values(v=TEXT))),
    "a name that is not used": lambda t: (
        "UpdateItem",
        an_update(t, "SET n = :v", **values(v=TEXT), **names(unused="x")),
    ),
    "a value that is not given": lambda t: ("UpdateItem", an_update(t, "SET n = :v")),
    "a value that is not used": lambda t: ("UpdateItem", an_update(t, "SET n = :v", **values(v=TEXT, w=TEXT))),
    "a text as a time that is due": lambda t: (
        "PutItem",
        {"TableName": t.name, "Item": {**HERE.encoded(), "due_shard": TEXT, "due_at": TEXT}},
    ),
    "an empty key of an index": lambda t: (
        "UpdateItem",
        an_update(t, "SET #r = :v", **values(v={"S": ""}), **names(r="ref")),
    ),
    "an empty key": lambda t: ("GetItem", {"TableName": t.name, "Key": {"pk": {"S": "P"}, "sk": {"S": ""}}}),
    "an item that is too large": lambda t: (
        "PutItem",
        {"TableName": t.name, "Item": {**HERE.encoded(), "doc": {"S": "x" * 410_000}}},
    ),
    "a key twice": lambda t: ("BatchGetItem", {"RequestItems": {t.name: {"Keys": [HERE.encoded()] * 2}}}),
    "a consistent read of an index": lambda t: (
        "Query",
        {
            "TableName": t.name,
            "IndexName": "due",
            "KeyConditionExpression": "due_shard = :v",
            "ConsistentRead": True,
            **values(v=TEXT),
        },
    ),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_a_condition_holds_or_not(table: Table, case: str) -> None:
    text, given, holds = CONDITIONS[case]
    fill(table, {HERE: ROW})
    request = {"TableName": table.name, "Key": HERE.encoded(), "ConditionExpression": text, **given}
    if holds:
        table.call("DeleteItem", request)
        assert everything(table) == {}
    else:
        with pytest.raises(ClientError) as error:
            table.call("DeleteItem", request)
        assert error.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
        assert everything(table) == {HERE: ROW}


@pytest.mark.parametrize("case", INVALID)
def test_refuses(table: Table, case: str) -> None:
    fill(table, {HERE: ROW})
    operation, request = INVALID[case](table)
    with pytest.raises(ClientError) as error:
        table.call(operation, request)
    assert error.value.response["Error"]["Code"] == "ValidationException"
    assert everything(table) == {HERE: ROW}


def test_an_update_computes_from_the_row_as_it_was(table: Table) -> None:
    fill(table, {HERE: ROW})
    expression = "SET n = nested.r + :v, nested.r = n - :v, m = s REMOVE nested.o, gone ADD fresh :v"
    table.call("UpdateItem", an_update(table, expression, **values(v={"N": "2"})))
    after = {"n": 7, "s": "b", "yes": True, "nested": {"r": 3}, "m": "b", "fresh": 2}
    assert everything(table) == {HERE: after}


def test_an_update_sets_what_is_not_there_and_keeps_what_is(table: Table) -> None:
    fill(table, {HERE: ROW})
    expression = "SET n = if_not_exists(n, :v), m = if_not_exists(m, :v), s = if_not_exists (nested.x, nested.o)"
    table.call("UpdateItem", an_update(table, expression, **values(v=SIX)))
    assert everything(table) == {HERE: {**ROW, "m": 6, "s": "x"}}


def test_a_token_that_comes_again_with_other_writes_is_refused(table: Table) -> None:
    def sent(number: int) -> Request:
        write = {"Update": an_update(table, "ADD n :v", **values(v={"N": str(number)}))}
        return {"TransactItems": [write], "ClientRequestToken": "a-token-of-its-own"}

    table.call("TransactWriteItems", sent(1))
    with pytest.raises(ClientError) as error:
        table.call("TransactWriteItems", sent(2))
    assert error.value.response["Error"]["Code"] == "IdempotentParameterMismatchException"
    assert everything(table) == {HERE: {"n": 1}}


def test_a_token_whose_writes_were_refused_may_try_again(table: Table) -> None:
    write = {"Update": an_update(table, "ADD n :v", ConditionExpression="n = :v", **values(v=FIVE))}
    request = {"TransactItems": [write], "ClientRequestToken": "another-token"}
    with pytest.raises(ClientError):
        table.call("TransactWriteItems", dict(request))
    fill(table, {HERE: {"n": 5}})
    table.call("TransactWriteItems", dict(request))
    assert everything(table) == {HERE: {"n": 10}}


def test_a_refusal_tells_the_row_only_where_that_was_asked(table: Table) -> None:
    fill(table, {HERE: ROW})
    request = an_update(table, "SET n = :v", ConditionExpression="n = :v", **values(v=SIX))
    for asked, told in ((request, False), ({**request, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}, True)):
        with pytest.raises(ClientError) as error:
            table.call("UpdateItem", dict(asked))
        assert ("Item" in error.value.response) is told


def test_a_page_that_is_full_says_that_there_may_be_more(table: Table) -> None:
    fill(table, {Key("P", "1"): {}, Key("P", "2"): {}})
    assert table.query("P", limit=3).next_cursor is None
    cursor = table.query("P", limit=2).next_cursor
    assert cursor is not None
    rest = table.query("P", limit=2, cursor=cursor)
    assert (rest.items, rest.next_cursor) == ((), None)
