"""A customer pays the next period before its day: one ahead, however often they click."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.flows.recurring import collect
from tests.books import check_books
from tests.journeys.test_cancel import ASKS, DECLINED, GOOD, failing, intents
from tests.journeys.test_declines import authenticate, refused
from tests.recurring import ask, holding, live, mails, paid, run, shown, subscribed
from tests.world import World

KEY = {"Idempotency_Key": "a-click"}


class TestThePeriodAhead:
    def test_is_paid_before_its_day_and_the_calendar_stays(self, world: World) -> None:
        person = subscribed(world)
        live(world, 10)
        answer = ask(person, "renew")
        assert answer.status == 200, answer.text
        assert (answer.json["amount"], answer.json["status"]) == (59.99, "FULFILLED")
        found = shown(person)
        assert (found["valid_until"], found["next_payment_at"]) == ("2027-01-21T12:00:00Z",) * 2
        live(world, 20)
        assert (paid(person), person.units("ai-chat")) == ([59.99, 59.99], 5000)
        live(world, 31)
        assert len(paid(person)) == 3
        check_books(world)

    def test_gives_its_units_when_it_begins(self, world: World) -> None:
        person = subscribed(world)
        assert person.put("/v1/payments/me/service/ai-chat/consumptionsession/one").status == 201
        assert ask(person, "renew").status == 200
        live(world, 29)
        assert person.units("ai-chat") == 4999
        live(world, 1)
        assert person.units("ai-chat") == 5000
        check_books(world)

    def test_twice_is_too_early(self, world: World) -> None:
        person = subscribed(world)
        assert ask(person, "renew").status == 200
        answer = ask(person, "renew")
        assert refused(answer, 409, "too-early-to-renew")
        assert "2026-12-21T12:00:00" in answer.json["detail"]
        live(world, 29)
        assert refused(ask(person, "renew"), 409, "too-early-to-renew")
        live(world, 1)
        assert (len(paid(person)), ask(person, "renew").status) == (2, 200)
        assert shown(person)["valid_until"] == "2027-02-21T12:00:00Z"
        world.settle()
        check_books(world)

    def test_twice_under_a_key_answers_the_same(self, world: World) -> None:
        person = subscribed(world)
        first = ask(person, "renew", **KEY)
        again = ask(person, "renew", **KEY)
        assert (first.status, again.text, len(paid(person))) == (200, first.text, 2)

    def test_by_two_clicks_at_once_is_paid_once(self, world: World) -> None:
        person = subscribed(world)
        gateway, answers = world.runtime.gateway, list[Any]()
        charge = gateway.charge

        def twice(wanted: Any) -> Any:
            if not answers:
                answers.append(None)
                answers.append(ask(person, "renew"))
            return charge(wanted)

        with patch.object(gateway, "charge", twice):
            assert ask(person, "renew").status == 200
        assert refused(answers[1], 409, "payment-in-flight")
        assert len(intents(world)) == 2
        world.settle()
        check_books(world)

    @pytest.mark.parametrize("card", [GOOD, DECLINED])
    def test_by_two_clicks_at_once_under_a_key_answers_the_same(self, world: World, card: str) -> None:
        """One of them finds the key new, and then that the other has paid, or used the last attempt of the hour."""
        person = subscribed(world)
        assert person.save_card(card).status == 200
        for number in range(4):
            assert card == GOOD or ask(person, "renew", Idempotency_Key=f"before-{number}").status == 402
        answers = list[Any]()

        def meanwhile(*arguments: Any) -> Any:
            if not answers:
                answers.append(None)
                answers.append(ask(person, "renew", **KEY))
            return collect.find(*arguments)

        with patch("chalicelib.flows.recurring.pay_now.find", meanwhile):
            slower = ask(person, "renew", **KEY)
        assert slower.status == (200 if card == GOOD else 402)
        assert slower.text == answers[1].text
        assert len(paid(person)) == (2 if card == GOOD else 1)

    def test_that_is_declined_changes_nothing(self, world: World) -> None:
        person = subscribed(world)
        assert person.save_card(DECLINED).status == 200
        assert refused(ask(person, "renew"), 402, "card-error")
        found = shown(person)
        assert (found["status"], found["next_payment_at"], found["payment_issue"]) == (
            "ACTIVE",
            "2026-12-21T12:00:00Z",
            None,
        )
        assert person.save_card(GOOD).status == 200
        assert ask(person, "renew").status == 200
        world.settle()
        assert mails(world, "was refused") == []
        check_books(world)

    def test_whose_bank_is_not_answered_is_charged_on_its_day(self, world: World) -> None:
        person = subscribed(world)
        setup = person.save_card(ASKS).json
        authenticate(world, setup["client_secret"], success=True)
        waiting = ask(person, "renew")
        assert (waiting.status, ask(person, "renew").json, ask(person, "pay").json) == (202, waiting.json, waiting.json)
        assert person.save_card(GOOD).status == 200
        world.settle()
        live(world, 2)
        world.sweep()
        assert intents(world) == ["succeeded", "canceled"]
        assert refused(ask(person, "pay"), 409, "nothing-to-pay")
        live(world, 28)
        assert (paid(person), shown(person)["status"]) == ([59.99, 59.99], "ACTIVE")
        check_books(world)

    def test_waits_for_the_bank_until_it_is_cancelled(self, world: World) -> None:
        person = subscribed(world)
        setup = person.save_card(ASKS).json
        authenticate(world, setup["client_secret"], success=True)
        assert ask(person, "renew").status == 202
        assert ask(person, "cancel").json["valid_until"] == "2026-12-21T12:00:00Z"
        assert intents(world) == ["succeeded", "canceled"]
        live(world, 40)
        assert paid(person) == [59.99]
        check_books(world)

    def test_is_kept_by_whoever_cancels_afterwards(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "renew")
        assert ask(person, "cancel").json["valid_until"] == "2027-01-21T12:00:00Z"
        live(world, 45)
        assert person.units("ai-chat") == 5000
        live(world, 20)
        assert (person.units("ai-chat"), len(paid(person))) == (0, 2)
        check_books(world)

    def test_of_what_could_not_be_paid_is_that_period(self, world: World) -> None:
        person = failing(world)
        with patch("chalicelib.flows.checkout.save_card.card_saved"):
            assert person.save_card(GOOD).status == 200
        assert ask(person, "renew").status == 200
        assert (shown(person)["status"], shown(person)["next_payment_at"]) == ("ACTIVE", "2027-01-21T12:00:00Z")


class TestWhatCannotBeRenewed:
    @pytest.mark.parametrize(("verb", "body"), [("cancel", None), ("pause", {"days": 3})])
    def test_says_what_it_is(self, world: World, verb: str, body: Any) -> None:
        person = subscribed(world)
        assert ask(person, verb, body).status == 200
        slug = "already-paused" if verb == "pause" else "subscription-not-active"
        assert refused(ask(person, "renew"), 409, slug)
        assert len(intents(world)) == 1

    def test_is_a_trial(self, world: World) -> None:
        assert refused(ask(subscribed(world, "pro-trial"), "renew"), 409, "subscription-not-active")

    def test_is_what_is_over(self, world: World) -> None:
        person = failing(world)
        live(world, 10)
        assert holding(person).status == "EXPIRED"
        assert refused(ask(person, "renew"), 409, "subscription-not-active")


def test_a_free_plan_is_renewed_once_ahead(world: World) -> None:
    person = subscribed(world, "free", person=world.person())
    assert ask(person, "renew").json["amount"] == 0
    assert refused(ask(person, "renew"), 409, "too-early-to-renew")
    run(world)
    check_books(world)
