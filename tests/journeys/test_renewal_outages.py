"""Renewals while the processor is away: nothing is counted against the customer, and each period is charged once."""

from __future__ import annotations

import pytest

from chalicelib.books.catalog.model import ServiceItem
from chalicelib.books.catalog.store import item_key
from chalicelib.kernel.periods import Unit
from tests.books import check_books
from tests.enrolling import change
from tests.journeys.test_renewals import AUTHENTICATE, month, refused
from tests.recurring import holding, live, mails, paid, run, shown, subscribed
from tests.world import World

ALWAYS = 1_000_000
CREATE, CANCEL, READ = (
    "POST /v1/payment_intents",
    "POST /v1/payment_intents/*/cancel",
    "GET /v1/payment_intents/*",
)


@pytest.mark.parametrize("action", ["error_429", "error_500", "refuse_connection", "lose_answer"])
class TestARenewal:
    def test_waits_for_a_processor_that_is_away(self, world: World, action: str) -> None:
        person = subscribed(world)
        world.now = month(1)
        world.misbehave(rules=[{"match": CREATE, "action": action, "times": ALWAYS}])
        run(world)
        for _ in range(6):
            world.advance(minutes=11)
            run(world)
        assert shown(person)["status"] == "ACTIVE"
        world.misbehave()
        world.advance(minutes=11)
        run(world)
        assert (paid(person), holding(person).dunning, mails(world, "refused")) == ([59.99, 59.99], None, [])
        live(world, 2)
        check_books(world)

    def test_is_charged_once_after_two_days_of_it(self, world: World, action: str) -> None:
        person = subscribed(world)
        world.now = month(1)
        world.misbehave(rules=[{"match": CREATE, "action": action, "times": ALWAYS}])
        for _ in range(8):
            run(world)
            world.sweep()
            world.advance(hours=6)
        world.misbehave()
        live(world, 3)
        assert (paid(person), shown(person)["status"]) == ([59.99, 59.99], "ACTIVE")
        check_books(world)


def test_the_week_that_was_paid_late_has_its_units(world: World) -> None:
    """Nobody came from the 13th of December on; when somebody does, the month is over and Stripe is away."""
    change(world, ServiceItem, item_key(1), renew_at=1, renew_at_unit=Unit.WEEK)
    person = subscribed(world)
    live(world, 22)
    assert person.put("/v1/payments/me/service/ai-chat/consumptionsession/one").status == 201
    world.advance(days=9)
    world.misbehave(rules=[{"match": CREATE, "action": "refuse_connection", "times": ALWAYS}])
    run(world)
    world.sweep()
    assert person.units("ai-chat") == 0
    world.misbehave()
    world.advance(minutes=11)
    run(world)
    assert (paid(person), person.units("ai-chat")) == ([59.99, 59.99], 5000)
    world.settle()
    check_books(world)


@pytest.mark.parametrize("where", [CANCEL, READ])
def test_a_retry_waits_until_the_attempt_before_it_is_closed(world: World, where: str) -> None:
    person = refused(world, AUTHENTICATE)
    asked = len(world.at_stripe("payment_intent"))
    world.misbehave(rules=[{"match": where, "action": "refuse_connection", "times": ALWAYS}])
    live(world, 1)
    assert len(world.at_stripe("payment_intent")) == asked
    assert shown(person)["status"] == "PAYMENT_ISSUE"
    world.misbehave()
    world.advance(minutes=11)
    run(world)
    assert len(world.at_stripe("payment_intent")) == asked + 1
    live(world, 8)
    check_books(world)
