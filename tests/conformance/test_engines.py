"""What the dynamo layer relies on: transactions, refusals, indexes, pages; and that every engine was tried."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Encoded, Key, Values, encode
from chalicelib.dynamo.table import Due, Table
from chalicelib.dynamo.writes import (
    TRANSACTION_ITEMS_MAX,
    Check,
    Delete,
    Put,
    Refused,
    Unexpected,
    Update,
    Write,
    absent,
    anyway,
    at_version,
    commit,
    present,
)
from tests.conformance.cases import everything, fill
from tests.conformance.conftest import MOTO
from tests.services import missing_engines

REQUIRED = "REQUIRE_DYNAMODB_LOCAL"
RESERVED = ("ref", "used", "ttl", "state", "version", "data", "body", "id", "name", "value", "values", "doc", "count")
HERE, THERE = Key("PLACE#1", "HERE"), Key("PLACE#1", "THERE")
ROW: Values = {"version": 3, "doc": "{}", "nested": {"r": 5, "o": "x"}, "yes": True, "no": False, "big": 2**53 + 1}


class Refusal(Exception):
    """A write was refused: its name, and the row as it was."""

    def __init__(self, name: str, old: Values | None) -> None:
        self.name, self.old = name, old
        super().__init__(name)


def refused(name: str) -> Refused:
    return lambda old: Refusal(name, old)


def a_put(key: Key, name: str = "put") -> Put:
    return Put(key=key, values={"n": 1}, condition=absent, refused=refused(name))


def puts(count: int) -> list[Put]:
    return [a_put(Key("PLACE#1", f"N#{number:03d}")) for number in range(count)]


def encoded_put(table: Table, key: Key) -> Encoded:
    return {"Put": {"TableName": table.name, "Item": {**key.encoded(), **encode({"n": 1})}}}


REFUSED_WRITES: dict[str, Callable[[], Write]] = {
    "put": lambda: a_put(HERE),
    "update": lambda: Update(
        key=HERE, actions=(Path("version").add(1),), condition=at_version(2), refused=refused("update")
    ),
    "delete": lambda: Delete(key=HERE, condition=at_version(2), refused=refused("delete")),
    "check": lambda: Check(key=HERE, condition=at_version(2), refused=refused("check")),
}

TWICE: dict[str, Callable[[], Write]] = {
    "put": lambda: Put(key=HERE, values={"n": 1}, condition=anyway, refused=refused("put")),
    "update": lambda: Update(key=HERE, actions=(Path("n").add(1),), condition=anyway, refused=refused("update")),
    "delete": lambda: Delete(key=HERE, condition=anyway, refused=refused("delete")),
    "check": lambda: Check(key=HERE, condition=anyway, refused=refused("check")),
}


def test_dynamodb_local_was_tried_where_it_is_required() -> None:
    """Elsewhere the end of the run says in one line that it was not."""
    missing = missing_engines()
    assert missing is None or os.environ.get(REQUIRED) != "1", missing


class TestTransactions:
    def test_take_a_hundred_writes(self, table: Table) -> None:
        commit(table, puts(TRANSACTION_ITEMS_MAX))
        assert len(everything(table)) == TRANSACTION_ITEMS_MAX

    def test_refuse_the_hundred_and_first_before_it_is_sent(self, table: Table) -> None:
        with pytest.raises(Unexpected):
            commit(table, puts(TRANSACTION_ITEMS_MAX + 1))
        assert everything(table) == {}

    def test_the_engine_refuses_a_hundred_and_one(self, table: Table) -> None:
        items = [encoded_put(table, put.key) for put in puts(TRANSACTION_ITEMS_MAX + 1)]
        with pytest.raises(ClientError) as error:
            table.call("TransactWriteItems", {"TransactItems": items})
        assert error.value.response["Error"]["Code"] == "ValidationException"
        assert everything(table) == {}

    @pytest.mark.parametrize("second", TWICE)
    @pytest.mark.parametrize("first", TWICE)
    def test_are_never_asked_for_one_row_twice(self, table: Table, first: str, second: str) -> None:
        """DynamoDB Local would call some pairs a condition that does not hold: a defect of ours, read as a refusal."""
        with pytest.raises(Unexpected, match="names a row once"):
            commit(table, [TWICE[first](), TWICE[second]()])
        assert everything(table) == {}

    @pytest.mark.parametrize("name", REFUSED_WRITES)
    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_name_the_write_that_was_refused_and_do_none(self, table: Table, name: str, position: int) -> None:
        fill(table, {HERE: ROW})
        writes: list[Write] = [a_put(THERE, "first"), a_put(Key("PLACE#2", "THERE"), "second")]
        writes.insert(position, REFUSED_WRITES[name]())
        with pytest.raises(Refusal) as refusal:
            commit(table, writes)
        assert (refusal.value.name, refusal.value.old) == (name, ROW)
        assert everything(table) == {HERE: ROW}

    def test_name_the_first_of_several_that_are_refused(self, table: Table) -> None:
        fill(table, {HERE: ROW, THERE: ROW})
        with pytest.raises(Refusal) as refusal:
            commit(table, [a_put(Key("PLACE#2", "X")), a_put(THERE, "first"), a_put(HERE, "second")])
        assert refusal.value.name == "first"

    def test_sent_again_under_one_token_are_done_once(self, table: Table, request: pytest.FixtureRequest) -> None:
        """botocore gives each transaction such a token and repeats it when it sends again. moto does not heed it."""
        update = {"TableName": table.name, "Key": HERE.encoded(), "UpdateExpression": "ADD n :one"}
        item = {"Update": {**update, "ExpressionAttributeValues": {":one": {"N": "1"}}}}
        token = uuid.uuid4().hex
        for _ in range(2):
            table.call("TransactWriteItems", {"TransactItems": [item], "ClientRequestToken": token})
        heeded = f"[{MOTO}]" not in request.node.name
        assert everything(table) == {HERE: {"n": 1 if heeded else 2}}


class TestSingleWrites:
    @pytest.mark.parametrize("name", ["put", "update", "delete"])
    def test_tell_what_was_there_when_refused(self, table: Table, name: str) -> None:
        fill(table, {HERE: ROW})
        with pytest.raises(Refusal) as refusal:
            commit(table, [REFUSED_WRITES[name]()])
        assert refusal.value.old == ROW
        assert everything(table) == {HERE: ROW}

    @pytest.mark.parametrize("name", ["update", "delete"])
    def test_tell_that_nothing_was_there(self, table: Table, name: str) -> None:
        with pytest.raises(Refusal) as refusal:
            commit(table, [REFUSED_WRITES[name]()])
        assert refusal.value.old is None
        assert everything(table) == {}

    @pytest.mark.parametrize("name", RESERVED)
    def test_may_name_reserved_words(self, table: Table, name: str) -> None:
        fill(table, {HERE: {name: "before"}})
        update = Update(
            key=HERE,
            actions=(Path(name).set("after"), Path("seen").set("x")),
            condition=(Path(name) == "before") & present,
            refused=refused("update"),
        )
        commit(table, [update])
        assert everything(table) == {HERE: {name: "after", "seen": "x"}}

    def test_that_only_remove_make_an_empty_row_where_there_was_none(self, table: Table) -> None:
        """So whoever removes from a row that may have expired must expect one without a version."""
        update = Update(key=HERE, actions=(Path("n").remove(),), condition=absent, refused=refused("update"))
        commit(table, [update])
        assert everything(table) == {HERE: {}}

    def test_keep_numbers_booleans_and_maps_exactly(self, table: Table) -> None:
        fill(table, {HERE: ROW})
        assert everything(table) == {HERE: ROW}


class TestReads:
    def test_many_rows_by_key_go_over_the_limit_of_one_call(self, table: Table) -> None:
        commit(table, puts(100))
        commit(table, [a_put(HERE)])
        wanted = [put.key for put in puts(101)] + [HERE, HERE]
        assert set(table.get_many(wanted)) == {*(put.key for put in puts(100)), HERE}

    @pytest.mark.parametrize("newest_first", [False, True])
    def test_a_list_is_read_page_by_page_without_its_neighbours(self, table: Table, newest_first: bool) -> None:
        fill(table, {Key("P", sk): {} for sk in ("A#9", "B#1", "B#2", "B#3", "C#1")} | {Key("Q", "B#4"): {}})
        found, cursor, pages = [], None, 0
        while True:
            page = table.query("P", prefix="B#", limit=2, newest_first=newest_first, cursor=cursor)
            found += [row.key.sk for row in page.items]
            cursor, pages = page.next_cursor, pages + 1
            if cursor is None:
                break
        assert (found, pages) == (["B#3", "B#2", "B#1"] if newest_first else ["B#1", "B#2", "B#3"], 2)

    @pytest.mark.parametrize("newest_first", [False, True])
    def test_an_index_is_read_page_by_page_also_where_rows_share_its_key(
        self, table: Table, newest_first: bool
    ) -> None:
        rows = {Key(f"U#{number}", "X"): {"ref": "R", "ref_sk": f"s{number // 2}"} for number in range(5)}
        fill(table, {**rows, Key("U#9", "X"): {"ref": "OTHER", "ref_sk": "s0"}, Key("U#8", "X"): {}})
        found: list[str] = []
        cursor = None
        while True:
            page = table.query_ref("R", prefix="s", limit=2, newest_first=newest_first, cursor=cursor)
            found += [str(row.values["ref_sk"]) for row in page.items]
            assert len({row.key for row in page.items}) == len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == sorted(["s0", "s0", "s1", "s1", "s2"], reverse=newest_first)

    def test_a_row_is_in_a_sparse_index_only_while_it_has_its_keys(self, table: Table) -> None:
        fill(table, {HERE: {"due_shard": "D#0", "due_at": 5, "ref": "R", "ref_sk": "s"}, THERE: {"due_shard": "D#0"}})
        assert table.query_due("D#0", until=5, limit=9) == [Due(HERE, datetime.fromtimestamp(5, UTC))]
        gone = (Path("due_shard").remove(), Path("due_at").remove(), Path("ref").remove(), Path("ref_sk").remove())
        commit(table, [Update(key=HERE, actions=gone, condition=present, refused=refused("update"))])
        assert table.query_due("D#0", until=5, limit=9) == []
        assert table.query_ref("R", limit=9).items == ()

    def test_what_is_due_comes_oldest_first_up_to_a_limit(self, table: Table) -> None:
        fill(table, {Key("U", f"{at:02d}"): {"due_shard": "D#0", "due_at": at} for at in (7, 10, 9, 100)})
        assert [due.key.sk for due in table.query_due("D#0", until=99, limit=2)] == ["07", "09"]
        assert [due.key.sk for due in table.query_due("D#0", until=9, limit=9)] == ["07", "09"]
