"""What recurs while something else happens: another worker, a refund, a card, at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.subscriptions.model import Status
from chalicelib.flows.fulfillment import fulfill
from chalicelib.flows.recurring import collect
from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_renewals import AUTHENTICATE, month, refused
from tests.journeys.test_staff_refunds import refund
from tests.recurring import holding, live, paid, run, subscribed
from tests.world import World


def once_after(module: ModuleType, name: str, happens: Callable[[], Any]) -> Any:
    """Between what a function of a module answers for the first time and what is made of it."""
    real, done = getattr(module, name), list[bool]()

    def interrupted(*arguments: Any, **named: Any) -> Any:
        answer = real(*arguments, **named)
        if not done:
            done.append(True)
            happens()
        return answer

    return patch.object(module, name, interrupted)


def once_before(module: ModuleType, name: str, happens: Callable[[], Any]) -> Any:
    """Just before a function of a module is asked for the first time."""
    real, done = getattr(module, name), list[bool]()

    def interrupted(*arguments: Any, **named: Any) -> Any:
        if not done:
            done.append(True)
            happens()
        return real(*arguments, **named)

    return patch.object(module, name, interrupted)


class TestTwoWorkersThatBegin:
    @pytest.mark.parametrize(("plan", "module", "name"), [("basic", collect, "find"), ("free", fulfill, "held_of")])
    def test_the_same_period_at_once_are_told_that_it_moved(
        self, world: World, caplog: pytest.LogCaptureFixture, plan: str, module: ModuleType, name: str
    ) -> None:
        person = subscribed(world, plan)
        world.advance(seconds=(month(1) - world.now).total_seconds())
        with once_after(module, name, lambda: run(world)):
            run(world)
        assert "a queue message failed" not in caplog.text
        assert len(paid(person)) == 2
        assert holding(person).payments == 2
        check_books(world)


class TestAPaymentThatTwoHearOf:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_is_delivered_once_and_not_given_back(self, world: World, when: str) -> None:
        person = subscribed(world)
        world.advance(seconds=(month(1) - world.now).total_seconds())

        def webhook() -> None:
            world.deliver()
            world.work()

        with once_before(fulfill, "held_of", webhook) if when == "before" else once_after(fulfill, "held_of", webhook):
            run(world)
        assert world.at_stripe("refund") == []
        assert len(paid(person)) == 2
        assert holding(person).status is Status.ACTIVE
        check_books(world)


class TestAPaymentThatItsHolderFinishes:
    def test_after_a_refund_ended_the_plan_goes_back(self, world: World) -> None:
        person = refused(world, AUTHENTICATE)
        (open_one,) = [one for one in world.at_stripe("payment_intent") if one["status"] == "requires_payment_method"]
        answer = refund(staff(world, "issue_refund"), holding(person).id, plan_action="cancel_now")
        assert answer.status == 201, answer.text
        run(world)
        world.control(f"/_control/authenticate/{open_one['id']}", {"success": True})
        world.settle()
        back = [one["amount"] for one in world.at_stripe("refund") if one["payment_intent"] == open_one["id"]]
        assert back == [5999]
        assert [invoice["status"] for invoice in person.invoices()] == ["REFUNDED", "REFUNDED"]
        live(world, 10)
        check_books(world)
