"""Sets of cohorts, mentorship services and event types: owned, bounded, in use or not (document 3)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog import queries, set_queries, sets
from chalicelib.books.catalog.model import PlanStatus, SetKind
from chalicelib.dynamo.table import Table
from tests.shop import COURSES, a_plan, a_price
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World

COHORT = "/v1/admissions/academy/cohort"
PATH = "/v1/payments/academy/cohortset"
KINDS = {
    "cohortset": ("cohorts", SetKind.COHORT, "cohort_set_id"),
    "mentorshipserviceset": ("mentorship_services", SetKind.MENTORSHIP_SERVICE, "mentorship_service_set_id"),
    "eventtypeset": ("event_types", SetKind.EVENT_TYPE, "event_type_set_id"),
}
FULL_STACK = {"slug": "full-stack-program", "name": "Full Stack Program"}


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def cohort(staff: Clerk, slug: str = "react", *, available: bool = True) -> int:
    answer = staff.post(COHORT, {"slug": slug, "name": slug.title(), "available_as_saas": available})
    assert answer.status == 201, answer.text
    staff.person.world.advance(seconds=1)
    return int(answer.json["id"])


def made(staff: Clerk, kind: str = "cohortset", **changes: Any) -> Any:
    answer = staff.post(f"/v1/payments/academy/{kind}", {**FULL_STACK, **changes})
    assert answer.status == 201, answer.text
    return answer.json


def members(staff: Clerk, kind: str) -> list[int]:
    """Ids that may be in a set of the kind."""
    return [cohort(staff, "basics"), cohort(staff, "react")] if kind == "cohortset" else [7, 8]


class TestASet:
    def test_has_these_fields(self, staff: Clerk, kind: str) -> None:
        field, ids = KINDS[kind][0], members(staff, kind)
        found = made(staff, kind, **{field: ids})
        assert found == {"id": found["id"], **FULL_STACK, field: ids}
        for ref in (found["id"], FULL_STACK["slug"]):
            assert staff.get(f"/v1/payments/academy/{kind}/{ref}").json == found

    @pytest.mark.parametrize(("field", "value"), [("slug", "program-2"), ("name", "Program"), ("members", [])])
    def test_changes_in_each_of_them_alone(self, staff: Clerk, kind: str, field: str, value: Any) -> None:
        name = KINDS[kind][0]
        found = made(staff, kind, **{name: members(staff, kind)})
        changes = {name if field == "members" else field: value}
        answer = staff.put(f"/v1/payments/academy/{kind}/{FULL_STACK['slug']}", changes)
        assert (answer.status, answer.json) == (200, {**found, **changes})
        assert staff.get(f"/v1/payments/academy/{kind}/{found['id']}").json == answer.json

    @pytest.mark.parametrize(
        ("changes", "slug"),
        [
            ({"slug": "no spaces"}, "invalid-slug"),
            ({"slug": "x" * 61}, "invalid-slug"),
            ({"slug": "123"}, "invalid-slug"),
            ({"slug": "-a"}, "invalid-slug"),
            ({"slug": "a\n"}, "invalid-slug"),
            ({"slug": "año"}, "invalid-slug"),
            ({"slug": ""}, "invalid-slug"),
            ({"slug": None}, "invalid-slug"),
            ({"slug": 5}, "invalid-slug"),
            ({"name": " "}, "invalid-name"),
            ({"name": "a\x07"}, "invalid-name"),
            ({"name": "x" * 101}, "invalid-name"),
            ({"name": None}, "invalid-name"),
            ({"members": None}, "invalid-request"),
            ({"members": [0]}, "invalid-request"),
            ({"members": ["7"]}, "invalid-request"),
            ({"members": 7}, "invalid-request"),
            ({"members": list(range(1, 1002))}, "invalid-request"),
        ],
    )
    def test_that_is_none_is_refused(
        self, staff: Clerk, world: World, kind: str, changes: dict[str, Any], slug: str
    ) -> None:
        found = made(staff, kind)
        sent = {KINDS[kind][0] if name == "members" else name: value for name, value in changes.items()}
        before = everything(world)
        refused(staff.post(f"/v1/payments/academy/{kind}", {**FULL_STACK, "slug": "other", **sent}), 400, slug)
        refused(staff.put(f"/v1/payments/academy/{kind}/{found['id']}", sent), 400, slug)
        assert everything(world) == before

    def test_needs_a_slug_and_a_name(self, staff: Clerk, kind: str) -> None:
        refused(staff.post(f"/v1/payments/academy/{kind}", {"name": "N"}), 400, "invalid-slug")
        refused(staff.post(f"/v1/payments/academy/{kind}", {"slug": "s"}), 400, "invalid-name")

    def test_has_each_member_once(self, staff: Clerk) -> None:
        assert made(staff, "eventtypeset", event_types=[8, 7, 8])["event_types"] == [8, 7]

    def test_is_audited(self, staff: Clerk, world: World, kind: str) -> None:
        found = made(staff, kind)
        path = f"/v1/payments/academy/{kind}/{found['id']}"
        staff.put(path, {"name": "Program"})
        staff.put(path, {"name": "Program"})  # changes nothing
        staff.delete(path)
        last, second, first = audited(world, f"{KINDS[kind][1].replace('_', '-')}-set:{found['id']}")
        assert {change[0] for change in (first, second, last)} == {f"user:{staff.person.user_id}"}
        assert first[1] is None and first[2]["name"] == "Full Stack Program"
        assert (second[1]["name"], second[2]["name"]) == ("Full Stack Program", "Program")
        assert last[2] is None


class TestSlugs:
    def test_are_taken_once_of_a_kind_and_academy(self, staff: Clerk, world: World, kind: str) -> None:
        made(staff, kind)
        other = made(staff, kind, slug="other")
        path = f"/v1/payments/academy/{kind}"
        refused(staff.post(path, FULL_STACK), 400, "slug-already-exists")
        refused(staff.put(f"{path}/{other['id']}", {"slug": FULL_STACK["slug"]}), 400, "slug-already-exists")
        made(clerk_elsewhere(world), kind)
        for another in set(KINDS) - {kind}:
            made(staff, another)

    def test_of_rows_that_an_import_made_are_taken_too(self, staff: Clerk) -> None:
        assert staff.get(f"{PATH}/cohorts").json["id"] == 5
        refused(staff.post(PATH, {"slug": "cohorts", "name": "C"}), 400, "slug-already-exists")

    def test_are_free_again_when_their_set_has_another_or_is_gone(self, staff: Clerk) -> None:
        found = made(staff)
        staff.put(f"{PATH}/{found['id']}", {"slug": "renamed"})
        refused(staff.get(f"{PATH}/{FULL_STACK['slug']}"), 404, "not-found")
        second = made(staff)
        assert staff.delete(f"{PATH}/{second['slug']}").status == 204
        refused(staff.get(f"{PATH}/{FULL_STACK['slug']}"), 404, "not-found")
        made(staff)


class TestCohortsOfASet:
    def test_are_the_academys(self, staff: Clerk, world: World) -> None:
        theirs = cohort(clerk_elsewhere(world), "theirs")
        before = everything(world)
        for unknown in (theirs, 987654321):
            answer = staff.post(PATH, {**FULL_STACK, "cohorts": [unknown]})
            refused(answer, 404, "cohort-not-found")
            assert str(unknown) in answer.json["detail"]
        assert everything(world) == before

    def test_are_available_as_saas(self, staff: Clerk) -> None:
        hidden, good = cohort(staff, "hidden", available=False), cohort(staff)
        refused(staff.post(PATH, {**FULL_STACK, "cohorts": [good, hidden]}), 400, "cohort-not-available-as-saas")
        found = made(staff, cohorts=[good])
        refused(staff.put(f"{PATH}/{found['id']}", {"cohorts": [hidden]}), 400, "cohort-not-available-as-saas")
        refused(staff.put(f"{PATH}/{found['id']}/cohort", {"cohorts": [hidden]}), 400, "cohort-not-available-as-saas")
        assert staff.get(f"{PATH}/{found['id']}").json["cohorts"] == [good]

    def test_are_listed_newest_first(self, staff: Clerk) -> None:
        first, second = cohort(staff, "basics"), cohort(staff, "react")
        path = f"{PATH}/{made(staff, cohorts=[first, second])['id']}/cohort"
        assert [(one["id"], one["slug"]) for one in staff.get(path).json] == [(second, "react"), (first, "basics")]
        page = staff.get(f"{path}?limit=1")
        link = page.headers["Link"]
        following = staff.get(link[1 : link.index(">")])
        assert [one["id"] for one in (*page.json, *following.json)] == [second, first]
        assert "Link" not in following.headers
        assert [one["id"] for one in staff.get(f"{path}?offset=1").json] == [first]
        for cursor in ("x", "1" * 17, "%C2%B2"):
            refused(staff.get(f"{path}?cursor={cursor}"), 400, "invalid-cursor")

    @pytest.mark.parametrize("way", ["body", "id", "slug"])
    def test_are_added_and_taken_out_in_each_way(self, staff: Clerk, way: str) -> None:
        first, second = cohort(staff, "basics"), cohort(staff, "react")
        path = f"{PATH}/{made(staff, cohorts=[first])['slug']}/cohort"
        ways: dict[str, tuple[str, Any]] = {
            "body": ("", {"cohorts": [first, second]}),
            "id": (f"?id={first},{second}", None),
            "slug": ("?slug=basics,react", None),
        }
        query, body = ways[way]
        answer = staff.put(path + query, body)
        assert (answer.status, answer.json) == (201, {"status": "ok", "added": [second]})
        answer = staff.put(path + query, body)
        assert (answer.status, answer.json) == (200, {"status": "ok", "added": []})
        answer = staff.delete(path + query, body)
        assert (answer.status, answer.json) == (200, {"status": "ok", "removed": [first, second]})
        assert staff.delete(path + query, body).json == {"status": "ok", "removed": []}

    def test_may_be_named_in_several_ways_at_once(self, staff: Clerk) -> None:
        ids = [cohort(staff, slug) for slug in ("one", "two", "three")]
        path = f"{PATH}/{made(staff)['id']}/cohort"
        assert staff.put(f"{path}?id={ids[1]}&slug=three", {"cohorts": [ids[0]]}).json["added"] == ids

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    @pytest.mark.parametrize(
        ("query", "body", "status", "slug"),
        [
            ("", None, 400, "missing-params"),
            ("", {"cohorts": []}, 400, "missing-params"),
            ("?slug=,", None, 400, "missing-params"),
            ("?id=1,x", None, 400, "invalid-request"),
            ("?id=", None, 400, "invalid-request"),
            ("?id=%C2%B2", None, 400, "invalid-request"),
            ("", {"cohorts": ["1"]}, 400, "invalid-request"),
            ("", {"cohorts": None}, 400, "invalid-request"),
            ("?slug=react,nowhere", None, 404, "cohort-not-found"),
        ],
    )
    def test_that_are_not_named_are_refused(
        self, staff: Clerk, world: World, method: str, query: str, body: Any, status: int, slug: str
    ) -> None:
        path = f"{PATH}/{made(staff, cohorts=[cohort(staff)])['id']}/cohort"
        before = everything(world)
        refused(staff.call(method, path + query, body), status, slug)
        assert everything(world) == before

    def test_that_are_unknown_are_not_added(self, staff: Clerk) -> None:
        path = f"{PATH}/{made(staff)['id']}/cohort"
        refused(staff.put(path, {"cohorts": [cohort(staff), 987654321]}), 404, "cohort-not-found")
        assert staff.get(path).json == []

    def test_are_not_more_than_a_thousand(self, staff: Clerk, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second, third = (cohort(staff, slug) for slug in ("one", "two", "three"))
        path = f"{PATH}/{made(staff, cohorts=[first])['id']}/cohort"
        monkeypatch.setattr(sets, "MEMBERS_MAX", 2)
        refused(staff.put(path, {"cohorts": [second, third]}), 400, "too-many-members")
        assert staff.put(path, {"cohorts": [first, second]}).status == 201

    def test_added_by_two_at_once_are_all_in(self, staff: Clerk) -> None:
        first, second = cohort(staff, "one"), cohort(staff, "two")
        path = f"{PATH}/{made(staff)['id']}/cohort"
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("SET#") and not raced:
                raced.append(True)
                assert staff.put(path, {"cohorts": [second]}).status == 201
            return row

        with patch.object(Table, "get", get):
            assert staff.put(path, {"cohorts": [first]}).status == 201
        assert [one["id"] for one in staff.get(path).json] == [second, first]


class TestACohortInASet:
    def test_stays_available(self, staff: Clerk) -> None:
        ident = cohort(staff)
        found = made(staff, cohorts=[ident])
        answer = staff.put(f"{COHORT}/{ident}", {"available_as_saas": False})
        refused(answer, 400, "cohort-in-set")
        assert found["slug"] in answer.json["detail"]
        assert staff.put(f"{COHORT}/{ident}", {"name": "React"}).status == 200
        staff.delete(f"{PATH}/{found['id']}/cohort", {"cohorts": [ident]})
        assert staff.put(f"{COHORT}/{ident}", {"available_as_saas": False}).json["available_as_saas"] is False

    @pytest.mark.parametrize("way", ["adding", "making"])
    def test_did_not_leave_the_market_while_it_came_into_the_set(self, staff: Clerk, way: str) -> None:
        """The cohort was looked at, and is taken off the market before the set is written."""
        ident = cohort(staff)
        path = f"{PATH}/{made(staff, slug='other')['id']}/cohort"
        real, raced = set_queries.named_cohorts, list[bool]()

        def cohorts(table: Table, academy_id: int, ids: Any) -> Any:
            found = real(table, academy_id, ids)
            if not raced:
                raced.append(True)
                assert staff.put(f"{COHORT}/{ident}", {"available_as_saas": False}).status == 200
            return found

        with patch.object(set_queries, "named_cohorts", cohorts):
            answer = (
                staff.put(path, {"cohorts": [ident]})
                if way == "adding"
                else staff.post(PATH, {**FULL_STACK, "cohorts": [ident]})
            )
        refused(answer, 400, "cohort-not-available-as-saas")

    def test_did_not_come_into_a_set_while_it_left_the_market(self, staff: Clerk) -> None:
        """The sets were looked at, and one gets the cohort before the cohort is written."""
        ident = cohort(staff)
        path = f"{PATH}/{made(staff)['id']}/cohort"
        real, raced = set_queries.all_sets, list[bool]()

        def all_sets(table: Table, academy_id: int, kind: SetKind) -> Any:
            found = real(table, academy_id, kind)
            if not raced:
                raced.append(True)
                assert staff.put(path, {"cohorts": [ident]}).status == 201
            return found

        with patch.object(set_queries, "all_sets", all_sets):
            refused(staff.put(f"{COHORT}/{ident}", {"available_as_saas": False}), 400, "cohort-in-set")
        assert staff.get(f"{COHORT}/{ident}").json["available_as_saas"] is True


class TestTakingAway:
    def test_of_one_that_a_plan_is_sold_with_is_refused(self, staff: Clerk, world: World, kind: str) -> None:
        found = made(staff, kind)
        links = {KINDS[kind][2]: found["id"]}
        catalog.create(world.table, a_plan(world.now, world.academy_id, id=8000, slug="sold", **links))
        answer = staff.delete(f"/v1/payments/academy/{kind}/{found['id']}")
        refused(answer, 400, "set-in-use")
        assert "the plan sold" in answer.json["detail"]

    def test_of_one_that_a_plan_will_be_sold_with_is_refused(self, staff: Clerk, world: World) -> None:
        found = made(staff)
        later = (world.now + timedelta(days=1)).isoformat()
        answer = staff.put("/v1/payments/academy/plan/basic", {"cohort_set": found["id"], "applies_from": later})
        assert answer.status == 200, answer.text
        refused(staff.delete(f"{PATH}/{found['id']}"), 400, "set-in-use")

    def test_of_one_that_only_deleted_plans_name(self, staff: Clerk, world: World) -> None:
        found = made(staff)
        plan = a_plan(world.now, world.academy_id, id=8000, slug="gone", status=PlanStatus.DELETED)
        catalog.create(world.table, plan.model_copy(update={"cohort_set_id": found["id"]}))
        assert staff.delete(f"{PATH}/{found['id']}").status == 204

    def test_of_one_that_an_academy_service_offers_is_refused(self, staff: Clerk, world: World, kind: str) -> None:
        found = made(staff, kind)
        price = a_price(world.academy_id, id=950, service_id=COURSES, set_ids={KINDS[kind][1]: (found["id"],)})
        catalog.create(world.table, price)
        answer = staff.delete(f"/v1/payments/academy/{kind}/{found['id']}")
        refused(answer, 400, "set-in-use")
        assert "950" in answer.json["detail"]

    def test_sees_the_academy_service_that_offers_it_meanwhile(self, staff: Clerk, world: World) -> None:
        found = made(staff)
        price = a_price(world.academy_id, id=950, service_id=COURSES, set_ids={SetKind.COHORT: (found["id"],)})
        real, raced = queries.all_prices, list[bool]()

        def all_prices(table: Table, academy_id: int) -> Any:
            prices = real(table, academy_id)
            if not raced:
                raced.append(True)
                catalog.create(world.table, price)
            return prices

        with patch.object(queries, "all_prices", all_prices):
            refused(staff.delete(f"{PATH}/{found['id']}"), 400, "set-in-use")
        assert staff.get(f"{PATH}/{found['slug']}").status == 200

    def test_of_one_that_nothing_names(self, staff: Clerk, kind: str) -> None:
        path = f"/v1/payments/academy/{kind}/{made(staff, kind)['id']}"
        assert staff.delete(path).status == 204
        refused(staff.get(path), 404, "not-found")
        refused(staff.delete(path), 404, "not-found")
        refused(staff.put(path, {"name": "N"}), 404, "not-found")


class TestLists:
    def test_are_of_one_kind_newest_first_and_paged(self, staff: Clerk, world: World, kind: str) -> None:
        path = f"/v1/payments/academy/{kind}"
        first = made(staff, kind, slug="first")
        world.advance(seconds=1)
        second = made(staff, kind, slug="second")
        for another in set(KINDS) - {kind}:
            made(staff, another)
        assert staff.get(path).json[:2] == [second, first]
        assert all(set(one) == set(first) for one in staff.get(path).json)
        page = staff.get(f"{path}?limit=1")
        link = page.headers["Link"]
        assert [page.json[0], staff.get(link[1 : link.index(">")]).json[0]] == [second, first]


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World, kind: str) -> None:
        found = made(staff, kind)
        other = clerk_elsewhere(world)
        before = everything(world)
        tried: list[tuple[str, str, Any]] = [("GET", "", None), ("PUT", "", {"name": "N"}), ("DELETE", "", None)]
        if kind == "cohortset":
            tried += [
                ("GET", "/cohort", None),
                *((method, "/cohort", {"cohorts": [1]}) for method in ("PUT", "DELETE")),
            ]
        for ref in (found["id"], found["slug"]):
            for method, part, body in tried:
                refused(other.call(method, f"/v1/payments/academy/{kind}/{ref}{part}", body), 404, "not-found")
        assert found not in other.get(f"/v1/payments/academy/{kind}").json
        assert everything(world) == before
