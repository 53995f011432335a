"""Staff make, change and delete plans (document 3); customers buy them as they hold at that moment."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.dynamo.table import Table
from tests.shop import BASIC
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World

PATH = "/v1/payments/academy/plan"
PLAN = {
    "slug": "premium-bootcamp-2025",
    "title": "Premium Web Development Bootcamp 2025",
    "currency": "USD",
    "status": "DRAFT",
    "is_renewable": False,
    "is_onboarding": True,
    "has_waiting_list": False,
    "time_of_life": 6,
    "time_of_life_unit": "MONTH",
    "trial_duration": 7,
    "trial_duration_unit": "DAY",
    "price_per_half": 3500.00,
    "price_per_month": 299.00,
    "price_per_quarter": 799.00,
    "price_per_year": 2999.00,
    "consumption_strategy": "PER_SEAT",
}
"""As document 3 prints it, without the ids that it names."""


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def made(staff: Clerk, **changes: Any) -> Any:
    answer = staff.post(PATH, {**PLAN, **changes})
    assert answer.status == 201, answer.text
    return answer.json


def slugs(staff: Clerk, query: str = "") -> list[str]:
    answer = staff.get(f"{PATH}?limit=100&{query}")
    assert answer.status == 200, answer.text
    return [plan["slug"] for plan in answer.json]


def warned(plan: Any) -> list[str]:
    return [one["slug"] for one in plan["warnings"]]


def an_option(staff: Clerk, **changes: Any) -> int:
    body = {"monthly_price": 299.0, "how_many_months": 12, "currency": "USD", **changes}
    return int(staff.post("/v1/payments/academy/financingoption", body).json["id"])


class TestMaking:
    def test_is_answered_as_the_document_shows_it(self, staff: Clerk, world: World) -> None:
        plan = made(staff)
        assert {name: plan[name] for name in PLAN if name != "currency"} == {
            name: value for name, value in PLAN.items() if name != "currency"
        }
        assert plan["currency"] == {"code": "USD", "name": "US Dollar"}
        assert plan["owner"] == {"id": world.academy_id, "name": "4Geeks Academy", "slug": "4geeks"}
        assert (plan["service_items"], plan["financing_options"], plan["cohort_set"]) == ([], [], None)
        assert (plan["version"], plan["upcoming"]) == (1, [])
        for ref in (plan["id"], plan["slug"]):
            read = staff.get(f"{PATH}/{ref}").json
            assert read == {name: value for name, value in plan.items() if name != "warnings"}

    def test_has_the_defaults_of_the_document(self, staff: Clerk) -> None:
        plan = staff.post(PATH, {"slug": "basic-monthly", "currency": "usd", "price_per_month": 39}).json
        defaults: dict[str, Any] = {
            "title": None,
            "status": "DRAFT",
            "is_renewable": True,
            "is_onboarding": False,
            "has_waiting_list": False,
            "exclude_from_referral_program": True,
            "time_of_life": 1,
            "time_of_life_unit": "MONTH",
            "trial_duration": 1,
            "trial_duration_unit": "MONTH",
            "price_per_quarter": None,
            "price_per_half": None,
            "price_per_year": None,
            "cohort_set": None,
            "mentorship_service_set": None,
            "event_type_set": None,
            "financing_options": [],
            "consumption_strategy": "PER_SEAT",
            "seat_service_price": None,
            "add_ons": [],
            "pricing_ratio_exceptions": {},
        }
        assert {name: plan[name] for name in defaults} == defaults
        assert warned(plan) == ["trial-by-default"]

    @pytest.mark.parametrize(
        ("changes", "status", "slug"),
        [
            ({"slug": "no spaces allowed"}, 400, "invalid-slug"),
            ({"slug": "under_score"}, 400, "invalid-slug"),
            ({"slug": "ümlaut"}, 400, "invalid-slug"),
            ({"slug": "12345"}, 400, "invalid-slug"),
            ({"slug": "-"}, 400, "invalid-slug"),
            ({"slug": "serviceitem"}, 400, "invalid-slug"),
            ({"slug": "x" * 61}, 400, "invalid-slug"),
            ({"slug": None}, 400, "invalid-slug"),
            ({"slug": "basic"}, 400, "slug-already-exists"),
            ({"currency": "XXQ"}, 400, "currency-not-found"),
            ({"currency": None}, 400, "currency-not-found"),
            ({"title": "x" * 101}, 400, "invalid-request"),
            ({"price_per_month": -1}, 400, "invalid-request"),
            ({"price_per_month": "ten"}, 400, "invalid-request"),
            ({"price_per_month": 1e30}, 400, "invalid-request"),
            ({"price_per_month": 1e-9}, 400, "invalid-price"),
            ({"price_per_month": 0.001}, 400, "invalid-price"),
            ({"trial_duration": -1}, 400, "invalid-request"),
            ({"trial_duration": None}, 400, "invalid-request"),
            ({"time_of_life_unit": None}, 400, "invalid-time-of-life"),
            ({"time_of_life": None}, 400, "invalid-time-of-life"),
            ({"time_of_life": None, "time_of_life_unit": None}, 400, "invalid-time-of-life"),
            ({"time_of_life": 0}, 400, "invalid-time-of-life"),
            ({"status": "LIVE"}, 400, "invalid-request"),
            ({"owner": 2}, 400, "owner-is-fixed"),
            ({"owner": None}, 400, "owner-is-fixed"),
            ({"owner_id": 2}, 400, "owner-is-fixed"),
            ({"service_items": [1]}, 400, "service-items-are-linked"),
            ({"seats_included": 0}, 400, "invalid-request"),
            ({"capacity": 0}, 400, "invalid-request"),
            ({"consumption_strategy": "ALL"}, 400, "invalid-request"),
            ({"financing_options": [987654321]}, 404, "financing-option-not-found"),
            ({"cohort_set": 987654321}, 404, "set-not-found"),
            ({"mentorship_service_set": 5}, 404, "set-not-found"),
            ({"seat_service_price": 987654321}, 404, "academy-service-not-found"),
            ({"add_ons": [987654321]}, 404, "academy-service-not-found"),
            ({"pricing_ratio_exceptions": {"ES": -1}}, 400, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"Spain": 0.5}}, 400, "invalid-pricing-ratio-exceptions"),
            ({"pricing_ratio_exceptions": {"ES": {"price": 5}}}, 400, "invalid-pricing-ratio-exceptions"),
            (
                {"pricing_ratio_exceptions": {"IN": {"price_per_month": 9, "currency": "INR"}}},
                400,
                "invalid-pricing-ratio-exceptions",
            ),
        ],
    )
    def test_of_what_is_none_is_refused(self, staff: Clerk, world: World, changes: Any, status: int, slug: str) -> None:
        before = everything(world)
        refused(staff.post(PATH, {**PLAN, **changes}), status, slug)
        assert everything(world) == before

    def test_names_seats_and_add_ons_by_academy_services(self, staff: Clerk, world: World) -> None:
        team = staff.get(f"{PATH}/team").json
        plan = made(staff, seat_service_price=team["seat_service_price"], add_ons=team["add_ons"], seats_included=5)
        assert (plan["seat_service_price"], plan["add_ons"]) == (team["seat_service_price"], team["add_ons"])
        assert team["seat_service_price"] is not None and team["add_ons"]
        body = {**PLAN, "slug": "other", "seat_service_price": team["add_ons"][0]}
        refused(staff.post(PATH, body), 400, "invalid-seat-service-price")
        body = {**PLAN, "slug": "other", "add_ons": [team["seat_service_price"]]}
        refused(staff.post(PATH, body), 400, "invalid-seat-service-price")

    def test_names_only_what_stays(self, staff: Clerk, world: World) -> None:
        """The option is taken away between the reading and the writing."""
        option = an_option(staff)
        real, raced = Table.get_many, list[bool]()

        def get_many(table: Table, keys: Any) -> Any:
            found = real(table, keys)
            if any(key.sk.startswith("OPTION#") for key in found) and not raced:
                raced.append(True)
                assert staff.delete(f"/v1/payments/academy/financingoption/{option}").status == 204
            return found

        with patch.object(Table, "get_many", get_many):
            refused(staff.post(PATH, {**PLAN, "financing_options": [option]}), 409, "changed-meanwhile")
        refused(staff.get(f"{PATH}/{PLAN['slug']}"), 404, "not-found")


class TestWarnings:
    """D21 and D71, each row."""

    @pytest.mark.parametrize(
        ("changes", "slugs"),
        [
            ({"trial_duration": 1, "trial_duration_unit": "MONTH", "price_per_month": 39}, []),
            ({"price_per_month": 0}, []),
            ({}, ["no-price"]),
            ({"trial_duration": 0, "price_per_month": 10, "price_per_year": 121}, ["longer-period-dearer"]),
            ({"trial_duration": 0, "price_per_month": 10, "price_per_year": 120}, []),
            ({"trial_duration": 0, "price_per_quarter": 10, "price_per_half": 21}, ["longer-period-dearer"]),
            ({"trial_duration": 0, "price_per_month": 39, "is_renewable": False}, []),
        ],
    )
    def test_name_what_surprises(self, staff: Clerk, changes: Any, slugs: list[str]) -> None:
        plan = staff.post(PATH, {"slug": "one", "currency": "USD", **changes}).json
        assert warned(plan) == slugs

    def test_name_more_instalments_than_life(self, staff: Clerk) -> None:
        plan = made(staff, financing_options=[an_option(staff)], price_per_half=1500, price_per_year=None)
        assert warned(plan) == ["more-instalments-than-life"]
        changed = staff.put(f"{PATH}/{plan['id']}", {"time_of_life": 1, "time_of_life_unit": "YEAR"}).json
        assert warned(changed) == []

    def test_name_options_that_cannot_be_chosen(self, staff: Clerk) -> None:
        options = [an_option(staff, currency="EUR"), an_option(staff, how_many_months=6)]
        changes = {"price_per_half": 1500, "price_per_year": None, "time_of_life": 12}
        plan = made(staff, financing_options=options, **changes)
        assert warned(plan) == ["option-in-other-currency"]
        options = [an_option(staff), an_option(staff, monthly_price=10)]
        assert warned(staff.put(f"{PATH}/{plan['id']}", {"financing_options": options}).json) == [
            "same-instalments-twice"
        ]

    def test_name_a_service_without_its_set(self, staff: Clerk) -> None:
        plan = made(staff, price_per_half=1500, price_per_year=None)
        link = {"plan": plan["id"], "service_item": [2, 3]}
        assert staff.post(f"{PATH}/serviceitem", link).status == 200
        assert warned(staff.put(f"{PATH}/{plan['id']}", {"title": "x"}).json) == ["no-set-for-service"] * 2


class TestChanging:
    def test_is_partial(self, staff: Clerk) -> None:
        plan = made(staff)
        answer = staff.put(f"{PATH}/{plan['slug']}", {"status": "ACTIVE", "price_per_month": 349.0})
        assert answer.status == 200
        changed = {**plan, "status": "ACTIVE", "price_per_month": 349.0, "version": 2}
        assert {**answer.json, "applies_from": plan["applies_from"]} == changed

    def test_takes_a_price_away_with_null(self, staff: Clerk) -> None:
        plan = made(staff)
        changed = staff.put(f"{PATH}/{plan['id']}", {"price_per_year": None}).json
        assert (changed["price_per_year"], changed["price_per_month"]) == (None, 299.0)

    def test_that_changes_nothing_is_no_version(self, staff: Clerk, world: World) -> None:
        plan = made(staff)
        before = everything(world)
        assert (
            staff.put(f"{PATH}/{plan['id']}", {"title": plan["title"], "price_per_month": 299.0}).json["version"] == 1
        )
        assert staff.put(f"{PATH}/{plan['id']}", {}).json["version"] == 1
        assert everything(world) == before

    def test_of_the_slug_moves_it(self, staff: Clerk) -> None:
        plan = made(staff)
        assert staff.put(f"{PATH}/{plan['id']}", {"slug": "renamed"}).json["slug"] == "renamed"
        refused(staff.get(f"{PATH}/{plan['slug']}"), 404, "not-found")
        assert staff.get(f"{PATH}/renamed").json["id"] == plan["id"]
        refused(staff.put(f"{PATH}/renamed", {"slug": "basic"}), 400, "slug-already-exists")
        assert made(staff)["slug"] == plan["slug"]

    @pytest.mark.parametrize(
        "body", [{"owner": 1}, {"currency": None}, {"slug": "a b"}, {"time_of_life": 0}, {"status": None}]
    )
    def test_into_what_is_none_is_refused(self, staff: Clerk, world: World, body: Any) -> None:
        plan = made(staff)
        before = everything(world)
        assert staff.put(f"{PATH}/{plan['id']}", body).status == 400
        assert everything(world) == before

    def test_by_two_at_once_loses_neither(self, staff: Clerk) -> None:
        path = f"{PATH}/{made(staff)['id']}"
        real, raced = Table.get, list[bool]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("PLAN#") and not raced:
                raced.append(True)
                assert staff.put(path, {"price_per_month": 349.0}).status == 200
            return row

        with patch.object(Table, "get", get):
            assert staff.put(path, {"title": "Other"}).status == 200
        found = staff.get(path).json
        assert (found["price_per_month"], found["title"], found["version"]) == (349.0, "Other", 3)

    def test_is_audited(self, staff: Clerk, world: World) -> None:
        plan = made(staff)
        staff.put(f"{PATH}/{plan['id']}", {"price_per_month": 349})
        staff.delete(f"{PATH}/{plan['id']}")
        gone, changed, first = audited(world, f"plan:{plan['id']}")
        assert first[1] is None and first[2]["slug"] == plan["slug"]
        assert (changed[1]["prices"]["MONTH"], changed[2]["prices"]["MONTH"]) == ("299.0", "349")
        assert (gone[1]["status"], gone[2]["status"]) == ("DRAFT", "DELETED")


class TestDeleting:
    def test_leaves_it_readable_and_sold_no_more(self, staff: Clerk, world: World) -> None:
        plan = made(staff, status="ACTIVE", is_renewable=True)
        assert staff.delete(f"{PATH}/{plan['slug']}").status == 204
        assert staff.get(f"{PATH}/{plan['id']}").json["status"] == "DELETED"
        assert staff.delete(f"{PATH}/{plan['id']}").status == 204
        assert world.call("GET", f"/v1/payments/plan/{plan['slug']}").status == 404
        assert plan["slug"] not in slugs(staff) and plan["slug"] in slugs(staff, "status=DELETED")
        refused(staff.put(f"{PATH}/{plan['id']}", {"status": "ACTIVE"}), 409, "plan-is-deleted")
        refused(staff.post(PATH, PLAN), 400, "slug-already-exists")

    @pytest.mark.parametrize("how", ["DELETE", "PUT"])
    def test_of_one_that_somebody_has_is_refused(self, staff: Clerk, world: World, how: str) -> None:
        person = world.paying()
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        refused(staff.call(how, f"{PATH}/basic", {"status": "DELETED"}), 400, "plan-has-active-subscriptions")
        assert staff.put(f"{PATH}/basic", {"status": "DISCONTINUED"}).status == 200
        assert world.person().check("basic").status == 404
        assert person.units("ai-chat") == 5000


class TestStatuses:
    """The lifecycle's table: who sees it, and whether it can be bought."""

    @pytest.mark.parametrize(
        ("status", "listed", "read", "bought"),
        [
            ("DRAFT", False, False, False),
            ("ACTIVE", True, True, True),
            ("UNLISTED", False, True, True),
            ("DELETED", False, False, False),
            ("DISCONTINUED", False, False, False),
        ],
    )
    def test_decide(self, staff: Clerk, world: World, status: str, listed: bool, read: bool, bought: bool) -> None:
        made(staff, status=status, is_renewable=True)
        found = world.call("GET", f"/v1/payments/plan?academy={world.academy_id}&limit=100").json
        assert (PLAN["slug"] in [plan["slug"] for plan in found]) is listed
        assert (world.call("GET", f"/v1/payments/plan/{PLAN['slug']}").status == 200) is read
        assert (world.person().check(str(PLAN["slug"])).status == 200) is bought


