"""Cohorts, an academy's settings, and the academies themselves: made, read, changed; and the currencies."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.dynamo.table import Table
from chalicelib.kernel.money import CURRENCIES
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World

PATH = "/v1/admissions/academy/cohort"
SETTINGS = "/v1/payments/academy/settings"
REACT = {"slug": "react", "name": "React & Backend"}
FIELDS: list[tuple[str, Any]] = [
    ("slug", "react-2"),
    ("name", "React"),
    ("available_as_saas", True),
    ("syllabus", "full-stack"),
]


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def made(staff: Clerk, **changes: Any) -> Any:
    answer = staff.post(PATH, {**REACT, **changes})
    assert answer.status == 201, answer.text
    return answer.json


class TestACohort:
    def test_is_not_for_sale_unless_that_is_said(self, staff: Clerk) -> None:
        found = made(staff)
        assert found == {"id": found["id"], **REACT, "available_as_saas": False, "syllabus": None}
        for ref in (found["id"], "react"):
            assert staff.get(f"{PATH}/{ref}").json == found

    @pytest.mark.parametrize(("field", "value"), FIELDS)
    def test_has_each_of_its_fields(self, staff: Clerk, field: str, value: Any) -> None:
        assert made(staff, **{field: value})[field] == value

    @pytest.mark.parametrize(("field", "value"), [*FIELDS, ("syllabus", None)])
    def test_changes_in_each_of_them_alone(self, staff: Clerk, field: str, value: Any) -> None:
        found = made(staff, syllabus="data")
        answer = staff.put(f"{PATH}/react", {field: value})
        assert (answer.status, answer.json) == (200, {**found, field: value})
        assert staff.get(f"{PATH}/{found['id']}").json == answer.json

    @pytest.mark.parametrize(
        ("changes", "slug"),
        [
            ({"slug": "12"}, "invalid-slug"),
            ({"slug": None}, "invalid-slug"),
            ({"name": ""}, "invalid-name"),
            ({"available_as_saas": None}, "invalid-request"),
            ({"available_as_saas": 1}, "invalid-request"),
            ({"syllabus": "full stack"}, "invalid-request"),
        ],
    )
    def test_that_is_none_is_refused(self, staff: Clerk, world: World, changes: Any, slug: str) -> None:
        found = made(staff)
        before = everything(world)
        refused(staff.post(PATH, {**REACT, "slug": "other", **changes}), 400, slug)
        refused(staff.put(f"{PATH}/{found['id']}", changes), 400, slug)
        assert everything(world) == before

    def test_has_a_slug_that_no_other_of_the_academy_has(self, staff: Clerk, world: World) -> None:
        made(staff)
        other = made(staff, slug="other")
        refused(staff.post(PATH, REACT), 400, "slug-already-exists")
        refused(staff.put(f"{PATH}/{other['id']}", {"slug": "react"}), 400, "slug-already-exists")
        made(clerk_elsewhere(world))
        staff.put(f"{PATH}/react", {"slug": "renamed"})
        assert made(staff)["slug"] == "react"

    def test_is_audited(self, staff: Clerk, world: World) -> None:
        found = made(staff)
        staff.put(f"{PATH}/react", {"available_as_saas": True})
        staff.put(f"{PATH}/react", {"available_as_saas": True})  # changes nothing
        second, first = audited(world, f"cohort:{found['id']}")
        assert (first[1], first[2]["slug"]) == (None, "react")
        assert (second[1]["available_as_saas"], second[2]["available_as_saas"]) == (False, True)

    def test_changed_by_two_at_once_loses_neither_change(self, staff: Clerk) -> None:
        found = made(staff)
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("COHORT#") and not raced:
                raced.append(True)
                assert staff.put(f"{PATH}/react", {"syllabus": "data"}).status == 200
            return row

        with patch.object(Table, "get", get):
            assert staff.put(f"{PATH}/react", {"available_as_saas": True}).status == 200
        assert staff.get(f"{PATH}/react").json == {**found, "available_as_saas": True, "syllabus": "data"}

    def test_is_listed_newest_first(self, staff: Clerk, world: World) -> None:
        first = made(staff)
        world.advance(seconds=1)
        second = made(staff, slug="second")
        page = staff.get(f"{PATH}?limit=1")
        link = page.headers["Link"]
        assert [*page.json, *staff.get(link[1 : link.index(">")]).json] == [second, first]

    def test_is_nobody_elses(self, staff: Clerk, world: World) -> None:
        found = made(staff)
        other = clerk_elsewhere(world)
        before = everything(world)
        for ref in (found["id"], "react"):
            refused(other.get(f"{PATH}/{ref}"), 404, "cohort-not-found")
            refused(other.put(f"{PATH}/{ref}", {"name": "N"}), 404, "cohort-not-found")
        assert other.get(PATH).json == []
        assert everything(world) == before


class TestSettings:
    def test_are_read_and_changed(self, staff: Clerk, world: World) -> None:
        here = {"id": world.academy_id, "name": "4Geeks Academy", "slug": "4geeks"}
        before = staff.get(SETTINGS).json
        assert before["academy"] == here
        changed = staff.put(SETTINGS, {"main_currency": "eur"})
        assert (changed.status, changed.json) == (200, {"academy": here, "main_currency": "EUR"})
        assert staff.get(SETTINGS).json == changed.json
        assert staff.put(SETTINGS, {}).json == changed.json
        ((by, was, now),) = audited(world, f"academy:{world.academy_id}")
        assert (by, was["main_currency"], now["main_currency"]) == (
            f"user:{staff.person.user_id}",
            before["main_currency"],
            "EUR",
        )

    @pytest.mark.parametrize("code", ["XXQ", "", None, 5, "EURO"])
    def test_take_known_currencies_only(self, staff: Clerk, world: World, code: Any) -> None:
        before = everything(world)
        refused(staff.put(SETTINGS, {"main_currency": code}), 400, "currency-not-found")
        assert everything(world) == before

    def test_are_each_academys_own(self, staff: Clerk, world: World) -> None:
        before = staff.get(SETTINGS).json
        assert clerk_elsewhere(world).put(SETTINGS, {"main_currency": "JPY"}).status == 200
        assert staff.get(SETTINGS).json == before


class TestAnAcademy:
    def test_is_changed_by_operators(self, world: World) -> None:
        operator = world.person(operator=True)
        path = f"/ops/academies/{world.academy_id}"
        before = operator.get(path).json
        answer = operator.put(path, {"name": " Seaside ", "main_currency": "gbp"})
        assert (answer.status, answer.json) == (200, {**before, "name": "Seaside", "main_currency": "GBP"})
        assert operator.get(path).json == answer.json
        assert operator.get("/ops/academies").json["data"][-1] == answer.json
        assert operator.put(path, {"name": None, "slug": "other"}).json == answer.json
        ((by, was, now),) = audited(world, f"academy:{world.academy_id}")
        assert (by, was["name"], now["name"]) == (f"user:{operator.user_id}", before["name"], "Seaside")

    @pytest.mark.parametrize(
        ("body", "slug"), [({"name": " "}, "invalid-name"), ({"main_currency": "XXQ"}, "currency-not-found")]
    )
    def test_is_not_changed_into_none(self, world: World, body: Any, slug: str) -> None:
        operator = world.person(operator=True)
        before = everything(world)
        refused(operator.put(f"/ops/academies/{world.academy_id}", body), 400, slug)
        assert everything(world) == before

    def test_that_is_not_there_is_not_changed(self, world: World) -> None:
        refused(world.person(operator=True).put("/ops/academies/987654321", {"name": "N"}), 404, "academy-not-found")

    def test_changed_by_two_at_once_loses_neither_change(self, staff: Clerk, world: World) -> None:
        operator = world.person(operator=True)
        path = f"/ops/academies/{world.academy_id}"
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk == "ACADEMY" and not raced:
                raced.append(True)
                assert staff.put(SETTINGS, {"main_currency": "EUR"}).status == 200
            return row

        with patch.object(Table, "get", get):
            assert operator.put(path, {"name": "Seaside"}).status == 200
        found = operator.get(path).json
        assert (found["name"], found["main_currency"]) == ("Seaside", "EUR")


class TestCurrencies:
    def test_are_public_and_all_there(self, world: World) -> None:
        found = world.call("GET", "/v1/payments/currency").json
        assert len(found) == len(CURRENCIES)
        by_code = {one["code"]: one for one in found}
        assert list(by_code) == sorted(CURRENCIES)
        assert by_code["USD"] == {"code": "USD", "name": "US Dollar", "decimals": 2}
        assert (by_code["JPY"]["decimals"], by_code["KWD"]["decimals"]) == (0, 3)
