"""What every store's test is given: an empty table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.dynamo.table import Table
from tests.moto_table import moto_table


@pytest.fixture
def table() -> Iterator[Table]:
    with moto_table() as made:
        yield made