class TestCountries:
    @pytest.mark.parametrize(("country", "month"), [("ES", 254.15), ("mx", 209.30), ("IN", 149.50), ("FR", 299.00)])
    def test_have_prices_of_their_own(self, staff: Clerk, world: World, country: str, month: float) -> None:
        ratios = {"ES": 0.85, "MX": 0.70, "in": {"ratio": 0.5}}
        plan = made(staff, pricing_ratio_exceptions=ratios, status="ACTIVE", is_renewable=True, trial_duration=0)
        assert plan["pricing_ratio_exceptions"] == {"ES": 0.85, "IN": 0.5, "MX": 0.7}
        assert staff.get(f"{PATH}/{plan['id']}?country_code={country}").json["price_per_month"] == month
        listed = staff.get(f"{PATH}?country_code={country}&limit=100").json
        assert [one["price_per_month"] for one in listed if one["id"] == plan["id"]] == [month]
        bag = world.person().check(plan["slug"], country_code=country).json
        assert bag["amount_per_month"] == month


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World) -> None:
        plan = made(staff)
        other = clerk_elsewhere(world)
        before = everything(world)
        for method, body in (("GET", None), ("PUT", {"title": "stolen"}), ("DELETE", None)):
            for ref in (plan["id"], plan["slug"]):
                refused(other.call(method, f"{PATH}/{ref}", body), 404, "not-found")
        assert slugs(other) == []
        for names in ({"financing_options": [an_option(staff)]}, {"cohort_set": 5}):
            assert other.post(PATH, {**PLAN, "slug": "theirs", **names}).status == 404
        after = everything(world)
        assert {key: value for key, value in after.items() if key in before} == before

    @pytest.mark.parametrize(
        ("method", "path"),
        [("POST", PATH), ("PUT", f"{PATH}/basic"), ("DELETE", f"{PATH}/basic"), ("POST", f"{PATH}/serviceitem")],
    )
    def test_need_the_capability(self, world: World, method: str, path: str) -> None:
        reader = clerk(world, "read_subscription", "crud_service")
        assert reader.get(PATH).status == reader.get(f"{PATH}/{BASIC}").status == 200
        refused(reader.call(method, path, {**PLAN, "plan": "basic", "service_item": 1}), 403, "permission-denied")
