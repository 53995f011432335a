"""A subscription rests for some weeks: no payment and no access between two paid periods."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.subscriptions import store
from chalicelib.flows.recurring.tend import tend
from tests.books import check_books
from tests.journeys.test_cancel import ASKS, DECLINED, GOOD, failing, intents
from tests.journeys.test_declines import authenticate, refused
from tests.recurring import ask, forget_card, holding, live, paid, run, shown, subscribed
from tests.world import START, Person, World

TEN = {"days": 10}


def resting(world: World, plan: str = "basic", *, person: Person | None = None) -> Person:
    """Somebody whose pause of ten days has begun, three days ago."""
    found = subscribed(world, plan, person=person)
    assert ask(found, "pause", TEN).status == 200
    live(world, 33)
    assert shown(found)["status"] == "PAUSED"
    return found


class TestAPause:
    def test_begins_when_what_is_paid_has_ended_and_then_a_new_period_does(self, world: World) -> None:
        person = subscribed(world)
        live(world, 5)
        found = ask(person, "pause", TEN).json
        assert (found["status"], found["pause"]) == (
            "ACTIVE",
            {"days": 10, "begins_at": "2026-12-21T12:00:00Z", "until": "2026-12-31T12:00:00Z"},
        )
        live(world, 24)
        assert person.units("ai-chat") == 5000
        live(world, 1)
        found = shown(person)
        assert (found["status"], found["next_payment_at"]) == ("PAUSED", "2026-12-31T12:00:00Z")
        live(world, 9)
        assert (paid(person), person.units("ai-chat")) == ([59.99], 0)
        live(world, 1)
        found = shown(person)
        assert (found["status"], found["pause"], found["valid_until"]) == ("ACTIVE", None, "2027-01-31T12:00:00Z")
        assert (paid(person), person.units("ai-chat")) == ([59.99, 59.99], 5000)
        live(world, 31)
        assert (len(paid(person)), shown(person)["next_payment_at"]) == (3, "2027-02-28T12:00:00Z")
        check_books(world)

    def test_is_asked_for_once(self, world: World) -> None:
        person = subscribed(world)
        assert ask(person, "pause", TEN).status == 200
        assert refused(ask(person, "pause", TEN), 409, "already-paused")
        live(world, 33)
        assert refused(ask(person, "pause", TEN), 409, "already-paused")
        assert refused(ask(person, "renew"), 409, "already-paused")
        assert refused(ask(person, "pay"), 409, "nothing-to-pay")

    @pytest.mark.parametrize("days", [0, -1, 91, 1.5, "3", None, True])
    def test_of_so_many_days_is_refused(self, world: World, days: Any) -> None:
        person = subscribed(world)
        assert refused(
            ask(person, "pause", {"days": days}), 400, "days-is-required" if days is None else "invalid-days"
        )
        assert refused(ask(person, "pause"), 400, "days-is-required")

    @pytest.mark.parametrize("days", [1, 90])
    def test_of_so_many_days_is_had(self, world: World, days: int) -> None:
        person = subscribed(world)
        assert ask(person, "pause", {"days": days}).status == 200
        live(world, 30 + days - 1)
        assert shown(person)["status"] == "PAUSED"
        live(world, 1)
        assert (shown(person)["status"], len(paid(person))) == ("ACTIVE", 2)

    def test_of_a_trial_or_of_what_is_cancelled_is_refused(self, world: World) -> None:
        trial = subscribed(world, "pro-trial")
        assert refused(ask(trial, "pause", TEN), 409, "subscription-not-active")
        person = subscribed(world)
        ask(person, "cancel")
        assert refused(ask(person, "pause", TEN), 409, "subscription-not-active")

    def test_of_what_could_not_be_paid_is_refused(self, world: World) -> None:
        assert refused(ask(failing(world), "pause", TEN), 409, "subscription-not-active")

    def test_of_instalments_is_refused(self, world: World) -> None:
        person = subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)
        assert refused(ask(person, "pause", TEN), 409, "plan-financing-not-pausable")

    def test_that_is_worked_on_late_is_as_long_as_said(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "pause", TEN)
        world.now = START + timedelta(days=36)
        run(world)
        assert (shown(person)["status"], shown(person)["pause"]["until"]) == ("PAUSED", "2026-12-31T12:00:00Z")

    def test_that_has_begun_ends_with_a_cancellation(self, world: World) -> None:
        person = resting(world)
        found = ask(person, "cancel").json
        assert (found["status"], found["ended_at"] is not None) == ("CANCELLED", True)
        live(world, 20)
        assert paid(person) == [59.99]
        assert subscribed(world, person=person)
        check_books(world)

    def test_that_was_asked_for_ends_with_a_cancellation(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "pause", TEN)
        assert ask(person, "cancel").json["pause"] is None
        assert ask(person, "reactivate").json["pause"] is None
        live(world, 31)
        assert len(paid(person)) == 2

    def test_whose_payment_is_refused_gives_no_grace(self, world: World) -> None:
        person = resting(world)
        assert person.save_card(DECLINED).status == 200
        live(world, 8)
        found = shown(person)
        assert (found["status"], person.units("ai-chat"), person.units("all-courses")) == ("PAYMENT_ISSUE", 0, 0)
        assert person.save_card(GOOD).status == 200
        run(world)
        assert (shown(person)["status"], person.units("ai-chat")) == ("ACTIVE", 5000)
        live(world, 40)
        assert (len(paid(person)), shown(person)["status"]) == (3, "ACTIVE")
        check_books(world)


class TestResume:
    def test_withdraws_a_pause_that_has_not_begun(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "pause", TEN)
        answer = ask(person, "resume")
        assert (answer.status, answer.json["status"], answer.json["pause"]) == (200, "ACTIVE", None)
        live(world, 30)
        assert len(paid(person)) == 2
        assert refused(ask(person, "resume"), 409, "not-paused")

    def test_ends_one_that_has_begun_and_begins_a_period_that_is_paid_at_once(self, world: World) -> None:
        person = resting(world)
        answer = ask(person, "resume")
        assert answer.status == 200, answer.text
        found = answer.json
        assert (found["status"], found["valid_until"]) == ("ACTIVE", "2027-01-24T12:00:00Z")
        assert (paid(person), person.units("ai-chat")) == ([59.99, 59.99], 5000)
        assert world.at_stripe("payment_intent")[-1].get("off_session") in (None, False)
        live(world, 31)
        assert (len(paid(person)), shown(person)["next_payment_at"]) == (3, "2027-02-24T12:00:00Z")
        check_books(world)

    def test_twice_pays_once(self, world: World) -> None:
        person = resting(world)
        assert ask(person, "resume").status == 200
        assert refused(ask(person, "resume"), 409, "not-paused")
        assert len(paid(person)) == 2

    def test_without_a_card_changes_nothing(self, world: World) -> None:
        person = resting(world)
        forget_card(person)
        assert refused(ask(person, "resume"), 402, "payment-method-required")
        assert (shown(person)["status"], shown(person)["next_payment_at"]) == ("PAUSED", "2026-12-31T12:00:00Z")

    def test_that_the_bank_wants_to_see_is_answered_so_and_the_same_again(self, world: World) -> None:
        person = resting(world)
        setup = person.save_card(ASKS).json
        authenticate(world, setup["client_secret"], success=True)
        waiting = ask(person, "resume")
        assert (waiting.status, waiting.json["status"]) == (202, "requires_action")
        again = ask(person, "resume")
        assert again.json == waiting.json
        assert (shown(person)["status"], intents(world)) == ("PAUSED", ["succeeded", "requires_action"])
        authenticate(world, waiting.json["client_secret"], success=True)
        run(world)
        assert (shown(person)["status"], person.units("ai-chat"), len(paid(person))) == ("ACTIVE", 5000, 2)
        check_books(world)

    def test_while_the_tick_is_at_it_pays_once(self, world: World) -> None:
        person = resting(world)
        key, gateway = store.holding_key(holding(person)), world.runtime.gateway
        charge, done = gateway.charge, list[bool]()

        def meanwhile(wanted: Any) -> Any:
            if not done:
                done.append(True)
                tend(world.runtime.context(world.now), key)
                assert refused(ask(person, "resume"), 409, "payment-in-flight")
            return charge(wanted)

        with patch.object(gateway, "charge", meanwhile):
            assert ask(person, "resume").status == 200
        assert (len(paid(person)), len(intents(world))) == (2, 2)
        world.settle()
        check_books(world)

    def test_of_what_costs_nothing_needs_no_card(self, world: World) -> None:
        person = resting(world, "free", person=world.person())
        assert ask(person, "resume").json["status"] == "ACTIVE"
        assert (paid(person), person.units("ai-chat")) == ([0.0, 0.0], 5000)
        world.settle()
        check_books(world)
