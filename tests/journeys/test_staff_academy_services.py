"""Academy services: what an academy sells a service for, with which limits and for which sets (document 3)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import ResourceSet, SetKind
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Delete, anyway, commit, never
from tests.pricing import PATH, PRICE, SERVICES, a_new_service, made, warned
from tests.shop import CHAT, COURSES, MENTOR_SET, a_price, a_service, put
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, every_page, everything, refused, table_calls
from tests.world import World

EVENT_SET, OTHER_MENTORS = 61, 62


@pytest.fixture
def staff(world: World) -> Clerk:
    academy = world.academy_id
    put(
        world.table,
        ResourceSet(id=EVENT_SET, academy_id=academy, kind=SetKind.EVENT_TYPE, slug="workshops", name="W"),
        ResourceSet(id=OTHER_MENTORS, academy_id=academy, kind=SetKind.MENTORSHIP_SERVICE, slug="experts", name="E"),
    )
    return clerk(world)


class TestMaking:
    def test_is_answered_as_the_document_shows_it(self, staff: Clerk, world: World) -> None:
        service = a_new_service(staff, "ai-messages", consumer="AI_INTERACTION")
        price = made(
            staff,
            service=service,
            bundle_size=100,
            max_items=10000,
            max_amount=1000.00,
            discount_ratio=0.90,
            pricing_ratio_exceptions={"MX": 0.70, "ES": 0.85},
            available_mentorship_service_sets=[MENTOR_SET],
            available_cohort_sets=[],
        )
        assert price.pop("service")["consumer"] == "AI_INTERACTION"
        assert price == {
            "id": price["id"],
            "academy": {"id": world.academy_id, "name": "4Geeks Academy", "slug": "4geeks"},
            "currency": {"code": "USD", "name": "US Dollar"},
            "price_per_unit": 0.10,
            "bundle_size": 100,
            "max_items": 10000,
            "max_amount": 1000.00,
            "discount_ratio": 0.90,
            "pricing_ratio_exceptions": {"ES": 0.85, "MX": 0.70},
            "available_mentorship_service_sets": [{"id": MENTOR_SET, "slug": "mentors", "name": "M"}],
            "available_event_type_sets": [],
            "available_cohort_sets": [],
            "warnings": [],
        }
        for ref in ("ai-messages", service):
            shown = staff.get(f"{PATH}/{ref}").json
            assert {name: shown[name] for name in price if name != "warnings"} == {
                name: value for name, value in price.items() if name != "warnings"
            }

    @pytest.mark.parametrize(
        ("field", "value", "shown", "default"),
        [
            ("bundle_size", 100.0, 100, 1),
            ("max_items", 50, 50, 1),
            ("max_amount", 99.5, 99.5, 1.0),
            ("discount_ratio", 0.85, 0.85, 1.0),
            ("pricing_ratio_exceptions", {"mx": 0.7}, {"MX": 0.7}, {}),
            (
                "available_mentorship_service_sets",
                [MENTOR_SET],
                [{"id": MENTOR_SET, "slug": "mentors", "name": "M"}],
                [],
            ),
            ("available_event_type_sets", [EVENT_SET], [{"id": EVENT_SET, "slug": "workshops", "name": "W"}], []),
            ("available_cohort_sets", [5], [{"id": 5, "slug": "cohorts", "name": "C"}], []),
        ],
    )
    def test_has_each_optional_field_and_its_default(
        self, staff: Clerk, field: str, value: Any, shown: Any, default: Any
    ) -> None:
        assert made(staff)[field] == default
        other = a_new_service(staff, "other")
        assert made(staff, service=other, **{field: value})[field] == shown

    @pytest.mark.parametrize(
        ("field", "slug"),
        [
            ("service", "service-required"),
            ("currency", "currency-required"),
            ("price_per_unit", "price-per-unit-required"),
        ],
    )
    def test_needs_each_required_field(self, staff: Clerk, field: str, slug: str) -> None:
        refused(staff.post(PATH, {name: value for name, value in PRICE.items() if name != field}), 400, slug)
        refused(staff.post(PATH, {**PRICE, field: None}), 400, slug)

    @pytest.mark.parametrize(
        ("changes", "status", "slug"),
        [
            ({"service": "nothing"}, 404, "service-not-found"),
            ({"service": 987654}, 404, "service-not-found"),
            ({"currency": "XXQ"}, 400, "currency-not-found"),
            ({"price_per_unit": -1}, 400, "invalid-price"),
            ({"price_per_unit": "ten"}, 400, "invalid-price"),
            ({"price_per_unit": 1e-9}, 400, "invalid-price"),
            ({"max_amount": -1}, 400, "invalid-price"),
            ({"max_amount": 1e30}, 400, "invalid-price"),
            ({"bundle_size": 0}, 400, "invalid-bundle-size"),
            ({"bundle_size": 1.5}, 400, "invalid-bundle-size"),
            ({"bundle_size": True}, 400, "invalid-bundle-size"),
            ({"bundle_size": 10**13}, 400, "invalid-bundle-size"),
            ({"max_items": 0}, 400, "invalid-max-items"),
            ({"max_items": -1}, 400, "invalid-max-items"),
            ({"max_items": 2.5}, 400, "invalid-max-items"),
            ({"max_items": None}, 400, "invalid-max-items"),
            ({"discount_ratio": 0}, 400, "invalid-discount-ratio"),
            ({"discount_ratio": 1.01}, 400, "invalid-discount-ratio"),
            ({"discount_ratio": -0.9}, 400, "invalid-discount-ratio"),
            ({"pricing_ratio_exceptions": {"ES": -1}}, 400, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": {"price_per_month": 1}}}, 400, "invalid-pricing-ratio-exceptions"),
            ({"available_mentorship_service_sets": [999]}, 404, "set-not-found"),
            ({"available_event_type_sets": [MENTOR_SET]}, 404, "set-not-found"),
            ({"available_cohort_sets": [5, 999]}, 404, "set-not-found"),
            ({"available_cohort_sets": [0]}, 400, "invalid-request"),
            ({"available_cohort_sets": list(range(1, 27))}, 400, "invalid-request"),
            (
                {"available_mentorship_service_sets": [MENTOR_SET], "available_event_type_sets": [EVENT_SET]},
                400,
                "sets-exclude-each-other",
            ),
        ],
    )
    def test_of_what_is_none_is_refused(self, staff: Clerk, world: World, changes: Any, status: int, slug: str) -> None:
        before = everything(world)
        refused(staff.post(PATH, {**PRICE, **changes}), status, slug)
        assert everything(world) == before

    def test_again_of_the_same_service_is_refused(self, staff: Clerk, world: World) -> None:
        made(staff)
        before = everything(world)
        refused(staff.post(PATH, {**PRICE, "service": "all-courses"}), 400, "academy-service-already-exists")
        assert everything(world) == before

    def test_is_audited(self, staff: Clerk, world: World) -> None:
        made(staff)
        staff.put(f"{PATH}/all-courses", {"price_per_unit": 0.12})
        staff.put(f"{PATH}/all-courses", {"price_per_unit": 0.12})  # changes nothing
        second, first = audited(world, f"academy-service:{COURSES}")
        assert first[1] is None and first[2]["price_per_unit"] == "0.1"
        assert (second[1]["price_per_unit"], second[2]["price_per_unit"]) == ("0.1", "0.12")


class TestWarnings:
    def test_name_what_the_defaults_do(self, staff: Clerk) -> None:
        assert warned(made(staff)) == ["one-item-limit"]
        dear = made(staff, service=a_new_service(staff, "dear"), price_per_unit=50)
        assert warned(dear) == ["one-item-limit", "cap-below-bundle"]

    @pytest.mark.parametrize(
        ("changes", "slugs", "told"),
        [
            ({"max_items": 2, "bundle_size": 10, "max_amount": 50}, ["cap-below-bundle"], "at most 2"),
            ({"max_items": 100, "bundle_size": 100, "max_amount": 9.99}, ["cap-below-bundle"], "max_amount"),
            ({"max_items": 100, "bundle_size": 100, "max_amount": 10}, [], ""),
            ({"max_items": 9, "pricing_ratio_exceptions": {"CH": 11}}, ["cap-below-bundle"], "(CH)"),
            ({"max_items": 9, "pricing_ratio_exceptions": {"CH": {"ratio": 11, "max_amount": 2}}}, [], ""),
            (
                {"max_items": 9, "max_amount": 0.05, "pricing_ratio_exceptions": {"MX": 0.5}},
                ["cap-below-bundle"],
                "(everywhere else)",
            ),
        ],
    )
    def test_name_each_limit_that_nothing_gets_through(
        self, staff: Clerk, changes: Any, slugs: list[str], told: str
    ) -> None:
        price = made(staff, **changes)
        assert warned(price) == slugs
        assert all(told in warning["detail"] for warning in price["warnings"])

    def test_are_in_the_answers_to_changes_too(self, staff: Clerk) -> None:
        made(staff)
        assert warned(staff.put(f"{PATH}/{COURSES}", {"max_items": 5}).json) == []
        assert warned(staff.put(f"{PATH}/{COURSES}", {"bundle_size": 6}).json) == ["cap-below-bundle"]
        assert "warnings" not in staff.get(f"{PATH}/{COURSES}").json


class TestChanging:
    def test_is_partial(self, staff: Clerk) -> None:
        price = made(staff, max_items=10, max_amount=5, available_cohort_sets=[5])
        change = {"price_per_unit": 0.12, "discount_ratio": 0.85, "pricing_ratio_exceptions": {"CO": 0.75, "MX": 0.65}}
        answer = staff.put(f"{PATH}/all-courses", change)
        assert answer.status == 200 and answer.json == {**price, **change}

    def test_puts_sets_in_place_kind_by_kind(self, staff: Clerk) -> None:
        made(staff, max_items=9, available_cohort_sets=[5], available_mentorship_service_sets=[MENTOR_SET])
        path = f"{PATH}/all-courses"
        refused(staff.put(path, {"available_event_type_sets": [EVENT_SET]}), 400, "sets-exclude-each-other")
        moved = {"available_event_type_sets": [EVENT_SET], "available_mentorship_service_sets": []}
        answer = staff.put(path, moved).json
        kinds = ("available_event_type_sets", "available_mentorship_service_sets", "available_cohort_sets")
        assert [[one["id"] for one in answer[kind]] for kind in kinds] == [[EVENT_SET], [], [5]]
        refused(staff.put(path, {"available_event_type_sets": [EVENT_SET, 999]}), 404, "set-not-found")

    @pytest.mark.parametrize("change", [{"currency": "EUR"}, {"service": CHAT}, {"service": "ai-chat"}])
    def test_of_service_and_currency_is_refused(self, staff: Clerk, world: World, change: Any) -> None:
        made(staff)
        before = everything(world)
        answer = staff.put(f"{PATH}/all-courses", {"price_per_unit": 9, **change})
        refused(answer, 400, "academy-service-field-immutable")
        assert answer.json["detail"].startswith(next(iter(change)))
        assert everything(world) == before

    @pytest.mark.parametrize("change", [{"currency": "usd"}, {"service": COURSES}, {"service": "all-courses"}])
    def test_takes_the_same_again(self, staff: Clerk, change: Any) -> None:
        made(staff)
        assert staff.put(f"{PATH}/all-courses", change).status == 200

    @pytest.mark.parametrize("body", [{"price_per_unit": None}, {"max_items": 0}, {"pricing_ratio_exceptions": None}])
    def test_into_none_is_refused(self, staff: Clerk, world: World, body: Any) -> None:
        made(staff)
        before = everything(world)
        assert staff.put(f"{PATH}/all-courses", body).status == 400
        assert everything(world) == before

    def test_of_what_the_academy_does_not_sell_is_refused(self, staff: Clerk) -> None:
        refused(staff.put(f"{PATH}/all-courses", {"price_per_unit": 1}), 404, "academy-service-not-found")
        refused(staff.put(f"{PATH}/nothing", {"price_per_unit": 1}), 404, "service-not-found")

    def test_by_two_at_once_loses_neither_change(self, staff: Clerk) -> None:
        made(staff)
        path = f"{PATH}/all-courses"
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("PRICE#") and not raced:
                raced.append(True)
                assert staff.put(path, {"max_items": 6}).status == 200
            return row

        with patch.object(Table, "get", get):
            assert staff.put(path, {"price_per_unit": 0.2}).status == 200
        found = staff.get(path).json
        assert (found["max_items"], found["price_per_unit"]) == (6, 0.2)

    def test_counts_as_a_link_where_it_names_other_sets(self, staff: Clerk, world: World) -> None:
        def links() -> int:
            row = world.table.get(store.links_key(world.academy_id))
            return 0 if row is None else row.version

        made(staff)
        at_first = links()
        staff.put(f"{PATH}/all-courses", {"available_cohort_sets": [5]})
        named = links()
        staff.put(f"{PATH}/all-courses", {"price_per_unit": 3})
        assert (named - at_first, links() - named) == (1, 0)

    def test_names_no_set_that_is_taken_away_meanwhile(self, staff: Clerk, world: World) -> None:
        made(staff)
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("PRICE#") and not raced:
                raced.append(True)
                gone = store.set_key(world.academy_id, SetKind.EVENT_TYPE, EVENT_SET)
                commit(world.table, [Delete(key=gone, condition=anyway, refused=never("free"))])
            return row

        with patch.object(Table, "get", get):
            refused(staff.put(f"{PATH}/all-courses", {"available_event_type_sets": [EVENT_SET]}), 404, "set-not-found")


class TestTenants:
    def test_price_one_service_each_for_itself(self, staff: Clerk, world: World) -> None:
        other = clerk_elsewhere(world)
        service = a_new_service(staff, "live-code-review", consumer="ADD_CODE_REVIEW")
        made(staff, service=service, price_per_unit=30.0)
        made(other, service="live-code-review", currency="EUR", price_per_unit=25.0)
        shown = [one.get(f"{PATH}/live-code-review").json for one in (staff, other)]
        assert [(one["price_per_unit"], one["currency"]["code"]) for one in shown] == [(30.0, "USD"), (25.0, "EUR")]
        before = staff.get(PATH).json
        assert other.put(f"{PATH}/live-code-review", {"price_per_unit": 1}).status == 200
        assert staff.get(PATH).json == before
        assert [price["service"]["id"] for price in other.get(PATH).json] == [service]

    def test_price_no_hidden_service_of_another(self, staff: Clerk, world: World) -> None:
        service = a_new_service(staff, "ours", private=True)
        other = clerk_elsewhere(world)
        for ref in ("ours", service):
            refused(other.post(PATH, {**PRICE, "service": ref}), 404, "service-not-found")
        assert made(staff, service="ours")["service"]["private"] is True

    def test_go_on_selling_what_became_hidden(self, staff: Clerk, world: World) -> None:
        a_new_service(staff, "shared")
        other = clerk_elsewhere(world)
        made(other, service="shared")
        assert staff.put(f"{SERVICES}/shared", {"private": True}).status == 200
        assert other.put(f"{PATH}/shared", {"price_per_unit": 2}).json["price_per_unit"] == 2.0
        assert other.get(f"{PATH}/shared").status == 200

    def test_name_no_set_of_another(self, world: World) -> None:
        body = {**PRICE, "available_mentorship_service_sets": [MENTOR_SET]}
        refused(clerk_elsewhere(world).post(PATH, body), 404, "set-not-found")

    def test_need_the_capability(self, world: World) -> None:
        reader = clerk(world, "read_academyservice")
        assert reader.get(PATH).status == 200
        refused(reader.post(PATH, PRICE), 403, "permission-denied")
        refused(reader.put(f"{PATH}/ai-chat", {}), 403, "permission-denied")


class TestReading:
    def test_is_exact_for_staff_and_rounded_for_customers(self, staff: Clerk, world: World) -> None:
        made(staff, price_per_unit=0.015, pricing_ratio_exceptions={"ES": 0.5})
        query = f"academy={world.academy_id}"
        shown = [
            one["price_per_unit"]
            for one in (
                staff.get(PATH).json[0],
                staff.get(f"{PATH}/all-courses").json,
                staff.get(f"{PATH}/all-courses?country_code=ES").json,
                world.person().get(f"{PATH}/all-courses?{query}").json,
            )
        ]
        assert shown == [0.015, 0.015, 0.01, 0.02]

    def test_shows_the_limit_of_the_country(self, staff: Clerk) -> None:
        made(staff, max_amount=9, pricing_ratio_exceptions={"MX": {"ratio": 20, "max_amount": 180, "currency": "MXN"}})
        shown = [staff.get(f"{PATH}/all-courses?country_code={country}").json for country in ("US", "MX")]
        assert [(one["max_amount"], one["currency"]["code"]) for one in shown] == [(9.0, "USD"), (180.0, "MXN")]

    def test_of_a_seats_price_is_for_staff_too(self, staff: Clerk) -> None:
        assert staff.get(f"{PATH}/seat").json["price_per_unit"] == 199.0

    def test_of_a_private_service_is_for_its_readers_and_operators(self, staff: Clerk, world: World) -> None:
        a_new_service(staff, "ours", private=True)
        made(staff, service="ours")
        for person in (world.person(), clerk(world, "read_service").person):
            refused(person.get(f"{PATH}/ours?academy={world.academy_id}"), 404, "service-not-found")
        for person in (clerk(world, "read_academyservice").person, world.person(operator=True)):
            assert person.get(f"{PATH}/ours?academy={world.academy_id}").status == 200

    def test_in_another_currency_finds_nothing(self, staff: Clerk) -> None:
        assert staff.get(f"{PATH}/ai-chat?currency__code=usd").status == 200
        refused(staff.get(f"{PATH}/ai-chat?currency__code=EUR"), 404, "academy-service-not-found-for-currency")

    def test_lists_the_newest_first_by_page(self, staff: Clerk, world: World) -> None:
        for number in range(3):
            made(staff, service=a_new_service(staff, f"s{number}"))
            world.advance(seconds=1)
        seen = [price["service"]["slug"] for price in every_page(staff, f"{PATH}?limit=2")]
        assert seen == ["s2", "s1", "s0", "seat", "ai-chat", "mentorship-service"]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("currency__code=EUR", ["all-courses"]),
            ("currency__code=usd", ["seat", "ai-chat", "mentorship-service"]),
            ("mentorship_service_set=mentors", ["mentorship-service"]),
            ("mentorship_service_set=experts", []),
            ("mentorship_service_set=workshops", []),
            ("event_type_set=workshops", ["all-courses"]),
            ("event_type_set=workshops&currency__code=USD", []),
        ],
    )
    def test_filters(self, staff: Clerk, query: str, found: list[str]) -> None:
        made(staff, currency="EUR", available_event_type_sets=[EVENT_SET])
        assert [price["service"]["slug"] for price in staff.get(f"{PATH}?{query}").json] == found

    def test_reprices_by_country(self, staff: Clerk) -> None:
        found = staff.get(f"{PATH}?country_code=mx&mentorship_service_set=mentors").json
        assert [(price["price_per_unit"], price["max_amount"]) for price in found] == [(35.0, 1000.0)]

    def test_costs_a_query_and_what_it_shows(self, staff: Clerk, world: World) -> None:
        for number in range(30):
            put(
                world.table,
                a_service(id=2000 + number, slug=f"s{number}"),
                a_price(staff.academy_id, id=2000 + number, service_id=2000 + number),
            )
        with table_calls() as calls:
            assert len(staff.get(PATH).json) == 20
        assert (calls["Query"], calls["BatchGetItem"], calls["Scan"]) == (1, 1, 0)
