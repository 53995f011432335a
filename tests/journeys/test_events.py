"""An event's row is written with what the event causes, whoever else is at work on the event or on its invoice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.inbox import queries as inbox
from chalicelib.books.inbox.model import Event, EventStatus
from chalicelib.entrypoints import workers
from chalicelib.flows.reconcile.handle_event import fail_event
from tests.books import check_books
from tests.journeys.test_crash import Crash, Mishap, outside_calls
from tests.journeys.test_crash_workers import charged_and_died, leave_one_nudge, wants_authentication
from tests.world import Person, World


def paid_without_an_answer(world: World) -> tuple[Person, str]:
    """A person whose payment succeeded while nobody heard of it, and the event that tells."""
    person = world.paying()
    bag = person.check("basic").json
    charged_and_died(world, lambda: person.pay(bag, chosen_period="MONTH"))
    leave_one_nudge(world, "payment_intent.succeeded")
    return person, world.queue.inbox[0]


def failed(world: World) -> tuple[Person, str]:
    """A person whose bank refused the payment on its page, and the event that tells."""
    person, intent = wants_authentication(world)
    world.control(f"/_control/authenticate/{intent['id']}", {"success": False})
    leave_one_nudge(world, "payment_intent.payment_failed")
    return person, world.queue.inbox[0]


def event_of(world: World, ident: str) -> Event:
    return inbox.event(world.table, ident).event


def work_while(world: World, ident: str, meanwhile: Callable[[], Any]) -> None:
    """Work on the event; `meanwhile` happens when it was read and the processor is asked for the first time."""
    ask, waiting = world.stripe_client.request, [meanwhile]

    def asked(*given: Any, **named: Any) -> Any:
        if waiting:
            waiting.pop()()
        return ask(*given, **named)

    with patch.object(world.stripe_client, "request", asked):
        workers.work_event(world.runtime, ident)
    assert waiting == []


def come_to_rest(world: World) -> None:
    """The sweep finds the other events, whose nudges were lost; then the books must be right."""
    world.advance(minutes=2)
    world.sweep()
    world.settle()
    check_books(world)


class TestTheRowOfAnEvent:
    def test_that_delivers_is_handled_in_the_delivery(self, world: World) -> None:
        person, ident = paid_without_an_answer(world)
        with outside_calls(world, fatal="table TransactWriteItems", mishap=Mishap.DIES_AFTER), pytest.raises(Crash):
            world.work()
        assert (event_of(world, ident).status, event_of(world, ident).attempts) == (EventStatus.HANDLED, 1)
        assert person.units("ai-chat") == 5000

    def test_that_gives_up_a_payment_is_handled_in_giving_up(self, world: World) -> None:
        person, ident = failed(world)
        with outside_calls(world, fatal="table TransactWriteItems", mishap=Mishap.DIES_AFTER), pytest.raises(Crash):
            world.work()
        assert event_of(world, ident).status is EventStatus.HANDLED
        assert [invoice["status"] for invoice in person.invoices()] == ["REJECTED"]

    @pytest.mark.parametrize("prepare", [paid_without_an_answer, failed], ids=lambda prepare: prepare.__name__)
    def test_stays_pending_where_nothing_was_written(self, world: World, prepare: Any) -> None:
        person, ident = prepare(world)
        with outside_calls(world, fatal="table TransactWriteItems"), pytest.raises(Crash):
            world.work()
        assert event_of(world, ident).status is EventStatus.PENDING
        assert [invoice["status"] for invoice in person.invoices()] == ["PENDING"]


class TestTwoAtWork:
    def test_on_an_event_deliver_once_and_count_one_try(self, world: World) -> None:
        person, ident = paid_without_an_answer(world)
        work_while(world, ident, lambda: workers.work_event(world.runtime, ident))
        assert (event_of(world, ident).status, event_of(world, ident).attempts) == (EventStatus.HANDLED, 1)
        assert person.units("ai-chat") == 5000
        come_to_rest(world)

    def test_on_an_event_of_whom_one_fails_deliver_at_once_all_the_same(self, world: World) -> None:
        person, ident = paid_without_an_answer(world)
        work_while(world, ident, lambda: fail_event(world.runtime.context(world.now), ident, ValueError()))
        assert (event_of(world, ident).status, event_of(world, ident).attempts) == (EventStatus.HANDLED, 2)
        assert person.units("ai-chat") == 5000
        come_to_rest(world)

    @pytest.mark.parametrize(
        ("prepare", "units"), [(paid_without_an_answer, 5000), (failed, 0)], ids=["delivers", "gives up"]
    )
    def test_on_the_invoice_of_an_event_the_second_writes_its_row_alone(
        self, world: World, prepare: Any, units: int
    ) -> None:
        person, ident = prepare(world)
        world.advance(minutes=16)
        work_while(world, ident, world.sweep)
        assert (event_of(world, ident).status, event_of(world, ident).attempts) == (EventStatus.HANDLED, 1)
        assert person.units("ai-chat") == units
        come_to_rest(world)
