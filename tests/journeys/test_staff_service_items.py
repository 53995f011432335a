"""Service items: so many units of a service, their owner, and what of them never changes (document 3)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.queries import service_items_by_id
from chalicelib.dynamo.table import Table
from tests.shop import CHAT, EVENTS, an_item, put
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, every_page, everything, refused, table_calls
from tests.world import World

PATH = "/v1/payments/academy/serviceitem"
SERVICES = "/v1/payments/academy/service"
LINKS = "/v1/payments/academy/plan/serviceitem"
FEATURE = {"lang": "en", "title": "Chat", "one_line_desc": "Chat with AI mentors", "description": "As you like"}
DEFAULTS = {
    "unit_type": "UNIT",
    "sort_priority": 1,
    "is_renewable": False,
    "renew_at": 1,
    "renew_at_unit": "MONTH",
    "is_team_allowed": False,
    "features": [],
}


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def made(staff: Clerk, **changes: Any) -> Any:
    answer = staff.post(PATH, {"service": "ai-chat", "how_many": 50, **changes})
    assert answer.status == 201, answer.text
    return answer.json


def ids(staff: Clerk, query: str = "") -> list[int]:
    answer = staff.get(f"{PATH}?limit=100&{query}")
    assert answer.status == 200, answer.text
    return [item["id"] for item in answer.json]


class TestMaking:
    def test_has_the_defaults_of_the_document(self, staff: Clerk) -> None:
        item = made(staff)
        service = item.pop("service")
        assert (service["id"], service["slug"], service["type"]) == (CHAT, "ai-chat", "VOID")
        assert item == {"id": item["id"], "how_many": 50, **DEFAULTS}
        assert staff.get(f"{PATH}/{item['id']}").json == {**item, "service": service}

    @pytest.mark.parametrize("service", [CHAT, "ai-chat"])
    def test_takes_the_service_by_id_or_slug(self, staff: Clerk, service: Any) -> None:
        assert made(staff, service=service)["service"]["id"] == CHAT

    @pytest.mark.parametrize("how_many", [-1, 1, 5, 10**12])
    def test_takes_unlimited_and_positive_counts(self, staff: Clerk, how_many: int) -> None:
        assert made(staff, how_many=how_many)["how_many"] == how_many

    def test_keeps_features_by_language(self, staff: Clerk) -> None:
        spanish = {"lang": "es", "title": None, "one_line_desc": "Hola", "description": None}
        assert made(staff, features=[FEATURE, spanish])["features"] == [FEATURE, spanish]

    @pytest.mark.parametrize(
        ("changes", "status", "slug"),
        [
            ({"how_many": 0}, 400, "invalid-how-many"),
            ({"how_many": -2}, 400, "invalid-how-many"),
            ({"how_many": 10**12 + 1}, 400, "invalid-how-many"),
            ({"how_many": 1.5}, 400, "invalid-how-many"),
            ({"how_many": True}, 400, "invalid-how-many"),
            ({"how_many": None}, 400, "invalid-how-many"),
            ({"unit_type": "HOUR"}, 400, "invalid-unit-type"),
            ({"renew_at": 0}, 400, "invalid-renew-at"),
            ({"renew_at": 1001}, 400, "invalid-renew-at"),
            ({"renew_at_unit": "CENTURY"}, 400, "invalid-renew-at"),
            ({"sort_priority": 10**7}, 400, "invalid-sort-priority"),
            ({"features": [FEATURE, FEATURE]}, 400, "invalid-features"),
            ({"features": [{"title": "no language"}]}, 400, "invalid-features"),
            ({"features": [{"lang": "english!"}]}, 400, "invalid-features"),
            ({"service": None}, 400, "service-required"),
            ({"service": "nothing"}, 404, "service-not-found"),
            ({"service": 987654}, 404, "service-not-found"),
        ],
    )
    def test_of_what_is_none_is_refused(self, staff: Clerk, world: World, changes: Any, status: int, slug: str) -> None:
        before = everything(world)
        refused(staff.post(PATH, {"service": "ai-chat", "how_many": 50, **changes}), status, slug)
        assert everything(world) == before

    def test_needs_a_count(self, staff: Clerk) -> None:
        refused(staff.post(PATH, {"service": "ai-chat"}), 400, "invalid-how-many")

    def test_of_seats_is_for_teams_always(self, staff: Clerk) -> None:
        item = made(staff, service="seat", is_team_allowed=False)
        assert item["is_team_allowed"] is True
        assert staff.put(f"{PATH}/{item['id']}", {"is_team_allowed": False}).json["is_team_allowed"] is True

    def test_is_audited(self, staff: Clerk, world: World) -> None:
        item = made(staff)
        staff.put(f"{PATH}/{item['id']}", {"sort_priority": 3})
        second, first = audited(world, f"service-item:{item['id']}")
        assert first[1] is None and first[2]["owner_id"] == world.academy_id
        assert (second[1]["sort_priority"], second[2]["sort_priority"]) == (1, 3)


class TestChanging:
    @pytest.mark.parametrize(
        ("field", "value", "is_immutable"),
        [
            ("service", "seat", True),
            ("unit_type", "UNIT", True),
            ("how_many", 5, True),
            ("sort_priority", 7, False),
            ("is_renewable", True, True),
            ("renew_at", 2, True),
            ("renew_at_unit", "YEAR", True),
            ("is_team_allowed", True, False),
            ("features", [FEATURE], False),
        ],
    )
    def test_is_as_the_document_says_of_each_field(
        self, staff: Clerk, world: World, field: str, value: Any, is_immutable: bool
    ) -> None:
        item = made(staff)
        before = everything(world)
        path = f"{PATH}/{item['id']}"
        answer = staff.put(path, {field: value})
        if is_immutable:
            refused(answer, 400, "no-updatable-fields")
            refused(staff.put(path, {field: value, "sort_priority": 2}), 400, "no-updatable-fields")
            assert everything(world) == before
        else:
            assert answer.status == 200 and answer.json == {**item, field: value}
            assert staff.get(path).json == answer.json

    @pytest.mark.parametrize("body", [{}, {"academy": 1}, {"owner_id": 5}, {"unknown": 1}])
    def test_of_nothing_is_refused(self, staff: Clerk, world: World, body: Any) -> None:
        item = made(staff)
        sent = {name: world.academy_id if name == "academy" else value for name, value in body.items()}
        refused(staff.put(f"{PATH}/{item['id']}", sent), 400, "no-updatable-fields")

    @pytest.mark.parametrize("body", [{"sort_priority": None}, {"features": None}, {"is_team_allowed": None}])
    def test_into_none_is_refused(self, staff: Clerk, body: Any) -> None:
        item = made(staff)
        assert staff.put(f"{PATH}/{item['id']}", body).status == 400
        assert staff.get(f"{PATH}/{item['id']}").json == item

    def test_by_two_at_once_loses_neither_change(self, staff: Clerk) -> None:
        path = f"{PATH}/{made(staff)['id']}"
        real, reads = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk == "ITEM":
                reads.append(True)
                if len(reads) == 2:
                    assert staff.put(path, {"is_team_allowed": True}).status == 200
            return row

        with patch.object(Table, "get", get):
            assert staff.put(path, {"sort_priority": 9}).status == 200
        found = staff.get(path).json
        assert (found["is_team_allowed"], found["sort_priority"]) == (True, 9)


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World) -> None:
        item = made(staff)
        other = clerk_elsewhere(world)
        before = everything(world)
        refused(other.get(f"{PATH}/{item['id']}"), 404, "service-item-not-found")
        refused(other.put(f"{PATH}/{item['id']}", {"sort_priority": 2}), 404, "service-item-not-found")
        assert item["id"] in ids(staff) and item["id"] not in ids(other)
        assert everything(world) == before

    def test_make_none_of_a_service_that_they_do_not_see(self, staff: Clerk, world: World) -> None:
        service = staff.post(SERVICES, {"slug": "ours", "title": "Ours"}).json
        other = clerk_elsewhere(world)
        for ref in ("ours", service["id"]):
            refused(other.post(PATH, {"service": ref, "how_many": 1}), 404, "service-not-found")
        assert made(staff, service="ours")["service"]["slug"] == "ours"

    def test_see_everyones_and_change_it_not(self, staff: Clerk, world: World) -> None:
        assert staff.get(f"{PATH}/1").status == 200
        before = everything(world)
        refused(staff.put(f"{PATH}/1", {"sort_priority": 2}), 403, "not-the-owner")
        assert everything(world) == before
        operator = Clerk(world.person(operator=True), world.academy_id)
        assert operator.put(f"{PATH}/1", {"sort_priority": 2}).json["sort_priority"] == 2

    def test_see_nothing_of_everyones_items_of_a_hidden_service(self, staff: Clerk, world: World) -> None:
        service = staff.post(SERVICES, {"slug": "ours", "title": "Ours"}).json
        put(world.table, an_item(id=50, service_id=service["id"]))
        other = clerk_elsewhere(world)
        assert 50 in ids(staff) and 50 not in ids(other)
        refused(other.get(f"{PATH}/50"), 404, "service-item-not-found")

    def test_link_only_their_own_and_everyones(self, staff: Clerk, world: World) -> None:
        other = clerk_elsewhere(world)
        mine, theirs = made(staff)["id"], made(other)["id"]
        wanted = [theirs, mine, 1, 987654]
        linkable = [
            [item.id for item in service_items_by_id(world.table, academy, wanted)]
            for academy in (staff.academy_id, other.academy_id)
        ]
        assert linkable == [[mine, 1], [theirs, 1]]

    def test_sell_none_of_anothers_by_a_plan(self, staff: Clerk, world: World) -> None:
        mine, theirs = made(staff)["id"], made(clerk_elsewhere(world))["id"]
        before = everything(world)
        answer = staff.post(LINKS, {"plan": "basic", "service_item": [mine, theirs]})
        refused(answer, 404, "service-item-not-found")
        assert str(theirs) in answer.json["detail"] and str(mine) not in answer.json["detail"]
        assert everything(world) == before
        assert staff.post(LINKS, {"plan": "basic", "service_item": [mine, 1]}).json["total_created"] == 1

    def test_link_no_more_what_became_hidden(self, staff: Clerk, world: World) -> None:
        staff.post(SERVICES, {"slug": "shared", "title": "Shared", "private": False})
        other = clerk_elsewhere(world)
        theirs = made(other, service="shared")["id"]
        staff.put(f"{SERVICES}/shared", {"private": True})
        assert service_items_by_id(world.table, other.academy_id, [theirs]) == ()
        assert other.get(f"{PATH}/{theirs}").status == 200, "it is still in the plans that sell it"

    def test_need_the_capability(self, world: World) -> None:
        reader = clerk(world, "read_service")
        assert reader.get(PATH).status == 200
        refused(reader.post(PATH, {"service": "ai-chat", "how_many": 1}), 403, "permission-denied")
        refused(reader.put(f"{PATH}/1", {"sort_priority": 1}), 403, "permission-denied")

    def test_find_nothing_where_there_is_nothing(self, staff: Clerk) -> None:
        refused(staff.get(f"{PATH}/987654"), 404, "service-item-not-found")
        refused(staff.put(f"{PATH}/987654", {"sort_priority": 1}), 404, "service-item-not-found")


class TestLists:
    def test_are_the_own_ones_then_everyones(self, staff: Clerk, world: World) -> None:
        first = made(staff)["id"]
        world.advance(seconds=1)
        second = made(staff)["id"]
        assert ids(staff) == [second, first, 3, 2, 1]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("service=mentorship-service", [2]),
            ("service=52", [2]),
            ("service=nothing", []),
            ("is_renewable=false", [0]),
            ("is_team_allowed=true", [2]),
            ("renew_at=3", [0]),
            ("renew_at_unit=YEAR", [0]),
            ("how_many=-1", [3]),
            ("how_many=5000&is_renewable=true", [1]),
            ("unit_type=UNIT", [0, 3, 2, 1]),
            ("unit_type=HOUR", []),
        ],
    )
    def test_are_filtered(self, staff: Clerk, query: str, found: list[int]) -> None:
        own = made(staff, renew_at=3, renew_at_unit="YEAR")["id"]
        assert ids(staff, query) == [ident or own for ident in found]

    @pytest.mark.parametrize("query", ["is_renewable=perhaps", "renew_at=0", "renew_at_unit=CENTURY", "how_many=x"])
    def test_refuse_filters_that_cannot_be_read(self, staff: Clerk, query: str) -> None:
        refused(staff.get(f"{PATH}?{query}"), 400, "invalid-request")

    def test_come_in_pages_that_end(self, staff: Clerk, world: World) -> None:
        for _ in range(3):
            made(staff)
            world.advance(seconds=1)
        seen = [item["id"] for item in every_page(staff, f"{PATH}?limit=2")]
        assert seen == ids(staff) and len(seen) == 6

    def test_cost_a_query_and_the_services_of_what_they_show(self, staff: Clerk, world: World) -> None:
        put(world.table, *(an_item(id=1000 + number, owner_id=staff.academy_id) for number in range(30)))
        with table_calls() as calls:
            assert len(staff.get(PATH).json) == 20
        assert (calls["Query"], calls["BatchGetItem"], calls["Scan"]) == (1, 1, 0)


def test_an_item_of_an_older_release_is_everyones(staff: Clerk, world: World) -> None:
    put(world.table, an_item(id=60, service_id=EVENTS))
    text = an_item(id=60, service_id=EVENTS).model_dump_json().replace('"owner_id":null,', "")
    item = next(one for one in world.memory.copy() if one["pk"]["S"] == "ITEM#60")
    world.memory.put((item["pk"]["S"], item["sk"]["S"]), {**item, "doc": {"S": text}})
    assert "owner_id" not in text
    assert staff.get(f"{PATH}/60").json["how_many"] == 5000
    assert [item.id for item in service_items_by_id(world.table, staff.academy_id, [60])] == [60]
