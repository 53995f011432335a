"""A change of plan dies at each of its outside calls, or loses the answer, and everything comes right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from chalicelib.books.subscriptions import store
from chalicelib.flows.recurring.tend import tend
from chalicelib.kernel.periods import Unit
from tests.changing import HALF, MONTH_END, change, further_plans, path_of
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, has, lose_every_answer
from tests.journeys.test_declines import ALWAYS_ASKS, authenticate, authenticated
from tests.recurring import holding, paid, run, subscribed, until
from tests.shop import a_plan, put
from tests.world import START, Person, World


def upgrade(world: World) -> Scenario:
    return _changing(world, "basic", "pro", calls_min=9, paid_in_all=[59.99, 30.0], chat=20_000)


def upgrade_under_a_key(world: World) -> Scenario:
    return _changing(world, "basic", "pro", calls_min=10, paid_in_all=[59.99, 30.0], chat=20_000, key="one")


def upgrade_for_nothing_under_a_key(world: World) -> Scenario:
    return _changing(world, "basic", "near", calls_min=7, paid_in_all=[59.99, 0.0], chat=5000, key="one")


def plan_a_downgrade_under_a_key(world: World) -> Scenario:
    return _changing(world, "pro", "basic", calls_min=6, paid_in_all=[119.99], chat=20_000, key="one")


def upgrade_for_nothing(world: World) -> Scenario:
    """Half-way through a month that costs the same but for some cents."""
    return _changing(world, "basic", "near", calls_min=6, paid_in_all=[59.99, 0.0], chat=5000)


def pay_for_a_year(world: World) -> Scenario:
    return _changing(world, "basic", "basic", "YEAR", calls_min=9, paid_in_all=[59.99, 449.99], chat=5000)


def plan_a_downgrade(world: World) -> Scenario:
    return _changing(world, "pro", "basic", calls_min=5, paid_in_all=[119.99], chat=20_000)


def change_a_trial(world: World) -> Scenario:
    trial = {"trial_duration": 30, "trial_duration_unit": Unit.DAY}
    put(world.table, a_plan(world.now, world.academy_id, id=1200, slug="other-trial", **trial))
    return _changing(world, "pro-trial", "other-trial", calls_min=7, paid_in_all=[0.0], chat=5000)


def be_refused(world: World) -> Scenario:
    person = _halfway(world, "basic")
    assert person.save_card("4000000000000341").status == 200
    world.settle()
    path = path_of(person)
    return Scenario(lambda: person.put(path, {"plan": "pro"}), 9, (402,), settled=lambda: has(person, chat=5000))


def another_change_instead(world: World) -> Scenario:
    """The bank's question about the first one stays open; the second one takes over with another card."""
    further_plans(world)
    person = authenticated(world, ALWAYS_ASKS)
    waiting = person.pay(person.check("basic").json, chosen_period="MONTH")
    authenticate(world, waiting.json["client_secret"], success=True)
    world.settle()
    until(world, HALF)
    assert change(person, "pro").status == 202
    assert person.save_card().status == 200
    world.settle()
    path = path_of(person)
    settled = _settled(world, person, [59.99, 120.0], 90_000)
    return Scenario(lambda: person.put(path, {"plan": "max"}), 12, (200,), settled=settled)


def renew_with_what_was_planned(world: World) -> Scenario:
    person = _halfway(world, "pro")
    assert change(person, "basic").status == 200
    world.settle()
    world.now = MONTH_END
    key = store.holding_key(holding(person))
    settled = _settled(world, person, [119.99, 59.99], 5000)
    return Scenario(lambda: tend(world.runtime.context(world.now), key), 6, settled=settled)


def _changing(
    world: World,
    plan: str,
    other: str,
    period: str = "MONTH",
    *,
    calls_min: int,
    paid_in_all: list[float],
    chat: int,
    key: str | None = None,
) -> Scenario:
    """The change from one plan to another, half-way through a month (or on the third day of a trial)."""
    person = _halfway(world, plan)
    path, body = path_of(person), {"plan": other, "chosen_period": period}
    headers = {} if key is None else {"Idempotency_Key": key}
    settled = _settled(world, person, paid_in_all, chat)
    return Scenario(lambda: person.put(path, body, **headers), calls_min, (200,), settled=settled)


def _halfway(world: World, plan: str) -> Person:
    further_plans(world)
    person = subscribed(world, plan)
    until(world, START + timedelta(days=2) if plan == "pro-trial" else HALF)
    return person


def _settled(world: World, person: Person, paid_in_all: list[float], chat: int) -> Callable[[], None]:
    def settled() -> None:
        run(world)
        assert paid(person) == pytest.approx(paid_in_all, abs=0.011)  # some seconds later it is a cent less
        has(person, chat=chat)

    return settled


ALL: list[Prepare] = [
    upgrade,
    upgrade_under_a_key,
    upgrade_for_nothing,
    upgrade_for_nothing_under_a_key,
    pay_for_a_year,
    plan_a_downgrade,
    plan_a_downgrade_under_a_key,
    change_a_trial,
    be_refused,
    another_change_instead,
]


@pytest.mark.parametrize("prepare", ALL, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfAChange:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")


class TestEachOutsideCallOfARenewalThatBringsWhatWasPlanned:
    def test_dying_at_it_comes_right(self, world: World) -> None:
        die_everywhere(world, renew_with_what_was_planned, helps=("told", "swept"))

    def test_losing_its_answer_comes_right(self, world: World) -> None:
        lose_every_answer(world, renew_with_what_was_planned, helped="told")
