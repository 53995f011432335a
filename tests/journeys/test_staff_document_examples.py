"""Document 3's complete examples and workflows, as printed: staff set them up, customers buy them at its numbers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.staffing import Clerk, clerk
from tests.world import World

PLAN = "/v1/payments/academy/plan"
LINKS = f"{PLAN}/serviceitem"


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def done(answer: Any, status: int = 201) -> Any:
    assert answer.status == status, answer.text
    return answer.json


def a_cohort_set(staff: Clerk, slug: str) -> dict[str, int]:
    """A set of one cohort that is for sale."""
    cohort = {"slug": f"{slug}-cohort", "name": "Web Development Fundamentals", "available_as_saas": True}
    ident = done(staff.post("/v1/admissions/academy/cohort", cohort))["id"]
    found = done(staff.post("/v1/payments/academy/cohortset", {"slug": slug, "name": slug, "cohorts": [ident]}))
    return {"set": found["id"], "cohort": ident}


def an_item(staff: Clerk, service: str, how_many: int, **fields: Any) -> int:
    body = {"service": service, "how_many": how_many, "is_renewable": True, **fields}
    return int(done(staff.post("/v1/payments/academy/serviceitem", body))["id"])


def an_option(staff: Clerk, monthly_price: float, how_many_months: int) -> int:
    body = {"monthly_price": monthly_price, "how_many_months": how_many_months, "currency": "USD"}
    return int(done(staff.post("/v1/payments/academy/financingoption", body))["id"])


class TestTheMonthlySubscription:
    def test_begins_with_a_week_for_nothing(self, staff: Clerk, world: World) -> None:
        body = {
            "slug": "4geeks-plus-monthly",
            "title": "4Geeks Plus - Monthly",
            "currency": "USD",
            "status": "ACTIVE",
            "is_renewable": True,
            "is_onboarding": False,
            "time_of_life": 1,
            "time_of_life_unit": "MONTH",
            "trial_duration": 7,
            "trial_duration_unit": "DAY",
            "price_per_month": 39.00,
            "cohort_set": a_cohort_set(staff, "plus")["set"],
            "consumption_strategy": "PER_SEAT",
        }
        assert done(staff.post(PLAN, body))["warnings"] == []
        items = [
            an_item(staff, "all-courses", -1),
            an_item(staff, "ai-chat", 5000),
            an_item(staff, "mentorship-service", 2),
        ]
        linked = done(staff.post(LINKS, {"plan": "4geeks-plus-monthly", "service_item": items}), 200)
        assert linked["total_created"] == 3
        person = world.paying()
        bag = person.check("4geeks-plus-monthly").json
        assert (bag["amount_per_month"], bag["trial"]["duration"], bag["trial"]["unit"]) == (39.0, 7, "DAY")
        assert done(person.pay(bag, chosen_period="MONTH"), 200)["amount"] == 0
        world.settle()
        units = [person.units(slug) for slug in ("all-courses", "ai-chat", "mentorship-service")]
        assert units == [-1, 5000, 2]


class TestTheBootcamp:
    def test_is_paid_at_once_or_in_parts(self, staff: Clerk, world: World) -> None:
        options = [an_option(staff, 799, 12), an_option(staff, 1599, 6)]
        body = {
            "slug": "full-stack-bootcamp-2025",
            "title": "Full Stack Development Bootcamp",
            "currency": "USD",
            "status": "ACTIVE",
            "is_renewable": False,
            "is_onboarding": True,
            "has_waiting_list": True,
            "time_of_life": 6,
            "time_of_life_unit": "MONTH",
            "trial_duration": 0,
            "trial_duration_unit": "DAY",
            "price_per_month": 8999.00,
            "financing_options": options,
            "cohort_set": a_cohort_set(staff, "bootcamp-set")["set"],
            "consumption_strategy": "PER_SEAT",
        }
        plan = done(staff.post(PLAN, body))
        assert [one["slug"] for one in plan["warnings"]] == ["more-instalments-than-life"]
        totals = [one["monthly_price"] * one["how_many_months"] for one in plan["financing_options"]]
        assert totals == [9588, 9594]
        whole, parts = world.paying(), world.paying()
        assert done(whole.pay(whole.check(plan["slug"]).json, chosen_period="MONTH"), 200)["amount"] == 8999.0
        assert done(parts.pay(parts.check(plan["slug"]).json, how_many_installments=6), 200)["amount"] == 1599.0


class TestTheTeamPlan:
    def test_of_ten_seats_costs_five_more(self, staff: Clerk, world: World) -> None:
        seat = {"slug": "corporate-seat", "title": "Team Member Seat", "type": "SEAT"}
        done(staff.post("/v1/payments/academy/service", seat))
        price = {"service": "corporate-seat", "currency": "USD", "price_per_unit": 199, "max_items": 100}
        priced = done(staff.post("/v1/payments/academy/academyservice", {**price, "max_amount": 20000}))
        body = {
            "slug": "corporate-training-team",
            "title": "Corporate Team Training",
            "currency": "USD",
            "status": "ACTIVE",
            "is_renewable": True,
            "time_of_life": 1,
            "time_of_life_unit": "MONTH",
            "trial_duration": 0,
            "price_per_month": 2999.00,
            "consumption_strategy": "BOTH",
            "seat_service_price": priced["id"],
            "seats_included": 5,
            "cohort_set": a_cohort_set(staff, "corporate")["set"],
        }
        done(staff.post(PLAN, body))
        person = world.paying()
        bag = person.check("corporate-training-team", team_seats=10).json
        assert bag["amount_per_month"] == 3994.0
        assert done(person.pay(bag, chosen_period="MONTH"), 200)["amount"] == 3994.0
        assert world.at_stripe("payment_intent")[-1]["amount"] == 399_400


class TestTheFreePlan:
    def test_costs_nothing_and_grants_little(self, staff: Clerk, world: World) -> None:
        body = {
            "slug": "community-free",
            "title": "Free Community Access",
            "currency": "USD",
            "status": "ACTIVE",
            "is_renewable": True,
            "time_of_life": 1,
            "time_of_life_unit": "MONTH",
            "price_per_month": 0.00,
            "price_per_year": 0.00,
            "cohort_set": a_cohort_set(staff, "free-courses")["set"],
            "consumption_strategy": "PER_SEAT",
        }
        assert done(staff.post(PLAN, body))["warnings"] == []
        items = f"{an_item(staff, 'ai-chat', 50)},{an_item(staff, 'mentorship-service', 1)}"
        done(staff.post(LINKS, {"plan": "community-free", "service_item": items}), 200)
        person = world.person()
        assert done(person.pay(person.check("community-free").json), 200)["amount"] == 0
        world.settle()
        assert (person.units("ai-chat"), person.units("mentorship-service")) == (50, 1)
        assert world.at_stripe("payment_intent") == []


class TestTheWorkflows:
    def test_of_a_basic_monthly_plan(self, staff: Clerk, world: World) -> None:
        body = {"slug": "basic-monthly", "currency": "USD", "price_per_month": 39.00, "is_renewable": True}
        assert done(staff.post(PLAN, body))["status"] == "DRAFT"
        done(staff.post(LINKS, {"plan": "basic-monthly", "service_item": [1, 2]}), 200)
        assert world.person().check("basic-monthly").status == 404
        assert done(staff.put(f"{PLAN}/basic-monthly", {"status": "ACTIVE"}), 200)["status"] == "ACTIVE"
        assert world.person().check("basic-monthly").status == 200
        listed = world.call("GET", f"/v1/payments/plan?academy={world.academy_id}&limit=100").json
        assert "basic-monthly" in [plan["slug"] for plan in listed]

    def test_of_a_bootcamp_that_enrols_a_student(self, staff: Clerk, world: World) -> None:
        done(staff.put("/v1/payments/academy/settings", {"main_currency": "USD"}), 200)
        places = a_cohort_set(staff, "enrolled")
        body = {
            "slug": "bootcamp-2025",
            "currency": "USD",
            "is_renewable": False,
            "time_of_life": 6,
            "time_of_life_unit": "MONTH",
            "financing_options": [an_option(staff, 299, 6)],
            "cohort_set": places["set"],
        }
        plan = done(staff.post(PLAN, body))
        done(staff.post(LINKS, {"plan": "bootcamp-2025", "service_item": [1, 2, 3]}), 200)
        done(staff.put(f"{PLAN}/bootcamp-2025", {"status": "ACTIVE"}), 200)
        invited = {
            "email": "new.student@example.com",
            "first_name": "Jane",
            "last_name": "Doe",
            "cohort": [places["cohort"]],
            "invite": True,
            "plans": [plan["id"]],
        }
        done(staff.post("/v1/auth/academy/student", invited))
        world.settle()
        (text,) = [mail.text for mail, _ in world.mailer.sent if mail.to == "new.student@example.com"]
        token = text.partition("/invite/")[2].split()[0]
        accepted = world.call("POST", f"/v1/auth/invite/{token}/accept", body={"password": "a long enough password"})
        session = done(accepted, 200)["token"]
        world.settle()
        held = world.call("GET", "/v1/payments/me/subscription", token=session).json
        assert [one["plans"][0]["slug"] for one in held["plan_financings"]] == ["bootcamp-2025"]
        (invoice,) = world.call("GET", "/v1/payments/me/invoice", token=session).json
        assert (invoice["amount"], invoice["status"]) == (0, "FULFILLED")
