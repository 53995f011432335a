"""What was cancelled is taken up again while time is left, or bought anew when there is none."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import pytest

from chalicelib.flows.checkout.take_over import Claimed
from tests.books import check_books
from tests.journeys.test_cancel import NOW
from tests.journeys.test_catalog import staff
from tests.journeys.test_declines import refused
from tests.journeys.test_staff_refunds import refund
from tests.recurring import ask, holding, live, paid, run, shown, subscribed
from tests.world import START, World


class TestReactivated:
    def test_is_charged_on_its_old_day(self, world: World) -> None:
        person = subscribed(world)
        live(world, 10)
        ask(person, "cancel", {"reason": "too dear"})
        live(world, 10)
        found = ask(person, "reactivate").json
        assert (found["status"], found["next_payment_at"]) == ("ACTIVE", "2026-12-21T12:00:00Z")
        assert (found["cancel_at_period_end"], found["cancel_reason"]) == (False, None)
        live(world, 11)
        assert (paid(person), person.units("ai-chat")) == ([59.99, 59.99], 5000)
        check_books(world)

    def test_a_trial_goes_on_as_one(self, world: World) -> None:
        person = subscribed(world, "pro-trial")
        ask(person, "cancel")
        assert ask(person, "reactivate").json["status"] == "FREE_TRIAL"
        live(world, 8)
        assert (paid(person), shown(person)["status"]) == ([0.0, 39.0], "ACTIVE")
        check_books(world)

    @pytest.mark.parametrize("plan", ["basic", "pro-trial"])
    def test_what_is_not_cancelled_is_refused(self, world: World, plan: str) -> None:
        assert refused(ask(subscribed(world, plan), "reactivate"), 400, "already-active")

    def test_after_its_end_is_refused(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "cancel")
        world.now = START + timedelta(days=30)
        assert refused(ask(person, "reactivate"), 400, "reactivation-period-expired")
        run(world)
        assert refused(ask(person, "reactivate"), 400, "reactivation-period-expired")

    def test_what_ended_now_is_refused(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "cancel", NOW)
        assert refused(ask(person, "reactivate"), 400, "reactivation-period-expired")

    @pytest.mark.parametrize("action", ["cancel_now", "cancel_at_period_end"])
    def test_what_was_refunded_is_refused(self, world: World, action: str) -> None:
        person = subscribed(world)
        clerk = staff(world, "issue_refund")
        assert refund(clerk, holding(person).id, plan_action=action).status == 201
        world.settle()
        assert refused(ask(person, "reactivate"), 409, "payment-was-refunded")
        assert refused(ask(person, "cancel"), 400, "already-cancelled")

    def test_one_that_was_refunded_to_its_end_stays_over_when_the_refund_fails(self, world: World) -> None:
        person = subscribed(world)
        assert (
            refund(staff(world, "issue_refund"), holding(person).id, plan_action="cancel_at_period_end").status == 201
        )
        world.settle()
        live(world, 31)
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        world.settle()
        found = holding(person)
        assert (found.status, found.ended_at is not None) == ("CANCELLED", True)


class TestBoughtAgain:
    def test_once_it_is_over_by_date_though_nobody_said_so(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "cancel")
        world.now = START + timedelta(days=30, seconds=-1)
        assert refused(person.check("basic"), 400, "plan-already-bought")
        world.advance(seconds=1)
        bag = person.check("basic")
        assert bag.status == 200, bag.text
        assert person.pay(bag.json, chosen_period="MONTH").status == 200
        world.settle()
        run(world)
        assert person.units("ai-chat") == 5000
        check_books(world)

    def test_with_a_bag_that_was_checked_before(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "cancel")
        world.now = START + timedelta(days=30, seconds=-1)
        with patch("chalicelib.flows.checkout.check.claimed", lambda *_: Claimed()):
            bag = person.check("basic").json
        assert refused(person.pay(bag, chosen_period="MONTH"), 400, "plan-already-bought")
        world.advance(seconds=1)
        assert person.pay(bag, chosen_period="MONTH").status == 200
        world.settle()
        run(world)
        check_books(world)
