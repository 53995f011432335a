"""What a hostile reader found over HTTP, each pinned."""

from __future__ import annotations

from typing import Any

import pytest

from tests.world import World

USE = "/v1/payments/me/service/mentorship-service/consumptionsession"


class TestCardsOfTheDocuments:
    @pytest.mark.parametrize(
        ("month", "year", "shown", "at_stripe"),
        [("10", "26", (10, 2026), None), (12, 2025, (12, 2025), None), ("11", "26", (11, 2026), (11, 2026))],
    )
    def test_work_as_printed_though_their_expiry_has_passed(
        self, world: World, month: Any, year: Any, shown: tuple[int, int], at_stripe: tuple[int, int] | None
    ) -> None:
        person = world.person()
        card = {"card_number": "4242424242424242", "exp_month": month, "exp_year": year, "cvc": "435"}
        assert person.post("/v2/payments/card", {**card, "academy": world.academy_id}).status == 200
        world.settle()
        seen = person.get("/v2/payments/card").json
        assert (seen["card_exp_month"], seen["card_exp_year"]) == shown
        (method,) = world.at_stripe("payment_method")
        sent = (method["card"]["exp_month"], method["card"]["exp_year"])
        assert sent == at_stripe if at_stripe is not None else sent != shown
        told = [call for call in world.standin.requests() if "exp_year" in call["body"]]
        assert len(told) == (0 if at_stripe is None else 1)
        assert person.buy().status == 201


class TestUses:
    def test_of_a_hash_that_was_cancelled_are_not_called_ok(self, world: World) -> None:
        person = world.paying()
        person.buy(how_many=2)
        made = person.put(f"{USE}/once")
        assert person.put(f"{USE}/{made.json['id']}/cancel").status == 200
        again = person.put(f"{USE}/once")
        assert (again.status, again.json["slug"]) == (409, "session-already-cancelled")
        assert person.units("mentorship-service") == 2


class TestBodies:
    @pytest.mark.parametrize("period", [[], {}, [None], ["MONTH"], {"a": 1}, 7, "", "month", "DECADE"])
    def test_with_any_chosen_period_are_read_or_refused(self, world: World, period: Any) -> None:
        person = world.paying()
        bag = person.check("basic").json
        answer = person.pay(bag, chosen_period=period)
        assert answer.status == (200 if period == "month" else 400), answer.text
        assert answer.status == 200 or answer.json["slug"] == "invalid-chosen-period"


class TestOutages:
    def test_that_outlast_a_purchase_are_not_called_a_decline(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        key = {"Idempotency_Key": "once"}
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 99}])
        assert person.pay(bag, chosen_period="MONTH", headers=key).status == 202
        for _ in range(27):
            world.advance(hours=1)
            world.sweep()
        world.misbehave()
        given_up = person.pay(bag, chosen_period="MONTH", headers=key)
        assert (given_up.status, given_up.json["slug"]) == (410, "purchase-given-up")

    def test_at_stripe_leave_no_invoice_to_see(self, world: World) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "error_429", "times": 1}])
        assert person.buy().json["slug"] == "rate-limit-error"
        assert person.invoices() == []
        assert person.buy().status == 201


def test_every_use_is_listed_page_by_page(world: World) -> None:
    """A page once ended in the middle of what was read, and the next began after it."""
    person = world.paying()
    assert person.buy(how_many=20).status == 201
    path = "/v1/payments/me/service/mentorship-service/consumptionsession"
    made = [person.put(path).json["id"] for _ in range(12)]
    found: list[int] = []
    following = f"{path}?limit=5"
    while following:
        page = person.get(following)
        assert page.status == 200, page.text
        found += [use["id"] for use in page.json]
        following = page.headers.get("Link", "").partition(">")[0].lstrip("<")
    assert found == sorted(made, reverse=True)
