"""What a list of staff costs: one query of its page, whatever the academy has, and what the page shows in batches."""

from __future__ import annotations

from collections import Counter
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog import operations as catalog
from chalicelib.dynamo.table import Table
from tests.shop import a_plan
from tests.staffing import clerk
from tests.world import World

MANY = 1000
PATH = "/v1/payments/academy/plan"


@pytest.fixture
def crowded(world: World) -> World:
    for number in range(MANY):
        catalog.create(world.table, a_plan(world.now, world.academy_id, id=10_000 + number, slug=f"many-{number}"))
    return world


def cost(world: World, path: str) -> tuple[Counter[str], list[str]]:
    """The calls of the table that a list makes, by operation, and the slugs that it answers."""
    staff = clerk(world)
    operations = Counter[str]()
    real = Table.call

    def call(table: Table, operation: str, request: Any) -> Any:
        operations[operation] += 1
        return real(table, operation, request)

    with patch.object(Table, "call", call):
        answer = staff.get(path)
    assert answer.status == 200
    return operations, [plan["slug"] for plan in answer.json]


def test_a_page_of_a_thousand_plans_is_one_query(crowded: World) -> None:
    operations, slugs = cost(crowded, f"{PATH}?limit=20")
    assert slugs == [f"many-{number}" for number in range(MANY - 1, MANY - 21, -1)]
    assert operations["Query"] == 1
    assert operations["Scan"] == 0
    assert operations.total() <= 5  # the caller, their capability, the query, and what the page shows in two batches
