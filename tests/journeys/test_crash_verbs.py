"""The process dies, or loses an answer, at each outside call of a customer's verb: nothing is paid twice."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from tests.journeys.test_cancel import ASKS, GOOD, failing, intents
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, lose_every_answer
from tests.recurring import ask, holding, live, paid, path_of, subscribed
from tests.world import Person, World

KEY = {"Idempotency_Key": "a-click"}
ONCE_MORE = (200, 409)


def has_paid(person: Person, *amounts: float) -> None:
    assert paid(person) == list(amounts)


def payable(world: World, plan: str = "basic", **pay: Any) -> Person:
    """Somebody whose payment was refused, and whose card would do now."""
    person = failing(world, plan=plan, **pay)
    with patch("chalicelib.flows.checkout.save_card.card_saved"):
        assert person.save_card(GOOD).status == 200
    world.settle()
    return person


def pay_what_is_open(world: World) -> Scenario:
    person = payable(world)
    path = f"{path_of(holding(person))}/pay"
    return Scenario(lambda: person.put(path), 8, ONCE_MORE, settled=lambda: has_paid(person, 59.99, 59.99))


def pay_with_a_key(world: World) -> Scenario:
    person = payable(world)
    path = f"{path_of(holding(person))}/pay"
    return Scenario(lambda: person.put(path, None, **KEY), 8, (200,), settled=lambda: has_paid(person, 59.99, 59.99))


def be_declined_with_a_key(world: World) -> Scenario:
    person = failing(world)
    path = f"{path_of(holding(person))}/pay"
    return Scenario(lambda: person.put(path, None, **KEY), 8, (402,), settled=lambda: has_paid(person, 59.99))


def renew_early(world: World) -> Scenario:
    person = subscribed(world)
    path = f"{path_of(holding(person))}/renew"
    return Scenario(lambda: person.put(path), 6, ONCE_MORE, settled=lambda: has_paid(person, 59.99, 59.99))


def pay_the_rest(world: World) -> Scenario:
    person = payable(world, "bootcamp", chosen_period=None, how_many_installments=12)
    path = f"{path_of(holding(person))}/pay"
    return Scenario(
        lambda: person.put(path, {"all": True}), 8, ONCE_MORE, settled=lambda: has_paid(person, 299.0, 3289.0)
    )


def resume_a_pause(world: World) -> Scenario:
    person = subscribed(world)
    assert ask(person, "pause", {"days": 30}).status == 200
    live(world, 33)
    path = f"{path_of(holding(person))}/resume"
    return Scenario(lambda: person.put(path), 10, ONCE_MORE, settled=lambda: has_paid(person, 59.99, 59.99))


def cancel_now(world: World) -> Scenario:
    person = subscribed(world)
    path = f"{path_of(holding(person))}/cancel"

    def over() -> None:
        assert (holding(person).status, person.units("ai-chat"), paid(person)) == ("CANCELLED", 0, [59.99])

    return Scenario(lambda: person.put(path, {"when": "now"}), 5, (200, 400), settled=over)


def cancel_what_waits_for_the_bank(world: World) -> Scenario:
    person = failing(world, ASKS)
    path = f"{path_of(holding(person))}/cancel"

    def over() -> None:
        assert (holding(person).status, paid(person)) == ("CANCELLED", [59.99])
        assert intents(world) == ["succeeded", "canceled"]

    return Scenario(lambda: person.put(path), 6, (200, 400), settled=over)


VERBS: list[Prepare] = [
    pay_what_is_open,
    pay_with_a_key,
    be_declined_with_a_key,
    renew_early,
    pay_the_rest,
    resume_a_pause,
    cancel_now,
    cancel_what_waits_for_the_bank,
]


@pytest.mark.parametrize("prepare", VERBS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfAVerb:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")
