"""Service items of a plan: linked once, unlinked, for whoever buys it from then on (document 3, 6 and 7)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog import queries
from chalicelib.dynamo.table import Table
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World

PATH = "/v1/payments/academy/plan/serviceitem"
PLANS = "/v1/payments/academy/plan"


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


@pytest.fixture
def plan(staff: Clerk) -> Any:
    body = {"slug": "new", "currency": "USD", "price_per_month": 10, "trial_duration": 0, "status": "ACTIVE"}
    return staff.post(PLANS, body).json


def link(staff: Clerk, plan: Any, items: Any) -> Any:
    answer = staff.post(PATH, {"plan": plan, "service_item": items})
    assert answer.status == 200, answer.text
    return answer.json


def items_of(world: World, slug: str = "new") -> list[int]:
    return [item["id"] for item in world.call("GET", f"/v1/payments/serviceitem?plan={slug}").json]


class TestLinking:
    def test_links_each_once(self, staff: Clerk, world: World, plan: Any) -> None:
        first = link(staff, plan["id"], 1)
        assert (first["status"], first["total_created"]) == ("ok", 1)
        again = link(staff, "new", "1, 2,3")
        assert [one["created"] for one in again["created_items"]] == [False, True, True]
        assert again["created_items"][0] == {**first["created_items"][0], "created": False}
        assert (again["total_created"], items_of(world)) == (2, [1, 2, 3])
        assert link(staff, str(plan["id"]), [3, 3])["total_created"] == 0

    def test_is_for_whoever_buys_from_then_on(self, staff: Clerk, world: World, plan: Any) -> None:
        link(staff, "new", [1])
        first, second = world.paying(), world.paying()
        assert first.pay(first.check("new").json, chosen_period="MONTH").status == 200
        link(staff, "new", [2])
        assert second.pay(second.check("new").json, chosen_period="MONTH").status == 200
        assert [person.units("mentorship-service") for person in (first, second)] == [0, 2]
        shown = [staff.get(f"{PLANS}/new?version={n}").json["service_items"] for n in (1, 2, 3)]
        assert [[item["id"] for item in items] for items in shown] == [[], [1], [1, 2]]

    @pytest.mark.parametrize(
        ("body", "status", "slug"),
        [
            ({"service_item": 1}, 400, "plan-required"),
            ({"plan": "new"}, 400, "service-item-required"),
            ({"plan": "new", "service_item": None}, 400, "service-item-required"),
            ({"plan": "new", "service_item": [None]}, 400, "invalid-service-item-format"),
            ({"plan": "new", "service_item": []}, 400, "invalid-service-item-format"),
            ({"plan": "new", "service_item": ""}, 400, "invalid-service-item-format"),
            ({"plan": "new", "service_item": "1,x"}, 400, "invalid-service-item-format"),
            ({"plan": "new", "service_item": "1,²"}, 400, "invalid-service-item-format"),
            ({"plan": "new", "service_item": 0}, 400, "invalid-service-item-format"),
            ({"plan": "new", "service_item": [1, 987654321]}, 404, "service-item-not-found"),
            ({"plan": "nothing", "service_item": 1}, 404, "not-found"),
        ],
    )
    def test_of_what_is_none_links_nothing(
        self, staff: Clerk, world: World, plan: Any, body: Any, status: int, slug: str
    ) -> None:
        before = everything(world)
        answer = staff.post(PATH, body)
        refused(answer, status, slug)
        assert everything(world) == before
        if slug == "service-item-not-found":
            assert "987654321" in answer.json["detail"]

    def test_by_two_at_once_loses_neither(self, staff: Clerk, world: World, plan: Any) -> None:
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("PLAN#") and not raced:
                raced.append(True)
                link(staff, "new", [1, 2])
            return row

        with patch.object(Table, "get", get):
            assert link(staff, "new", [2, 3])["total_created"] == 1
        assert items_of(world) == [1, 2, 3]


class TestUnlinking:
    def test_takes_links_away(self, staff: Clerk, world: World, plan: Any) -> None:
        links = [one["plan_service_item_id"] for one in link(staff, "new", [1, 2, 3])["created_items"]]
        gone = staff.delete(PATH, {"plan_service_item": links[:2]})
        assert gone.status == 200
        expected = {"status": "ok", "deleted": True, "deleted_count": 2, "deleted_ids": sorted(links[:2])}
        assert gone.json == expected
        assert items_of(world) == [3]
        gone = staff.delete(PATH, {"plan_service_item": str(links[2])})
        assert (gone.json["deleted_count"], items_of(world)) == (1, [])
        assert link(staff, "new", 1)["created_items"][0]["plan_service_item_id"] not in links

    def test_is_of_several_plans_or_of_none(self, staff: Clerk, world: World, plan: Any) -> None:
        staff.post(PLANS, {"slug": "other", "currency": "USD", "status": "ACTIVE"})
        links = [link(staff, slug, 1)["created_items"][0]["plan_service_item_id"] for slug in ("new", "other")]
        before = everything(world)
        refused(staff.delete(PATH, {"plan_service_item": [*links, 99]}), 404, "plan-service-item-not-found")
        refused(staff.delete(PATH, {}), 400, "plan-service-item-id-required")
        assert everything(world) == before
        assert staff.delete(PATH, {"plan_service_item": links}).json["deleted_count"] == 2
        assert items_of(world) == items_of(world, "other") == []
        refused(staff.delete(PATH, {"plan_service_item": links}), 404, "plan-service-item-not-found")

    def test_sees_what_changed_meanwhile(self, staff: Clerk, world: World, plan: Any) -> None:
        (ident,) = [one["plan_service_item_id"] for one in link(staff, "new", [1])["created_items"]]
        real, raced = queries.all_plans_and_versions, list[bool]()

        def read(table: Table, academy_id: int) -> Any:
            found = real(table, academy_id)
            if not raced:
                raced.append(True)
                link(staff, "new", [2])
            return found

        with patch.object(queries, "all_plans_and_versions", read):
            assert staff.delete(PATH, {"plan_service_item": ident}).status == 200
        assert items_of(world) == [2]

    def test_is_audited(self, staff: Clerk, world: World, plan: Any) -> None:
        (ident,) = [one["plan_service_item_id"] for one in link(staff, "new", [1])["created_items"]]
        staff.delete(PATH, {"plan_service_item": ident})
        gone, linked, _ = audited(world, f"plan:{plan['id']}")
        assert [len(row["items"]) for row in (linked[1], linked[2], gone[1], gone[2])] == [0, 1, 1, 0]


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World, plan: Any) -> None:
        (ident,) = [one["plan_service_item_id"] for one in link(staff, "new", [1])["created_items"]]
        other = clerk_elsewhere(world)
        before = everything(world)
        refused(other.post(PATH, {"plan": plan["id"], "service_item": 2}), 404, "not-found")
        refused(other.delete(PATH, {"plan_service_item": ident}), 404, "plan-service-item-not-found")
        assert everything(world) == before

    def test_need_the_capability(self, world: World) -> None:
        reader = clerk(world, "crud_subscription")
        for method in ("POST", "DELETE"):
            answer = reader.call(method, PATH, {"plan": "basic", "service_item": 1, "plan_service_item": 1})
            refused(answer, 403, "permission-denied")
