"""A customer checks a plan, saves a card, pays, and has what was bought; once."""

from __future__ import annotations

import pytest

from tests.world import World


class TestPayingByThePeriod:
    def test_a_month_is_charged_once_and_delivered(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        answer = person.pay(bag, chosen_period="MONTH")
        assert answer.status == 200, answer.text
        assert answer.json["amount"] == 59.99
        assert [charge["amount"] for charge in world.charges(answer.json["id"])] == [5999]
        assert (person.units("ai-chat"), person.units("all-courses"), person.units("mentorship-service")) == (
            5000,
            -1,
            2,
        )

    def test_the_same_bag_again_answers_the_same_invoice(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        first, again = person.pay(bag, chosen_period="MONTH"), person.pay(bag, chosen_period="MONTH")
        assert (first.status, again.status) == (200, 200)
        assert first.json["id"] == again.json["id"]
        assert len(world.charges(first.json["id"])) == 1

    def test_webhooks_after_the_call_change_nothing(self, world: World) -> None:
        person = world.paying()
        world.misbehave(webhooks={"copies": 3, "shuffle": True})
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        world.advance(seconds=5)
        world.settle()
        assert person.units("ai-chat") == 5000
        assert [invoice["status"] for invoice in person.invoices()] == ["FULFILLED"]

    @pytest.mark.parametrize("number", ["4000000000000341"])
    def test_a_decline_grants_nothing_and_a_better_card_pays_the_same_bag(self, world: World, number: str) -> None:
        person = world.person()
        assert person.save_card(number).status == 200
        bag = person.check("basic").json
        declined = person.pay(bag, chosen_period="MONTH")
        assert declined.status == 402, declined.text
        assert declined.json["silent_code"] == "card-error"
        assert person.units("ai-chat") == 0
        assert person.save_card().status == 200
        assert person.pay(bag, chosen_period="MONTH").status == 200
        assert person.units("ai-chat") == 5000
        world.settle()
        assert sorted(invoice["status"] for invoice in person.invoices()) == ["FULFILLED", "REJECTED"]

    def test_a_receipt_is_mailed(self, world: World) -> None:
        person = world.paying()
        person.pay(person.check("basic").json, chosen_period="MONTH")
        world.settle()
        ((mail, _),) = world.mailer.sent
        assert mail.to == person.email
        assert "59.99 USD" in mail.text and "59.99 USD" in mail.html


class TestWaysToPay:
    def test_instalments(self, world: World) -> None:
        person = world.paying()
        bag = person.check("bootcamp").json
        assert bag["plans"][0]["financing_options"][0]["how_many_months"] == 12
        answer = person.pay(bag, how_many_installments=12)
        assert answer.status == 200, answer.text
        assert answer.json["amount"] == 299.0
        (financing,) = person.get("/v1/payments/me/subscription").json["plan_financings"]
        assert (financing["status"], financing["installments_paid"]) == ("ACTIVE", 1)

    def test_free(self, world: World) -> None:
        person = world.person()
        answer = person.pay(person.check("free").json)
        assert answer.status == 200, answer.text
        assert answer.json["amount"] == 0
        assert person.units("ai-chat") == 5000
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 402

    def test_trial(self, world: World) -> None:
        person = world.paying()
        bag = person.check("pro-trial").json
        assert bag["trial"]["duration"] == 7
        assert bag["amount_per_month"] == 39.0
        answer = person.pay(bag, chosen_period="MONTH")
        assert (answer.status, answer.json["amount"]) == (200, 0)
        (subscription,) = person.get("/v1/payments/me/subscription").json["subscriptions"]
        assert subscription["status"] == "FREE_TRIAL"
        assert world.charges(answer.json["id"]) == []

    def test_seats(self, world: World) -> None:
        person = world.paying()
        bag = person.check("team", team_seats=10).json
        assert bag["amount_per_month"] == 3994.0
        answer = person.pay(bag, chosen_period="MONTH")
        assert (answer.status, answer.json["amount"]) == (200, 3994.0)
        assert person.units("mentorship-service") == 2
        assert person.units("ai-chat") == 5000

    def test_add_ons(self, world: World) -> None:
        person = world.paying()
        bag = person.check("team", service_items=[{"service": "ai-chat", "how_many": 200}]).json
        assert bag["amount_per_month"] == 3001.0
        assert person.pay(bag, chosen_period="MONTH").json["amount"] == 3001.0
        assert person.units("ai-chat") == 5200


class TestBuyingUnits:
    def test_ten_units(self, world: World) -> None:
        person = world.paying()
        answer = person.buy()
        assert answer.status == 201, answer.text
        assert answer.json["amount"] == 450.0
        assert person.units("mentorship-service") == 10

    def test_uses_take_and_give_back(self, world: World) -> None:
        person = world.paying()
        person.buy(how_many=2)
        path = "/v1/payments/me/service/mentorship-service/consumptionsession/one"
        first, again = person.put(path), person.put(path)
        assert (first.status, again.status) == (201, 200), first.text
        assert first.json["id"] == again.json["id"]
        assert person.units("mentorship-service") == 1
        cancel = f"/v1/payments/me/service/mentorship-service/consumptionsession/{first.json['id']}/cancel"
        assert person.put(cancel).status == 200
        assert person.put(cancel).status == 409
        assert person.units("mentorship-service") == 2
