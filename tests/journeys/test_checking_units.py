"""Buying units: their price by country and number, their limits and their life; and trials, once for each person."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.journeys.test_checking import charged, refused
from tests.shop import a_price, open_shop, put
from tests.world import Person, World, a_world


class TestTrials:
    def test_are_taken_once_by_a_person(self, world: World) -> None:
        person = world.paying()
        one, other = person.check("pro-trial").json, person.check("pro-trial").json
        assert person.pay(one, chosen_period="MONTH").json["amount"] == 0
        assert refused(person.pay(other, chosen_period="MONTH"), 400, "plan-already-bought")

    @pytest.mark.parametrize("once", [True, False])
    def test_are_taken_once_by_a_card_where_the_setting_says_so(self, once: bool) -> None:
        with a_world(open_shop, trial_once_per_card=once) as world:
            people: list[Person] = [world.paying(), world.paying()]
            bags = [person.check("pro-trial").json for person in people]
            answers = [person.pay(bag, chosen_period="MONTH") for person, bag in zip(people, bags, strict=True)]
            assert answers[0].status == 200
            expected = (400, "your-free-trial-was-already-took") if once else (200, None)
            assert (answers[1].status, answers[1].json.get("slug")) == expected


class TestUnits:
    @pytest.mark.parametrize(
        ("how_many", "country", "amount"),
        [(1, "US", 50.0), (2, "US", 90.0), (10, "US", 450.0), (10, "ES", 382.5), (20, "MX", 630.0), (17, "ES", 650.25)],
    )
    def test_cost_what_their_country_and_number_say(
        self, world: World, how_many: int, country: str, amount: float
    ) -> None:
        person = world.paying()
        answer = person.buy(how_many=how_many, country_code=country)
        assert (answer.json["amount"], charged(world, answer)) == (amount, round(amount * 100))
        assert person.units("mentorship-service") == how_many

    @pytest.mark.parametrize(
        ("body", "status", "slug"),
        [
            ({"how_many": 21}, 400, "the-amount-of-items-is-too-high"),
            ({"service": "ai-chat", "how_many": 99}, 400, "the-amount-of-items-is-too-low"),
            ({"how_many": None}, 400, "how-many-is-required"),
            ({"how_many": -1}, 400, "how-many-is-not-valid"),
            ({"service": "nothing"}, 404, "service-not-found"),
            ({"service": "all-courses"}, 404, "academy-service-not-found"),
            ({"service": "seat"}, 400, "subscription-is-required"),
            ({"mentorship_service_set": 9}, 400, "service-set-not-offered"),
            (
                {"mentorship_service_set": 1, "event_type_set": 1},
                400,
                "mentorship-service-set-or-event-type-set-is-required",
            ),
        ],
    )
    def test_are_refused(self, world: World, body: dict[str, Any], status: int, slug: str) -> None:
        person = world.paying()
        wanted = {name: value for name, value in {"how_many": 10, **body}.items() if value is not None}
        given = {"service": "mentorship-service", "academy": world.academy_id, **wanted}
        assert refused(person.post("/v1/payments/consumable/checkout", given), status, slug)
        assert person.invoices() == []

    def test_above_the_highest_amount_are_refused(self, world: World) -> None:
        put(world.table, a_price(world.academy_id, id=903, service_id=60, max_amount=Decimal(100), set_ids={}))
        person = world.paying()
        assert person.buy("events", 2).json["amount"] == 90.0
        assert refused(person.buy("events", 3), 400, "the-amount-is-too-high")

    def test_without_a_card_are_refused(self, world: World) -> None:
        assert refused(world.person().buy(), 402, "payment-method-required")

    @pytest.mark.parametrize("live", [None, 2])
    def test_last_as_long_as_the_academy_service_says(self, world: World, live: int | None) -> None:
        put(world.table, a_price(world.academy_id, id=903, service_id=60, set_ids={}, units_live=live))
        person = world.paying()
        assert person.buy("events", 2).status == 201
        world.advance(days=60)
        assert person.units("events") == 2
        world.advance(days=2)
        assert person.units("events") == (2 if live is None else 0)
