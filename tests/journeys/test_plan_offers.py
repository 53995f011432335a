"""Plan offers: one live offer a plan, shown to the public where both plans are for sale (facts, section 17)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import Period, PlanStatus
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import commit
from tests.shop import BASIC, BOOTCAMP, FREE, TEAM, a_plan
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World

PATH = "/v1/payments/academy/planoffer"
PUBLIC = "/v1/payments/planoffer"
ENGLISH = {"lang": "en", "title": "More", "description": "More of it", "short_description": "More!"}
FIELDS: list[tuple[str, Any]] = [
    ("details", "Twice as much"),
    ("details", None),
    ("show_modal", True),
    ("expires_at", "2027-01-31T00:00:00Z"),
    ("expires_at", None),
    ("translations", [ENGLISH, {**ENGLISH, "lang": "pt-BR"}]),
]


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def made(staff: Clerk, original: int | str = BASIC, suggested: int | str = TEAM, **fields: Any) -> Any:
    answer = staff.post(PATH, {"original_plan": original, "suggested_plan": suggested, **fields})
    assert answer.status == 201, answer.text
    return answer.json


def shown(world: World, query: str = "academy=4geeks") -> list[int]:
    answer = world.call("GET", f"{PUBLIC}?{query}")
    assert answer.status == 200, answer.text
    return [offer["id"] for offer in answer.json]


def at(world: World, **later: int) -> str:
    return (world.now + timedelta(**later)).isoformat()


def set_status(world: World, plan_id: int, status: PlanStatus) -> None:
    row = world.table.get(store.plan_key(world.academy_id, plan_id))
    assert row is not None
    plan = a_plan(world.now, world.academy_id).model_validate_json(row.doc)
    commit(world.table, [store.changed(plan.model_copy(update={"status": status}), version=row.version)])


class TestAnOffer:
    def test_has_these_fields(self, staff: Clerk, world: World) -> None:
        found = made(staff)
        assert found == {
            "id": found["id"],
            "original_plan": {"id": BASIC, "slug": "basic", "title": "Basic", "status": "ACTIVE"},
            "suggested_plan": {"id": TEAM, "slug": "team", "title": "Basic", "status": "ACTIVE"},
            "details": None,
            "show_modal": False,
            "expires_at": None,
            "translations": [],
        }
        assert staff.get(f"{PATH}/{found['id']}").json == found

    @pytest.mark.parametrize(("field", "value"), FIELDS)
    def test_is_made_with_each_of_them(self, staff: Clerk, field: str, value: Any) -> None:
        assert made(staff, **{field: value})[field] == value

    @pytest.mark.parametrize(("field", "value"), FIELDS)
    def test_changes_in_each_of_them_alone(self, staff: Clerk, field: str, value: Any) -> None:
        found = made(staff, details="Before", expires_at="2027-06-30T00:00:00Z")
        answer = staff.put(f"{PATH}/{found['id']}", {field: value})
        assert (answer.status, answer.json) == (200, {**found, field: value})
        assert staff.get(f"{PATH}/{found['id']}").json == answer.json

    def test_names_plans_by_id_or_slug(self, staff: Clerk) -> None:
        found = made(staff, "basic", "team")
        assert (found["original_plan"]["id"], found["suggested_plan"]["id"]) == (BASIC, TEAM)
        changed = staff.put(f"{PATH}/{found['id']}", {"suggested_plan": "free"}).json
        assert changed["suggested_plan"]["id"] == FREE

    @pytest.mark.parametrize(
        ("changes", "status", "slug"),
        [
            ({"original_plan": None}, 400, "original-plan-required"),
            ({"suggested_plan": None}, 400, "suggested-plan-required"),
            ({"original_plan": 987654321}, 404, "not-found"),
            ({"suggested_plan": "nowhere"}, 404, "not-found"),
            ({"original_plan": "theirs"}, 404, "not-found"),
            ({"suggested_plan": 8000}, 404, "not-found"),
            ({"suggested_plan": "gone"}, 404, "not-found"),
            ({"original_plan": BOOTCAMP, "suggested_plan": "bootcamp"}, 400, "suggested-plan-is-original"),
            ({"expires_at": "tomorrow"}, 400, "invalid-request"),
            ({"expires_at": "2027-01-31T00:00:00"}, 400, "invalid-request"),
            ({"expires_at": "1800000000"}, 400, "invalid-request"),
            ({"expires_at": 1800000000}, 400, "invalid-request"),
            ({"expires_at": "0001-01-01T00:00:00+14:00"}, 400, "invalid-request"),
            ({"show_modal": None}, 400, "invalid-request"),
            ({"show_modal": "yes"}, 400, "invalid-request"),
            ({"details": "x" * 2001}, 400, "invalid-request"),
            ({"translations": None}, 400, "invalid-request"),
            ({"translations": [{"title": "No language"}]}, 400, "invalid-request"),
            ({"translations": [{"lang": "english please"}]}, 400, "invalid-request"),
            ({"translations": [ENGLISH, {"lang": "EN"}]}, 400, "translation-twice"),
            ({"translations": [ENGLISH] * 51}, 400, "invalid-request"),
        ],
    )
    def test_that_is_none_is_refused(self, staff: Clerk, world: World, changes: Any, status: int, slug: str) -> None:
        elsewhere = clerk_elsewhere(world)
        catalog.create(world.table, a_plan(world.now, elsewhere.academy_id, id=8000, slug="theirs"))
        gone = a_plan(world.now, world.academy_id, id=8001, slug="gone", status=PlanStatus.DELETED)
        catalog.create(world.table, gone)
        found = made(staff, FREE, TEAM)
        before = everything(world)
        refused(staff.post(PATH, {"original_plan": BASIC, "suggested_plan": TEAM, **changes}), status, slug)
        refused(staff.put(f"{PATH}/{found['id']}", changes), status, slug)
        assert everything(world) == before

    def test_needs_its_plans(self, staff: Clerk) -> None:
        refused(staff.post(PATH, {}), 400, "original-plan-required")
        refused(staff.post(PATH, {"original_plan": BASIC}), 400, "suggested-plan-required")

    def test_is_audited(self, staff: Clerk, world: World) -> None:
        found = made(staff)
        path = f"{PATH}/{found['id']}"
        staff.put(path, {"show_modal": True})
        staff.put(path, {"show_modal": True})  # changes nothing
        staff.delete(path)
        last, second, first = audited(world, f"plan-offer:{found['id']}")
        assert {change[0] for change in (first, second, last)} == {f"user:{staff.person.user_id}"}
        assert first[1] is None and first[2]["original_plan_id"] == BASIC
        assert (second[1]["show_modal"], second[2]["show_modal"]) == (False, True)
        assert last[2] is None

    def test_that_is_taken_away_is_gone(self, staff: Clerk) -> None:
        path = f"{PATH}/{made(staff)['id']}"
        assert staff.delete(path).status == 204
        for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
            refused(staff.call(method, path, body), 404, "not-found")


class TestALiveOffer:
    """A plan has one."""

    def test_is_alone(self, staff: Clerk, world: World) -> None:
        made(staff)
        before = everything(world)
        answer = staff.post(PATH, {"original_plan": "basic", "suggested_plan": FREE})
        refused(answer, 400, "active-plan-offer-exists")
        assert everything(world) == before
        made(staff, TEAM, BASIC)

    def test_is_alone_of_two_made_at_once(self, staff: Clerk) -> None:
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("PLAN#") and not raced:
                raced.append(True)
                made(staff, BASIC, FREE)
            return row

        with patch.object(Table, "get", get):
            answer = staff.post(PATH, {"original_plan": BASIC, "suggested_plan": TEAM})
        refused(answer, 400, "active-plan-offer-exists")
        assert len(staff.get(f"{PATH}?original_plan=basic").json) == 1

    def test_makes_room_when_it_expires(self, staff: Clerk, world: World) -> None:
        first = made(staff, expires_at=at(world, seconds=60, microseconds=500_000))
        body = {"original_plan": BASIC, "suggested_plan": FREE}
        world.advance(seconds=59)
        assert shown(world) == [first["id"]]
        refused(staff.post(PATH, body), 400, "active-plan-offer-exists")
        world.advance(seconds=1)
        assert shown(world) == []
        second = made(staff, BASIC, FREE)
        assert shown(world) == [second["id"]]

    def test_makes_room_when_it_is_ended_moved_or_taken_away(self, staff: Clerk, world: World) -> None:
        first = made(staff)
        staff.put(f"{PATH}/{first['id']}", {"expires_at": at(world, seconds=0)})
        second = made(staff)
        staff.put(f"{PATH}/{second['id']}", {"original_plan": FREE})
        third = made(staff)
        assert staff.delete(f"{PATH}/{third['id']}").status == 204
        fourth = made(staff)
        assert sorted(shown(world)) == sorted([second["id"], fourth["id"]])

    def test_is_not_joined_by_one_that_lives_again_or_moves_there(self, staff: Clerk, world: World) -> None:
        expired = made(staff, expires_at=at(world, seconds=10))
        world.advance(seconds=10)
        made(staff)
        elsewhere = made(staff, FREE, TEAM)
        before = everything(world)
        for ident, change in ((expired["id"], {"expires_at": None}), (elsewhere["id"], {"original_plan": BASIC})):
            refused(staff.put(f"{PATH}/{ident}", change), 400, "active-plan-offer-exists")
        assert everything(world) == before
        assert staff.put(f"{PATH}/{expired['id']}", {"details": "It was"}).status == 200
        assert staff.delete(f"{PATH}/{expired['id']}").status == 204
        refused(staff.post(PATH, {"original_plan": BASIC, "suggested_plan": FREE}), 400, "active-plan-offer-exists")

    def test_may_be_changed_while_it_lives(self, staff: Clerk, world: World) -> None:
        found = made(staff, expires_at=at(world, seconds=10))
        assert staff.put(f"{PATH}/{found['id']}", {"expires_at": at(world, seconds=60)}).status == 200
        world.advance(seconds=30)
        refused(staff.post(PATH, {"original_plan": BASIC, "suggested_plan": FREE}), 400, "active-plan-offer-exists")


class TestThePublic:
    def test_sees_both_plans_as_they_are_sold(self, staff: Clerk, world: World) -> None:
        found = made(staff, details="Twice", show_modal=True, translations=[ENGLISH])
        (seen,) = world.call("GET", f"{PUBLIC}?academy=4geeks").json
        assert set(seen) == {
            "id",
            "original_plan",
            "suggested_plan",
            "details",
            "show_modal",
            "expires_at",
            "translations",
        }
        for name, slug in (("original_plan", "basic"), ("suggested_plan", "team")):
            assert seen[name] == world.call("GET", f"/v1/payments/plan/{slug}").json
        assert (seen["details"], seen["show_modal"], seen["translations"]) == ("Twice", True, [ENGLISH])
        assert seen["id"] == found["id"] and seen["expires_at"] is None

    def test_sees_prices_of_its_country(self, staff: Clerk, world: World) -> None:
        plan = a_plan(world.now, world.academy_id, id=8000, slug="world", countries={"ES": {"ratio": "0.5"}})
        catalog.create(world.table, plan)
        made(staff, "world", "team")
        (seen,) = world.call("GET", f"{PUBLIC}?academy=4geeks&country_code=es").json
        half = float(plan.prices[Period.MONTH] / 2)
        assert seen["original_plan"]["price_per_month"] == pytest.approx(half, abs=0.01)
        assert seen["suggested_plan"]["price_per_month"] == 2999.0

    def test_finds_offers_by_their_plans(self, staff: Clerk, world: World) -> None:
        first = made(staff, BASIC, TEAM)["id"]
        world.advance(seconds=1)
        second = made(staff, FREE, TEAM)["id"]
        world.advance(seconds=1)
        third = made(staff, TEAM, BASIC)["id"]
        assert shown(world) == [third, second, first]
        assert shown(world, "original_plan=basic") == shown(world, f"original_plan={BASIC}") == [first]
        assert shown(world, "suggested_plan=team") == [second, first]
        assert shown(world, f"original_plan=free&suggested_plan={TEAM}&academy=4geeks") == [second]
        assert shown(world, "original_plan=free&suggested_plan=basic") == []
        assert shown(world, "original_plan=bootcamp") == []

    def test_pages(self, staff: Clerk, world: World) -> None:
        first = made(staff, BASIC, TEAM)["id"]
        world.advance(seconds=1)
        second = made(staff, FREE, TEAM)["id"]
        page = world.call("GET", f"{PUBLIC}?academy=4geeks&limit=1")
        link = page.headers["Link"]
        following = world.call("GET", link[1 : link.index(">")])
        assert [page.json[0]["id"], following.json[0]["id"]] == [second, first]

    @pytest.mark.parametrize("status", [PlanStatus.DRAFT, PlanStatus.DELETED, PlanStatus.DISCONTINUED])
    @pytest.mark.parametrize("plan", [BASIC, TEAM])
    def test_sees_no_plan_that_is_not_for_sale(self, staff: Clerk, world: World, plan: int, status: PlanStatus) -> None:
        made(staff)
        set_status(world, plan, status)
        assert shown(world) == []
        name = "original_plan" if plan == BASIC else "suggested_plan"
        refused(world.call("GET", f"{PUBLIC}?{name}={plan}"), 404, "not-found")
        other = "suggested_plan=team" if plan == BASIC else "original_plan=basic"
        assert shown(world, other) == []
        assert len(staff.get(PATH).json) == 1

    def test_sees_a_plan_from_when_it_is_for_sale(self, staff: Clerk, world: World) -> None:
        found = made(staff)["id"]
        set_status(world, TEAM, PlanStatus.DRAFT)
        later = {"status": "ACTIVE", "applies_from": at(world, seconds=60)}
        assert staff.put("/v1/payments/academy/plan/team", later).status == 200
        assert shown(world) == []
        world.advance(seconds=60)
        assert shown(world) == [found]

    def test_sees_an_unlisted_plan_where_it_is_suggested_or_named(self, staff: Clerk, world: World) -> None:
        found = made(staff)["id"]
        set_status(world, TEAM, PlanStatus.UNLISTED)
        assert shown(world) == [found]
        set_status(world, BASIC, PlanStatus.UNLISTED)
        assert shown(world) == []
        assert shown(world, "original_plan=basic") == [found]

    def test_says_whose_offers(self, staff: Clerk, world: World) -> None:
        made(staff)
        clerk_elsewhere(world)
        assert shown(world, "academy=lakeside") == []
        refused(world.call("GET", PUBLIC), 400, "academy-required")
        refused(world.call("GET", f"{PUBLIC}?academy=nowhere"), 404, "academy-not-found")
        refused(world.call("GET", f"{PUBLIC}?academy=lakeside&original_plan=basic"), 404, "not-found")
        refused(world.call("GET", f"{PUBLIC}?original_plan=nowhere"), 404, "not-found")


class TestListsOfStaff:
    def test_have_expired_ones_and_are_filtered(self, staff: Clerk, world: World) -> None:
        first = made(staff, expires_at=at(world, seconds=1))["id"]
        world.advance(seconds=1)
        second = made(staff, BASIC, FREE)["id"]
        world.advance(seconds=1)
        third = made(staff, FREE, TEAM)["id"]

        def ids(query: str) -> list[int]:
            return [offer["id"] for offer in staff.get(f"{PATH}?{query}").json]

        assert ids("") == [third, second, first]
        assert ids("original_plan=basic") == [second, first]
        assert ids(f"suggested_plan={TEAM}") == [third, first]
        assert ids("original_plan=basic&suggested_plan=team") == [first]
        page = staff.get(f"{PATH}?original_plan=basic&limit=1")
        link = page.headers["Link"]
        assert [page.json[0]["id"], staff.get(link[1 : link.index(">")]).json[0]["id"]] == [second, first]
        refused(staff.get(f"{PATH}?original_plan=nowhere"), 404, "not-found")


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World) -> None:
        path = f"{PATH}/{made(staff)['id']}"
        other = clerk_elsewhere(world)
        before = everything(world)
        for method, body in (("GET", None), ("PUT", {"show_modal": True}), ("DELETE", None)):
            refused(other.call(method, path, body), 404, "not-found")
        assert other.get(PATH).json == []
        refused(other.get(f"{PATH}?original_plan=basic"), 404, "not-found")
        assert everything(world) == before

    @pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("PUT", f"{PATH}/1"), ("DELETE", f"{PATH}/1")])
    def test_need_the_capability(self, world: World, method: str, path: str) -> None:
        reader = clerk(world, "read_subscription")
        assert reader.get(PATH).status == 200
        body = {"original_plan": BASIC, "suggested_plan": TEAM}
        refused(reader.call(method, path, body), 403, "permission-denied")
