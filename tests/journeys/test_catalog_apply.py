"""An academy's whole offer as one file, applied."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.audit.queries import changes as audited_changes
from chalicelib.books.catalog import queries
from chalicelib.books.catalog.model import FinancingOption, Plan, ServiceItem
from chalicelib.books.catalog.operations import create
from tests.catalog_files import OFFER, PATH, applied, changes, exported, offer
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World, a_world


@pytest.fixture
def world() -> Iterator[World]:
    with a_world(lambda table, academy_id, now: None) as made:
        yield made


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def plan(world: World, slug: str = "pro") -> Plan:
    return queries.plan(world.table, slug, now=world.now)


def with_plan(number: int = 0, **fields: Any) -> Any:
    file = offer()
    file["plans"][number] |= fields
    return file


class TestApplying:
    def test_makes_everything_that_a_customer_buys(self, world: World, staff: Clerk) -> None:
        answer = applied(staff, OFFER)
        assert {action for action, _, _ in changes(answer)} == {"create"}
        assert [kind for _, kind, _ in changes(answer)] == [
            *(["services"] * 3),
            "cohorts",
            *(["sets"] * 2),
            *(["academy_services"] * 2),
            *(["service_items"] * 2),
            "financing_options",
            *(["plans"] * 2),
            "coupons",
            "plan_offers",
        ]
        customer = world.paying()
        bag = customer.check("pro", coupons=["welcome"]).json
        assert bag["amount_per_month"] == 59.99
        assert customer.pay(bag, chosen_period="MONTH").status == 200
        world.settle()
        assert (customer.units("mentoring"), customer.units("courses")) == (2, -1)
        assert customer.buy("mentoring", 3).status == 201

    def test_twice_changes_nothing(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        world.advance(days=1)
        before = everything(world)
        again = applied(staff, OFFER)
        assert changes(again) == []
        assert everything(world) == before

    def test_takes_the_same_as_json(self, world: World, staff: Clerk) -> None:
        assert len(changes(staff.post(f"{PATH}/apply", offer()))) == 15
        assert changes(applied(staff, OFFER)) == []

    def test_dry_writes_nothing_and_says_the_same(self, world: World, staff: Clerk) -> None:
        before = everything(world)
        dry = applied(staff, OFFER, query="?dry_run=1")
        assert everything(world) == before
        assert dry.json == applied(staff, OFFER).json

    def test_says_what_a_change_is(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        file = with_plan(price_per_month=69, title=None, mentorship_service_set=None, service_items=["courses"])
        answer = applied(staff, file)
        (change,) = answer.json["changes"]
        assert (change["entry"], change["ref"], change["kind"], change["action"]) == (
            "plans[0]",
            "pro",
            "plans",
            "change",
        )
        assert change["fields"] == {
            "price_per_month": {"before": 59.99, "after": 69},
            "title": {"before": "Pro", "after": None},
            "mentorship_service_set": {"before": "mentors", "after": None},
            "service_items": {"before": ["two", "courses"], "after": ["courses"]},
        }
        found = plan(world)
        assert (found.version, found.prices["MONTH"], len(found.items)) == (2, Decimal(69), 1)  # type: ignore[index]

    def test_changes_a_row_of_every_kind(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        file = offer()
        file["settings"] = {"main_currency": "EUR"}
        for section, field, value in (
            ("services", "title", "Changed"),
            ("cohorts", "name", "Changed"),
            ("sets", "name", "Changed"),
            ("academy_services", "max_items", 30),
            ("plans", "title", "Changed"),
            ("coupons", "discount_value", 0.2),
            ("plan_offers", "show_modal", True),
        ):
            file[section][0][field] = value
        answer = applied(staff, file)
        assert [action for action, _, _ in changes(answer)] == ["change"] * 8
        assert changes(applied(staff, file)) == []

    def test_leaves_what_it_does_not_name(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        before = exported(staff)
        assert changes(applied(staff, "{}")) == []
        assert changes(applied(staff, "plans: [{slug: pro, currency: USD}]")) == []
        assert changes(applied(staff, "plans: [{slug: pro, currency: USD, price_per_month: 59.99}]")) == []
        assert exported(staff) == before

    def test_takes_a_price_away_that_is_null(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        applied(staff, "plans: [{slug: pro, currency: USD, price_per_year: null}]")
        assert list(plan(world).prices) == ["MONTH"]

    def test_makes_items_and_options_that_say_something_new(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        file = offer()
        file["service_items"][0]["how_many"] = 3
        file["financing_options"][0]["monthly_price"] = 199
        assert changes(applied(staff, file)) == [
            ("create", "service_items", "two"),
            ("create", "financing_options", "year"),
            ("change", "plans", "pro"),
            ("change", "plans", "bootcamp"),
        ]
        assert changes(applied(staff, file)) == []
        assert changes(applied(staff, OFFER)) == [("change", "plans", "pro"), ("change", "plans", "bootcamp")]

    def test_audits_each_row_as_the_staff_that_sent_it(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        found = plan(world)
        ((by, before, after),) = audited(world, f"plan:{found.id}")
        assert (by, before, after["slug"]) == (f"user:{staff.person.user_id}", None, "pro")
        assert len(after["items"]) == 2
        assert len(audited_changes(world.table, world.academy_id, limit=100).items) == 15

    def test_gives_ids_that_do_not_meet_whatever_chance_says(self, world: World, staff: Clerk) -> None:
        world.runtime.random_bits = lambda bits: 7
        assert len(changes(applied(staff, OFFER))) == 15
        links = [link.link_id for slug in ("pro", "bootcamp") for link in plan(world, slug).items]
        assert len(set(links)) == 3

    def test_takes_items_in_any_order_for_the_same(self, staff: Clerk) -> None:
        applied(staff, OFFER)
        assert changes(applied(staff, with_plan(service_items=["courses", "two"]))) == []

    def test_keeps_the_links_of_a_plan_that_are_not_changed(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        first = {link.item_id: link.link_id for link in plan(world).items}
        applied(staff, with_plan(service_items=["courses"]))
        ((item_id, link_id),) = {link.item_id: link.link_id for link in plan(world).items}.items()
        assert first[item_id] == link_id

    def test_warns_of_the_entry(self, staff: Clerk) -> None:
        file = offer()
        del file["plans"][0]["trial_duration"]
        file["academy_services"][0]["max_amount"] = 1
        for _ in range(2):
            warned = [(one["entry"], one["ref"], one["slug"]) for one in applied(staff, file).json["warnings"]]
            assert warned == [
                ("academy_services[0]", "mentoring", "cap-below-bundle"),
                ("plans[0]", "pro", "trial-by-default"),
            ]

    def test_deletes_a_plan_by_its_status_for_good(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        file = offer(plan_offers=[], plans=[{"slug": "bootcamp", "currency": "USD", "status": "DELETED"}])
        assert changes(applied(staff, file)) == [("change", "plans", "bootcamp")]
        assert changes(applied(staff, file)) == []
        for query in ("", "?dry_run=1"):
            refused(applied(staff, OFFER, query=query), 409, "plan-is-deleted")
        gone = {"slug": "never-was", "currency": "USD", "status": "DELETED"}
        assert changes(applied(staff, {"plans": [gone]})) == []


class TestIds:
    def test_are_kept_where_something_is_made(self, world: World, staff: Clerk) -> None:
        file = with_plan(id=121)
        file["service_items"][1]["id"] = 7
        applied(staff, file)
        assert plan(world).id == 121
        assert 7 in {link.item_id for link in plan(world).items}
        assert changes(applied(staff, with_plan(id=999))) == []

    @pytest.mark.parametrize(
        "section",
        ["services", "cohorts", "sets", "academy_services", "service_items", "financing_options", "plans"],
    )
    def test_of_another_row_are_refused(self, world: World, staff: Clerk, section: str) -> None:
        file = offer()
        file[section][0]["id"] = 5
        applied(staff, file)
        other = {**file[section][0], "slug": "another", "key": "another", "service": "courses", "how_many": 9}
        known = file[section][0].keys()
        more = {name: value for name, value in other.items() if name in known}
        if section == "financing_options":
            more["how_many_months"] = 3
        before = everything(world)
        answer = applied(
            staff, {**file, section: [more], "plans": [more] if section == "plans" else [], "plan_offers": []}
        )
        if section == "financing_options":  # an entry without a slug, with the id of the academy's own: that one
            assert changes(answer) == [("change", section, "another")]
            return
        slug = "no-updatable-fields" if section == "service_items" else "id-already-exists"
        refused(answer, 400 if section == "service_items" else 409, slug)
        assert everything(world) == before

    def test_name_an_item_that_says_something_else_now(self, world: World, staff: Clerk) -> None:
        file = offer()
        file["service_items"][0]["id"] = 7
        applied(staff, file)
        file["service_items"][0]["sort_priority"] = 3
        assert changes(applied(staff, file)) == [("change", "service_items", "two")]
        assert changes(applied(staff, file)) == []

    def test_of_what_is_everyones_are_refused(self, world: World, staff: Clerk) -> None:
        create(
            world.table,
            FinancingOption(id=5, academy_id=None, monthly_price=Decimal(9), how_many_months=3, currency="USD"),
        )
        same = {"key": "a", "id": 5, "monthly_price": 9, "how_many_months": 3, "currency": "USD"}
        assert changes(applied(staff, {"financing_options": [same]})) == []
        assert changes(applied(staff, {"financing_options": [{**same, "monthly_price": 8}]})) == [
            ("create", "financing_options", "a")
        ]
        create(world.table, ServiceItem(id=5, owner_id=None, service_id=_a_service(staff), how_many=3))
        item = {"key": "a", "id": 5, "service": "void", "how_many": 3, "sort_priority": 2}
        for query in ("", "?dry_run=1"):
            refused(applied(staff, {"service_items": [item]}, query=query), 409, "id-already-exists")

    def test_serve_one_entry_alone(self, world: World, staff: Clerk) -> None:
        file = offer()
        file["service_items"][0]["id"] = 7
        applied(staff, file)
        del file["service_items"][0]["id"]
        file["service_items"].append(
            {"key": "more", "id": 7, "service": "mentoring", "how_many": 2, "sort_priority": 9}
        )
        refused(applied(staff, file), 409, "id-already-exists")

    def test_of_another_academy_are_refused(self, world: World, staff: Clerk) -> None:
        file = offer()
        file["service_items"][0]["id"] = 7
        applied(staff, file)
        elsewhere = clerk_elsewhere(world)
        services = [{"slug": "theirs", "title": "Theirs"}]
        items = [{"key": "a", "id": 7, "service": "theirs", "how_many": 1}]
        refused(applied(elsewhere, {"services": services, "service_items": items}), 409, "id-already-exists")


def _a_service(staff: Clerk) -> int:
    made = staff.post("/v1/payments/academy/service", {"slug": "void", "title": "V", "private": False})
    return int(made.json["id"])
