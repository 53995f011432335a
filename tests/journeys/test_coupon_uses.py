"""Uses of a coupon are taken when a purchase begins, and come back with one that comes to nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.books import check_books
from tests.journeys.test_staff_coupons import PATH, made
from tests.staffing import clerk
from tests.world import World

NEVER_MADE = {"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 9}
LIMITS: list[dict[str, Any]] = [{"how_many_offers": 1, "how_many_per_person": 5}, {"how_many_per_person": 1}]


@pytest.mark.parametrize("limits", LIMITS, ids=["in total", "per person"])
def test_a_use_is_taken_by_a_payment_that_waits_and_back_when_it_is_given_up(
    world: World, limits: dict[str, Any]
) -> None:
    staff = clerk(world)
    made(staff, **limits)
    person = world.paying()
    world.settle()
    bag = person.check("basic", coupons=["spring"]).json
    world.misbehave(rules=[NEVER_MADE])
    assert person.pay(bag, chosen_period="MONTH").status == 202
    other = person if "how_many_offers" not in limits else world.person()
    asked = other.check("team", coupons=["spring"]).json
    assert [one["reason"] for one in asked["coupons_refused"]] == (
        ["already-used-by-you"] if other is person else ["used-up"]
    )
    world.misbehave(rules=[])
    world.advance(hours=25)
    world.sweep()
    world.settle()
    assert [invoice["status"] for invoice in person.invoices(status="VOIDED")] == ["VOIDED"]
    assert [c["slug"] for c in other.check("team", coupons=["spring"]).json["coupons"]] == ["spring"]
    assert staff.get(f"{PATH}/spring").json["times_used"] == (0 if other is not person else None)
    check_books(world)
