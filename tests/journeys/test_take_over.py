"""A customer who left a bank's question open comes back: with another card, or with another bag of the same plan."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.dynamo.table import Table
from tests.books import check_books
from tests.journeys.test_declines import ALWAYS_ASKS, DECLINING, authenticate, authenticated, refused
from tests.shop import a_coupon, put
from tests.world import Person, World

CHARGES = "POST /v1/payment_intents"
MASTERCARD = "5555555555554444"


def left_open(world: World) -> tuple[Person, Any, Any]:
    """A person whose bank was asked for a month of the plan and has not been answered."""
    person = authenticated(world, ALWAYS_ASKS)
    bag = person.check("basic").json
    waiting = person.pay(bag, chosen_period="MONTH")
    assert (waiting.status, waiting.json["status"]) == (202, "requires_action")
    return person, bag, waiting.json


def statuses(world: World) -> list[str]:
    return [intent["status"] for intent in world.at_stripe("payment_intent")]


class TestAnotherCard:
    def test_closes_the_open_payment_and_pays_anew(self, world: World) -> None:
        person, bag, waiting = left_open(world)
        assert person.save_card(MASTERCARD).status == 200
        paid = person.pay(bag, chosen_period="MONTH")
        assert paid.status == 200, paid.text
        assert paid.json["id"] != waiting["id"]
        assert sorted(statuses(world)) == ["canceled", "succeeded"]
        assert [i["status"] for i in person.invoices(status="VOIDED")] == ["VOIDED"]
        world.settle()
        check_books(world)

    def test_the_same_card_answers_the_same_question(self, world: World) -> None:
        person, bag, waiting = left_open(world)
        assert person.pay(bag, chosen_period="MONTH").json == waiting
        assert statuses(world) == ["requires_action"]

    def test_that_comes_after_the_bank_was_answered_is_not_charged(self, world: World) -> None:
        person, bag, waiting = left_open(world)
        assert person.save_card(MASTERCARD).status == 200
        world.misbehave(webhooks={"drop": True})
        authenticate(world, waiting["client_secret"], success=True)
        paid = person.pay(bag, chosen_period="MONTH")
        assert (paid.status, paid.json["id"]) == (200, waiting["id"])
        assert statuses(world) == ["succeeded"]

    def test_the_bank_that_is_answered_at_that_moment_wins(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Closing comes too late: the payment has succeeded between the question and the answer."""
        person, bag, waiting = left_open(world)
        assert person.save_card(MASTERCARD).status == 200
        gateway = world.runtime.gateway
        close = gateway.cancel_payment

        def answered_first(payment_id: str, *, key: str) -> Any:
            authenticate(world, waiting["client_secret"], success=True)
            return close(payment_id, key=key)

        monkeypatch.setattr(gateway, "cancel_payment", answered_first)
        paid = person.pay(bag, chosen_period="MONTH")
        assert (paid.status, paid.json["id"]) == (200, waiting["id"])
        assert statuses(world) == ["succeeded"]
        check_books(world)

    def test_the_old_answer_under_its_key_says_that_it_was_given_up(self, world: World) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        bag = person.check("basic").json
        asked = person.pay(bag, chosen_period="MONTH", headers={"Idempotency_Key": "first"})
        assert asked.status == 202
        assert person.save_card(MASTERCARD).status == 200
        paid = person.pay(bag, chosen_period="MONTH", headers={"Idempotency_Key": "second"})
        assert paid.status == 200
        old = person.pay(bag, chosen_period="MONTH", headers={"Idempotency_Key": "first"})
        assert refused(old, 410, "purchase-given-up")
        assert sorted(statuses(world)) == ["canceled", "succeeded"]

    def test_under_a_key_keeps_what_came_of_that_card(self, world: World) -> None:
        """The bank declined the first card meanwhile, and nobody heard: that is no answer to the second one."""
        person, bag, waiting = left_open(world)
        assert person.save_card(MASTERCARD).status == 200
        world.misbehave(webhooks={"drop": True})
        authenticate(world, waiting["client_secret"], success=False)
        headers = {"Idempotency_Key": "with-another-card"}
        paid = person.pay(bag, chosen_period="MONTH", headers=headers)
        assert (paid.status, paid.json["id"] != waiting["id"]) == (200, True)
        again = person.pay(bag, chosen_period="MONTH", headers=headers)
        assert (again.status, again.json["id"]) == (200, paid.json["id"])
        assert sorted(statuses(world)) == ["canceled", "succeeded"]


