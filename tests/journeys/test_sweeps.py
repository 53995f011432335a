"""The minute's tick: what it looks at, what it leaves alone, and that one bad row never holds up the others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from tests.books import check_books
from tests.world import Person, World


def lost(world: World, person: Person) -> dict[str, Any]:
    """A purchase whose charge went through while every answer and webhook got lost."""
    rule = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}
    world.misbehave(rules=[rule], webhooks={"drop": True})
    answer = person.buy()
    assert answer.status == 202
    found: dict[str, Any] = answer.json
    return found


def never_made(world: World, person: Person) -> None:
    rule = {"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 2}
    world.misbehave(rules=[rule], webhooks={"drop": True})
    assert person.buy().status == 202


class TestPendingInvoices:
    def test_are_asked_for_after_fifteen_minutes_and_not_before(self, world: World) -> None:
        person = world.paying()
        world.settle()
        lost(world, person)
        world.advance(minutes=14, seconds=59)
        assert world.sweep()["invoices"] == 0
        world.advance(seconds=1)
        assert world.sweep()["invoices"] == 1
        assert person.units("mentorship-service") == 10
        assert world.sweep()["invoices"] == 0
        world.advance(minutes=1)
        world.sweep()
        check_books(world)

    def test_are_found_where_our_clock_is_ahead_of_stripes(self, world: World) -> None:
        """The payment was made before the attempt, if one believes the clocks; a day later its key is forgotten."""
        person = world.paying()
        world.settle()
        world.runtime.clock = lambda: world.now + timedelta(minutes=1)
        lost(world, person)
        world.advance(hours=24, minutes=1)
        world.sweep()
        assert person.units("mentorship-service") == 10
        world.advance(minutes=2)
        world.sweep()
        check_books(world)

    def test_that_were_never_charged_are_voided_after_a_day_and_not_before(self, world: World) -> None:
        person = world.paying()
        world.settle()
        never_made(world, person)
        world.advance(hours=23, minutes=59)
        world.sweep()
        assert [invoice["status"] for invoice in person.invoices()] == ["PENDING"]
        world.advance(minutes=15)
        world.sweep()
        assert person.invoices() == []
        assert [invoice["status"] for invoice in person.invoices(status="VOIDED")] == ["VOIDED"]
        check_books(world)

    def test_that_were_voided_do_not_count_as_declines(self, world: World) -> None:
        person = world.paying()
        for _ in range(4):
            never_made(world, person)
        world.misbehave()
        assert person.buy().status == 201
        world.advance(hours=25)
        world.sweep()
        world.settle()
        check_books(world)

    def test_are_charged_at_most_once_by_customer_and_sweep_together(self, world: World) -> None:
        person = world.paying()
        key = {"Idempotency-Key": "k"}
        rule = {"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 2}
        world.misbehave(rules=[rule])
        assert person.buy(headers=key).status == 202
        for hours in (1, 21):  # as late as Stripe surely knows the key
            world.advance(hours=hours)
            world.sweep()
        assert person.buy(headers=key).status == 201
        world.advance(hours=3)
        world.sweep()
        world.settle()
        check_books(world)

    def test_are_not_charged_any_more_when_stripe_may_have_forgotten_the_key(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        rule = {"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 2}
        world.misbehave(rules=[rule])
        assert person.pay(bag, chosen_period="MONTH").status == 202
        world.advance(hours=23, minutes=1)
        assert person.pay(bag, chosen_period="MONTH").status == 202
        assert world.at_stripe("payment_intent") == []

    def test_wait_while_stripe_is_away(self, world: World) -> None:
        person = world.paying()
        world.settle()
        lost(world, person)
        world.misbehave(
            rules=[{"match": "GET /v1/payment_intents", "action": "error_500", "times": 100}], webhooks={"drop": True}
        )
        world.advance(hours=30)
        assert world.sweep()["invoices"] == 0
        assert [invoice["status"] for invoice in person.invoices()] == ["PENDING"]
        world.misbehave(webhooks={"drop": True})
        world.sweep()
        assert person.units("mentorship-service") == 10

    def test_one_that_fails_does_not_hold_up_the_others(self, world: World) -> None:
        people = [world.paying() for _ in range(3)]
        world.settle()
        bad, *_ = [lost(world, person) for person in people]
        for intent in world.at_stripe("payment_intent"):
            if intent["metadata"]["invoice_id"] == str(bad["id"]):
                intent["amount"] = 1
        world.advance(minutes=16)
        assert world.sweep()["invoices"] == 2
        assert [person.units("mentorship-service") for person in people] == [0, 10, 10]


class TestEvents:
    def test_whose_nudge_was_lost_are_handled_after_a_minute(self, world: World) -> None:
        person = world.paying()
        world.settle()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}])
        assert person.buy().status == 202
        world.queue.lost = True
        world.deliver()
        assert world.sweep()["events"] == 0
        world.advance(seconds=60)
        assert world.sweep()["events"] > 0
        assert person.units("mentorship-service") == 10
        world.advance(minutes=1)
        world.sweep()
        check_books(world)

    def test_two_ticks_at_once_do_everything_once(self, world: World) -> None:
        """The second tick runs to its end inside the first one, before the first has written anything."""
        person = world.paying()
        world.settle()
        lost(world, person)
        world.advance(minutes=16)
        gateway: Any = world.runtime.gateway
        real = gateway.payments_since

        def overtaken(*arguments: Any) -> Any:
            found = real(*arguments)
            with patch.object(gateway, "payments_since", real):
                assert world.sweep()["invoices"] == 1
            return found

        with patch.object(gateway, "payments_since", overtaken):
            world.sweep()
        assert person.units("mentorship-service") == 10
        world.advance(minutes=1)
        world.sweep()
        assert len(world.mailer.sent) == 1
        check_books(world)
