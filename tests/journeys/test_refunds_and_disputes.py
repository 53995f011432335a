"""Refunds and disputes, told in any order, keep the invoice as Stripe has it; money that came too late goes back."""

from __future__ import annotations

from itertools import permutations
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.gateway import RefundState
from chalicelib.books.drift.model import DriftKind, DriftStatus
from chalicelib.books.drift.queries import drifts
from chalicelib.entrypoints import schedules, workers
from chalicelib.entrypoints._wiring import runtime
from chalicelib.flows.fulfillment.reject import reject, void
from chalicelib.flows.fulfillment.settle import settle
from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_staff_refunds import refund
from tests.world import Person, World

DISPUTED_CARD = "4000000000000259"


@pytest.fixture
def bought(world: World) -> tuple[Person, str]:
    """A person who bought ten units for 450.00, and the payment's id."""
    person = world.paying()
    assert person.buy().status == 201
    world.settle()
    return person, world.at_stripe("payment_intent")[0]["id"]


def invoice_of(person: Person) -> tuple[str, float]:
    (invoice,) = person.invoices()
    return invoice["status"], invoice["amount_refunded"]


class TestRefunds:
    def test_in_parts_add_up_to_the_whole(self, world: World, bought: tuple[Person, str]) -> None:
        person, payment = bought
        for amount, status, refunded in ((10000, "PARTIALLY_REFUNDED", 100.0), (35000, "REFUNDED", 450.0)):
            world.control(f"/_control/refund/{payment}", {"amount": amount})
            world.settle()
            assert invoice_of(person) == (status, refunded)
        check_books(world)

    def test_that_fail_at_the_bank_do_not_count(self, world: World, bought: tuple[Person, str]) -> None:
        person, payment = bought
        refund = world.control(f"/_control/refund/{payment}", {})
        world.settle()
        assert invoice_of(person) == ("REFUNDED", 450.0)
        world.control(f"/_control/fail_refund/{refund['id']}", {})
        world.settle()
        assert invoice_of(person) == ("FULFILLED", 0.0)
        check_books(world)

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_are_the_same_in_any_order_of_events(
        self, world: World, bought: tuple[Person, str], order: tuple[int, ...]
    ) -> None:
        person, payment = bought
        first = world.control(f"/_control/refund/{payment}", {"amount": 10000})
        world.control(f"/_control/refund/{payment}", {"amount": 5000})
        world.control(f"/_control/fail_refund/{first['id']}", {})
        world.deliver()
        nudges = world.queue.inbox
        third = -(-len(nudges) // 3)
        parts = [nudges[start : start + third] for start in range(0, len(nudges), third)]
        for part in order:
            world.queue.inbox = list(reversed(parts[part]))
            world.work()
        assert invoice_of(person) == ("PARTIALLY_REFUNDED", 50.0)
        check_books(world)

    def test_a_late_read_never_overwrites_a_newer_one(self, world: World, bought: tuple[Person, str]) -> None:
        """A worker reads the refunds and is overtaken by another, which sees and keeps a further one."""
        person, payment = bought
        world.control(f"/_control/refund/{payment}", {"amount": 10000})
        world.deliver()
        slow, world.queue.inbox = world.queue.inbox, []
        gateway: Any = world.runtime.gateway
        real = gateway.refunds_of

        def overtaken(payment_id: str) -> list[RefundState]:
            seen: list[RefundState] = real(payment_id)
            with patch.object(gateway, "refunds_of", real):
                world.control(f"/_control/refund/{payment}", {"amount": 20000})
                world.settle()
                assert invoice_of(person) == ("PARTIALLY_REFUNDED", 300.0)
            return seen

        with patch.object(gateway, "refunds_of", overtaken):
            workers.handle_inbox({"Records": [{"messageId": "m", "body": f'{{"event_id": "{refund_event(slow)}"}}'}]})
        assert invoice_of(person) == ("PARTIALLY_REFUNDED", 300.0)
        world.queue.inbox = slow
        world.settle()
        check_books(world)


def refund_event(nudges: list[str]) -> str:
    """The first event of the batch is the refund's creation."""
    return nudges[0]


class TestDisputes:
    @pytest.mark.parametrize(("outcome", "status"), [("open", "DISPUTED"), ("won", "FULFILLED"), ("lost", "REFUNDED")])
    @pytest.mark.parametrize("backwards", [False, True])
    def test_end_as_the_bank_decides(
        self, world: World, bought: tuple[Person, str], outcome: str, status: str, backwards: bool
    ) -> None:
        person, payment = bought
        world.control(f"/_control/dispute/{payment}", {"outcome": outcome})
        world.deliver()
        if backwards:
            world.queue.inbox.reverse()
        world.work()
        assert invoice_of(person)[0] == status

    def test_are_followed_from_open_to_won(self, world: World, bought: tuple[Person, str]) -> None:
        person, payment = bought
        for outcome, status in (("open", "DISPUTED"), ("won", "FULFILLED")):
            world.control(f"/_control/dispute/{payment}", {"outcome": outcome})
            world.settle()
            assert invoice_of(person)[0] == status
        check_books(world)

    def test_and_refunds_count_together(self, world: World, bought: tuple[Person, str]) -> None:
        person, payment = bought
        world.control(f"/_control/refund/{payment}", {"amount": 10000})
        world.control(f"/_control/dispute/{payment}", {"outcome": "won"})
        world.settle()
        assert invoice_of(person) == ("PARTIALLY_REFUNDED", 100.0)

    def test_of_a_card_that_disputes_at_once_arrive_with_the_payment(self, world: World) -> None:
        person = world.person()
        assert person.save_card(DISPUTED_CARD).status == 200
        assert person.buy().status == 201
        world.deliver()
        world.queue.inbox.reverse()
        world.work()
        assert invoice_of(person)[0] == "DISPUTED"

    def test_a_late_read_never_overwrites_a_newer_one(self, world: World, bought: tuple[Person, str]) -> None:
        person, payment = bought
        world.control(f"/_control/dispute/{payment}", {"outcome": "open"})
        world.deliver()
        gateway: Any = world.runtime.gateway
        real = gateway.dispute

        def overtaken(dispute_id: str) -> Any:
            seen = real(dispute_id)
            with patch.object(gateway, "dispute", real):
                world.control(f"/_control/dispute/{payment}", {"outcome": "won"})
                world.deliver()
                nudges, world.queue.inbox = world.queue.inbox, []
                records = [{"messageId": n, "body": f'{{"event_id": "{n}"}}'} for n in nudges]
                workers.handle_inbox({"Records": records})
            return seen

        with patch.object(gateway, "dispute", overtaken):
            world.work()
        world.settle()
        assert invoice_of(person)[0] == "FULFILLED"
        check_books(world)


class TestMoneyThatComesTooLate:
    """A payment succeeds although its invoice was given up."""

    @pytest.fixture(params=["REJECTED", "VOIDED"])
    def late(self, world: World, request: pytest.FixtureRequest) -> tuple[Person, str, Any]:
        person = world.paying()
        world.settle()
        bag = person.check("basic").json
        stays = {"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}
        world.misbehave(rules=[stays])
        waiting = person.pay(bag, chosen_period="MONTH")
        assert waiting.status == 202
        world.settle()
        world.misbehave()
        stored = billing.invoice(world.table, person.user_id, waiting.json["id"])
        given_up = reject if request.param == "REJECTED" else void
        given_up(runtime().context(world.now), stored, "test")
        assert [i["status"] for i in person.invoices(status=request.param)] == [request.param]
        return person, world.at_stripe("payment_intent")[0]["id"], bag

    def test_is_delivered_where_it_still_can_be(self, world: World, late: tuple[Person, str, Any]) -> None:
        person, payment, bag = late
        world.control(f"/_control/process/{payment}", {"success": True})
        world.settle()
        assert person.units("ai-chat") == 5000
        assert invoice_of(person) == ("FULFILLED", 0.0)
        assert person.pay(bag, chosen_period="MONTH").status == 200
        assert world.at_stripe("refund") == []
        check_books(world)

    @pytest.mark.parametrize("another_bag", [False, True])
    @pytest.mark.parametrize("copies", [1, 3])
    def test_goes_back_whole_and_once_where_the_plan_was_bought_otherwise(
        self, world: World, late: tuple[Person, str, Any], another_bag: bool, copies: int
    ) -> None:
        person, payment, bag = late
        bag = person.check("basic").json if another_bag else bag
        assert person.pay(bag, chosen_period="MONTH").status == 200
        world.misbehave(webhooks={"copies": copies, "shuffle": copies > 1})
        world.control(f"/_control/process/{payment}", {"success": True})
        world.advance(seconds=5)
        world.settle()
        world.advance(minutes=2)
        world.sweep()
        assert [(r["payment_intent"], r["amount"]) for r in world.at_stripe("refund")] == [(payment, 5999)]
        assert sorted(i["status"] for i in person.invoices()) == ["FULFILLED", "REFUNDED"]
        assert person.units("ai-chat") == 5000
        assert sum("returning" in mail.subject for mail, _ in world.mailer.sent) == 1
        check_books(world)

    def test_is_owed_where_the_bank_sends_its_refund_back(self, world: World, late: tuple[Person, str, Any]) -> None:
        """Neither delivered nor given back: the invoice says so, staff are told, and may refund it again."""
        person, payment, bag = late
        clerk = staff(world, "issue_refund")
        assert person.pay(bag, chosen_period="MONTH").status == 200
        world.control(f"/_control/process/{payment}", {"success": True})
        world.settle()
        (sent_back,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{sent_back['id']}", {})
        world.settle()
        (owed,) = person.invoices(status="REJECTED")
        assert owed["amount_refunded"] == 0.0
        assert [mail.subject for mail, _ in world.mailer.sent if "failed" in mail.subject]
        check_books(world)
        world.advance(hours=1)
        schedules.compare({})
        (found,) = drifts(world.table, DriftStatus.OPEN, limit=10).items
        assert (found.difference.kind, found.difference.invoice_id) == (DriftKind.CHARGED_NOT_FULFILLED, owed["id"])
        for _ in range(2):  # nothing delivers it behind the staff's back, nor gives it back twice
            world.advance(hours=12)
            world.sweep()
            world.settle()
        assert person.units("ai-chat") == 5000
        assert len(world.at_stripe("refund")) == 1
        issued = refund(clerk, owed["id"])
        assert (issued.status, issued.json["status"], issued.json["amount"]) == (201, "SUCCEEDED", 59.99)
        world.settle()
        assert [i["id"] for i in person.invoices(status="REFUNDED")] == [owed["id"]]
        assert person.units("ai-chat") == 5000
        world.advance(hours=1)
        schedules.compare({})
        assert not drifts(world.table, DriftStatus.OPEN, limit=10).items
        check_books(world)

    def test_goes_back_less_what_somebody_refunded_already(self, world: World, late: tuple[Person, str, Any]) -> None:
        person, payment, bag = late
        assert person.pay(bag, chosen_period="MONTH").status == 200
        world.control(f"/_control/process/{payment}", {"success": True})
        world.control(f"/_control/refund/{payment}", {"amount": 1000})
        for _ in range(3):
            world.settle()
            world.advance(minutes=5)
            world.sweep()
        assert [r["amount"] for r in world.at_stripe("refund")] == [1000, 4999]
        check_books(world)

    def test_of_units_is_delivered(self, world: World) -> None:
        person = world.paying()
        stays = {"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}
        world.misbehave(rules=[stays])
        waiting = person.buy().json
        world.settle()
        stored = billing.invoice(world.table, person.user_id, waiting["id"])
        reject(runtime().context(world.now), stored, "test")
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/process/{intent['id']}", {"success": True})
        world.settle()
        assert person.units("mentorship-service") == 10
        check_books(world)


class TestTwoWorkersAtOnce:
    def test_a_late_failure_never_undoes_a_delivery(self, world: World) -> None:
        """One worker read the payment as it was processing; when it writes, another has delivered it."""
        person = world.paying()
        stays = {"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}
        world.misbehave(rules=[stays])
        waiting = person.buy().json
        stored = billing.invoice(world.table, person.user_id, waiting["id"])
        (intent,) = world.at_stripe("payment_intent")
        old = world.runtime.gateway.payment(intent["id"])
        assert old is not None
        world.control(f"/_control/process/{intent['id']}", {"success": True})
        world.settle()
        settle(runtime().context(world.now), stored, old)
        assert invoice_of(person) == ("FULFILLED", 0.0)
        check_books(world)

    def test_two_deliveries_of_one_payment_are_one(self, world: World) -> None:
        person = world.paying()
        stays = {"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}
        world.misbehave(rules=[stays])
        waiting = person.buy().json
        stored = billing.invoice(world.table, person.user_id, waiting["id"])
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/process/{intent['id']}", {"success": True})
        payment = world.runtime.gateway.payment(intent["id"])
        assert payment is not None
        for _ in range(2):
            settle(runtime().context(world.now), stored, payment)
        world.settle()
        assert person.units("mentorship-service") == 10
        check_books(world)
