"""Changes of plan: an upgrade is paid now by the second, a downgrade waits, and nothing is paid or given twice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from chalicelib.books.catalog import operations, queries
from chalicelib.books.catalog.model import CountryPrice, Period, PlanItem
from chalicelib.dynamo.writes import commit
from tests.books import check_books
from tests.changing import HALF, MONTH_END, change, changed, further_plans, preview
from tests.recurring import paid, run, shown, subscribed, until
from tests.shop import MENTORING, a_plan, an_item, put
from tests.world import START, World


@pytest.fixture(autouse=True)
def plans(world: World) -> None:
    further_plans(world)


class TestAnUpgrade:
    def test_is_charged_for_the_seconds_that_are_left(self, world: World) -> None:
        person = subscribed(world)
        until(world, HALF)
        told = preview(person, "pro")
        assert (told["amount"], told["applies_at"], told["currency"]["code"]) == (30.0, "2026-12-06T12:00:00Z", "USD")
        assert [line["amount"] for line in told["lines"]] == [60.0, -30.0]
        answer = changed(world, person, "pro")
        assert (paid(person), answer["plans"][0]["slug"]) == ([59.99, 30.0], "pro")
        assert (answer["valid_until"], answer["planned"], answer["credit"]) == ("2026-12-21T12:00:00Z", None, 0.0)
        check_books(world)
        until(world, MONTH_END)
        assert paid(person) == [59.99, 30.0, 119.99]
        check_books(world)

    def test_gives_the_new_units_and_ends_the_old(self, world: World) -> None:
        person = subscribed(world)
        assert person.put("/v1/payments/me/service/ai-chat/consumptionsession/one").status == 201
        until(world, HALF)
        changed(world, person, "pro")
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [20_000, 0, 0]
        until(world, MONTH_END)
        assert person.units("ai-chat") == 20_000
        changed(world, person, "max")
        assert person.units("ai-chat") == 90_000
        check_books(world)

    def test_makes_the_old_plan_free_to_buy_and_the_new_one_taken(self, world: World) -> None:
        person = subscribed(world)
        changed(world, person, "pro")
        assert person.check("basic").status == 200
        assert person.check("pro").json["slug"] == "plan-already-bought"
        check_books(world)

    def test_is_reckoned_anew_when_it_is_made(self, world: World) -> None:
        person = subscribed(world)
        told = preview(person, "pro")
        until(world, HALF)
        changed(world, person, "pro")
        assert (told["amount"], paid(person)[-1]) == (60.0, 30.0)

    def test_twice_is_one_invoice(self, world: World) -> None:
        person = subscribed(world)
        for _ in range(2):
            changed(world, person, "pro")
        assert paid(person) == [59.99, 60.0]
        check_books(world)

    def test_is_at_the_price_of_the_day_and_against_what_was_agreed(self, world: World) -> None:
        person = subscribed(world)
        staff = world.person(operator=True)
        for plan, price in (("basic", 99.0), ("pro", 159.99)):
            path = f"/v1/payments/academy/plan/{plan}?academy={world.academy_id}"
            assert staff.put(path, {"price_per_month": price}).status == 200
        changed(world, person, "pro")
        assert paid(person) == [59.99, 100.0]

    def test_of_a_plan_that_costs_nothing_is_paid_for(self, world: World) -> None:
        person = subscribed(world, "free")
        until(world, HALF)
        changed(world, person, "pro")
        assert paid(person)[-1] == 60.0
        check_books(world)

    def test_needs_a_card(self, world: World) -> None:
        person = subscribed(world, "free", person=world.person())
        assert change(person, "pro").json["slug"] == "payment-method-required"
        assert shown(person)["plans"][0]["slug"] == "free"
        check_books(world)

    def test_that_is_too_little_to_be_charged_is_made_without_the_processor(self, world: World) -> None:
        person = subscribed(world)
        until(world, MONTH_END - timedelta(seconds=60))
        asked = len(world.at_stripe("payment_intent"))
        changed(world, person, "pro")
        assert (paid(person), len(world.at_stripe("payment_intent"))) == ([59.99, 0.0], asked)
        check_books(world)

    def test_keeps_the_country_of_the_purchase(self, world: World) -> None:
        ratio = {"BR": CountryPrice(ratio=Decimal("0.5"))}
        for ident, slug, price in ((1200, "small", 20), (1201, "large", 60)):
            prices = {Period.MONTH: Decimal(price)}
            put(world.table, a_plan(world.now, world.academy_id, id=ident, slug=slug, prices=prices, countries=ratio))
        person = subscribed(world, "small", checking={"country_code": "BR"})
        changed(world, person, "large")
        assert paid(person) == [10.0, 20.0]


class TestADowngrade:
    def test_waits_for_the_end_of_what_is_paid_and_costs_nothing_now(self, world: World) -> None:
        person = subscribed(world, "pro")
        until(world, HALF)
        told = preview(person, "basic")
        assert (told["amount"], told["applies_at"]) == (59.99, "2026-12-21T12:00:00Z")
        answer = changed(world, person, "basic")
        assert (answer["plans"][0]["slug"], answer["planned"]["plan"]["slug"]) == ("pro", "basic")
        assert answer["planned"]["applies_at"] == "2026-12-21T12:00:00Z"
        assert (paid(person), person.units("ai-chat")) == ([119.99], 20_000)
        check_books(world)
        until(world, MONTH_END)
        found = shown(person)
        assert (found["plans"][0]["slug"], found["planned"], paid(person)) == ("basic", None, [119.99, 59.99])
        assert (person.units("ai-chat"), person.units("mentorship-service")) == (5000, 2)
        check_books(world)
        until(world, MONTH_END.replace(year=2027, month=1))
        assert (paid(person)[-1], person.units("ai-chat")) == (59.99, 5000)
        check_books(world)

    def test_keeps_both_plans_taken_until_then(self, world: World) -> None:
        person = subscribed(world, "pro")
        changed(world, person, "basic")
        for plan in ("pro", "basic"):
            assert person.check(plan).json["slug"] == "plan-already-bought"
        until(world, MONTH_END)
        assert person.check("pro").status == 200
        check_books(world)

    def test_is_taken_back_by_the_same_plan_and_replaced_by_another(self, world: World) -> None:
        person = subscribed(world, "max")
        changed(world, person, "basic")
        assert changed(world, person, "pro")["planned"]["plan"]["slug"] == "pro"
        assert person.check("basic").status == 200
        assert changed(world, person, "max")["planned"] is None
        check_books(world)
        until(world, MONTH_END)
        assert paid(person) == [299.99, 299.99]
        check_books(world)

    def test_and_up_again_costs_what_the_last_state_costs(self, world: World) -> None:
        person = subscribed(world)
        until(world, HALF)
        for plan in ("pro", "basic", "pro", "basic", "max", "pro", "max"):
            changed(world, person, plan)
        other = subscribed(world, person=world.paying())
        assert sum(paid(person)) == pytest.approx(59.99 + 120.0)
        assert shown(person)["plans"][0]["slug"] == "max"
        assert shown(person)["planned"] is None
        until(world, MONTH_END)
        assert paid(person)[-1] == 299.99
        assert len(paid(other)) == 1
        check_books(world)

    def test_is_at_the_price_of_the_day_that_it_was_asked_for(self, world: World) -> None:
        person = subscribed(world, "pro")
        changed(world, person, "basic")
        staff = world.person(operator=True)
        path = f"/v1/payments/academy/plan/basic?academy={world.academy_id}"
        assert staff.put(path, {"price_per_month": 99.0}).status == 200
        until(world, MONTH_END)
        assert paid(person) == [119.99, 59.99]

    def test_stays_planned_where_the_payment_is_refused(self, world: World) -> None:
        person = subscribed(world, "pro")
        changed(world, person, "basic")
        assert person.save_card("4000000000000341").status == 200
        until(world, MONTH_END)
        assert (shown(person)["status"], shown(person)["planned"]["plan"]["slug"]) == ("PAYMENT_ISSUE", "basic")
        assert change(person, "max").json["slug"] == "subscription-cannot-be-changed"
        assert person.save_card().status == 200
        run(world)
        assert (paid(person), shown(person)["plans"][0]["slug"]) == ([119.99, 59.99], "basic")
        check_books(world)

    def test_leaves_no_claim_where_it_ends_for_good(self, world: World) -> None:
        person = subscribed(world, "pro")
        changed(world, person, "basic")
        assert person.save_card("4000000000000341").status == 200
        until(world, MONTH_END + timedelta(days=9))
        for plan in ("pro", "basic"):
            assert person.check(plan).status == 200
        check_books(world)


class TestAPeriod:
    def test_is_named_in_any_case_of_its_letters(self, world: World) -> None:
        person = subscribed(world)
        assert preview(person, "basic", "year")["lines"] == preview(person, "basic", "YEAR")["lines"]
        assert change(person, "basic", "Year").json["pay_every_unit"] == "YEAR"

    def test_that_is_longer_begins_now_less_what_is_left_of_the_old(self, world: World) -> None:
        person = subscribed(world)
        until(world, HALF)
        told = preview(person, "basic", "YEAR")
        assert [line["amount"] for line in told["lines"]] == [479.99, -30.0]
        answer = changed(world, person, "basic", "YEAR")
        assert (paid(person), answer["valid_until"]) == ([59.99, 449.99], "2027-12-06T12:00:00Z")
        assert (answer["pay_every"], answer["pay_every_unit"], person.units("ai-chat")) == (1, "YEAR", 5000)
        check_books(world)
        until(world, HALF.replace(year=2027, month=1))
        assert (person.units("ai-chat"), len(paid(person))) == (5000, 2)
        until(world, HALF.replace(year=2027))
        assert paid(person)[-1] == 479.99
        check_books(world)

    def test_that_is_longer_gives_nothing_again_that_comes_once(self, world: World) -> None:
        put(world.table, an_item(id=13, service_id=MENTORING, how_many=2, is_renewable=False))
        items = (PlanItem(link_id=9, item_id=13, service_id=MENTORING),)
        put(world.table, a_plan(world.now, world.academy_id, id=1200, slug="lasting", items=items))
        person = subscribed(world, "lasting")
        assert person.put("/v1/payments/me/service/mentorship-service/consumptionsession/one").status == 201
        changed(world, person, "lasting", "YEAR")
        assert person.units("mentorship-service") == 1
        check_books(world)

    def test_that_is_longer_grants_what_was_agreed(self, world: World) -> None:
        person = subscribed(world)
        plan = queries.plan(world.table, "basic", now=world.now)
        commit(world.table, operations.change(plan, plan.model_copy(update={"items": plan.items[:1]}), version=1))
        changed(world, person, "basic", "YEAR")
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [5000, 2, -1]
        check_books(world)

    def test_that_is_shorter_waits_for_the_end_and_keeps_the_day(self, world: World) -> None:
        world.now = START.replace(month=10, day=31)
        person = subscribed(world, chosen_period="YEAR")
        answer = changed(world, person, "basic", "MONTH")
        assert answer["planned"]["pay_every_unit"] == "MONTH"
        until(world, START.replace(year=2027, month=10, day=31))
        assert (paid(person), shown(person)["valid_until"]) == ([479.99, 59.99], "2027-11-30T12:00:00Z")
        until(world, START.replace(year=2027, month=11, day=30))
        assert shown(person)["valid_until"] == "2027-12-31T12:00:00Z"
        check_books(world)

    def test_of_another_plan_that_is_dearer_begins_now(self, world: World) -> None:
        person = subscribed(world)
        until(world, HALF)
        changed(world, person, "max", "YEAR")
        assert paid(person) == [59.99, 2969.9]
        assert person.units("ai-chat") == 90_000
        check_books(world)

    def test_that_costs_less_than_what_is_left_leaves_credit_for_the_next_invoices(self, world: World) -> None:
        prices = {Period.MONTH: Decimal(300), Period.QUARTER: Decimal(100)}
        put(world.table, a_plan(world.now, world.academy_id, id=1200, slug="odd", prices=prices))
        person = subscribed(world, "odd")
        answer = changed(world, person, "odd", "QUARTER")
        assert (answer["credit"], paid(person)) == (200.0, [300.0, 0.0])
        check_books(world)
        until(world, START.replace(year=2027, month=2))
        assert (shown(person)["credit"], paid(person)) == (100.0, [300.0, 0.0, 0.0])
        until(world, START.replace(year=2027, month=8))
        assert (shown(person)["credit"], paid(person)) == (0.0, [300.0, 0.0, 0.0, 0.0, 100.0])
        check_books(world)
