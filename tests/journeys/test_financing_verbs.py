"""What cannot be asked of a plan that is paid by instalments is refused in one clear way, to its owner alone."""

from __future__ import annotations

import pytest

from tests.recurring import holding, path_of, subscribed
from tests.staffing import refused
from tests.world import Person, Reply, World

CHANGE = {"plan": "basic", "chosen_period": "YEAR"}
REFUSED = {
    "change": (CHANGE, "plan-financing-cannot-be-changed"),
    "change/preview": (None, "plan-financing-cannot-be-changed"),
    "pause": ({"days": 5}, "plan-financing-not-pausable"),
    "resume": (None, "plan-financing-not-pausable"),
}


@pytest.fixture
def financed(world: World) -> Person:
    return subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)


def ask(person: Person, path: str, verb: str) -> Reply:
    if verb == "change/preview":
        return person.get(f"{path}/{verb}?plan=basic&chosen_period=YEAR")
    return person.put(f"{path}/{verb}", REFUSED[verb][0])


@pytest.mark.parametrize("verb", sorted(REFUSED))
class TestAFinancing:
    def test_is_not_changed_or_paused(self, world: World, financed: Person, verb: str) -> None:
        before = world.snapshot()
        refused(ask(financed, path_of(holding(financed)), verb), 409, REFUSED[verb][1])
        assert world.snapshot() == before

    def test_of_somebody_else_is_not_found(self, world: World, financed: Person, verb: str) -> None:
        refused(ask(world.paying(), path_of(holding(financed)), verb), 404, "plan-financing-not-found")

    def test_that_nobody_has_is_not_found(self, financed: Person, verb: str) -> None:
        refused(ask(financed, "/v1/payments/me/planfinancing/77", verb), 404, "plan-financing-not-found")


class TestABodyOfAChange:
    def test_is_read_as_of_a_subscription(self, financed: Person) -> None:
        path = path_of(holding(financed))
        refused(financed.put(f"{path}/change", {}), 400, "invalid-request")
        never = {"plan": "basic", "chosen_period": "never"}
        refused(financed.put(f"{path}/change", never), 400, "invalid-chosen-period")
        refused(financed.get(f"{path}/change/preview"), 400, "invalid-request")
        refused(financed.get(f"{path}/change/preview?plan=basic&chosen_period=never"), 400, "invalid-request")
