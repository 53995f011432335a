"""Files of an academy's offer that are refused: whole, half-way, for another tenant."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
import yaml  # type: ignore[import-untyped]

from chalicelib.books.catalog import queries
from chalicelib.books.catalog.model import Plan
from chalicelib.books.catalog.plans import PlanHasSubscriptions
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy, Position
from chalicelib.books.identity.roles import CAPABILITIES
from chalicelib.dynamo.table import Table
from chalicelib.flows.catalog import draft_plans, edit, save_plan
from tests.catalog_files import OFFER, PATH, applied, changes, exported, offer
from tests.staffing import Clerk, clerk, clerk_elsewhere, everything, refused
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


class TestRefusals:
    @pytest.mark.parametrize(
        ("section", "changed", "status", "slug", "place"),
        [
            ("services", {"slug": "no good"}, 400, "invalid-slug", "services[0] (no good)"),
            ("services", {"session_duration": 0}, 400, "invalid-session-duration", "services[0]"),
            ("cohorts", {"slug": "no good"}, 400, "invalid-slug", "cohorts[0]"),
            ("cohorts", {"available_as_saas": False}, 400, "cohort-not-available-as-saas", "sets[0]"),
            ("sets", {"members": ["nothing"]}, 404, "cohort-not-found", "sets[0]"),
            ("academy_services", {"service": "nothing"}, 404, "service-not-found", "academy_services[0]"),
            ("academy_services", {"currency": "XXX"}, 400, "currency-not-found", "academy_services[0]"),
            ("academy_services", {"available_cohort_sets": ["no"]}, 404, "not-found", "academy_services[0]"),
            (
                "academy_services",
                {"pricing_ratio_exceptions": {"MEX": 1}},
                400,
                "invalid-pricing-ratio-exceptions",
                "academy_services[0]",
            ),
            ("service_items", {"how_many": 0}, 400, "invalid-how-many", "service_items[0]"),
            ("financing_options", {"monthly_price": 0}, 400, "invalid-monthly-price", "financing_options[0]"),
            ("plans", {"slug": "7"}, 400, "invalid-slug", "plans[0]"),
            ("plans", {"cohort_set": "mentors"}, 404, "not-found", "plans[0]"),
            ("plans", {"service_items": ["nothing"]}, 404, "key-not-found", "plans[0]"),
            ("plans", {"financing_options": ["nothing"]}, 404, "key-not-found", "plans[0]"),
            ("plans", {"seat_service_price": "mentoring"}, 400, "invalid-seat-service-price", "plans[0]"),
            ("plans", {"add_ons": ["seat"]}, 400, "invalid-seat-service-price", "plans[0]"),
            ("plans", {"add_ons": ["courses"]}, 404, "academy-service-not-found", "plans[0]"),
            ("coupons", {"plans": ["nothing"]}, 404, "plan-not-found", "coupons[0]"),
            ("coupons", {"discount_value": 2}, 400, "invalid-discount-value", "coupons[0]"),
            ("plan_offers", {"suggested_plan": "pro"}, 400, "suggested-plan-is-original", "plan_offers[0]"),
            ("plan_offers", {"suggested_plan": "nothing"}, 404, "not-found", "plan_offers[0]"),
        ],
    )
    def test_say_which_entry_and_leave_nothing_done(
        self, world: World, staff: Clerk, section: str, changed: Any, status: int, slug: str, place: str
    ) -> None:
        file = offer()
        file[section][0] |= changed
        before = everything(world)
        for query in ("?dry_run=1", ""):
            answer = applied(staff, file, query=query)
            refused(answer, status, slug)
            assert answer.json["detail"].startswith(place), answer.json["detail"]
        assert everything(world) == before

    @pytest.mark.parametrize(
        ("file", "field"),
        [
            ({"services": [{"slug": "a", "title": "A", "titel": "A"}]}, "services.0"),
            ({"services": [{"slug": "a"}]}, "services.0.title"),
            ({"services": [{"slug": "a", "title": "A"}, {"slug": "a", "title": "B"}]}, "services.1"),
            ({"plans": [{"slug": "a", "currency": "USD", "applies_from": "2099-01-01T00:00:00Z"}]}, "plans.0"),
            ({"plans": [{"slug": "a", "currency": "USD", "owner": 1}]}, "plans.0"),
            ({"plans": [{"slug": "a", "currency": "USD", "academy": 1}]}, "plans.0"),
            ({"coupons": [{"slug": "a", "discount_value": 1, "seller": 1}]}, "coupons.0"),
            ({"coupons": [{"slug": "a", "discount_value": 1, "allowed_user": 1}]}, "coupons.0"),
            ({"sets": [{"kind": "cohort", "slug": "a", "name": "A", "members": [1]}]}, "sets.0"),
            ({"sets": [{"kind": "event_type", "slug": "a", "name": "A", "members": ["a"]}]}, "sets.0"),
            ({"academy": 1}, "academy"),
            ({"nothing": []}, "nothing"),
            ({"services": [{"slug": f"s{n}", "title": "S"} for n in range(501)]}, "services"),
            (
                {
                    "services": [{"slug": f"s{n}", "title": "S"} for n in range(300)],
                    "cohorts": [{"slug": f"c{n}", "name": "C"} for n in range(300)],
                },
                "body",
            ),
        ],
    )
    def test_of_what_cannot_be_read_name_the_field(self, world: World, staff: Clerk, file: Any, field: str) -> None:
        before = everything(world)
        answer = applied(staff, file)
        refused(answer, 400, "invalid-request")
        assert answer.json["errors"][0]["field"] == field
        assert everything(world) == before

    def test_of_yaml_that_cannot_be_read(self, world: World, staff: Clerk) -> None:
        before = everything(world)
        for text in ("a: &b [1]\nc: *b", "services: []\nservices: []", "a: !!str b", "a: [", "a: 1\n---\nb: 1"):
            refused(applied(staff, text), 400, "malformed-yaml")
        assert everything(world) == before

    def test_half_way_leave_whole_rows_and_the_same_file_goes_on(self, world: World, staff: Clerk) -> None:
        """Somebody takes the slug of the second plan between the look and the write."""
        real = edit.made

        def meanwhile(*given: Any, **more: Any) -> Any:
            if given[3].slug == "bootcamp":
                raise PlanHasSubscriptions
            return real(*given, **more)

        with patch.object(save_plan, "made", meanwhile):
            answer = applied(staff, OFFER)
        refused(answer, 400, "plan-has-active-subscriptions")
        assert answer.json["detail"].startswith("plans[1] (bootcamp): ")
        assert answer.json["detail"].endswith("Changes that were made: 12 of 15.")
        assert len(plan(world).items) == 2
        assert [kind for _, kind, _ in changes(applied(staff, OFFER))] == ["plans", "coupons", "plan_offers"]
        assert changes(applied(staff, OFFER)) == []

    def test_of_a_crash_at_any_write_the_same_file_goes_on(self, world: World, staff: Clerk) -> None:
        moment = world.moment()
        applied(staff, OFFER)
        whole = exported(staff)
        for last in range(15):
            world.go_back(moment)
            with _dies_after(last):
                assert applied(staff, OFFER).status == 500
            assert len(changes(applied(staff, OFFER))) == 15 - last
            assert exported(staff) == whole

    def test_what_was_changed_meanwhile_is_not_lost(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        real = save_plan.change_plan

        def meanwhile(*given: Any, **more: Any) -> Any:
            world.advance(seconds=1)
            assert staff.put("/v1/payments/academy/plan/pro", {"title": "By hand"}).status == 200
            return real(*given, **more)

        with patch.object(draft_plans, "change_plan", meanwhile):
            assert applied(staff, "plans: [{slug: pro, currency: USD, price_per_month: 70}]").status == 200
        assert (plan(world).title, plan(world).prices["MONTH"]) == ("By hand", Decimal(70))  # type: ignore[index]


class TestTenants:
    def test_do_not_touch_each_other(self, world: World, staff: Clerk) -> None:
        applied(staff, OFFER)
        elsewhere = clerk_elsewhere(world)
        before = everything(world)
        refused(applied(elsewhere, OFFER), 400, "slug-already-exists")
        for query in ("", "?dry_run=1"):
            plans = {"plans": [{"slug": "pro", "currency": "USD"}]}
            refused(applied(elsewhere, plans, query=query), 400, "slug-already-exists")
        refused(
            applied(elsewhere, {"coupons": [{"slug": "a", "discount_value": 1, "plans": ["pro"]}]}),
            404,
            "plan-not-found",
        )
        items = [{"key": "a", "service": "courses", "how_many": 1}]
        refused(applied(elsewhere, {"service_items": items}), 404, "service-not-found")
        price = [{"service": "courses", "currency": "USD", "price_per_unit": 1}]
        refused(applied(elsewhere, {"academy_services": price}), 404, "service-not-found")
        assert everything(world) == before
        assert exported(elsewhere) == "{}\n"

    def test_may_sell_a_public_service_and_not_change_it(self, world: World, staff: Clerk) -> None:
        public = {"slug": "courses", "title": "All courses", "private": False}
        applied(staff, {"services": [public]})
        elsewhere = clerk_elsewhere(world)
        items = [{"key": "a", "service": "courses", "how_many": 1}]
        assert len(changes(applied(elsewhere, {"services": [public], "service_items": items}))) == 1
        for query in ("", "?dry_run=1"):
            mine = {"services": [{**public, "title": "Mine"}]}
            refused(applied(elsewhere, mine, query=query), 403, "not-the-owner")
        assert "services" not in yaml.safe_load(exported(elsewhere))

    def test_go_on_selling_what_became_private_and_begin_nothing_new(self, world: World, staff: Clerk) -> None:
        public = {"slug": "courses", "title": "All courses", "private": False}
        applied(staff, {"services": [public]})
        elsewhere = clerk_elsewhere(world)
        sold = {"service_items": [{"key": "a", "service": "courses", "how_many": 1}]}
        applied(elsewhere, sold)
        applied(staff, {"services": [{**public, "private": True}]})
        assert changes(applied(elsewhere, sold)) == []
        assert changes(applied(elsewhere, exported(elsewhere))) == []
        more = {"service_items": [{"key": "a", "service": "courses", "how_many": 2}]}
        refused(applied(elsewhere, more), 404, "service-not-found")
        price = {"academy_services": [{"service": "courses", "currency": "USD", "price_per_unit": 1}]}
        refused(applied(elsewhere, price), 404, "service-not-found")

    def test_are_named_by_the_call_alone(self, world: World, staff: Clerk) -> None:
        other = identity.create_academy(world.table, NewAcademy(name="Lakeside", slug="lakeside"), now=world.now)
        before = everything(world)
        body = {"academy": other.id, "cohorts": [{"slug": "a", "name": "A"}]}
        assert applied(staff, body).status == 400
        assert staff.post(f"{PATH}/apply", body).status in (400, 403)
        assert staff.call("POST", f"{PATH}/apply", {}, Academy=str(other.id)).status == 403
        assert everything(world) == before

    def test_need_the_capability_of_administrators(self, world: World) -> None:
        most = [one for one in CAPABILITIES if one != "crud_academy_payment_settings"]
        manager = clerk(world, *most)
        refused(applied(manager, OFFER), 403, "permission-denied")
        refused(manager.get(f"{PATH}/export"), 403, "permission-denied")
        person = world.person()
        position = Position(role="academy_admin")
        identity.add_member(world.table, position, user_id=person.user_id, academy_id=world.academy_id)
        assert applied(Clerk(person, world.academy_id), OFFER, query="?dry_run=true").status == 200


def _dies_after(last: int) -> Any:
    """The process's table fails after so many transactions."""
    real, left = Table.call, [last]

    def call(table: Table, operation: str, request: Any) -> Any:
        if operation == "TransactWriteItems":
            if left[0] == 0:
                raise RuntimeError("the process is gone")
            left[0] -= 1
        return real(table, operation, request)

    return patch.object(Table, "call", call)
