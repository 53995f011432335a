"""The engine's own ways: what it does not know is said, a copy is what it was, and it is fast enough."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Values
from chalicelib.dynamo.writes import Put, Update, anyway, commit, never
from tests.conformance.cases import everything, fill
from tests.simulation.engine import Engine, EngineTable
from tests.simulation.expressions import Unknown

HERE = Key("PLACE#1", "HERE")
ROW: Values = {"n": 5, "nested": {"r": 5, "o": "x"}}
FIVE = {"ExpressionAttributeValues": {":v": {"N": "5"}}}
READS = 5_000
READS_SECONDS_MAX = 1.0
"""A fifth of what it does on a quiet machine, so that only a change of its order is seen."""


@pytest.fixture
def table() -> EngineTable:
    return EngineTable(Engine())


class TestWhatItDoesNotKnow:
    @pytest.mark.parametrize(
        "expression",
        ["SET n = list_append(n, :v)", "DELETE n :v", "SET n[0] = :v"],
    )
    def test_of_updates_is_said(self, table: EngineTable, expression: str) -> None:
        with pytest.raises(Unknown):
            table.call("UpdateItem", self.request(table, UpdateExpression=expression))

    @pytest.mark.parametrize("condition", ["contains(s, :v)", "size(s) > :v", "n IN (:v)", "n BETWEEN :v AND :v"])
    def test_of_conditions_is_said(self, table: EngineTable, condition: str) -> None:
        with pytest.raises(Unknown):
            table.call("DeleteItem", self.request(table, ConditionExpression=condition))

    def test_of_operations_is_said(self, table: EngineTable) -> None:
        with pytest.raises(Unknown):
            table.call("TransactGetItems", {})

    def request(self, table: EngineTable, **expression: str) -> dict[str, Any]:
        return {"TableName": table.name, "Key": HERE.encoded(), **expression, **FIVE}


class TestACopy:
    def test_is_what_the_table_becomes_again(self, table: EngineTable) -> None:
        fill(table, {HERE: ROW, Key("P", "1"): {"ref": "R", "ref_sk": "s", "due_shard": "D#0", "due_at": 5}})
        kept, before = table.engine.rows.copy(), everything(table)
        update = Update(
            key=HERE, actions=(Path("nested.r").set(6),), condition=anyway, refused=never("it has no condition")
        )
        commit(table, [update])
        table.call("DeleteItem", {"TableName": table.name, "Key": Key("P", "1").encoded()})
        assert everything(table) != before
        assert table.query_ref("R", limit=9).items == ()
        table.engine.rows.become(kept)
        assert everything(table) == before
        assert [due.key for due in table.query_due("D#0", until=5, limit=9)] == [Key("P", "1")]
        assert [row.key for row in table.query_ref("R", limit=9).items] == [Key("P", "1")]


class TestWhatChanged:
    def test_is_told_once_with_what_was_there(self, table: EngineTable) -> None:
        fill(table, {HERE: {"n": 1}})
        table.engine.rows.taken()
        put = Put(key=HERE, values={"n": 2}, condition=anyway, refused=never("it has no condition"))
        commit(table, [put])
        commit(table, [put])
        (changed,) = table.engine.rows.taken().items()
        assert changed == (("PLACE#1", "HERE"), {**HERE.encoded(), "n": {"N": "1"}})
        assert table.engine.rows.taken() == {}


def test_it_is_fast(table: EngineTable) -> None:
    fill(table, {HERE: ROW})
    began = time.perf_counter()
    for _ in range(READS):
        table.get(HERE)
    assert time.perf_counter() - began < READS_SECONDS_MAX
