"""What a change of plan is set against: what was paid for the period, whoever paid it, when, and with what."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.books import check_books
from tests.changing import HALF, MONTH_END, changed, further_plans, preview
from tests.journeys.test_catalog import staff
from tests.journeys.test_staff_refunds import refund
from tests.recurring import ask, holding, live, paid, run, subscribed, until
from tests.shop import TRIAL, a_coupon, put
from tests.world import START, Person, World

NEXT_END = MONTH_END.replace(year=2027, month=1)


@pytest.fixture(autouse=True)
def plans(world: World) -> None:
    further_plans(world)


def cost(world: World, person: Person, plan: str, period: str | None = None) -> float:
    """What is paid for the change."""
    before = sum(paid(person))
    changed(world, person, plan, period)
    return round(sum(paid(person)) - before, 2)


class TestAPeriodThatIsPaidAhead:
    def test_is_raised_with_the_one_that_runs_and_not_paid_again(self, world: World) -> None:
        person = subscribed(world)
        world.advance(minutes=2)
        assert ask(person, "renew").status == 200
        until(world, HALF)
        assert cost(world, person, "pro") == 30.0 + 60.0
        until(world, MONTH_END + timedelta(days=15, hours=12))
        assert len(paid(person)) == 3
        assert cost(world, person, "max") == 90.0
        until(world, NEXT_END)
        assert paid(person)[-1] == 299.99
        check_books(world)

    def test_is_worth_what_was_paid_for_it(self, world: World) -> None:
        """The first one was had for nothing, by a coupon for one payment."""
        put(world.table, a_coupon(world.now, world.academy_id, discount_value=1, renewals=0))
        person = subscribed(world, checking={"coupons": ["half"]})
        world.advance(minutes=2)
        assert ask(person, "renew").status == 200
        until(world, HALF)
        assert cost(world, person, "pro") == 60.0 + 60.0
        check_books(world)

    def test_after_the_change_is_paid_under_its_terms(self, world: World) -> None:
        person = subscribed(world)
        changed(world, person, "pro")
        world.advance(minutes=2)
        assert ask(person, "renew").json["amount"] == 119.99
        until(world, MONTH_END)
        assert cost(world, person, "max") == 180.0
        check_books(world)

    def test_ends_when_the_change_that_paid_for_it_is_refunded(self, world: World) -> None:
        person = subscribed(world)
        world.advance(minutes=2)
        assert ask(person, "renew").status == 200
        changed(world, person, "pro")
        of_change = holding(person).invoice_ids[-1]
        until(world, MONTH_END + timedelta(days=3))
        assert refund(staff(world, "issue_refund"), of_change).status == 201
        run(world)
        assert (holding(person).status, person.units("ai-chat")) == ("CANCELLED", 0)
        check_books(world)


class TestAPeriodThatBeganWithAChange:
    @pytest.mark.parametrize("days", [0, 15])
    def test_is_worth_its_whole_price(self, world: World, days: int) -> None:
        """What was left of the period before paid a part of it; also where it began with the purchase."""
        person = subscribed(world)
        until(world, START + timedelta(days=days))
        changed(world, person, "basic", "YEAR")
        assert cost(world, person, "pro", "YEAR") == 719.91
        check_books(world)

    def test_is_worth_it_also_once_the_next_one_is_paid(self, world: World) -> None:
        person = subscribed(world)
        changed(world, person, "basic", "YEAR")
        world.advance(minutes=2)
        assert ask(person, "renew").json["amount"] == 479.99
        told = preview(person, "pro", "YEAR")
        assert told["amount"] == 2 * 719.91


class TestATrial:
    def test_that_was_paid_with_a_coupon_is_worth_what_that_left(self, world: World) -> None:
        coupon = a_coupon(world.now, world.academy_id, plan_ids=(TRIAL,), discount_value=Decimal("0.5"), renewals=0)
        put(world.table, coupon)
        person = subscribed(world, "pro-trial", checking={"coupons": ["half"]})
        until(world, START + timedelta(days=7))
        assert paid(person) == [0.0, 19.5]
        assert cost(world, person, "pro") == 100.49
        check_books(world)


class TestARefund:
    def test_that_fails_is_reckoned_with_by_the_next_change(self, world: World) -> None:
        person = subscribed(world)
        clerk = staff(world, "issue_refund")
        assert refund(clerk, holding(person).id, plan_action="keep").status == 201
        run(world)
        assert preview(person, "pro")["amount"] == 119.99
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        run(world)
        assert preview(person, "pro")["amount"] == 60.0

    def test_of_a_part_lowers_what_was_paid_by_that(self, world: World) -> None:
        person = subscribed(world)
        assert refund(staff(world, "issue_refund"), holding(person).id, amount=20).status == 201
        until(world, HALF)
        changed(world, person, "pro")
        assert paid(person) == [40.0]
        live(world, 1)
        check_books(world)
