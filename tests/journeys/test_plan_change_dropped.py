"""A change that was planned is dropped with the plan that it was of: nobody is kept from buying what they planned."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.books import check_books
from tests.changing import MONTH_END, changed, further_plans
from tests.journeys.test_catalog import staff
from tests.journeys.test_staff_refunds import refund
from tests.recurring import ask, holding, live, paid, run, shown, subscribed, until
from tests.world import Person, World


@pytest.fixture(autouse=True)
def plans(world: World) -> None:
    further_plans(world)


@pytest.fixture
def person(world: World) -> Person:
    """Somebody who pays pro, and planned basic for the end of the month."""
    found = subscribed(world, "pro")
    changed(world, found, "basic")
    assert found.check("basic").json["slug"] == "plan-already-bought"
    return found


class TestACancellation:
    def test_leaves_the_plan_that_was_planned_free_to_buy(self, world: World, person: Person) -> None:
        found = ask(person, "cancel").json
        assert (found["status"], found["planned"]) == ("CANCELLED", None)
        assert person.check("pro").json["slug"] == "plan-already-bought"
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        run(world)
        check_books(world)

    def test_that_is_taken_back_does_not_bring_it_again(self, world: World, person: Person) -> None:
        ask(person, "cancel")
        assert ask(person, "reactivate").json["planned"] is None
        assert person.check("basic").status == 200
        until(world, MONTH_END)
        assert (paid(person), shown(person)["plans"][0]["slug"]) == ([119.99, 119.99], "pro")
        check_books(world)

    def test_while_a_payment_is_disputed_drops_it_too(self, world: World, person: Person) -> None:
        (payment,) = world.charges(holding(person).id)
        world.control(f"/_control/dispute/{payment['id']}", {"outcome": "open"})
        run(world)
        ask(person, "cancel")
        world.control(f"/_control/dispute/{payment['id']}", {"outcome": "won"})
        run(world)
        assert (shown(person)["planned"], person.check("basic").status) == (None, 200)
        check_books(world)

    def test_now_leaves_nothing_planned(self, world: World, person: Person) -> None:
        assert ask(person, "cancel", {"when": "now"}).json["planned"] is None
        assert [person.check(plan).status for plan in ("basic", "pro")] == [200, 200]
        run(world)
        check_books(world)


class TestARefundThatEndsItWithThePeriod:
    @pytest.fixture(autouse=True)
    def refunded(self, world: World, person: Person) -> None:
        clerk = staff(world, "issue_refund")
        assert refund(clerk, holding(person).id, plan_action="cancel_at_period_end").status == 201
        run(world)
        assert shown(person)["status"] == "CANCELLED"

    def fails(self, world: World) -> None:
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        run(world)

    def test_leaves_the_plan_that_was_planned_free_to_buy(self, world: World, person: Person) -> None:
        assert person.check("basic").status == 200
        assert person.check("pro").json["slug"] == "plan-already-bought"
        check_books(world)

    def test_and_fails_goes_on_with_what_was_planned(self, world: World, person: Person) -> None:
        self.fails(world)
        assert shown(person)["planned"]["plan"]["slug"] == "basic"
        assert person.check("basic").json["slug"] == "plan-already-bought"
        until(world, MONTH_END)
        assert (paid(person), shown(person)["plans"][0]["slug"]) == ([119.99, 59.99], "basic")
        check_books(world)

    def test_and_fails_once_it_was_bought_goes_on_as_it_was(self, world: World, person: Person) -> None:
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        self.fails(world)
        found = {
            one["plans"][0]["slug"]: one for one in person.get("/v1/payments/me/subscription").json["subscriptions"]
        }
        assert {slug: (one["status"], one["planned"]) for slug, one in found.items()} == {
            "pro": ("ACTIVE", None),
            "basic": ("ACTIVE", None),
        }
        until(world, MONTH_END)
        assert sorted(paid(person)) == [59.99, 59.99, 119.99, 119.99]
        check_books(world)


class TestAnEnd:
    def test_for_want_of_payment_leaves_nothing_planned(self, world: World, person: Person) -> None:
        assert person.save_card("4000000000000341").status == 200
        until(world, MONTH_END + timedelta(days=9))
        assert (shown(person, "EXPIRED")["planned"], person.check("basic").status) == (None, 200)
        live(world, 1)
        check_books(world)
