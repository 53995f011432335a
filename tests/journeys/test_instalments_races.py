"""All that is left is paid while the instalment that was refused is tried with a new card: none is paid twice."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.subscriptions import store
from chalicelib.flows.recurring import collect as collecting
from chalicelib.flows.recurring.tend import tend
from tests.books import check_books
from tests.journeys.test_cancel import DECLINED, GOOD, failing
from tests.journeys.test_declines import refused
from tests.recurring import ask, holding, live, paid, run, shown
from tests.world import Person, World

ALL = {"all": True}
TWELVE: dict[str, Any] = {"chosen_period": None, "how_many_installments": 12}


@pytest.fixture
def person(world: World) -> Person:
    """Somebody whose second instalment was refused, and who saved another card: it is due at once."""
    found = failing(world, DECLINED, "bootcamp", **TWELVE)
    assert found.save_card(GOOD).status == 200
    return found


def retried(world: World, person: Person) -> None:
    tend(world.runtime.context(world.now), store.holding_key(holding(person)))


def is_paid_once(world: World, person: Person) -> bool:
    """Twelve instalments, whatever came first, and nothing at the processor beside what invoices say."""
    run(world)
    live(world, 31)
    check_books(world)
    taken = sum(one["amount_received"] for one in world.at_stripe("payment_intent"))
    return (sum(paid(person)), taken, shown(person)["status"]) == (12 * 299.0, 12 * 29_900, "FULLY_PAID")


class TestTheRestAndTheRetry:
    @pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "a-click"}])
    def test_that_came_before_is_taken_off(self, world: World, person: Person, key: dict[str, str]) -> None:
        retried(world, person)
        answer = ask(person, "pay", ALL, **key)
        assert (answer.status, answer.json["amount"]) == (200, 2990.0)
        assert is_paid_once(world, person)

    @pytest.mark.parametrize("key", [{}, {"Idempotency_Key": "a-click"}])
    def test_that_comes_between_reading_and_writing_is_taken_off(
        self, world: World, person: Person, key: dict[str, str]
    ) -> None:
        attempt, done = collecting._attempt, list[bool]()

        def meanwhile(*arguments: Any) -> Any:
            if not done:
                done.append(True)
                retried(world, person)
                assert paid(person) == [299.0, 299.0]
            return attempt(*arguments)

        with patch.object(collecting, "_attempt", meanwhile):
            answer = ask(person, "pay", ALL, **key)
        assert (answer.status, answer.json["amount"]) == (200, 2990.0)
        assert is_paid_once(world, person)

    def test_that_is_at_the_processor_is_waited_for(self, world: World, person: Person) -> None:
        gateway, answers = world.runtime.gateway, list[Any]()
        charge = gateway.charge

        def meanwhile(wanted: Any) -> Any:
            if not answers:
                answers.append(ask(person, "pay", ALL))
            return charge(wanted)

        with patch.object(gateway, "charge", meanwhile):
            retried(world, person)
        assert refused(answers[0], 409, "payment-in-flight")
        assert ask(person, "pay", ALL).json["amount"] == 2990.0
        assert is_paid_once(world, person)

    def test_that_comes_while_the_rest_is_at_the_processor_asks_for_nothing(self, world: World, person: Person) -> None:
        gateway, done = world.runtime.gateway, list[bool]()
        charge = gateway.charge

        def meanwhile(wanted: Any) -> Any:
            if not done:
                done.append(True)
                retried(world, person)
            return charge(wanted)

        with patch.object(gateway, "charge", meanwhile):
            assert ask(person, "pay", ALL).json["amount"] == 3289.0
        assert is_paid_once(world, person)

    def test_whose_answer_was_lost_is_asked_for_first(self, world: World, person: Person) -> None:
        rules = [{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 3}]
        world.misbehave(webhooks={"drop": True}, rules=rules)
        retried(world, person)
        world.misbehave()
        assert paid(person) == [299.0]
        answer = ask(person, "pay", ALL)
        assert (answer.status, answer.json["amount"]) == (200, 2990.0)
        assert is_paid_once(world, person)
