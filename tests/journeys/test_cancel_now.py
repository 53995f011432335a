"""What its customer cancelled to the end of what is paid can still be ended before that."""

from __future__ import annotations

from typing import Any

import pytest

from tests.books import check_books
from tests.journeys.test_cancel import NOW, intents
from tests.journeys.test_catalog import staff
from tests.journeys.test_declines import refused
from tests.journeys.test_staff_refunds import refund
from tests.recurring import ask, holding, live, run, subscribed
from tests.world import World


class TestNowAfterAtTheEnd:
    @pytest.mark.parametrize("plan", ["basic", "bootcamp"])
    def test_what_would_have_lasted_to_its_end_is_over(self, world: World, plan: str) -> None:
        pay: dict[str, Any] = {"how_many_installments": 12, "chosen_period": None} if plan == "bootcamp" else {}
        person = subscribed(world, plan, **pay)
        assert ask(person, "cancel", {"reason": "too dear"}).status == 200
        live(world, 3)
        answer = ask(person, "cancel", NOW)
        assert answer.status == 200, answer.text
        found = answer.json
        assert (found["status"], found["ended_at"], found["cancel_reason"]) == (
            "CANCELLED",
            "2026-11-24T12:00:00Z",
            "too dear",
        )
        assert person.units("ai-chat") == 0
        assert refused(ask(person, "cancel", NOW), 400, "already-cancelled")
        assert refused(ask(person, "reactivate"), 400, "reactivation-period-expired")
        run(world)
        assert subscribed(world, plan, person=person, **pay)
        check_books(world)

    def test_what_has_come_to_its_end_is_refused(self, world: World) -> None:
        person = subscribed(world)
        assert ask(person, "cancel").status == 200
        world.advance(days=30)  # and nobody has come to say so
        assert refused(ask(person, "cancel", NOW), 400, "already-cancelled")

    def test_what_was_refunded_to_its_end_is_over_also_when_the_refund_fails(self, world: World) -> None:
        person = subscribed(world)
        clerk = staff(world, "issue_refund")
        assert refund(clerk, holding(person).id, plan_action="cancel_at_period_end").status == 201
        run(world)
        assert ask(person, "cancel", NOW).json["ended_at"] == "2026-11-21T12:00:00Z"
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        run(world)
        assert (holding(person).status, person.units("ai-chat")) == ("CANCELLED", 0)
        live(world, 31)
        assert len(intents(world)) == 1
        check_books(world)

    def test_of_which_a_payment_is_disputed_is_over_too(self, world: World) -> None:
        person = subscribed(world)
        (intent,) = world.at_stripe("payment_intent")
        payment = intent["id"]
        world.control(f"/_control/dispute/{payment}", {"outcome": "open"})
        world.settle()
        assert ask(person, "cancel").status == 200
        assert ask(person, "cancel", NOW).json["ended_at"] is not None
        assert refused(ask(person, "cancel", NOW), 400, "already-cancelled")
        world.settle()
        world.control(f"/_control/dispute/{payment}", {"outcome": "won"})
        run(world)
        assert (holding(person).status, person.units("ai-chat")) == ("CANCELLED", 0)
        check_books(world)
