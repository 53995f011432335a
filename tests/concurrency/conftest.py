"""A world of threads on each real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.dynamo.table import Table
from tests.concurrency.parallel import ParallelWorld, a_parallel_world


@pytest.fixture
def world(real_table: Table) -> Iterator[ParallelWorld]:
    with a_parallel_world(real_table) as made:
        yield made
