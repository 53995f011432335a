"""A world of threads on each real engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.dynamo.table import Table
from chalicelib.entrypoints import _observe
from tests.concurrency.parallel import ParallelWorld, a_parallel_world


@pytest.fixture(autouse=True)
def without_metrics() -> Iterator[None]:
    """Metrics are one process's and not thread-safe: a Lambda serves one request at a time, these threads do not."""
    _observe.start_logging(plain=True)
    yield
    _observe.start_logging()


@pytest.fixture
def world(real_table: Table) -> Iterator[ParallelWorld]:
    with a_parallel_world(real_table) as made:
        yield made
