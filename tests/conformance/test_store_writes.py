"""Each write that a store builds does the same on every engine: what passes, what is refused, what is left behind.

moto tests the rest of the project; here the engines that behave like AWS say whether moto may be believed.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import chalicelib.books
from chalicelib.books.identity.store import whatever
from chalicelib.dynamo.expressions import Condition
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Check, Delete, Put, Update, anyway
from tests.conformance import (
    billing_cases,
    catalog_cases,
    drift_cases,
    enrollment_cases,
    identity_cases,
    ledger_cases,
    lot_end_cases,
    plan_change_cases,
    recharge_cases,
    recurring_cases,
    refund_cases,
    set_cases,
    staff_cases,
    team_cases,
    waiting_cases,
    work_cases,
)
from tests.conformance.cases import Case, try_case

CASES: tuple[Case, ...] = (
    *billing_cases.CASES,
    *catalog_cases.CASES,
    *drift_cases.CASES,
    *enrollment_cases.CASES,
    *identity_cases.CASES,
    *ledger_cases.CASES,
    *lot_end_cases.CASES,
    *plan_change_cases.CASES,
    *recharge_cases.CASES,
    *recurring_cases.CASES,
    *refund_cases.CASES,
    *set_cases.CASES,
    *staff_cases.CASES,
    *team_cases.CASES,
    *waiting_cases.CASES,
    *work_cases.CASES,
)
WRITES = frozenset({Put, Update, Delete, Check})


def builders() -> Iterator[Callable[..., Any]]:
    """The public functions of the stores that answer a write, or several."""
    for module in (found.name for found in pkgutil.walk_packages(chalicelib.books.__path__, "chalicelib.books.")):
        if not module.endswith("store"):
            continue
        store = importlib.import_module(module)
        for name, found in vars(store).items():
            own = inspect.isfunction(found) and found.__module__ == store.__name__
            if own and not name.startswith("_") and _writes(typing.get_type_hints(found)["return"]):
                yield found


def _writes(kind: Any) -> bool:
    """Whether a type is a write, or is made of one."""
    return kind in WRITES or any(_writes(part) for part in typing.get_args(kind))


def is_free(condition: Condition) -> bool:
    return any(condition is free for free in (anyway, whatever))


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__name__}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_does_what_the_case_says(case: Case, table: Table) -> None:
    try_case(table, case)


class TestTheCases:
    def test_cover_every_function_that_builds_a_write(self) -> None:
        tried = {name_of(case.of) for case in CASES}
        found = {name_of(function) for function in builders()}
        assert len(found) > 30
        assert found == tried

    @pytest.mark.parametrize("function", list(builders()), ids=name_of)
    def test_let_each_pass_and_be_refused(self, function: Callable[..., Any]) -> None:
        of_it = [case for case in CASES if case.of is function]
        assert any(case.refused is None for case in of_it), "no case that passes"
        conditions = [write.condition for case in of_it for write in case.writes]
        if any(not is_free(condition) for condition in conditions):
            assert any(case.refused is not None for case in of_it), "no case that is refused"

    def test_have_names_of_their_own(self) -> None:
        assert len({str(case) for case in CASES}) == len(CASES)
