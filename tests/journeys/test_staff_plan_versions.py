"""A plan's versions, and its explicit prices by country (D10, D26, D69)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.journeys.test_staff_plans import PATH, made
from tests.staffing import Clerk, clerk, everything, refused
from tests.world import World


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


class TestVersions:
    def test_that_were_sold_stay_readable(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        bought = person.pay(person.check("basic").json, chosen_period="MONTH").json
        for price in (69.99, 79.99):
            assert staff.put(f"{PATH}/basic", {"price_per_month": price}).status == 200
        shown = [staff.get(f"{PATH}/basic?version={n}").json["price_per_month"] for n in (1, 2, 3)]
        assert shown == [59.99, 69.99, 79.99]
        refused(staff.get(f"{PATH}/basic?version=4"), 404, "not-found")
        assert bought["amount"] == 59.99
        other = world.paying()
        assert other.pay(other.check("basic").json, chosen_period="MONTH").json["amount"] == 79.99

    def test_hold_from_when_they_are_said_to(self, staff: Clerk, world: World) -> None:
        later = world.now + timedelta(days=2)
        body = {"price_per_month": 69.99, "applies_from": later.isoformat()}
        changed = staff.put(f"{PATH}/basic", body).json
        assert (changed["price_per_month"], changed["version"], len(changed["upcoming"])) == (59.99, 1, 1)
        assert staff.get(f"{PATH}/basic?version=2").json["price_per_month"] == 69.99
        world.advance(days=1)
        assert world.call("GET", "/v1/payments/plan/basic").json["price_per_month"] == 59.99
        assert world.person().check("basic").json["amount_per_month"] == 59.99
        world.advance(days=1)
        assert world.call("GET", "/v1/payments/plan/basic").json["price_per_month"] == 69.99
        assert world.person().check("basic").json["amount_per_month"] == 69.99
        held = staff.get(f"{PATH}/basic").json
        assert (held["version"], held["upcoming"]) == (2, [])
        assert staff.get(f"{PATH}/basic?version=1").json["price_per_month"] == 59.99
        changed = staff.put(f"{PATH}/basic", {"price_per_year": 500}).json
        assert (changed["version"], changed["price_per_month"], changed["price_per_year"]) == (3, 69.99, 500)
        shown = [staff.get(f"{PATH}/basic?version={n}").json for n in (1, 2, 3)]
        assert [(one["price_per_month"], one["price_per_year"]) for one in shown] == [
            (59.99, 479.99),
            (69.99, 479.99),
            (69.99, 500),
        ]

    def test_to_come_outlast_a_change_at_once(self, staff: Clerk, world: World) -> None:
        for days, price in ((4, 80), (2, 70)):
            instant = (world.now + timedelta(days=days)).isoformat()
            staff.put(f"{PATH}/basic", {"price_per_month": price, "applies_from": instant})
        staff.put(f"{PATH}/basic", {"title": "Now", "price_per_month": 65})
        seen = []
        for _ in range(3):
            found = staff.get(f"{PATH}/basic").json
            seen.append((found["title"], found["price_per_month"], found["version"]))
            world.advance(days=2)
        assert seen == [("Now", 65, 2), ("Now", 70, 3), ("Now", 80, 4)]

    def test_to_come_change_only_what_they_name(self, staff: Clerk, world: World) -> None:
        """Each price on its own: none comes back, and none is lost, in whatever order they were told."""
        noon = world.now + timedelta(days=1)
        for hours, change in (
            (0, {"price_per_month": 120}),
            (2, {"price_per_month": 125}),
            (1, {"price_per_year": 1300}),
        ):
            instant = (noon + timedelta(hours=hours)).isoformat()
            assert staff.put(f"{PATH}/basic", {**change, "applies_from": instant}).status == 200
        assert staff.put(f"{PATH}/basic", {"price_per_month": 110, "price_per_half": 600}).status == 200
        seen = []
        world.advance(days=1)
        for _ in range(3):
            bag = world.person().check("basic").json
            seen.append([bag[f"amount_per_{name}"] for name in ("month", "half", "year")])
            world.advance(hours=1)
        assert seen == [[120, 600, 479.99], [120, 600, 1300], [125, 600, 1300]]

    def test_to_come_may_end_a_price(self, staff: Clerk, world: World) -> None:
        instant = (world.now + timedelta(days=1)).isoformat()
        assert staff.put(f"{PATH}/basic", {"price_per_year": None, "applies_from": instant}).status == 200
        assert staff.put(f"{PATH}/basic", {"price_per_month": 70}).status == 200
        world.advance(days=1)
        held = staff.get(f"{PATH}/basic").json
        assert (held["price_per_month"], held["price_per_year"]) == (70, None)

    @pytest.mark.parametrize(
        "changes",
        [
            {"applies_from": "2020-01-01T00:00:00Z"},
            {"applies_from": "2030-01-01T00:00:00Z", "slug": "later"},
            {"applies_from": "2030-01-01"},
            {"applies_from": "2030-01-01T00:00:00"},
            {"applies_from": 1893456000},
            {"applies_from": None},
        ],
    )
    def test_from_no_instant_are_refused(self, staff: Clerk, world: World, changes: Any) -> None:
        before = everything(world)
        assert staff.put(f"{PATH}/basic", {"title": "x", **changes}).status == 400
        assert everything(world) == before

    def test_to_come_that_could_not_be_are_refused(self, staff: Clerk, world: World) -> None:
        plan = made(staff)
        instant = (world.now + timedelta(days=2)).isoformat()
        later = {"is_renewable": True, "time_of_life": None, "time_of_life_unit": None, "applies_from": instant}
        assert staff.put(f"{PATH}/{plan['id']}", later).status == 200
        later = {"is_renewable": False, "applies_from": (world.now + timedelta(days=3)).isoformat()}
        refused(staff.put(f"{PATH}/{plan['id']}", later), 400, "invalid-time-of-life")


class TestCountries:
    def test_may_have_explicit_prices_and_a_currency(self, staff: Clerk) -> None:
        in_rupees = dict.fromkeys(("price_per_month", "price_per_quarter", "price_per_half", "price_per_year"), 999)
        exceptions = {"IN": {**in_rupees, "currency": "INR"}, "MX": {"ratio": 0.7, "price_per_year": 1000}}
        plan = made(staff, pricing_ratio_exceptions=exceptions)
        assert plan["pricing_ratio_exceptions"] == exceptions
        there = staff.get(f"{PATH}/{plan['id']}?country_code=IN").json
        assert (there["price_per_month"], there["currency"]["code"]) == (999.0, "INR")
