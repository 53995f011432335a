"""Payments that are refused, wait for the bank, or are tried too often."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.billing.gateway import Charge, Payment, PaymentRefused, PaymentServiceBusy
from tests.books import check_books
from tests.world import Person, Reply, World

DECLINING = "4000000000000341"
ALWAYS_ASKS, ASKS_UNLESS_SET_UP = "4000002760003184", "4000002500003155"


def authenticated(world: World, number: str) -> Person:
    """A person with a saved card whose bank wants to see its holder."""
    person = world.person()
    setup = person.save_card(number).json
    assert setup["status"] == "requires_action"
    authenticate(world, setup["client_secret"], success=True)
    return person


def authenticate(world: World, client_secret: str, *, success: bool) -> None:
    world.control(f"/_control/authenticate/{client_secret.partition('_secret_')[0]}", {"success": success})
    world.settle()


def refused(answer: Reply, status: int, slug: str) -> bool:
    return (answer.status, answer.json["slug"]) == (status, slug)


class TestAuthentication:
    @pytest.mark.parametrize("told", [True, False])
    def test_that_succeeds_delivers(self, world: World, told: bool) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        bag = person.check("basic").json
        waiting = person.pay(bag, chosen_period="MONTH")
        assert (waiting.status, waiting.json["status"]) == (202, "requires_action")
        assert person.units("ai-chat") == 0
        again = person.pay(bag, chosen_period="MONTH")
        assert again.json == waiting.json
        if told:
            authenticate(world, waiting.json["client_secret"], success=True)
        else:
            world.misbehave(webhooks={"drop": True})
            authenticate(world, waiting.json["client_secret"], success=True)
            world.advance(minutes=16)
            world.sweep()
            world.sweep()
        assert person.units("ai-chat") == 5000
        assert person.pay(bag, chosen_period="MONTH").json["id"] == waiting.json["id"]
        world.advance(minutes=2)
        world.sweep()
        check_books(world)

    def test_of_a_card_that_was_set_up_is_not_asked_for_again(self, world: World) -> None:
        person = authenticated(world, ASKS_UNLESS_SET_UP)
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200

    def test_that_fails_closes_the_payment_and_frees_the_bag(self, world: World) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        bag = person.check("basic").json
        waiting = person.pay(bag, chosen_period="MONTH").json
        authenticate(world, waiting["client_secret"], success=False)
        (intent,) = world.at_stripe("payment_intent")
        assert intent["status"] == "canceled"
        assert [invoice["status"] for invoice in person.invoices()] == ["REJECTED"]
        assert person.save_card().status == 200
        paid = person.pay(bag, chosen_period="MONTH")
        assert (paid.status, paid.json["id"] != waiting["id"]) == (200, True)
        world.settle()
        check_books(world)

    @pytest.mark.parametrize("seen_by", ["sweep", "call"])
    def test_that_fails_untold_is_closed_too(self, world: World, seen_by: str) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        world.misbehave(webhooks={"drop": True})
        bag = person.check("basic").json
        waiting = person.pay(bag, chosen_period="MONTH").json
        authenticate(world, waiting["client_secret"], success=False)
        if seen_by == "sweep":
            world.advance(minutes=16)
            world.sweep()
        else:
            assert refused(person.pay(bag, chosen_period="MONTH"), 402, "card-error")
        assert [invoice["status"] for invoice in person.invoices()] == ["REJECTED"]
        assert [intent["status"] for intent in world.at_stripe("payment_intent")] == ["canceled"]

    def test_that_nobody_finishes_is_closed_after_a_day(self, world: World) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 202
        world.settle()
        for _ in range(23):
            world.advance(hours=1)
            world.sweep()
        assert [invoice["status"] for invoice in person.invoices()] == ["PENDING"]
        world.advance(hours=1, minutes=16)
        world.sweep()
        (intent,) = world.at_stripe("payment_intent")
        assert intent["status"] == "canceled"
        assert person.invoices() == []
        assert [invoice["status"] for invoice in person.invoices(status="VOIDED")] == ["VOIDED"]
        world.settle()
        check_books(world)

    def test_of_units_delivers_too(self, world: World) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        waiting = person.buy()
        assert waiting.status == 202
        authenticate(world, waiting.json["client_secret"], success=True)
        assert person.units("mentorship-service") == 10


class TestProcessing:
    @pytest.mark.parametrize(("success", "status", "units"), [(True, "FULFILLED", 5000), (False, "REJECTED", 0)])
    @pytest.mark.parametrize("told", [True, False])
    def test_ends_as_the_network_decides(
        self, world: World, success: bool, status: str, units: int, told: bool
    ) -> None:
        person = world.paying()
        world.settle()
        stays = {"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}
        world.misbehave(rules=[stays], webhooks={"drop": not told})
        bag = person.check("basic").json
        waiting = person.pay(bag, chosen_period="MONTH")
        assert (waiting.status, waiting.json["status"]) == (202, "processing")
        world.settle()
        for _ in range(30):  # however long it takes, it is never given up
            world.advance(hours=1)
            world.sweep()
        assert [invoice["status"] for invoice in person.invoices()] == ["PENDING"]
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/process/{intent['id']}", {"success": success})
        world.settle()
        world.advance(minutes=16)
        world.sweep()
        world.sweep()
        assert [invoice["status"] for invoice in person.invoices()] == [status]
        assert person.units("ai-chat") == units
        world.advance(minutes=2)
        world.sweep()
        check_books(world)


class TestLostAnswers:
    @pytest.mark.parametrize("action", ["lose_answer", "error_500", "refuse_connection"])
    def test_of_one_call_are_asked_for_again(self, world: World, action: str) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": action, "times": 1}])
        answer = person.buy()
        assert answer.status == 201
        assert len(world.charges(answer.json["id"])) == 1

    @pytest.mark.parametrize("action", ["lose_answer", "error_500", "refuse_connection"])
    def test_of_every_call_leave_it_pending_and_charge_it_once(self, world: World, action: str) -> None:
        person = world.paying()
        bag = person.check("basic").json
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": action, "times": 2}])
        waiting = person.pay(bag, chosen_period="MONTH")
        assert (waiting.status, waiting.json["status"]) == (202, "processing")
        paid = person.pay(bag, chosen_period="MONTH")
        assert (paid.status, paid.json["id"]) == (200, waiting.json["id"])
        assert len(world.charges(paid.json["id"])) == 1
        world.settle()
        check_books(world)

    def test_a_decline_whose_answer_was_lost_is_a_decline(self, world: World) -> None:
        person = world.person()
        assert person.save_card(DECLINING).status == 200
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}])
        assert person.buy().status == 202
        world.settle()
        assert [invoice["status"] for invoice in person.invoices()] == ["REJECTED"]
        check_books(world)

    def test_a_busy_stripe_charges_nothing_and_frees_the_bag(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "error_429", "times": 2}])
        answer = person.pay(bag, chosen_period="MONTH")
        assert refused(answer, 402, "rate-limit-error") and "Retry-After" in answer.headers
        world.misbehave()
        assert person.pay(bag, chosen_period="MONTH").status == 200
        world.settle()
        check_books(world)


class TestTheLimitOfDeclines:
    def test_counts_plans_and_units_together_and_ends_after_an_hour(self, world: World) -> None:
        person = world.person()
        assert person.save_card(DECLINING).status == 200
        bag = person.check("basic").json
        for number in range(5):
            answer = person.buy() if number % 2 else person.pay(bag, chosen_period="MONTH")
            assert refused(answer, 402, "card-error")
            world.advance(minutes=5)
        stopped = person.buy()
        assert refused(stopped, 429, "too-many-attempts")
        wait = int(stopped.headers["Retry-After"])
        assert wait == 35 * 60
        bag = person.check("basic").json
        assert refused(person.pay(bag, chosen_period="MONTH"), 429, "too-many-attempts")
        assert person.save_card().status == 200
        world.advance(seconds=wait - 1)
        assert refused(person.buy(), 429, "too-many-attempts")
        world.advance(seconds=1)
        assert person.pay(bag, chosen_period="MONTH").status == 200
        world.settle()
        check_books(world)

    def test_does_not_count_a_busy_stripe(self, world: World) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "error_429", "times": 5}])
        for _ in range(5):
            assert refused(person.buy(), 402, "rate-limit-error")
        assert person.buy().status == 201

    def test_does_not_count_successes(self, world: World) -> None:
        person = world.paying()
        assert [person.buy(how_many=1).status for _ in range(7)] == [201] * 7

    @pytest.mark.parametrize("body", [{"how_many": 0}, {"service": "nothing"}, {"how_many": 21}])
    def test_does_not_count_what_never_reached_a_card(self, world: World, body: dict[str, Any]) -> None:
        person = world.paying()
        assert {person.buy(**body).status for _ in range(6)} <= {400, 404}
        assert person.buy().status == 201

    def test_is_each_persons_own(self, world: World) -> None:
        person = world.person()
        assert person.save_card(DECLINING).status == 200
        assert [person.buy().status for _ in range(6)] == [402] * 5 + [429]
        assert world.paying().buy().status == 201


class TestTheLimitOfCards:
    def test_stops_the_eleventh_for_an_hour(self, world: World) -> None:
        person = world.person()
        numbers = ["4242424242424242", "4000000000000002"] * 5
        assert [person.save_card(number).status for number in numbers] == [200, 402] * 5
        stopped = person.save_card()
        assert refused(stopped, 429, "too-many-attempts")
        wait = int(stopped.headers["Retry-After"])
        assert wait == 3600
        world.advance(seconds=wait - 1)
        assert person.save_card().status == 429
        world.advance(seconds=1)
        assert person.save_card().status == 200

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"card_number": "4242424242424242"},
            {"card_number": "4242424242424242", "exp_month": 13, "exp_year": 30, "cvc": "1"},
            {"token": "tok_visa", "payment_method": "pm_card_visa"},
        ],
    )
    def test_does_not_count_malformed_bodies(self, world: World, body: dict[str, Any]) -> None:
        person = world.person()
        for _ in range(11):
            assert refused(person.post("/v2/payments/card", body), 400, "missing-card-information")
        assert person.save_card().status == 200


class TestACallThatStoodStill:
    @pytest.mark.parametrize("refusal", [PaymentServiceBusy, PaymentRefused])
    def test_does_not_say_that_nothing_was_charged_where_another_one_paid(
        self, world: World, refusal: type[Exception]
    ) -> None:
        person = world.paying()
        bag = person.check("basic").json
        real = world.runtime.gateway.charge
        others: list[Reply] = []

        def stands_still(asked: Charge) -> Payment:
            if others:
                return real(asked)
            others.append(Reply(0, {}, ""))
            world.advance(seconds=30)
            others.append(person.pay(bag, chosen_period="MONTH"))
            raise refusal

        with patch.object(world.runtime.gateway, "charge", stands_still):
            first = person.pay(bag, chosen_period="MONTH")
        assert (first.status, others[1].status) == (200, 200)
        assert first.json["id"] == others[1].json["id"]
        world.settle()
        check_books(world)
