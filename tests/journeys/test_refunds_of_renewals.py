"""Refunds and disputes of what recurs: each payment answers for its own period, and the worst of them holds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_renewals import lasting, month
from tests.journeys.test_staff_refunds import refund
from tests.recurring import holding, live, paid, run, shown, subscribed, until
from tests.world import Person, World


@pytest.fixture
def clerk(world: World) -> Person:
    return staff(world, "issue_refund")


def renewed(world: World, plan: str = "basic") -> tuple[Person, int, int]:
    """Somebody in their second period, with both invoices."""
    person = subscribed(world, plan)
    until(world, month(1))
    first, second = holding(person).invoice_ids
    return person, first, second


def has(person: Person) -> tuple[int, int]:
    return person.units("ai-chat"), person.units("all-courses")


class TestARefund:
    def test_of_the_period_that_runs_ends_the_plan(self, world: World, clerk: Person) -> None:
        person, _, second = renewed(world, lasting(world))
        answer = refund(clerk, second)
        assert answer.status == 201, answer.text
        run(world)
        assert shown(person, "CANCELLED")["status_message"] == "The payment was refunded."
        assert (has(person), person.units("mentorship-service")) == ((0, 0), 0)
        live(world, 40)
        assert paid(person) == [59.99]
        check_books(world)
        subscribed(world, person=person)

    def test_of_the_period_ahead_leaves_the_one_that_runs(self, world: World, clerk: Person) -> None:
        person = subscribed(world, lasting(world))
        assert person.put(f"/v1/payments/me/subscription/{holding(person).id}/renew").status == 200
        _, ahead = holding(person).invoice_ids
        assert refund(clerk, ahead).status == 201
        run(world)
        assert shown(person, "CANCELLED")["valid_until"] == "2026-12-21T12:00:00Z"
        assert (has(person), person.units("mentorship-service")) == ((5000, -1), 3)
        until(world, month(1))
        assert (has(person), person.units("mentorship-service")) == ((0, 0), 0)
        live(world, 40)
        assert paid(person) == [59.99]
        check_books(world)

    def test_of_a_period_that_is_over_leaves_the_one_that_runs(self, world: World, clerk: Person) -> None:
        person, first, _ = renewed(world)
        assert refund(clerk, first).status == 201
        run(world)
        assert (shown(person)["status"], has(person)) == ("ACTIVE", (5000, -1))
        live(world, 31)
        assert len([i for i in person.invoices(limit="9") if i["status"] == "FULFILLED"]) == 2
        check_books(world)

    def test_of_a_period_that_is_over_ends_the_plan_where_staff_say_so(self, world: World, clerk: Person) -> None:
        person, first, _ = renewed(world)
        assert refund(clerk, first, plan_action="cancel_now").status == 201
        run(world)
        assert (shown(person, "CANCELLED")["status"], has(person)) == ("CANCELLED", (0, 0))

    def test_of_half_a_year_takes_half_of_the_refill(self, world: World, clerk: Person) -> None:
        person = subscribed(world, chosen_period="YEAR")
        until(world, month(2))
        answer = refund(clerk, holding(person).id, amount=240)
        assert answer.status == 201, answer.text
        world.settle()
        assert person.units("ai-chat") == 5000 - 2500
        until(world, month(3))
        assert person.units("ai-chat") == 5000
        check_books(world)

    def test_that_fails_gives_back_what_the_renewal_brought(self, world: World, clerk: Person) -> None:
        person, _, second = renewed(world, lasting(world))
        assert refund(clerk, second).status == 201
        run(world)
        assert has(person) == (0, 0)
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        run(world)
        assert (shown(person)["status"], has(person), person.units("mentorship-service")) == ("ACTIVE", (5000, -1), 3)
        live(world, 31)
        assert paid(person) == [59.99] * 3
        check_books(world)

    def test_that_fails_after_its_customer_cancelled_gives_back_no_more_than_what_is_paid(
        self, world: World, clerk: Person
    ) -> None:
        person = subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)
        assert refund(clerk, holding(person).id, plan_action="keep").status == 201
        run(world)
        assert has(person) == (0, 0)
        assert person.put(f"/v1/payments/me/planfinancing/{holding(person).id}/cancel").status == 200
        run(world)
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        run(world)
        assert has(person) == (5000, -1)
        until(world, month(1))
        assert has(person) == (0, 0)
        check_books(world)


class TestADispute:
    def test_of_the_period_that_runs_freezes_it_and_asks_for_no_further_payment(self, world: World) -> None:
        person, _, second = renewed(world)
        dispute(world, second, "open")
        assert (shown(person)["status"], has(person)) == ("PAYMENT_ISSUE", (0, 0))
        live(world, 35)
        assert len(paid(person)) == 1
        dispute(world, second, "won")
        live(world, 1)
        assert (shown(person)["status"], paid(person)) == ("ACTIVE", [59.99] * 3)
        assert has(person) == (5000, -1)
        check_books(world)

    def test_that_is_lost_ends_the_plan(self, world: World) -> None:
        person, _, second = renewed(world)
        dispute(world, second, "open")
        dispute(world, second, "lost")
        assert (shown(person, "CANCELLED")["status"], has(person)) == ("CANCELLED", (0, 0))
        live(world, 35)
        check_books(world)

    def test_of_one_payment_is_not_lifted_by_what_happens_to_another(self, world: World, clerk: Person) -> None:
        person, first, second = renewed(world)
        dispute(world, second, "open")
        assert refund(clerk, first, amount=10).status == 201
        run(world)
        assert (shown(person)["status"], has(person)) == ("PAYMENT_ISSUE", (0, 0))
        dispute(world, second, "won")
        assert (shown(person)["status"], has(person)) == ("ACTIVE", (5000, -1))
        check_books(world)


def dispute(world: World, invoice_id: int, outcome: str) -> None:
    (payment,) = world.charges(invoice_id)
    world.control(f"/_control/dispute/{payment['id']}", {"outcome": outcome})
    run(world)


def test_a_payment_that_comes_after_the_end_goes_back(world: World) -> None:
    """A bank that took a week to say yes, of a plan that its customer has left meanwhile."""
    person = subscribed(world)
    world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
    until(world, month(1))
    assert len(paid(person)) == 1
    key: Any = holding(person)
    assert key.open_invoice_id is not None
    (intent,) = [one for one in world.at_stripe("payment_intent") if one["status"] == "processing"]
    live(world, 2)
    world.control(f"/_control/process/{intent['id']}", {"success": True})
    run(world)
    assert paid(person) == [59.99, 59.99]
    check_books(world)


class TestARefundThatEndsAPlan:
    def test_ends_what_an_earlier_payment_granted_without_waiting_for_the_tick(
        self, world: World, clerk: Person
    ) -> None:
        """Unlimited units are granted once, by the first payment, and last as long as the access."""
        person, _, second = renewed(world)
        assert refund(clerk, second).status == 201
        world.work()
        assert has(person) == (0, 0)
        world.settle()
        check_books(world)
