"""What customers see of the catalog: what is for sale, to whom, at which price; a page at a time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog.model import CountryPrice, PlanStatus
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import Position
from tests.shop import EVENTS, a_plan, a_price
from tests.staffing import clerk
from tests.world import Person, World


def slugs(found: Any) -> list[str]:
    return [row["slug"] for row in found]


def staff(world: World, *capabilities: str) -> Person:
    person = world.person()
    position = Position(capabilities=capabilities)
    identity.add_member(world.table, position, user_id=person.user_id, academy_id=world.academy_id)
    return person


class TestServices:
    def test_are_the_public_ones_for_everybody(self, world: World) -> None:
        found = world.call("GET", "/v1/payments/service?limit=100")
        assert found.status == 200
        assert "ai-chat" in slugs(found.json) and "events" not in slugs(found.json)

    def test_are_private_ones_too_for_staff_that_may_read_them(self, world: World) -> None:
        path = f"/v1/payments/service?limit=100&academy={world.academy_id}"
        assert "events" in slugs(staff(world, "read_service").get(path).json)
        assert "events" not in slugs(staff(world, "read_invoice").get(path).json)
        assert "events" not in slugs(world.person().get(path).json)

    def test_come_in_pages_that_end(self, world: World) -> None:
        seen: list[str] = []
        path: str | None = "/v1/payments/service?limit=2"
        while path is not None:
            page = world.call("GET", path)
            seen += slugs(page.json)
            link = page.headers.get("Link")
            path = None if link is None else link[1 : link.index(">")]
        assert sorted(seen) == sorted({*seen}) and len(seen) == 4

    def test_are_skipped_by_offset(self, world: World) -> None:
        whole = slugs(world.call("GET", "/v1/payments/service?limit=100").json)
        assert slugs(world.call("GET", "/v1/payments/service?limit=2&offset=1").json) == whole[1:3]


class TestServiceItems:
    def test_of_an_academy_are_those_of_public_services(self, world: World) -> None:
        admin = clerk(world)
        made = {}
        for slug, private in (("open", False), ("hidden", True)):
            service = {"slug": slug, "title": slug, "private": private}
            assert admin.post("/v1/payments/academy/service", service).status == 201
            item = {"service": slug, "how_many": 5}
            made[slug] = admin.post("/v1/payments/academy/serviceitem", item).json["id"]
        path = f"/v1/payments/serviceitem?limit=100&academy={world.academy_id}"
        assert [item["id"] for item in world.call("GET", path).json if item["id"] in made.values()] == [made["open"]]
        assert {item["id"] for item in admin.get(path).json} >= set(made.values())
        narrow = world.call("GET", f"{path}&service_slug=open&unit_type=UNIT").json
        assert [item["id"] for item in narrow] == [made["open"]]
        assert world.call("GET", f"{path}&unit_type=OTHER").json == []
        assert world.call("GET", "/v1/payments/serviceitem").status == 400


class TestPlans:
    @pytest.mark.parametrize(
        ("status", "listed", "readable"),
        [
            (PlanStatus.ACTIVE, True, True),
            (PlanStatus.UNLISTED, False, True),
            (PlanStatus.DRAFT, False, False),
            (PlanStatus.DELETED, False, False),
            (PlanStatus.DISCONTINUED, False, False),
        ],
    )
    def test_are_shown_by_their_status(self, world: World, status: PlanStatus, listed: bool, readable: bool) -> None:
        catalog.create(world.table, a_plan(world.now, world.academy_id, id=8000, slug="special", status=status))
        found = world.call("GET", f"/v1/payments/plan?academy={world.academy_id}&limit=100")
        assert ("special" in slugs(found.json)) is listed
        assert (world.call("GET", "/v1/payments/plan/special").status == 200) is readable
        assert (world.call("GET", "/v1/payments/serviceitem?plan=special").status == 200) is readable
        assert world.call("GET", "/v1/payments/plan/8000").status == (200 if readable else 404)

    def test_show_what_can_be_bought_with_them(self, world: World) -> None:
        team = world.call("GET", "/v1/payments/plan/team").json
        dollars = {"code": "USD", "name": "US Dollar"}
        assert team["seat_service_price"]["price_per_unit"] > 0 and team["seat_service_price"]["currency"] == dollars
        (add_on,) = team["add_ons"]
        assert (add_on["service"], add_on["title"], add_on["currency"]) == ("ai-chat", "AI Chat", dollars)
        listed = world.call("GET", f"/v1/payments/plan?academy={world.academy_id}&limit=100").json
        assert team in listed
        basic = world.call("GET", "/v1/payments/plan/basic").json
        assert (basic["seat_service_price"], basic["add_ons"]) == (None, [])

    def test_have_the_price_of_the_country(self, world: World) -> None:
        countries = {"es": CountryPrice(ratio=Decimal("0.85"))}
        catalog.create(world.table, a_plan(world.now, world.academy_id, id=8001, slug="abroad", countries=countries))
        at_home = world.call("GET", "/v1/payments/plan/abroad").json
        in_spain = world.call("GET", "/v1/payments/plan/abroad?country_code=ES").json
        assert (at_home["price_per_month"], in_spain["price_per_month"]) == (59.99, 50.99)
        assert in_spain["price_per_quarter"] is None

    def test_are_not_another_academys(self, world: World) -> None:
        assert world.call("GET", f"/v1/payments/plan/basic?academy={world.academy_id + 1}").status == 404

    def test_drafts_show_their_items_to_their_staff(self, world: World) -> None:
        draft = a_plan(world.now, world.academy_id, id=8002, slug="draft", status=PlanStatus.DRAFT)
        catalog.create(world.table, draft)
        assert staff(world, "read_subscription").get("/v1/payments/serviceitem?plan=draft").status == 200
        assert world.person().get("/v1/payments/serviceitem?plan=draft").status == 404


class TestServicePrices:
    def path(self, world: World, service: str, country: str = "US") -> str:
        query = f"country_code={country}&academy={world.academy_id}"
        return f"/v1/payments/academy/academyservice/{service}?{query}"

    def test_are_those_of_the_country(self, world: World) -> None:
        person = world.person()
        prices = [
            person.get(self.path(world, "mentorship-service", country)).json["price_per_unit"]
            for country in ("US", "mx", "ES", "FR")
        ]
        assert prices == [50.0, 35.0, 42.5, 50.0]

    def test_of_private_services_are_for_staff(self, world: World) -> None:
        catalog.create(world.table, a_price(world.academy_id, id=910, service_id=EVENTS, set_ids={}))
        assert world.person().get(self.path(world, "events")).json["slug"] == "service-not-found"
        assert staff(world, "read_academyservice").get(self.path(world, "events")).status == 200

    def test_are_for_people_who_signed_in(self, world: World) -> None:
        assert world.call("GET", self.path(world, "mentorship-service")).status == 401
