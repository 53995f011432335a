"""Comparisons, catch-ups and workers meet on the same payments at the same moment."""

from __future__ import annotations

from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.drift import queries as drift
from chalicelib.books.drift.model import MENDED_KINDS, DriftStatus
from chalicelib.entrypoints import schedules
from tests.concurrency.parallel import ParallelWorld, at_once

BUYERS = 4


def test_they_mend_once_and_lose_nothing(world: ParallelWorld) -> None:
    people = [world.paying() for _ in range(BUYERS)]
    world.take_webhooks()
    lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2 * BUYERS}
    world.misbehave(rules=[lost])
    for person in people:
        assert person.buy(how_many=4).status == 202
    world.misbehave()
    for payment in world.payments():
        world.control(f"/_control/refund/{payment['id']}", {"amount": 500})
        world.control(f"/_control/dispute/{payment['id']}", {"outcome": "open"})
    wanted = ("payment_intent.succeeded", "charge.refunded", "refund.created", "charge.dispute.created")
    events = world.receive(*wanted)
    world.advance(minutes=16)
    runs = [schedules.compare, schedules.compare, schedules.catch_up, schedules.compare]

    def act(number: int) -> None:
        if number < len(runs):
            runs[number]({})
        else:
            world.work_on(events[number - len(runs)])

    at_once(len(runs) + len(events), act)
    schedules.compare({})
    for person in people:
        (invoice,) = world.invoices_of(person)
        assert [refund.amount for refund in invoice.refunds] == [500]
        assert [dispute.status for dispute in invoice.disputes] == ["needs_response"]
        assert invoice.status is InvoiceStatus.DISPUTED
        assert person.units("mentorship-service") == 0  # frozen, since the rest is disputed
    assert len([row for row in world.rows() if row.key.pk.startswith("OUTBOX#receipt")]) == BUYERS
    assert drift.drifts(world.table, DriftStatus.OPEN, limit=100).items == ()
    ended = [
        row.difference.kind
        for status in (DriftStatus.MENDED, DriftStatus.CLOSED)
        for row in drift.drifts(world.table, status, limit=100).items
    ]
    assert set(ended) <= MENDED_KINDS and len(ended) <= BUYERS * len(MENDED_KINDS)
    world.come_to_rest()
