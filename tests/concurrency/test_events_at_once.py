"""The same event, and events of one invoice, arrive and are worked on at the same moment."""

from __future__ import annotations

from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.inbox import queries as inbox
from chalicelib.books.inbox.model import EventStatus
from tests.concurrency.parallel import ParallelWorld, at_once, statuses
from tests.world import Person


def charged_without_an_answer(world: ParallelWorld) -> Person:
    """Stripe has taken the money, and neither answer came through."""
    person = world.paying()
    world.take_webhooks()
    world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}])
    assert person.buy(how_many=4).status == 202
    world.misbehave()
    return person


class TestOneWebhookManyTimes:
    def test_sixteen_deliveries_make_one_row_and_one_nudge(self, world: ParallelWorld) -> None:
        charged_without_an_answer(world)
        ((ident, raw, signature),) = world.take_webhooks("payment_intent.succeeded")
        world.queue.inbox.clear()
        replies = at_once(16, lambda number: world.post_webhook(raw, signature))
        assert statuses(replies) == {200: 16}
        assert [row.key.pk for row in world.rows() if row.key.pk.startswith("INBOX#")] == [f"INBOX#{ident}"]
        assert world.queue.inbox == [ident]


class TestOneEventManyWorkers:
    def test_eight_fulfil_once(self, world: ParallelWorld) -> None:
        person = charged_without_an_answer(world)
        (event,) = world.receive("payment_intent.succeeded")
        at_once(8, lambda number: world.work_on(event))
        assert inbox.event(world.table, event).event.status is EventStatus.HANDLED
        assert [invoice.status for invoice in world.invoices_of(person)] == [InvoiceStatus.FULFILLED]
        assert person.units("mentorship-service") == 4
        assert len([row for row in world.rows() if row.key.pk.startswith("OUTBOX#")]) == 1
        world.come_to_rest()


class TestARefundAndADispute:
    def test_recorded_at_once_are_both_kept(self, world: ParallelWorld) -> None:
        people = [world.paying() for _ in range(4)]
        for person in people:
            assert person.buy(how_many=4).status == 201
        world.come_to_rest()
        for payment in world.payments():
            world.control(f"/_control/refund/{payment['id']}", {"amount": 500})
            world.control(f"/_control/dispute/{payment['id']}", {"outcome": "open"})
        events = world.receive("charge.refunded", "refund.created", "charge.dispute.created")
        assert len(events) >= 2 * len(people)
        at_once(len(events), lambda number: world.work_on(events[number]))
        for person in people:
            (invoice,) = world.invoices_of(person)
            assert [refund.amount for refund in invoice.refunds] == [500]
            assert [dispute.status for dispute in invoice.disputes] == ["needs_response"]
            assert invoice.status is InvoiceStatus.DISPUTED
