"""What the worker pays for one person: six calls of the table at most, whatever comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.adapters.stripe.gateway import StripeGateway
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.subscriptions import store
from chalicelib.books.subscriptions.model import Status
from chalicelib.books.subscriptions.queries import held
from chalicelib.dynamo.table import Usage, usage
from chalicelib.dynamo.writes import commit
from chalicelib.flows.recurring.tend import tend
from tests.books import check_books
from tests.journeys.test_renewals import AUTHENTICATE, DECLINED, GOOD, lasting, month
from tests.recurring import holding, paid, subscribed
from tests.world import Person, World

READ, BEGUN, DONE = ["GetItem"], ["BatchGetItem", "TransactWriteItems"], ["TransactWriteItems"]
RETIMED = ["Query", "TransactWriteItems"]
CALLS_MAX = 6


def cost(person: Person) -> list[str]:
    """The calls of the table by which everything that is due about a person's holding is done."""
    world, spent = person.world, Usage()
    key = store.holding_key(holding(person))
    token = usage.set(spent)
    try:
        tend(world.runtime.context(world.now), key)
    finally:
        usage.reset(token)
    assert len(spent.operations) <= CALLS_MAX, spent.operations
    return spent.operations


class TestATurnOfTheWorker:
    @pytest.mark.parametrize("plan", [lambda world: "basic", lasting], ids=["refilled", "lasting"])
    def test_for_a_renewal(self, world: World, plan: Callable[[World], str]) -> None:
        person = subscribed(world, plan(world))
        world.now = month(1)
        assert cost(person) == READ + BEGUN + DONE + RETIMED
        assert paid(person) == [59.99, 59.99]
        assert cost(person) == READ
        world.settle()
        check_books(world)

    def test_for_one_that_is_free(self, world: World) -> None:
        person = subscribed(world, "free", person=world.person())
        world.now = month(1)
        assert cost(person) == [*READ, "BatchGetItem", *READ, *DONE, *RETIMED]
        assert paid(person) == [0.0, 0.0]

    @pytest.mark.parametrize("number", [DECLINED, AUTHENTICATE])
    def test_for_a_refusal_and_each_after_it(self, world: World, number: str) -> None:
        person = subscribed(world)
        person.save_card(number)
        for setup in world.at_stripe("setup_intent"):
            if setup["status"] == "requires_action":
                world.control(f"/_control/authenticate/{setup['id']}", {"success": True})
        world.settle()
        world.now = month(1)
        assert cost(person) == READ + BEGUN + DONE + RETIMED
        for days in (1, 2, 2, 2):
            assert holding(person).status is Status.PAYMENT_ISSUE
            world.settle()
            world.advance(days=days)
            cost(person)
        assert holding(person).status is Status.EXPIRED
        world.settle()
        check_books(world)

    def test_for_what_is_paid_after_a_refusal(self, world: World) -> None:
        person = subscribed(world)
        person.save_card(DECLINED)
        world.settle()
        world.now = month(1)
        cost(person)
        person.save_card(GOOD)
        world.queue.holdings.clear()
        assert cost(person) == READ + BEGUN + DONE + RETIMED
        assert holding(person).status is Status.ACTIVE

    def test_for_a_refill(self, world: World) -> None:
        person = subscribed(world, chosen_period="YEAR")
        world.now = month(1)
        assert cost(person) == READ + DONE + READ

    def test_for_an_instalment(self, world: World) -> None:
        person = subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)
        world.now = month(1)
        assert cost(person) == READ + BEGUN + DONE
        assert len(paid(person)) == 2


def touched(person: Person) -> None:
    """Somebody else changes the holding: what they wrote must not be lost."""
    found = held(person.world.table, store.holding_key(holding(person)))
    assert found is not None
    after = found.holding.model_copy(update={"cancel_reason": "too dear"})
    commit(person.world.table, [store.changed_holding(after, version=found.version)])


class TestAHoldingThatIsRemembered:
    """It is no truth: whoever changes it in between is not overwritten."""

    def test_between_the_attempt_and_its_payment(self, world: World) -> None:
        person = subscribed(world)
        world.now = month(1)
        real = StripeGateway.charge

        def charge(gateway: StripeGateway, asked: Any) -> Any:
            touched(person)
            return real(gateway, asked)

        with patch.object(StripeGateway, "charge", charge):
            tend(world.runtime.context(world.now), store.holding_key(holding(person)))
        assert (paid(person), holding(person).cancel_reason) == ([59.99, 59.99], "too dear")

    def test_between_the_attempt_and_its_refusal(self, world: World) -> None:
        person = subscribed(world)
        person.save_card(DECLINED)
        world.settle()
        world.now = month(1)
        real = StripeGateway.charge

        def charge(gateway: StripeGateway, asked: Any) -> Any:
            touched(person)
            return real(gateway, asked)

        with patch.object(StripeGateway, "charge", charge):
            tend(world.runtime.context(world.now), store.holding_key(holding(person)))
        assert (holding(person).status, holding(person).cancel_reason) == (Status.PAYMENT_ISSUE, "too dear")

    def test_between_the_payment_and_the_lots(self, world: World) -> None:
        person = subscribed(world)
        world.now = month(1)
        real, times = ledger.own_balances, 0

        def own_balances(*asked: Any) -> Any:
            nonlocal times
            times += 1
            if times == 1:
                touched(person)
            return real(*asked)

        with patch.object(ledger, "own_balances", own_balances):
            tend(world.runtime.context(world.now), store.holding_key(holding(person)))
        after = holding(person)
        assert (times, after.cancel_reason, after.lots_until) == (2, "too dear", after.access_until)
        world.advance(seconds=1)
        assert paid(person) == [59.99, 59.99]
