"""Receipts: one for each purchase, sent in the end whatever happens, and never for what was not bought."""

from __future__ import annotations

import pytest

from chalicelib.books.outbox.model import Message, MessageStatus
from chalicelib.books.outbox.port import MailRefused
from chalicelib.dynamo.rows import load
from chalicelib.kernel.errors import TryLater
from tests.moto_table import all_rows
from tests.world import Person, World


def messages(world: World) -> list[Message]:
    return [load(Message, row) for row in all_rows(world.table) if row.key.sk == "MESSAGE"]


@pytest.fixture
def buyer(world: World) -> Person:
    person = world.paying()
    world.settle()
    return person


class TestReceipts:
    def test_are_sent_once_for_each_purchase(self, world: World, buyer: Person) -> None:
        for _ in range(2):
            assert buyer.buy(how_many=1).status == 201
        world.settle()
        assert [mail.to for mail, _ in world.mailer.sent] == [buyer.email] * 2
        assert len({ident for _, ident in world.mailer.sent}) == 2

    def test_are_not_sent_for_a_decline(self, world: World) -> None:
        person = world.person()
        person.save_card("4000000000000341")
        assert person.buy().status == 402
        world.settle()
        world.advance(hours=1)
        world.sweep()
        assert messages(world) == [] and world.mailer.sent == []

    def test_are_sent_by_the_tick_where_the_nudge_was_lost(self, world: World, buyer: Person) -> None:
        world.queue.lost = True
        buyer.buy()
        world.advance(seconds=59)
        assert world.sweep()["messages"] == 0
        world.advance(seconds=1)
        assert world.sweep()["messages"] == 1
        assert world.sweep()["messages"] == 0
        assert len(world.mailer.sent) == 1

    def test_are_sent_once_for_the_same_nudge_twice(self, world: World, buyer: Person) -> None:
        buyer.buy()
        world.queue.outbox *= 3
        world.work()
        assert len(world.mailer.sent) == 1


class TestMailsThatFail:
    def test_for_a_while_are_sent_later(self, world: World, buyer: Person) -> None:
        world.mailer.failures = [TryLater(), TryLater()]
        buyer.buy()
        world.work()
        assert [(m.status, m.attempts) for m in messages(world)] == [(MessageStatus.PENDING, 1)]
        for _ in range(2):
            world.advance(minutes=2)
            world.sweep()
        assert [(m.status, m.attempts) for m in messages(world)] == [(MessageStatus.SENT, 3)]
        assert len(world.mailer.sent) == 1

    def test_for_ever_are_given_up_and_kept(self, world: World, buyer: Person) -> None:
        world.mailer.failures = [TryLater() for _ in range(50)]
        buyer.buy()
        world.work()
        for _ in range(20):
            world.advance(hours=13)
            world.sweep()
        assert [(m.status, m.attempts) for m in messages(world)] == [(MessageStatus.FAILED, 12)]
        assert world.resting()

    def test_by_a_refused_address_are_not_tried_again(self, world: World, buyer: Person) -> None:
        world.mailer.failures = [MailRefused("the address")]
        buyer.buy()
        world.work()
        world.advance(days=1)
        world.sweep()
        assert [m.status for m in messages(world)] == [MessageStatus.FAILED]
        assert world.mailer.sent == []
        assert buyer.units("mentorship-service") == 10
