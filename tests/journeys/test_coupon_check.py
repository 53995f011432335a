"""Anybody asks which coupons serve a plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.journeys.test_staff_coupons import PATH, made
from tests.shop import BASIC, a_plan, put
from tests.staffing import Clerk, clerk, clerk_elsewhere, refused
from tests.world import World

VALID = "/v1/payments/coupon"


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


class TestTheCheck:
    def valid(self, world: World, query: str, **who: Any) -> list[str]:
        answer = world.call("GET", f"{VALID}?{query}", **who)
        assert answer.status == 200, answer.text
        return [coupon["slug"] for coupon in answer.json]

    def test_names_those_that_serve(self, staff: Clerk, world: World) -> None:
        made(staff)
        made(staff, slug="all", auto=True)
        made(staff, slug="not-here", plans=["bootcamp"])
        for plan in ("basic", str(BASIC)):
            assert self.valid(world, f"plan={plan}&coupons=spring") == ["all", "spring"]
        assert self.valid(world, "plan=basic&coupons=not-here") == ["all"]
        assert self.valid(world, "plan=basic&coupons=unknown") == ["all"]
        assert self.valid(world, "plan=basic") == ["all"]
        staff.delete(f"{PATH}/all")
        assert self.valid(world, "plan=basic&coupons=unknown,") == []

    def test_knows_who_asks(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        made(staff, allowed_user=person.user_id)
        query = "plan=basic&coupons=spring"
        assert self.valid(world, query) == [] and self.valid(world, query, token=staff.person.token) == []
        assert self.valid(world, query, token=person.token) == ["spring"]
        assert person.pay(person.check("team", coupons=["spring"]).json, chosen_period="MONTH").status == 200
        assert self.valid(world, query, token=person.token) == []

    def test_refuses_what_is_not_for_sale(self, staff: Clerk, world: World) -> None:
        put(world.table, a_plan(world.now, world.academy_id, id=8000, slug="draft", status="DRAFT"))
        other = clerk_elsewhere(world).academy_id
        for query in ("plan=nothing", "plan=draft", f"plan=basic&academy={other}"):
            refused(world.call("GET", f"{VALID}?{query}"), 404, "plan-not-found")
        refused(world.call("GET", VALID), 400, "invalid-request")

    def test_refuses_more_than_can_be_given(self, world: World) -> None:
        refused(world.call("GET", f"{VALID}?plan=basic&coupons=a,b"), 400, "too-many-coupons")

    def test_is_in_the_currency_of_the_country(self, staff: Clerk, world: World) -> None:
        countries = {"JP": {"prices": {"price_per_month": Decimal(1000)}, "currency": "JPY"}}
        plan = a_plan(world.now, world.academy_id, id=8000, slug="abroad", countries=countries)
        put(world.table, plan)
        made(staff, discount_type="FIXED_PRICE", discount_value=5, currency="JPY")
        assert self.valid(world, "plan=abroad&coupons=spring&country_code=JP") == ["spring"]
        assert self.valid(world, "plan=abroad&coupons=spring") == []
