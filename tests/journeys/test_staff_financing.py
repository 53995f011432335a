"""Financing options: owned, priced by country, in use or not (document 3)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog import queries
from chalicelib.books.catalog.model import FinancingOption
from chalicelib.dynamo.table import Table
from tests.shop import a_plan
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World

PATH = "/v1/payments/academy/financingoption"
EVERYONES = FinancingOption(id=5, academy_id=None, monthly_price=Decimal(10), how_many_months=3, currency="USD")
OPTION = {"monthly_price": 299.0, "how_many_months": 12, "currency": "USD"}


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def made(staff: Clerk, **changes: Any) -> Any:
    answer = staff.post(PATH, {**OPTION, **changes})
    assert answer.status == 201, answer.text
    return answer.json


def ids(staff: Clerk, query: str = "") -> list[int]:
    return [option["id"] for option in staff.get(f"{PATH}?limit=100&{query}").json]


class TestMaking:
    def test_is_answered_as_the_document_shows_it(self, staff: Clerk, world: World) -> None:
        option = made(staff, pricing_ratio_exceptions={"mx": 0.7, "ES": {"ratio": 0.85}})
        assert option == {
            "id": option["id"],
            "academy": {"id": world.academy_id, "name": "4Geeks Academy", "slug": "4geeks"},
            "monthly_price": 299.0,
            "how_many_months": 12,
            "currency": {"code": "USD", "name": "US Dollar"},
            "pricing_ratio_exceptions": {"ES": 0.85, "MX": 0.7},
        }
        assert staff.get(f"{PATH}/{option['id']}").json == option

    @pytest.mark.parametrize(
        ("changes", "slug"),
        [
            ({"monthly_price": 0}, "invalid-monthly-price"),
            ({"monthly_price": -1}, "invalid-monthly-price"),
            ({"monthly_price": "ten"}, "invalid-monthly-price"),
            ({"monthly_price": None}, "invalid-monthly-price"),
            ({"monthly_price": 1e30}, "invalid-price"),
            ({"monthly_price": 1e-9}, "invalid-price"),
            ({"monthly_price": 0.001}, "invalid-price"),
            ({"how_many_months": 0}, "invalid-months"),
            ({"how_many_months": 121}, "invalid-months"),
            ({"how_many_months": 1.5}, "invalid-months"),
            ({"currency": "XXQ"}, "currency-not-found"),
            ({"currency": None}, "currency-required"),
            ({"pricing_ratio_exceptions": {"ES": -1}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": 0}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": True}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": {}}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": {"ratio": None}}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": {"price": -5}}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": {"price_per_month": 5}}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": {"ratio": 1e-9}}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": {"price": 5, "currency": "XXQ"}}}, "currency-not-found"),
            ({"pricing_ratio_exceptions": {"ES": {"price": 5, "currency": 1}}}, "currency-not-found"),
            ({"pricing_ratio_exceptions": {"Spain": 0.5}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": 0.5, "es": 0.6}}, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": []}, "invalid-request"),
        ],
    )
    def test_of_what_is_none_is_refused(self, staff: Clerk, world: World, changes: Any, slug: str) -> None:
        before = everything(world)
        refused(staff.post(PATH, {**OPTION, **changes}), 400, slug)
        assert everything(world) == before

    def test_needs_its_three_fields(self, staff: Clerk) -> None:
        refused(staff.post(PATH, {"monthly_price": 1, "how_many_months": 2}), 400, "currency-required")

    def test_is_audited(self, staff: Clerk, world: World) -> None:
        option = made(staff)
        staff.put(f"{PATH}/{option['id']}", {"monthly_price": 349})
        staff.put(f"{PATH}/{option['id']}", {"monthly_price": 349.0})  # changes nothing
        staff.delete(f"{PATH}/{option['id']}")
        last, second, first = audited(world, f"financing-option:{option['id']}")
        assert {change[0] for change in (first, second, last)} == {f"user:{staff.person.user_id}"}
        assert first[1] is None and first[2]["monthly_price"] == "299.0"
        assert (second[1]["monthly_price"], second[2]["monthly_price"]) == ("299.0", "349")
        assert last[2] is None


class TestChanging:
    def test_is_partial(self, staff: Clerk) -> None:
        option = made(staff, pricing_ratio_exceptions={"MX": 0.7})
        changed = staff.put(f"{PATH}/{option['id']}", {"monthly_price": 349.0})
        assert changed.status == 200 and changed.json == {**option, "monthly_price": 349.0}

    @pytest.mark.parametrize("body", [{"monthly_price": 0}, {"monthly_price": None}, {"currency": "zz"}])
    def test_into_none_is_refused(self, staff: Clerk, body: Any) -> None:
        option = made(staff)
        assert staff.put(f"{PATH}/{option['id']}", body).status == 400
        assert staff.get(f"{PATH}/{option['id']}").json == option

    def test_by_two_at_once_loses_neither_change(self, staff: Clerk) -> None:
        option = made(staff)
        path = f"{PATH}/{option['id']}"
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("OPTION#") and not raced:
                raced.append(True)
                assert staff.put(path, {"how_many_months": 6}).status == 200
            return row

        with patch.object(Table, "get", get):
            assert staff.put(path, {"monthly_price": 349.0}).status == 200
        assert staff.get(path).json == {**option, "monthly_price": 349.0, "how_many_months": 6}


class TestTakingAway:
    def test_of_one_that_a_plan_names_is_refused(self, staff: Clerk, world: World) -> None:
        option = made(staff)
        plan = a_plan(world.now, world.academy_id, id=8000, slug="in-parts", financing_option_ids=(option["id"],))
        catalog.create(world.table, plan)
        answer = staff.delete(f"{PATH}/{option['id']}")
        refused(answer, 400, "financing-option-in-use")
        assert "in-parts" in answer.json["detail"]

    def test_sees_the_plan_that_names_it_meanwhile(self, staff: Clerk, world: World) -> None:
        option = made(staff)
        plan = a_plan(world.now, world.academy_id, id=8000, slug="in-parts", financing_option_ids=(option["id"],))
        real, raced = queries.all_plans, list[bool]()

        def all_plans(table: Table, academy_id: int) -> Any:
            found = real(table, academy_id)
            if not raced:
                raced.append(True)
                catalog.create(world.table, plan)
            return found

        with patch.object(queries, "all_plans", all_plans):
            refused(staff.delete(f"{PATH}/{option['id']}"), 400, "financing-option-in-use")
        assert staff.get(f"{PATH}/{option['id']}").status == 200

    def test_of_one_that_no_plan_names(self, staff: Clerk) -> None:
        option = made(staff)
        assert staff.delete(f"{PATH}/{option['id']}").status == 204
        refused(staff.get(f"{PATH}/{option['id']}"), 404, "not-found")
        refused(staff.delete(f"{PATH}/{option['id']}"), 404, "not-found")


class TestLists:
    def test_are_the_own_ones_and_those_of_everyone(self, staff: Clerk, world: World) -> None:
        other = clerk_elsewhere(world)
        catalog.create(world.table, EVERYONES)
        option, theirs = made(staff), made(other)
        assert ids(staff)[0] == option["id"] and 5 in ids(staff) and theirs["id"] not in ids(staff)
        assert option["id"] not in ids(other) and 5 in ids(other)
        assert [row["academy"] for row in staff.get(f"{PATH}?how_many_months=3").json] == [None]

    def test_are_filtered_and_paged(self, staff: Clerk, world: World) -> None:
        first = made(staff, currency="eur", how_many_months=6)["id"]
        world.advance(seconds=1)
        second = made(staff, currency="EUR")["id"]
        assert ids(staff, "currency=eur") == [second, first]
        assert ids(staff, "currency=EUR&how_many_months=6") == [first]
        page = staff.get(f"{PATH}?currency=EUR&limit=1")
        link = page.headers["Link"]
        following = staff.get(link[1 : link.index(">")])
        assert [page.json[0]["id"], following.json[0]["id"]] == [second, first]

    @pytest.mark.parametrize("cursor", ["9.x", "x", "0.!", "²."])
    def test_refuse_cursors_of_another(self, staff: Clerk, cursor: str) -> None:
        assert staff.call("GET", f"{PATH}?cursor={cursor}".replace("²", "%C2%B2")).status == 400


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World) -> None:
        option = made(staff)
        other = clerk_elsewhere(world)
        before = everything(world)
        for method, body in (("GET", None), ("PUT", {"monthly_price": 1}), ("DELETE", None)):
            refused(other.call(method, f"{PATH}/{option['id']}", body), 404, "not-found")
        assert everything(world) == before

    def test_change_nothing_of_everyone(self, staff: Clerk, world: World) -> None:
        catalog.create(world.table, EVERYONES)
        refused(staff.put(f"{PATH}/5", {"monthly_price": 1}), 404, "not-found")
        refused(staff.delete(f"{PATH}/5"), 404, "not-found")

    @pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("PUT", f"{PATH}/1"), ("DELETE", f"{PATH}/1")])
    def test_need_the_capability(self, world: World, method: str, path: str) -> None:
        reader = clerk(world, "read_subscription")
        assert reader.get(PATH).status == 200
        refused(reader.call(method, path, OPTION), 403, "permission-denied")
