"""A payment of what recurs came when a refund had ended the plan, and went back; then that refund failed."""

from __future__ import annotations

import pytest

from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_staff_refunds import refund
from tests.recurring import ask, holding, live, paid, run, shown, subscribed
from tests.world import Person, World

LOST = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}


def went_back(world: World) -> Person:
    """Somebody whose next period was paid when a refund held their plan back, so that the money went back."""
    person = subscribed(world)
    world.misbehave(rules=[LOST])
    assert ask(person, "renew").status == 202
    world.misbehave()
    assert refund(staff(world, "issue_refund"), holding(person).id).status == 201
    world.settle()
    return person


@pytest.mark.parametrize("verb", ["the schedule", "renew"])
def test_the_period_is_paid_by_another_invoice(world: World, verb: str) -> None:
    person = went_back(world)
    first, returned = world.at_stripe("refund")
    assert returned["payment_intent"] == world.at_stripe("payment_intent")[1]["id"]
    world.control(f"/_control/fail_refund/{first['id']}", {})
    world.settle()
    run(world)
    assert shown(person)["status"] == "ACTIVE"
    if verb == "renew":
        assert ask(person, "renew").status == 200
        world.settle()
    live(world, 31)
    assert paid(person) == [59.99, 59.99]
    assert (person.units("ai-chat"), holding(person).reissued) == (5000, 0)
    live(world, 31)
    assert paid(person) == [59.99] * 3
    check_books(world)
