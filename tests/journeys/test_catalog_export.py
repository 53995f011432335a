"""An academy's whole offer as one file, exported; and the demonstration, which is such a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from local.catalog import FILE, load_catalog
from tests.catalog_files import OFFER, applied, changes, exported, offer
from tests.shop import open_shop
from tests.staffing import Clerk, clerk, everything
from tests.world import World, a_world


def nothing(table: Any, academy_id: int, now: Any) -> None:
    """An academy that sells nothing yet."""


@pytest.fixture
def world() -> Iterator[World]:
    with a_world(nothing) as made:
        yield made


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


class TestExporting:
    def test_gives_the_file_back(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        found = yaml.safe_load(exported(staff))
        wanted = offer()
        keys = {"two": "mentoring-2", "courses": "courses-unlimited", "year": "12-months-299.5-usd"}
        for one in (*wanted["service_items"], *wanted["financing_options"]):
            one["key"] = keys[one["key"]]
        for plan in wanted["plans"]:
            plan["service_items"] = [keys[key] for key in plan["service_items"]]
            plan["financing_options"] = [keys[key] for key in plan.get("financing_options", [])]
        wanted["plans"][0].pop("financing_options")
        wanted["coupons"][0] |= {"currency": "USD"}
        for section in ("services", "plans"):
            wanted[section].sort(key=lambda one: str(one["slug"]))
        wanted["service_items"].reverse()
        assert found == wanted

    def test_of_a_copy_is_the_same(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        text = exported(staff)
        assert changes(applied(staff, text)) == []
        assert exported(staff) == text
        with a_world(nothing) as copy:
            copy.now = world.now + timedelta(days=30)
            elsewhere = clerk(copy)
            assert len(changes(applied(elsewhere, text))) == 15
            assert exported(elsewhere) == text

    def test_of_rows_made_by_hand_is_applied_as_it_is(self) -> None:
        with a_world(open_shop) as shop:
            staff = clerk(shop)
            text = exported(staff)
            before = everything(shop)
            assert changes(applied(staff, text)) == []
            assert everything(shop) == before

    def test_of_two_items_that_say_the_same_keeps_both(self, world: World, staff: Clerk) -> None:
        file = offer()
        file["service_items"].append({**file["service_items"][1], "key": "again"})
        file["plans"][0]["service_items"] = ["courses", "again"]
        applied(staff, file)
        text = exported(staff)
        assert [one["key"] for one in yaml.safe_load(text)["service_items"]] == [
            "courses-unlimited",
            "courses-unlimited-2",
            "mentoring-2",
        ]
        assert changes(applied(staff, text)) == []
        assert changes(applied(staff, file)) == []

    def test_leaves_out_what_is_over_and_who_is_named(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        soon = (world.now + timedelta(hours=1)).isoformat()
        for body in (
            {"slug": "ends-soon", "discount_value": 0.1, "expires_at": soon},
            {"slug": "of-a-person", "discount_value": 0.1, "allowed_user": staff.person.user_id},
            {"slug": "of-a-seller", "discount_value": 0.1, "seller": staff.person.user_id},
        ):
            assert staff.post("/v1/payments/academy/coupon", body).status == 201
            world.advance(seconds=1)
        assert staff.delete("/v1/payments/academy/plan/bootcamp").status == 204
        world.advance(hours=2)
        found = yaml.safe_load(exported(staff))
        assert [one["slug"] for one in found["coupons"]] == ["welcome"]
        assert [one["slug"] for one in found["plans"]] == ["pro"]
        assert "plan_offers" not in found
        assert changes(applied(staff, exported(staff))) == []

    def test_leaves_out_an_offer_that_has_ended(self, world: World, staff: Clerk) -> None:
        file = offer()
        file["plan_offers"][0]["expires_at"] = (world.now + timedelta(hours=1)).isoformat()
        applied(staff, file)
        assert "plan_offers" in yaml.safe_load(exported(staff))
        world.advance(hours=1)
        assert "plan_offers" not in yaml.safe_load(exported(staff))
        assert changes(applied(staff, file)) == []

    def test_has_ids_where_they_are_asked_for(self, staff: Clerk) -> None:
        applied(staff, OFFER)
        ids = yaml.safe_load(exported(staff, "?ids=1"))
        assert all("id" in one for section in ("services", "plans", "service_items") for one in ids[section])
        assert not any("id" in one for one in (*ids["coupons"], *ids["plan_offers"]))
        assert "id:" not in exported(staff)


class TestTheDemonstration:
    def test_is_its_own_export(self, world: World, staff: Clerk) -> None:
        text = FILE.read_text()
        content = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
        load_catalog(world.runtime.context(world.now), academy_id=world.academy_id)
        assert exported(staff, "?ids=1") == content
        assert changes(applied(staff, text)) == []

    def test_is_loaded_once_and_what_staff_changed_stays(self, world: World, staff: Clerk) -> None:
        context = world.runtime.context(world.now)
        assert load_catalog(context, academy_id=world.academy_id) > 30
        world.advance(seconds=1)
        assert staff.put("/v1/payments/academy/plan/pro-trial", {"title": "Ours"}).status == 200
        before = everything(world)
        assert load_catalog(context, academy_id=world.academy_id) == 0
        assert everything(world) == before

    def test_is_what_the_documents_buy(self, world: World) -> None:
        load_catalog(world.runtime.context(world.now), academy_id=world.academy_id)
        customer = world.paying()
        bag = customer.check("4geeks-plus-subscription").json
        assert customer.pay(bag, chosen_period="YEAR").status == 200
        assert customer.get("/v1/payments/plan/121").json["slug"] == "4geeks-plus-subscription"
