"""What a case of a write is, and how one is tried on a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chalicelib.dynamo.rows import Key, Values
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Check, Delete, Put, Update, Write, anyway, commit, never
from tests.moto_table import all_rows

Rows = Mapping[Key, Values]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`of` is the store's function that built `writes`; `before` are the rows that they meet.

    Either `refused` says what is raised, and every row stays as it was; or the rows are as before, with what is put in
    place, what is deleted gone, and what is updated as in `after`.
    """

    of: Callable[..., Any]
    name: str
    writes: Sequence[Write]
    before: Rows = field(default_factory=dict)
    refused: type[Exception] | None = None
    after: Rows = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.of.__module__.split('.')[2]}.{self.of.__name__}: {self.name}"


def rows_of(*puts: Write) -> dict[Key, Values]:
    """The rows that these puts make, for what a case meets."""
    return {put.key: put.values for put in puts if isinstance(put, Put)}


def expected(case: Case) -> dict[Key, Values]:
    """Every row that the table has afterwards."""
    rows = dict(case.before)
    if case.refused is not None:
        return rows
    for write in case.writes:
        match write:
            case Put():
                rows[write.key] = write.values
            case Delete():
                rows.pop(write.key, None)
            case Update():
                rows[write.key] = case.after[write.key]
            case Check():
                continue
    return rows


def try_case(table: Table, case: Case) -> None:
    fill(table, case.before)
    if case.refused is None:
        commit(table, case.writes)
    else:
        with pytest.raises(case.refused):
            commit(table, case.writes)
    assert everything(table) == expected(case)


def fill(table: Table, rows: Rows) -> None:
    for key, values in rows.items():
        commit(table, [Put(key=key, values=values, condition=anyway, refused=never("this write has no condition"))])


def everything(table: Table) -> dict[Key, Values]:
    return {row.key: row.values for row in all_rows(table)}
