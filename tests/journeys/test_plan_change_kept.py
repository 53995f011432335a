"""What a change of plan keeps: trials, coupons, seats, add-ons; and what refunds of its invoice do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from chalicelib.books.catalog.model import Period, Strategy
from chalicelib.books.subscriptions.model import Subscription
from chalicelib.kernel.periods import Unit
from tests.books import check_books
from tests.changing import HALF, MONTH_END, PRO, change, changed, further_plans
from tests.journeys.test_catalog import staff
from tests.journeys.test_refunds_of_renewals import dispute
from tests.journeys.test_staff_refunds import refund
from tests.recurring import holding, live, mails, paid, run, shown, subscribed, until
from tests.shop import BASIC, CHAT, SEAT, a_coupon, a_plan, put
from tests.world import START, Person, World


@pytest.fixture(autouse=True)
def plans(world: World) -> None:
    further_plans(world)
    trial = {"trial_duration": 30, "trial_duration_unit": Unit.DAY}
    put(world.table, a_plan(world.now, world.academy_id, id=1200, slug="other-trial", **trial))


@pytest.fixture
def clerk(world: World) -> Person:
    return staff(world, "issue_refund")


class TestATrial:
    def test_goes_on_with_the_other_plan_and_costs_nothing(self, world: World) -> None:
        person = subscribed(world, "pro-trial")
        until(world, START + timedelta(days=2))
        answer = changed(world, person, "other-trial")
        assert (answer["status"], answer["plans"][0]["slug"], answer["planned"]) == ("FREE_TRIAL", "other-trial", None)
        assert answer["trial_ends_at"] == "2026-11-28T12:00:00Z"
        assert (paid(person), person.units("ai-chat")) == ([0.0], 5000)
        check_books(world)
        until(world, START + timedelta(days=7))
        assert (paid(person), shown(person)["status"]) == ([0.0, 59.99], "ACTIVE")
        check_books(world)

    def test_of_another_plan_is_had_by_that(self, world: World) -> None:
        person = subscribed(world, "pro-trial")
        changed(world, person, "other-trial")
        assert person.check("pro-trial").json["trial"] is None
        until(world, START + timedelta(days=8))
        changed(world, person, "max")
        assert person.check("other-trial").json["trial"] is None
        check_books(world)

    def test_of_a_plan_that_was_had_begins_when_this_one_ends(self, world: World) -> None:
        """So that nobody gets the same units again and again by changing back and forth."""
        person = subscribed(world, "pro-trial")
        changed(world, person, "other-trial")
        answer = changed(world, person, "pro-trial")
        assert (answer["plans"][0]["slug"], answer["planned"]["plan"]["slug"]) == ("other-trial", "pro-trial")
        assert answer["planned"]["applies_at"] == "2026-11-28T12:00:00Z"
        until(world, START + timedelta(days=7))
        assert (paid(person), shown(person)["plans"][0]["slug"]) == ([0.0, 39.0], "pro-trial")
        check_books(world)

    def test_tells_the_price_of_what_is_planned(self, world: World) -> None:
        person = subscribed(world, "pro-trial")
        changed(world, person, "other-trial")
        until(world, START + timedelta(days=5))
        assert mails(world, "ends soon") == [person.email]
        assert any("59.99" in mail.text for mail, _ in world.mailer.sent if "ends soon" in mail.subject)

    def test_of_a_plan_without_a_trial_begins_when_this_one_ends(self, world: World) -> None:
        """It has to be paid for: a trial is of what its plan gives, and of no more."""
        person = subscribed(world, "pro-trial")
        answer = changed(world, person, "pro")
        assert (answer["plans"][0]["slug"], answer["planned"]["plan"]["slug"]) == ("pro-trial", "pro")
        assert person.units("ai-chat") == 5000
        until(world, START + timedelta(days=7))
        assert (paid(person), shown(person)["plans"][0]["slug"]) == ([0.0, 119.99], "pro")
        check_books(world)

    def test_tells_the_price_again_where_it_is_another(self, world: World) -> None:
        person = subscribed(world, "pro-trial")
        until(world, START + timedelta(days=5))
        changed(world, person, "pro")
        told = [mail.text for mail, _ in world.mailer.sent if "ends soon" in mail.subject]
        assert [("39.00" in text, "119.99" in text) for text in told] == [(True, False), (False, True)]

    def test_changes_its_period_and_nothing_else(self, world: World) -> None:
        person = subscribed(world, "other-trial")
        assert person.put("/v1/payments/me/service/ai-chat/consumptionsession/one").status == 201
        changed(world, person, "other-trial", "YEAR")
        assert person.units("ai-chat") == 4999
        until(world, START + timedelta(days=31))
        assert paid(person) == [0.0, 479.99]
        check_books(world)


class TestACoupon:
    def test_that_serves_the_other_plan_goes_on(self, world: World) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, plan_ids=(BASIC, PRO)))
        person = subscribed(world, checking={"coupons": ["half"]})
        until(world, HALF)
        answer = changed(world, person, "pro")
        assert (answer["coupons"], paid(person)) == (["half"], [30.0, 15.0])
        until(world, MONTH_END)
        assert paid(person)[-1] == 60.0
        check_books(world)

    @pytest.mark.parametrize(("discount", "period", "change"), [("0.5", 30.0, 45.0), ("1", 0.0, 60.0)])
    def test_that_does_not_serve_it_ends_and_what_it_gave_was_not_paid(
        self, world: World, discount: str, period: float, change: float
    ) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, discount_value=Decimal(discount)))
        person = subscribed(world, checking={"coupons": ["half"]})
        until(world, HALF)
        answer = changed(world, person, "pro")
        assert (answer["coupons"], paid(person)) == ([], [period, change])
        until(world, MONTH_END)
        assert paid(person)[-1] == 119.99
        check_books(world)

    def test_gives_no_credit_for_what_was_not_paid(self, world: World) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, discount_value=1))
        person = subscribed(world, checking={"coupons": ["half"]})
        changed(world, person, "basic", "YEAR")
        assert (paid(person), shown(person)["credit"]) == ([0.0, 0.0], 0.0)

    def test_that_is_used_up_does_not_serve_a_longer_period(self, world: World) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, renewals=0))
        person = subscribed(world, checking={"coupons": ["half"]})
        until(world, HALF)
        changed(world, person, "basic", "YEAR")
        assert paid(person) == [30.0, 464.99]
        check_books(world)


class TestSeatsAndAddOns:
    def test_are_taken_along_at_their_prices(self, world: World) -> None:
        changes = {"seat_service_id": SEAT, "seats_included": 5, "consumption_strategy": Strategy.BOTH}
        prices = {Period.MONTH: Decimal(4999)}
        larger = a_plan(
            world.now,
            world.academy_id,
            id=1201,
            slug="larger",
            prices=prices,
            add_on_service_ids=(CHAT,),
            **changes,
        )
        put(world.table, larger)
        add_on = {"service_items": [{"service": "ai-chat", "how_many": 100}]}
        person = subscribed(world, "team", checking={"team_seats": 7, **add_on})
        assert paid(person) == [2999 + 2 * 199 + 1.0]
        answer = changed(world, person, "larger")
        assert (answer["seats"], paid(person)[-1]) == (7, 2000.0)
        until(world, MONTH_END)
        assert paid(person)[-1] == 4999 + 2 * 199 + 1.0
        check_books(world)

    def test_come_twice_with_two_changes_in_one_second(self, world: World) -> None:
        for ident, slug, month in ((1201, "more", 90), (1202, "most", 200), (1203, "utmost", 400)):
            sold = {"prices": {Period.MONTH: Decimal(month)}, "add_on_service_ids": (CHAT,), "items": ()}
            put(world.table, a_plan(world.now, world.academy_id, id=ident, slug=slug, **sold))
        person = subscribed(world, "more", checking={"service_items": [{"service": "ai-chat", "how_many": 100}]})
        world.advance(days=1)
        assert [change(person, plan).status for plan in ("most", "utmost")] == [200, 200]
        run(world)
        assert (person.units("ai-chat"), shown(person)["plans"][0]["slug"]) == (100, "utmost")
        check_books(world)
        live(world, 60)
        assert person.units("ai-chat") == 100
        check_books(world)

    def test_of_a_pool_come_and_go_with_the_plan(self, world: World) -> None:
        person = subscribed(world)
        changed(world, person, "team")
        assert (person.units("mentorship-service"), person.units("ai-chat")) == (2, 5000)
        changed(world, person, "basic")
        until(world, MONTH_END)
        assert (shown(person)["plans"][0]["slug"], person.units("mentorship-service")) == ("basic", 2)
        check_books(world)
        until(world, MONTH_END + timedelta(days=3))
        changed(world, person, "pro")
        assert person.units("mentorship-service") == 0
        changed(world, person, "team")
        assert person.units("mentorship-service") == 2
        until(world, MONTH_END + timedelta(days=4))
        check_books(world)

    def test_of_a_pool_end_with_a_plan_that_had_one(self, world: World) -> None:
        put(
            world.table, a_plan(world.now, world.academy_id, id=1201, slug="huge", prices={Period.MONTH: Decimal(9999)})
        )
        person = subscribed(world, "team")
        changed(world, person, "huge")
        assert person.units("mentorship-service") == 2  # its own, and none of the pool's
        check_books(world)

    def test_that_the_other_plan_does_not_sell_refuse_it(self, world: World) -> None:
        person = subscribed(world, "team", checking={"team_seats": 7})
        assert change(person, "pro").json["slug"] == "plan-not-support-teams"


class TestARefund:
    @pytest.mark.parametrize("at_stripe", [False, True])
    def test_of_the_change_ends_the_plan_and_what_it_granted(
        self, world: World, clerk: Person, at_stripe: bool
    ) -> None:
        person, of_change = upgraded(world)
        refunded(world, clerk, of_change, at_stripe=at_stripe)
        found = shown(person, "CANCELLED")
        assert (found["status_message"], person.units("ai-chat")) == ("The payment was refunded.", 0)
        for plan in ("basic", "pro"):
            assert person.check(plan).status == 200
        until(world, MONTH_END + timedelta(days=1))
        assert paid(person) == [59.99]
        check_books(world)
        subscribed(world, "pro", person=person)

    def test_of_the_change_that_fails_brings_the_plan_back(self, world: World, clerk: Person) -> None:
        person, of_change = upgraded(world)
        refunded(world, clerk, of_change)
        assert person.units("ai-chat") == 0
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        run(world)
        assert (shown(person)["status"], person.units("ai-chat")) == ("ACTIVE", 20_000)
        assert person.check("pro").json["slug"] == "plan-already-bought"
        check_books(world)
        until(world, MONTH_END)
        assert (paid(person), person.units("ai-chat")) == ([59.99, 30.0, 119.99], 20_000)
        check_books(world)

    def test_of_the_change_keeps_the_plan_where_staff_say_so(self, world: World, clerk: Person) -> None:
        person, of_change = upgraded(world)
        assert refund(clerk, of_change, plan_action="keep").status == 201
        run(world)
        found = shown(person)
        assert (found["status"], found["plans"][0]["slug"], person.units("ai-chat")) == ("ACTIVE", "pro", 0)
        check_books(world)
        until(world, MONTH_END)
        assert (paid(person)[-1], person.units("ai-chat")) == (119.99, 20_000)
        check_books(world)

    def test_of_the_change_ends_the_plan_with_the_period_where_staff_say_so(self, world: World, clerk: Person) -> None:
        person, of_change = upgraded(world)
        assert refund(clerk, of_change, plan_action="cancel_at_period_end").status == 201
        run(world)
        found = shown(person)
        assert (found["status"], found["valid_until"]) == ("CANCELLED", "2026-12-21T12:00:00Z")
        until(world, MONTH_END)
        assert paid(person) == [59.99]
        check_books(world)

    @pytest.mark.parametrize("at_stripe", [False, True])
    def test_of_a_change_of_a_period_that_is_over_leaves_the_one_that_runs(
        self, world: World, clerk: Person, at_stripe: bool
    ) -> None:
        person, of_change = upgraded(world)
        until(world, MONTH_END)
        refunded(world, clerk, of_change, at_stripe=at_stripe)
        assert (shown(person)["status"], person.units("ai-chat")) == ("ACTIVE", 20_000)
        until(world, MONTH_END.replace(year=2027, month=1))
        assert paid(person) == [59.99, 119.99, 119.99]
        check_books(world)

    def test_of_the_period_that_is_kept_leaves_nothing_that_was_paid(self, world: World, clerk: Person) -> None:
        person = subscribed(world)
        assert refund(clerk, holding(person).id, plan_action="keep").status == 201
        until(world, HALF)
        changed(world, person, "pro")
        assert paid(person) == [60.0]
        check_books(world)

    def test_of_a_change_that_is_kept_is_not_paid_by_the_next(self, world: World, clerk: Person) -> None:
        person, of_change = upgraded(world)
        assert refund(clerk, of_change, plan_action="keep").status == 201
        until(world, HALF + timedelta(days=7, hours=12))
        changed(world, person, "max")
        assert paid(person) == [59.99, 60.0]
        changed(world, person, "max", "YEAR")
        assert paid(person)[-1] == pytest.approx(2999.9 - 75.0, abs=0.01)
        check_books(world)

    def test_of_half_of_the_change_takes_half_of_its_units(self, world: World, clerk: Person) -> None:
        person, of_change = upgraded(world)
        assert refund(clerk, of_change, amount=15).status == 201
        run(world)
        assert person.units("ai-chat") == 10_000
        check_books(world)

    def test_of_the_change_ends_the_plan_where_staff_say_so(self, world: World, clerk: Person) -> None:
        person, of_change = upgraded(world)
        assert refund(clerk, of_change, plan_action="cancel_now").status == 201
        run(world)
        assert (shown(person, "CANCELLED")["status"], person.units("ai-chat")) == ("CANCELLED", 0)
        assert person.check("pro").status == 200
        check_books(world)

    def test_of_the_periods_invoice_ends_the_plan(self, world: World, clerk: Person) -> None:
        person, _ = upgraded(world)
        assert refund(clerk, holding(person).id).status == 201
        run(world)
        assert (shown(person, "CANCELLED")["status"], person.units("ai-chat")) == ("CANCELLED", 0)
        for plan in ("basic", "pro"):
            assert person.check(plan).status == 200
        check_books(world)

    def test_of_the_period_takes_what_came_again_to_the_pool_of_the_other_plan(
        self, world: World, clerk: Person
    ) -> None:
        pooled = {"seat_service_id": SEAT, "consumption_strategy": Strategy.BOTH}
        year = {"prices": {Period.YEAR: Decimal(9000)}}
        put(world.table, a_plan(world.now, world.academy_id, id=1204, slug="pooled", **pooled, **year))
        person = subscribed(world, chosen_period="YEAR")
        changed(world, person, "pooled")
        live(world, 32)
        assert person.units("mentorship-service") == 2
        assert refund(clerk, holding(person).id, amount=240, plan_action="keep").status == 201
        run(world)
        assert person.units("mentorship-service") == 1
        check_books(world)

    def test_of_a_longer_period_ends_the_plan(self, world: World, clerk: Person) -> None:
        person = subscribed(world)
        until(world, HALF)
        changed(world, person, "basic", "YEAR")
        assert refund(clerk, holding(person).invoice_ids[-1]).status == 201
        run(world)
        assert (shown(person, "CANCELLED")["status"], person.units("ai-chat")) == ("CANCELLED", 0)
        check_books(world)

    def test_that_ended_it_frees_what_was_planned_too(self, world: World, clerk: Person) -> None:
        person = subscribed(world, "pro")
        changed(world, person, "basic")
        assert refund(clerk, holding(person).id).status == 201
        run(world)
        for plan in ("basic", "pro"):
            assert person.check(plan).status == 200
        check_books(world)


class TestADispute:
    def test_of_the_change_holds_everything_back_and_a_lost_one_ends_it(self, world: World) -> None:
        person, of_change = upgraded(world)
        dispute(world, of_change, "open")
        assert (shown(person)["status"], person.units("ai-chat")) == ("PAYMENT_ISSUE", 0)
        dispute(world, of_change, "lost")
        assert shown(person, "CANCELLED")["status"] == "CANCELLED"
        check_books(world)

    def test_of_the_change_that_is_lost_frees_the_plan(self, world: World) -> None:
        person, of_change = upgraded(world)
        dispute(world, of_change, "open")
        assert person.check("pro").json["slug"] == "plan-already-bought"
        dispute(world, of_change, "lost")
        until(world, MONTH_END)
        assert (paid(person), person.check("pro").status) == ([59.99], 200)
        check_books(world)

    def test_of_the_change_that_is_won_gives_it_back(self, world: World) -> None:
        person, of_change = upgraded(world)
        dispute(world, of_change, "open")
        dispute(world, of_change, "won")
        assert (shown(person)["status"], person.units("ai-chat")) == ("ACTIVE", 20_000)
        check_books(world)


def refunded(world: World, clerk: Person, invoice_id: int, *, at_stripe: bool = False) -> None:
    """All of an invoice goes back: by the API, or from the processor's dashboard, which says nothing of the plan."""
    if at_stripe:
        (payment,) = world.charges(invoice_id)
        world.control(f"/_control/refund/{payment['id']}", {})
    else:
        assert refund(clerk, invoice_id).status == 201
    run(world)


def upgraded(world: World) -> tuple[Person, int]:
    """Somebody who changed to pro half-way through the month, and the invoice of that."""
    person = subscribed(world)
    until(world, HALF)
    changed(world, person, "pro")
    held = holding(person)
    assert isinstance(held, Subscription)
    assert held.prorated is not None
    (invoice_id,) = held.prorated.invoice_ids
    return person, invoice_id
