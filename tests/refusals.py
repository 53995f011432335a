"""How a test of a store says that writes are refused: by which error, and that nothing of them was done."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Put, Write, absent, commit, never
from tests.moto_table import all_rows

BYSTANDER = Put(key=Key("BYSTANDER", "ROW"), values={"doc": "{}"}, condition=absent, refused=never("it is new"))


def assert_refused(
    table: Table, writes: Sequence[Write], error: type[Exception], match: str | None = None
) -> Exception:
    """The writes raise this, alone and in a transaction with another that could be done; nothing is left of either."""
    before = all_rows(table)
    with pytest.raises(error, match=match) as refused:
        commit(table, writes)
    assert type(refused.value) is error
    assert all_rows(table) == before
    with pytest.raises(error, match=match):
        commit(table, [BYSTANDER, *writes])
    assert all_rows(table) == before
    return refused.value
