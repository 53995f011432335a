"""What costs nothing dies at each of its outside calls, and comes right."""

from __future__ import annotations

import pytest

from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, has, lose_every_answer
from tests.world import World


def take_a_free_plan(world: World) -> Scenario:
    person = world.person()
    bag = person.check("free").json
    return Scenario(lambda: person.pay(bag), 4, (200,), settled=lambda: has(person, chat=5000))


def take_it_with_a_whole_discount(world: World) -> Scenario:
    person = world.person()
    bag = person.check("basic", coupons=["gift"]).json
    return Scenario(lambda: person.pay(bag, chosen_period="MONTH", headers={"Idempotency-Key": "k"}), 4, (200,))


def begin_a_trial(world: World) -> Scenario:
    person = world.paying()
    bag = person.check("pro-trial").json
    return Scenario(lambda: person.pay(bag, chosen_period="MONTH"), 4, (200,), settled=lambda: has(person, chat=5000))


FREE: list[Prepare] = [take_a_free_plan, take_it_with_a_whole_discount, begin_a_trial]


@pytest.mark.parametrize("prepare", FREE, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfAFreePurchase:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")
