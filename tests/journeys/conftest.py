"""A world for each journey."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shop import open_shop
from tests.world import World, a_world


@pytest.fixture
def world() -> Iterator[World]:
    with a_world(open_shop) as made:
        yield made
