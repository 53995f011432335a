"""Renewals: each period is charged once, on its day, by what was agreed; units come again; refusals are followed up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.catalog.model import PlanItem
from chalicelib.books.subscriptions import store
from chalicelib.flows.recurring.tend import tend
from local.stripe_standin import cards
from local.stripe_standin.cards import STOLEN
from tests.books import check_books
from tests.recurring import holding, live, mails, paid, run, shown, subscribed, until
from tests.shop import CHAT, COURSES, MENTORING, a_coupon, a_plan, an_item, put
from tests.world import START, Person, World

GOOD, DECLINED, AUTHENTICATE = "4242424242424242", "4000000000000341", "4000002760003184"


def month(number: int) -> datetime:
    years, months = divmod(START.month - 1 + number, 12)
    return START.replace(year=START.year + years, month=months + 1)


class TestAPeriod:
    def test_is_charged_on_its_day_and_refilled(self, world: World) -> None:
        person = subscribed(world)
        assert person.put("/v1/payments/me/service/ai-chat/consumptionsession/one").status == 201
        until(world, month(1) - timedelta(seconds=1))
        assert (paid(person), person.units("ai-chat")) == ([59.99], 4999)
        world.advance(seconds=1)
        run(world)
        assert (paid(person), person.units("ai-chat")) == ([59.99, 59.99], 5000)
        found = shown(person)
        assert (found["status"], found["valid_until"]) == ("ACTIVE", "2027-01-21T12:00:00Z")
        assert (found["next_payment_at"], len(found["invoices"])) == ("2027-01-21T12:00:00Z", 2)
        check_books(world)

    def test_of_a_year_is_charged_once_each_and_keeps_its_day(self, world: World) -> None:
        world.now = datetime(2027, 1, 31, 12, tzinfo=UTC)
        person = subscribed(world)
        days = []
        for _ in range(400):
            live(world, 1)
            days.append((world.now.day, len(paid(person))))
        charged = [day for (day, count), (_, before) in zip(days[1:], days, strict=False) if count > before]
        assert charged == [28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29][: len(charged)]
        assert len(charged) == 13
        check_books(world)

    def test_is_charged_once_whatever_runs_twice_and_at_once(self, world: World) -> None:
        person = subscribed(world)
        world.now = month(1)
        key = store.holding_key(holding(person))
        for _ in range(4):
            tend(world.runtime.context(world.now), key)
        run(world)
        assert paid(person) == [59.99, 59.99]
        check_books(world)

    def test_has_units_that_do_not_renew_for_as_long_as_it_is_paid(self, world: World) -> None:
        person = subscribed(world, lasting(world))
        assert person.put("/v1/payments/me/service/mentorship-service/consumptionsession/one").status == 201
        live(world, 100)
        assert (person.units("mentorship-service"), person.units("all-courses")) == (2, -1)
        check_books(world)

    def test_that_is_free_renews_without_a_card_and_is_refilled(self, world: World) -> None:
        person = subscribed(world, "free", person=world.person())
        assert person.put("/v1/payments/me/service/ai-chat/consumptionsession/one").status == 201
        live(world, 95)
        assert (person.units("ai-chat"), paid(person)) == (5000, [0.0] * 4)
        assert (shown(person)["status"], mails(world, "receipt")) == ("ACTIVE", [person.email])
        assert not world.at_stripe("payment_intent")
        check_books(world)

    def test_is_renewed_at_the_frozen_price(self, world: World) -> None:
        person = subscribed(world)
        staff = world.person(operator=True)
        body = {"price_per_month": 99.0, "applies_from": None}
        del body["applies_from"]
        answer = staff.put(f"/v1/payments/academy/plan/basic?academy={world.academy_id}", body)
        assert answer.status == 200, answer.text
        live(world, 32)
        assert paid(person) == [59.99, 59.99]

    def test_in_a_year_is_refilled_each_month_also_when_cancelled(self, world: World) -> None:
        person = subscribed(world, chosen_period="YEAR")
        for number in range(11):
            path = f"/v1/payments/me/service/ai-chat/consumptionsession/m{number}"
            assert person.put(path).status == 201
            assert person.units("ai-chat") == 4999
            until(world, month(number + 1))
            assert person.units("ai-chat") == 5000, number
        assert paid(person) == [479.99]
        check_books(world)

    def test_that_was_missed_for_a_week_is_charged_once(self, world: World) -> None:
        person = subscribed(world)
        world.advance(days=38)
        run(world)
        assert paid(person) == [59.99, 59.99]
        assert shown(person)["next_payment_at"] == "2027-01-21T12:00:00Z"
        check_books(world)

    def test_is_charged_one_a_day_the_oldest_first_after_a_long_silence(self, world: World) -> None:
        person = subscribed(world)
        world.advance(days=95)
        run(world)
        assert len(paid(person)) == 2
        live(world, 1)
        assert len(paid(person)) == 3
        live(world, 1)
        assert len(paid(person)) == 4
        live(world, 3)
        assert len(paid(person)) == 4
        found = [holding(person).invoice_ids]
        assert [list(ids) == sorted(ids) for ids in found] == [True]
        check_books(world)


class TestCoupons:
    @pytest.mark.parametrize(
        ("changes", "amounts"),
        [
            ({"renewals": 2}, [30.0, 30.0, 30.0, 59.99]),
            ({"renewals": 0}, [30.0, 59.99, 59.99, 59.99]),
            ({}, [30.0, 30.0, 30.0, 30.0]),
            ({"expires_at": START + timedelta(days=40)}, [30.0, 30.0, 59.99, 59.99]),
            ({"renewals": 1, "expires_at": START + timedelta(days=3)}, [30.0, 30.0, 59.99, 59.99]),
        ],
    )
    def test_serve_renewals_by_their_own_rules(
        self, world: World, changes: dict[str, Any], amounts: list[float]
    ) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, **changes))
        person = subscribed(world, checking={"coupons": ["half"]})
        live(world, 95)
        assert paid(person) == amounts
        check_books(world)

    def test_that_end_are_told_a_week_before_with_both_amounts(self, world: World) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, renewals=1))
        person = subscribed(world, checking={"coupons": ["half"]})
        until(world, month(2) - timedelta(days=7, seconds=1))
        assert mails(world, "Your next payment") == []
        world.advance(seconds=1)
        run(world)
        (mail,) = [mail for mail, _ in world.mailer.sent if "Your next payment" in mail.subject]
        assert "30.00" in mail.text
        assert "59.99" in mail.text
        live(world, 60)
        assert mails(world, "Your next payment") == [person.email]

    def test_of_the_whole_price_need_no_processor(self, world: World) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, discount_value=Decimal(1)))
        person = subscribed(world, person=world.person(), checking={"coupons": ["half"]})
        live(world, 35)
        assert (paid(person), person.units("ai-chat")) == ([0.0, 0.0], 5000)
        assert not world.at_stripe("payment_intent")


class TestATrial:
    def test_is_told_three_days_before_and_then_charged(self, world: World) -> None:
        person = subscribed(world, "pro-trial")
        until(world, START + timedelta(days=4) - timedelta(seconds=1))
        assert mails(world, "trial") == []
        world.advance(seconds=1)
        run(world)
        (mail,) = [mail for mail, _ in world.mailer.sent if "trial" in mail.subject]
        assert "39.00" in mail.text
        until(world, START + timedelta(days=7))
        assert (paid(person), shown(person)["status"]) == ([0.0, 39.0], "ACTIVE")
        assert mails(world, "trial") == [person.email]
        assert shown(person)["next_payment_at"] == "2026-12-28T12:00:00Z"
        live(world, 31)
        assert paid(person) == [0.0, 39.0, 39.0]
        assert person.units("ai-chat") == 5000
        check_books(world)

    def test_without_a_card_ends(self, world: World) -> None:
        person = subscribed(world, "pro-trial", person=world.person())
        live(world, 8)
        assert shown(person, "EXPIRED")["status"] == "EXPIRED"
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [0, 0, 0]
        assert (paid(person), len(mails(world, "trial"))) == ([0.0], 1)
        check_books(world)

    def test_that_is_refused_is_followed_up(self, world: World) -> None:
        person = subscribed(world, "pro-trial", person=_with_card(world, DECLINED))
        live(world, 8)
        assert shown(person)["status"] == "PAYMENT_ISSUE"
        live(world, 8)
        assert shown(person, "EXPIRED")["status"] == "EXPIRED"
        assert paid(person) == [0.0]
        check_books(world)


def _with_card(world: World, number: str) -> Person:
    person = world.person()
    assert person.save_card(number).status == 200
    return person


def lasting(world: World) -> str:
    """A plan with three mentorships for the whole subscription, beside what is refilled and what is unlimited."""
    items = (
        PlanItem(link_id=1, item_id=1, service_id=CHAT),
        PlanItem(link_id=2, item_id=9, service_id=MENTORING),
        PlanItem(link_id=3, item_id=3, service_id=COURSES),
    )
    put(world.table, an_item(id=9, service_id=MENTORING, how_many=3, is_renewable=False))
    put(world.table, a_plan(world.now, world.academy_id, id=1078, slug="lasting", items=items))
    return "lasting"


def refused(world: World, number: str = DECLINED, plan: str = "basic") -> Person:
    """Somebody whose first renewal was refused a moment ago."""
    person = subscribed(world, plan)
    answer = person.save_card(number)
    if number == AUTHENTICATE:
        assert answer.json.get("status") == "requires_action", answer.text
        (setup,) = [one for one in world.at_stripe("setup_intent") if one["status"] == "requires_action"]
        world.control(f"/_control/authenticate/{setup['id']}", {"success": True})
        world.settle()
    until(world, month(1))
    assert shown(person)["status"] == "PAYMENT_ISSUE"
    return person


class TestARefusal:
    def test_is_tried_again_on_days_1_3_5_and_7_and_then_it_is_over(self, world: World) -> None:
        person = refused(world)
        tries = [_attempts(world, person)]
        for _ in range(8):
            live(world, 1)
            tries.append(_attempts(world, person))
        assert tries == [1, 2, 2, 3, 3, 4, 4, 5, 5]
        assert shown(person, "EXPIRED")["status"] == "EXPIRED"
        assert (len(mails(world, "was refused")), len(mails(world, "has ended"))) == (4, 1)
        live(world, 40)
        assert _attempts(world, person) == 5
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [0, 0, 0]
        check_books(world)
        assert person.save_card().status == 200
        subscribed(world, person=person)

    def test_keeps_the_access_for_the_days_of_grace(self, world: World) -> None:
        person = refused(world, plan=lasting(world))
        live(world, 6)
        assert (person.units("all-courses"), person.units("mentorship-service")) == (-1, 3)
        assert person.units("ai-chat") == 0, "what is counted comes when it is paid"

    def test_is_made_good_by_the_next_try(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        person = subscribed(world)
        assert person.save_card(DECLINED).status == 200
        until(world, month(1))
        assert shown(person)["status"] == "PAYMENT_ISSUE"
        _declines(monkeypatch, None)
        live(world, 1)
        assert (shown(person)["status"], paid(person)) == ("ACTIVE", [59.99, 59.99])
        assert shown(person)["next_payment_at"] == "2027-01-21T12:00:00Z"
        assert person.units("ai-chat") == 5000
        check_books(world)

    def test_is_tried_at_once_with_a_new_card_and_that_does_not_count(self, world: World) -> None:
        person = refused(world)
        world.advance(hours=1)
        assert person.save_card(DECLINED).status == 200
        run(world)
        assert _attempts(world, person) == 2
        found = holding(person).dunning
        assert found is not None
        assert (found.failures, found.next_attempt_at) == (1, month(1) + timedelta(days=1))
        world.advance(hours=1)
        assert person.save_card(GOOD).status == 200
        run(world)
        assert (shown(person)["status"], paid(person)) == ("ACTIVE", [59.99, 59.99])
        check_books(world)

    def test_for_ever_is_not_tried_again_until_the_card_is_another(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _declines(monkeypatch, STOLEN)
        person = refused(world)
        live(world, 4)
        assert _attempts(world, person) == 1
        assert person.save_card().status == 200
        run(world)
        assert paid(person) == [59.99, 59.99]

    def test_for_ever_is_over_on_the_last_day(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        _declines(monkeypatch, STOLEN)
        person = refused(world)
        live(world, 8)
        assert (_attempts(world, person), shown(person, "EXPIRED")["status"]) == (1, "EXPIRED")

    def test_after_a_silence_waits_a_day_between_tries(self, world: World) -> None:
        person = refused(world)
        world.advance(days=6)
        run(world)
        assert _attempts(world, person) == 2
        live(world, 1)
        assert _attempts(world, person) == 3

    def test_for_authentication_sends_a_link_and_is_finished_by_it(self, world: World) -> None:
        person = refused(world, AUTHENTICATE)
        (mail,) = [mail for mail, _ in world.mailer.sent if "confirm" in mail.subject]
        assert "/recover/purser_recover_" in mail.text
        (intent,) = [one for one in world.at_stripe("payment_intent") if one["status"] != "succeeded"]
        assert intent["status"] == "requires_payment_method"
        world.control(f"/_control/authenticate/{intent['id']}", {"success": True})
        world.settle()
        run(world)
        assert (shown(person)["status"], paid(person)) == ("ACTIVE", [59.99, 59.99])
        check_books(world)

    def test_for_authentication_is_closed_before_the_next_try(self, world: World) -> None:
        person = refused(world, AUTHENTICATE)
        live(world, 1)
        states = sorted(one["status"] for one in world.at_stripe("payment_intent"))
        assert states == ["canceled", "requires_payment_method", "succeeded"]
        live(world, 8)
        assert shown(person, "EXPIRED")["status"] == "EXPIRED"
        check_books(world)

    def test_for_want_of_a_card_says_so(self, world: World) -> None:
        person = subscribed(world)
        (method,) = world.at_stripe("payment_method")
        customer = holding(person)
        _detach(world, method["id"])
        until(world, month(1))
        assert shown(person)["status"] == "PAYMENT_ISSUE"
        assert (customer.user_id, _attempts(world, person)) == (person.user_id, 0)


def _declines(monkeypatch: pytest.MonkeyPatch, decline: Any) -> None:
    """The bank of the card that fails when it is charged does so for another reason, or not at all."""
    name = "chargeCustomerFail"
    monkeypatch.setitem(cards.BY_NAME, name, replace(cards.BY_NAME[name], decline=decline))


def _detach(world: World, method_id: str) -> None:
    headers = {"Authorization": "Bearer sk_test_world_0123456789"}
    at = int(world.now.timestamp())
    status, _ = world.standin.handle("POST", f"/v1/payment_methods/{method_id}/detach", "", headers, at)
    assert status == 200
    world.settle()


def _attempts(world: World, person: Person) -> int:
    """How often the second period was asked for at Stripe."""
    first, *_ = holding(person).invoice_ids
    return len([i for i in world.at_stripe("payment_intent") if i["metadata"]["invoice_id"] != str(first)])