class TestAnotherBag:
    def test_is_quoted_and_takes_over(self, world: World) -> None:
        person, _, waiting = left_open(world)
        again = person.check("basic")
        assert again.status == 200, again.text
        assert person.save_card(MASTERCARD).status == 200
        paid = person.pay(again.json, chosen_period="YEAR")
        assert (paid.status, paid.json["id"] != waiting["id"]) == (200, True)
        assert sorted(statuses(world)) == ["canceled", "succeeded"]
        world.settle()
        check_books(world)

    def test_is_quoted_with_the_coupon_that_the_open_one_holds(self, world: World) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, slug="once", how_many_offers=1, how_many_per_person=1))
        person = authenticated(world, ALWAYS_ASKS)
        first = person.check("basic", coupons=["once"]).json
        assert person.pay(first, chosen_period="MONTH").status == 202
        second = person.check("basic", coupons=["once"]).json
        assert second["coupons_refused"] == []
        assert second["discounted_amount_per_month"] == first["discounted_amount_per_month"]
        assert person.save_card(MASTERCARD).status == 200
        assert person.pay(second, chosen_period="MONTH").status == 200
        world.settle()
        check_books(world)

    @pytest.mark.parametrize("again", ["pay", "check"])
    def test_is_told_the_truth_when_the_open_one_is_given_up_at_that_moment(self, world: World, again: str) -> None:
        """Between the reading of the plan's claim and of the purchase that held it, another call gives that up."""
        person, _, _ = left_open(world)
        bag = person.check("basic").json
        assert person.save_card(MASTERCARD).status == 200
        real, raced = Table.get, list[Any]()

        def get(table: Table, key: Any) -> Any:
            if key.sk.startswith("INVOICE#") and not raced:
                raced.append(None)
                raced.append(person.pay(bag, chosen_period="MONTH"))
            return real(table, key)

        with patch.object(Table, "get", get):
            answer = person.pay(bag, chosen_period="MONTH") if again == "pay" else person.check("basic")
        assert raced[1].status == 200, raced[1].text
        assert answer.status == 200, answer.text
        assert again == "check" or answer.json["id"] == raced[1].json["id"]
        assert sorted(statuses(world)) == ["canceled", "succeeded"]
        world.settle()
        check_books(world)

    def test_another_person_does_not_get_that_coupon(self, world: World) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, slug="once", how_many_offers=1))
        person = authenticated(world, ALWAYS_ASKS)
        assert person.pay(person.check("basic", coupons=["once"]).json, chosen_period="MONTH").status == 202
        assert world.paying().check("basic", coupons=["once"]).json["coupons_refused"][0]["reason"] == "used-up"

    def test_a_bought_plan_stays_bought(self, world: World) -> None:
        person = world.paying()
        first, second = person.check("basic").json, person.check("basic").json
        assert person.pay(first, chosen_period="MONTH").status == 200
        assert refused(person.pay(second, chosen_period="MONTH"), 400, "plan-already-bought")
        assert refused(person.check("basic"), 400, "plan-already-bought")
        assert statuses(world) == ["succeeded"]

    def test_waits_for_a_payment_that_the_bank_is_working_on(self, world: World) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": CHARGES, "action": "stay_processing", "times": 1}])
        bag = person.check("basic").json
        assert person.pay(bag, chosen_period="MONTH").json["status"] == "processing"
        other = person.check("basic").json
        assert refused(person.pay(other, chosen_period="MONTH"), 409, "payment-in-flight")
        assert statuses(world) == ["processing"]

    def test_of_a_purchase_that_never_reached_stripe_waits_a_quarter_of_an_hour(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        world.misbehave(rules=[{"match": CHARGES, "action": "refuse_connection", "times": 2}])
        assert person.pay(bag, chosen_period="MONTH").status == 202
        world.misbehave()
        other = person.check("basic").json
        assert refused(person.pay(other, chosen_period="MONTH"), 409, "payment-in-flight")
        world.advance(minutes=15)
        paid = person.pay(other, chosen_period="MONTH")
        assert paid.status == 200, paid.text
        assert statuses(world) == ["succeeded"]
        world.settle()
        check_books(world)


class TestWhatCounts:
    def test_open_questions_are_no_declined_payments(self, world: World) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        for _ in range(6):
            assert person.buy().status == 202

    def test_a_question_that_the_bank_declines_counts(self, world: World) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        for _ in range(5):
            waiting = person.buy().json
            authenticate(world, waiting["client_secret"], success=False)
        assert refused(person.buy(), 429, "too-many-attempts")

    def test_declines_at_once_still_count(self, world: World) -> None:
        person = world.person()
        assert person.save_card(DECLINING).status == 200
        for _ in range(5):
            assert person.buy().status == 402
        assert refused(person.buy(), 429, "too-many-attempts")


class TestAnAnswerThatWasLost:
    @pytest.mark.parametrize("keyed", [True, False])
    def test_the_same_call_right_after_it_is_told_the_same(self, world: World, keyed: bool) -> None:
        person = world.paying()
        bag = person.check("basic").json
        headers = {"Idempotency_Key": "pay"} if keyed else {}
        world.misbehave(rules=[{"match": CHARGES, "action": "refuse_connection", "times": 2}])
        lost = person.pay(bag, chosen_period="MONTH", headers=headers)
        assert (lost.status, lost.json["status"]) == (202, "processing")
        world.misbehave(rules=[{"match": CHARGES, "action": "refuse_connection", "times": 2}])
        again = person.pay(bag, chosen_period="MONTH", headers=headers)
        assert (again.status, again.json) == (202, lost.json)
        world.misbehave()
        paid = person.pay(bag, chosen_period="MONTH", headers=headers)
        assert (paid.status, paid.json["id"]) == (200, lost.json["id"])
        assert statuses(world) == ["succeeded"]

    def test_after_stripe_did_the_work_is_found_at_once(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        world.misbehave(rules=[{"match": CHARGES, "action": "lose_answer", "times": 2}])
        lost = person.pay(bag, chosen_period="MONTH")
        assert lost.status == 202, lost.text
        paid = person.pay(bag, chosen_period="MONTH")
        assert (paid.status, paid.json["id"]) == (200, lost.json["id"])
        assert statuses(world) == ["succeeded"]
        world.settle()
        check_books(world)
