"""The engines that stand in for DynamoDB, with the writes and reads that this project makes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Values
from chalicelib.dynamo.table import Due, Table
from chalicelib.dynamo.writes import Put, Update, absent, commit, never

STOCK = Key("STOCK#1", "STOCK")
UNITS = 20
BUYERS = 40
THREADS = 8


class SoldOut(Exception):
    """Nothing is left."""


def sold(buyer: int) -> list[Put | Update]:
    """One unit less, and the row of whoever got it."""
    return [
        Update(key=STOCK, actions=(Path("left").add(-1),), condition=Path("left") > 0, refused=lambda old: SoldOut()),
        Put(key=Key("STOCK#1", f"BUYER#{buyer}"), values={"n": 1}, condition=absent, refused=never("sold twice")),
    ]


class TestTheDeclaredTable:
    def test_sells_the_last_unit_once_when_many_buy_at_once(self, real_table: Table) -> None:
        commit(real_table, [Put(key=STOCK, values={"left": UNITS}, condition=absent, refused=never("stocked twice"))])

        def buy(buyer: int) -> bool:
            try:
                commit(real_table, sold(buyer))
            except SoldOut:
                return False
            return True

        with ThreadPoolExecutor(THREADS) as pool:
            won = sum(pool.map(buy, range(BUYERS)))
        stock = real_table.get(STOCK)
        assert stock is not None
        assert (won, stock.values["left"]) == (UNITS, 0)
        assert len(real_table.query("STOCK#1", prefix="BUYER#", limit=100).items) == UNITS

    @pytest.mark.parametrize("prefix", ["", "a"])
    def test_finds_rows_by_their_outside_id(self, real_table: Table, prefix: str) -> None:
        values = {"ref": "CUSTOMER#cus_1", "ref_sk": "a1"}
        row = Put(key=Key("USER#1", "CUSTOMER"), values=values, condition=absent, refused=never("made twice"))
        commit(real_table, [row])
        found = real_table.query_ref("CUSTOMER#cus_1", prefix=prefix, limit=10, newest_first=True).items
        assert [row.key for row in found] == [Key("USER#1", "CUSTOMER")]

    def test_finds_rows_that_are_due(self, real_table: Table) -> None:
        for number, due_at in enumerate((100, 200)):
            values: Values = {"due_shard": "D#0", "due_at": due_at}
            row = Put(key=Key(f"ROW#{number}", "ROW"), values=values, condition=absent, refused=never("made twice"))
            commit(real_table, [row])
        found = real_table.query_due("D#0", until=150, limit=10)
        assert found == [Due(Key("ROW#0", "ROW"), datetime.fromtimestamp(100, UTC))]
