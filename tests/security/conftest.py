"""Two tenants with something in every drawer, so that a request for another's things asks for things that there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.security.documented import Operation, operations
from tests.security.tenants import Tenants, two_tenants
from tests.shop import open_shop
from tests.world import Moment, a_world


@pytest.fixture(scope="module")
def furnished() -> Iterator[tuple[Tenants, Moment]]:
    """The tenants, and the moment at which they were made."""
    with a_world(open_shop) as world:
        tenants = two_tenants(world)
        yield tenants, world.moment()


@pytest.fixture
def tenants(furnished: tuple[Tenants, Moment]) -> Tenants:
    """As they were made, whatever the test before did."""
    tenants, moment = furnished
    tenants.world.go_back(moment)
    return tenants


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whoever asks for an `operation` is run for each one of the document."""
    if "operation" in metafunc.fixturenames:
        found: list[Operation] = list(operations())
        wanted = [one for one in found if getattr(metafunc.cls, "wanted", lambda _: True)(one)]
        metafunc.parametrize("operation", wanted, ids=str)
