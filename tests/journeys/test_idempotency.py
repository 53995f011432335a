"""An Idempotency-Key: the same request again is the same answer; another one is refused."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.books.billing.gateway import Charge, Payment
from tests.books import check_books
from tests.world import Reply, World

KEY = {"Idempotency-Key": "a-key-of-mine"}


def replayed(answer: Reply) -> bool:
    return answer.headers.get("Idempotent-Replayed") == "true"


class TestTheSameRequestAgain:
    @pytest.mark.parametrize("plan", ["basic", "free"])
    def test_answers_the_same_bytes(self, world: World, plan: str) -> None:
        person = world.paying()
        bag = person.check(plan).json
        first = person.pay(bag, chosen_period="MONTH", headers=KEY)
        again = person.pay(bag, chosen_period="MONTH", headers=KEY)
        assert (first.status, again.status) == (200, 200)
        assert first.text == again.text
        assert (replayed(first), replayed(again)) == (False, True)
        world.settle()
        assert len(person.invoices()) == 1

    def test_buys_units_once(self, world: World) -> None:
        person = world.paying()
        first, again = person.buy(headers=KEY), person.buy(headers=KEY)
        assert (first.status, again.status, first.text) == (201, 201, again.text)
        assert replayed(again)
        assert person.units("mentorship-service") == 10
        world.settle()
        check_books(world)

    def test_is_the_same_however_its_json_is_written(self, world: World) -> None:
        person = world.paying()
        first = person.buy(headers=KEY)
        body = f'{{"country_code":"US","academy":{world.academy_id},  "how_many":10,"service":"mentorship-service"}}'
        path = "/v1/payments/consumable/checkout"
        again = world.call("POST", path, raw=body.encode(), token=person.token, headers=KEY)
        assert (again.status, again.text) == (201, first.text)

    def test_replays_a_decline_even_with_a_better_card(self, world: World) -> None:
        person = world.person()
        assert person.save_card("4000000000000341").status == 200
        first = person.buy(headers=KEY)
        assert person.save_card().status == 200
        again = person.buy(headers=KEY)
        assert (first.status, again.status, first.text) == (402, 402, again.text)
        assert replayed(again)
        assert again.headers["Content-Type"] == "application/problem+json"
        assert person.buy(headers={"Idempotency-Key": "another"}).status == 201

    def test_replays_a_decline_that_another_request_ran_into(self, world: World) -> None:
        """The bag's first payment had no key and no answer; the second had one, and was told of the first's decline."""
        person = world.person()
        assert person.save_card("4000000000000341").status == 200
        bag = person.check("basic").json
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}])
        assert person.pay(bag, chosen_period="MONTH").status == 202
        world.advance(seconds=26)
        first = person.pay(bag, chosen_period="MONTH", headers=KEY)
        assert person.save_card().status == 200
        again = person.pay(bag, chosen_period="MONTH", headers=KEY)
        assert (first.status, again.status, first.text) == (402, 402, again.text)
        assert replayed(again)
        assert person.pay(bag, chosen_period="MONTH", headers={"Idempotency-Key": "another"}).status == 200
        world.settle()
        check_books(world)

    def test_is_remembered_after_thirty_days(self, world: World) -> None:
        person = world.paying()
        first = person.buy(headers=KEY)
        world.advance(days=30)
        again = person.buy(headers=KEY)
        assert replayed(again) and again.text == first.text

    @pytest.mark.parametrize("delivered", ["told", "swept"])
    def test_waits_and_later_answers_finally(self, world: World, delivered: str) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
        first = person.buy(headers=KEY)
        assert (first.status, first.json["status"]) == (202, "processing")
        still = person.buy(headers=KEY)
        assert (still.status, still.json) == (202, first.json)
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/process/{intent['id']}", {"success": True})
        if delivered == "told":
            world.settle()
        else:
            world.advance(minutes=16)
            world.sweep()
        final, again = person.buy(headers=KEY), person.buy(headers=KEY)
        assert (final.status, final.json["id"], final.json["status"]) == (201, first.json["id"], "FULFILLED")
        assert (again.text, replayed(again)) == (final.text, True)
        assert person.units("mentorship-service") == 10

    def test_without_a_key_is_another_purchase(self, world: World) -> None:
        person = world.paying()
        assert person.buy().json["id"] != person.buy().json["id"]
        assert person.units("mentorship-service") == 20

    def test_of_a_paid_bag_under_a_new_key_is_the_paid_invoice(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        first = person.pay(bag, chosen_period="MONTH", headers=KEY)
        other = person.pay(bag, chosen_period="MONTH", headers={"Idempotency-Key": "another"})
        assert (other.status, other.json["id"]) == (200, first.json["id"])


class TestAnotherRequest:
    @pytest.mark.parametrize("changed", [{"how_many": 11}, {"country_code": "MX"}])
    def test_under_the_same_key_is_refused(self, world: World, changed: dict[str, Any]) -> None:
        person = world.paying()
        assert person.buy(headers=KEY).status == 201
        answer = person.buy(headers=KEY, **changed)
        assert (answer.status, answer.json["slug"]) == (422, "idempotency-key-reused")
        assert person.units("mentorship-service") == 10

    def test_while_the_first_is_at_work_is_told_so(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        person = world.paying()
        gateway = world.runtime.gateway
        real, answers = gateway.charge, []

        def charge(charge: Charge) -> Payment:
            answers.append(person.buy(headers=KEY))
            return real(charge)

        monkeypatch.setattr(gateway, "charge", charge)
        assert person.buy(headers=KEY).status == 201
        (answer,) = answers
        assert (answer.status, answer.json["slug"]) == (409, "payment-in-flight")
        assert int(answer.headers["Retry-After"]) > 0
        monkeypatch.undo()
        assert person.buy(headers=KEY).status == 201
        world.settle()
        check_books(world)

    def test_of_another_person_is_another_request(self, world: World) -> None:
        one, other = world.paying(), world.paying()
        first, second = one.buy(headers=KEY), other.buy(headers=KEY)
        assert (first.status, second.status) == (201, 201)
        assert first.json["id"] != second.json["id"] and not replayed(second)

    def test_of_another_route_is_another_request(self, world: World) -> None:
        person = world.paying()
        assert person.buy(headers=KEY).status == 201
        assert person.pay(person.check("basic").json, chosen_period="MONTH", headers=KEY).status == 200

    @pytest.mark.parametrize("key", ["", "x" * 256, "käse"])
    def test_with_a_malformed_key_is_refused(self, world: World, key: str) -> None:
        person = world.paying()
        answer = person.buy(headers={"Idempotency-Key": key})
        assert (answer.status, answer.json["slug"]) == (400, "invalid-idempotency-key")
        assert person.invoices() == []

    def test_after_a_busy_stripe_is_tried_again_under_the_same_key(self, world: World) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "error_429", "times": 2}])
        assert person.buy(headers=KEY).status == 402
        world.misbehave()
        assert person.buy(headers=KEY).status == 201
        world.settle()
        check_books(world)

    def test_that_was_malformed_leaves_the_key_free(self, world: World) -> None:
        person = world.paying()
        assert person.buy(how_many=0, headers=KEY).status == 400
        assert person.buy(headers=KEY).status == 201
