"""A recharge dies at each of its outside calls, or loses the answer: its owner is charged once, or told why not."""

from __future__ import annotations

import pytest

from chalicelib.flows.teams.tend_recharge import tend_recharge
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, lose_every_answer
from tests.journeys.test_recharge_stops import DECLINED, changed_card
from tests.recharges import NINETY, SETTINGS, bought, emptied, key_of, recharges, recharging, spent, use
from tests.teams import MENTORING, an_owner, path_of, team
from tests.world import Person, World


def is_full(owner: Person) -> None:
    found = (owner.units(MENTORING), bought(owner), spent(owner), len(recharges(owner)))
    assert found == (3, [NINETY], "90.00", 0), found


def use_of_the_pool(world: World) -> Scenario:
    owner = recharging(world)
    return Scenario(lambda: use(owner, "one"), 7, (201, 200), settled=lambda: is_full(owner))


def settings_of_a_low_pool(world: World) -> Scenario:
    owner = an_owner(world)
    assert use(owner, "one").status == 201
    return Scenario(lambda: owner.put(path_of(owner), SETTINGS), 7, (200,), settled=lambda: is_full(owner))


def be_refused_by_an_empty_pool(world: World) -> Scenario:
    """Nothing waits to be bought for it, which is looked for before the refusal."""
    owner = emptied(world)

    def is_filled() -> None:
        assert (bought(owner), recharges(owner)) == ([NINETY], [])

    return Scenario(lambda: use(owner, "three"), 6, (402, 201), settled=is_filled)


def buy(world: World) -> Scenario:
    owner = recharging(world)
    use(owner, "one")
    (key,) = map(key_of, recharges(owner))
    return Scenario(lambda: tend_recharge(world.runtime.context(world.now), key), 8, settled=lambda: is_full(owner))


def buy_with_a_card_that_is_refused(world: World) -> Scenario:
    owner = recharging(world, max_period_spend=100)
    changed_card(owner, DECLINED)
    use(owner, "one")
    (key,) = map(key_of, recharges(owner))

    def has_stopped() -> None:
        found = team(owner)
        assert (found["auto_recharge_stopped"], found["current_period_spend"]) == ("generic_decline", "0.00")
        assert (owner.units(MENTORING), bought(owner), recharges(owner)) == (1, [], [])

    return Scenario(lambda: tend_recharge(world.runtime.context(world.now), key), 8, settled=has_stopped)


REQUESTS: list[Prepare] = [use_of_the_pool, settings_of_a_low_pool, be_refused_by_an_empty_pool]


@pytest.mark.parametrize("prepare", REQUESTS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfARequest:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")


@pytest.mark.parametrize("prepare", [buy, buy_with_a_card_that_is_refused], ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfTheWorker:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="told")
