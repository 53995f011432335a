"""Real processes are killed with SIGKILL while they work: nothing is lost, nothing is done twice.

A receipt is the exception: it is mailed at least once. The process may die after the mail was handed over and before
that was written down, so the next one mails it again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.inbox import queries as inbox
from chalicelib.books.outbox import queries as outbox
from chalicelib.dynamo.rows import Row
from chalicelib.kernel.ids import derived
from local.ministack import Ministack
from local.stripe_standin.machine import Outgoing
from tests.concurrency.killing import Processes, charge_and_crash, new_queues, processes, wait_until
from tests.concurrency.parallel import ParallelWorld, a_parallel_world, a_table
from tests.services import MINISTACK, Engine

PEOPLE, EACH = 25, 20
EVENTS = PEOPLE * EACH
KILLED_AFTER = 200
FINISH_SECONDS_MAX = 120
RECEIVED_BEFORE_KILL = 30
SENT_SECONDS_MAX = 60


@pytest.fixture
def started(ministack: Ministack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Processes]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    with (
        a_table(Engine(MINISTACK, ministack.url)) as table,
        a_parallel_world(table, **new_queues(ministack.url)) as world,
        processes(world, ministack.url, tmp_path / "mails") as made,
    ):
        yield made


def of_kind(rows: list[Row], prefix: str) -> list[Row]:
    return [row for row in rows if row.key.sk.startswith(prefix)]


class TestKillingAWorker:
    def test_another_one_finishes_every_event_once(self, started: Processes) -> None:
        world = started.world
        people = [world.paying() for _ in range(PEOPLE)]
        world.take_webhooks()
        charge_and_crash(world, people, each=EACH)
        assert len(world.receive("payment_intent.succeeded")) == EVENTS
        assert len(world.payments()) == EVENTS

        first, _ = started.start("worker")
        asked = len(world.standin.requests())
        wait_until(
            lambda: len(world.standin.requests()) - asked >= KILLED_AFTER,
            seconds=FINISH_SECONDS_MAX,
            what=f"{KILLED_AFTER} events begun",
        )
        started.kill(first)
        paid = sum(len(world.invoices_of(person, InvoiceStatus.FULFILLED)) for person in people)
        assert 0 < paid < EVENTS, "killed too early or too late to show anything"

        world.advance(seconds=90)
        started.start("worker")
        wait_until(lambda: self.is_quiet(world), seconds=FINISH_SECONDS_MAX, what="every event and message finished")
        started.end()
        self.check(world, people, started.mails_file)

    def is_quiet(self, world: ParallelWorld) -> bool:
        end = world.now.replace(year=world.now.year + 1)
        return not inbox.due(world.table, end) and not outbox.due(world.table, end)

    def check(self, world: ParallelWorld, people: list[Any], mails_file: Path) -> None:
        for person in people:
            invoices = world.invoices_of(person)
            assert [invoice.status for invoice in invoices] == [InvoiceStatus.FULFILLED] * EACH
            assert person.units("mentorship-service") == 2 * EACH
        rows = world.rows()
        invoices_of_all = [int(row.key.sk.removeprefix("INVOICE#")) for row in of_kind(rows, "INVOICE#")]
        assert len(invoices_of_all) == EVENTS
        assert len(of_kind(rows, "ENTRY#")) == EVENTS
        assert len(of_kind(rows, "ACT#")) == EVENTS
        receipts = {derived("receipt", ident) for ident in invoices_of_all}
        assert {row.key.pk for row in of_kind(rows, "MESSAGE")} == {f"OUTBOX#{ident}" for ident in receipts}
        mailed = Counter(mails_file.read_text().split())
        assert set(mailed) == receipts
        assert len(world.payments()) == EVENTS
        world.come_to_rest()


class TestKillingTheReceiver:
    def test_stripe_delivers_again_what_was_not_answered(self, started: Processes) -> None:
        world = started.world
        world.take_webhooks()
        person = world.paying()
        charge_and_crash(world, [person], each=EACH)
        sent, answered = self.watch(world)

        first, url = started.start("receiver")
        started.deliver_to(url)
        wait_until(
            lambda: len(answered) >= RECEIVED_BEFORE_KILL, seconds=SENT_SECONDS_MAX, what="some webhooks received"
        )
        started.kill(first)
        assert started.stripe.settle(SENT_SECONDS_MAX)
        lost = {event_id for ident, event_id in sent.items() if ident not in answered}
        assert lost, "killed too late to show anything"

        _, url = started.start("receiver")
        started.deliver_to(url)
        world.advance(seconds=70)
        assert started.stripe.settle(SENT_SECONDS_MAX)
        assert set(sent) == answered
        started.end()
        stored = [row.key.pk.removeprefix("INBOX#") for row in of_kind(world.rows(), "EVENT")]
        assert sorted(stored) == sorted(set(sent.values()))
        assert lost <= set(stored)
        world.come_to_rest()
        assert len(world.invoices_of(person, InvoiceStatus.FULFILLED)) == EACH

    def watch(self, world: ParallelWorld) -> tuple[dict[str, str], set[str]]:
        """The deliveries that were tried, with their events, and those that were answered with a 2xx."""
        sent: dict[str, str] = {}
        answered: set[str] = set()
        take, report = world.standin.take_delivery, world.standin.report_delivery

        def taking(now: int) -> Outgoing | None:
            outgoing = take(now)
            if outgoing is not None:
                sent[outgoing.id] = str(json.loads(outgoing.payload)["id"])
            return outgoing

        def reporting(ident: str, *, delivered: bool, now: int) -> None:
            if delivered:
                answered.add(ident)
            report(ident, delivered=delivered, now=now)

        vars(world.standin).update(take_delivery=taking, report_delivery=reporting)
        return sent, answered
