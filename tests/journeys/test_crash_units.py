"""Grants and revocations of staff die at each outside call, or lose its answer: called again, they are one."""

from __future__ import annotations

import pytest

from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, has, lose_every_answer
from tests.journeys.test_staff_units import give, given, take
from tests.shop import MENTORING
from tests.staffing import clerk
from tests.world import World


def grant_units(world: World) -> Scenario:
    staff, person = clerk(world), world.person()
    return Scenario(
        lambda: give(staff, person, "a-key", service=MENTORING), 8, (201,), settled=lambda: has(person, mentoring=5)
    )


def revoke_what_was_bought_and_given(world: World) -> Scenario:
    staff, person = clerk(world), world.paying()
    assert person.buy(how_many=2).status == 201
    world.settle()
    given(staff, person, service=MENTORING)
    return Scenario(
        lambda: take(staff, person, 4, "a-key", service=MENTORING), 7, (200,), settled=lambda: has(person, mentoring=3)
    )


CALLS: list[Prepare] = [grant_units, revoke_what_was_bought_and_given]


@pytest.mark.parametrize("prepare", CALLS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfAnAdjustment:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("again",))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")
