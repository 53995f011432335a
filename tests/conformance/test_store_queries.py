"""Each query finds the same on every engine: keys, indexes, order, pages."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import chalicelib.books
from chalicelib.dynamo.table import Table
from tests.conformance import (
    billing_query_cases,
    drift_cases,
    enrollment_cases,
    lot_end_cases,
    people_query_cases,
    recharge_cases,
    recurring_cases,
    refund_cases,
    service_query_cases,
    set_cases,
    staff_cases,
    staff_query_cases,
    team_cases,
    waiting_cases,
)
from tests.conformance.cases import everything, fill
from tests.conformance.queries import Asked

ASKED: tuple[Asked, ...] = (
    *billing_query_cases.ASKED,
    *drift_cases.ASKED,
    *enrollment_cases.ASKED,
    *lot_end_cases.ASKED,
    *recharge_cases.ASKED,
    *recurring_cases.ASKED,
    *people_query_cases.ASKED,
    *refund_cases.ASKED,
    *staff_query_cases.ASKED,
    *service_query_cases.ASKED,
    *set_cases.ASKED,
    *staff_cases.ASKED,
    *team_cases.ASKED,
    *waiting_cases.ASKED,
)


def queries() -> Iterator[Callable[..., Any]]:
    """The public functions of the books' queries that read a table."""
    for name in (found.name for found in pkgutil.walk_packages(chalicelib.books.__path__, "chalicelib.books.")):
        if not name.endswith("queries"):
            continue
        for found in vars(importlib.import_module(name)).values():
            own = inspect.isfunction(found) and found.__module__ == name and not found.__name__.startswith("_")
            if own and typing.get_type_hints(found).get("table") is Table:
                yield found


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_finds_what_the_case_says(asked: Asked, table: Table) -> None:
    fill(table, asked.rows)
    if asked.refused is None:
        assert asked.ask(table) == asked.answer
    else:
        with pytest.raises(asked.refused):
            asked.ask(table)
    assert everything(table) == dict(asked.rows)


class TestTheCases:
    def test_cover_every_query(self) -> None:
        found = {f"{query.__module__}.{query.__name__}" for query in queries()}
        assert len(found) > 30
        assert found == {f"{asked.of.__module__}.{asked.of.__name__}" for asked in ASKED}

    def test_have_names_of_their_own(self) -> None:
        assert len({str(asked) for asked in ASKED}) == len(ASKED)
