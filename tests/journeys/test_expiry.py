"""Lots that have expired leave their page: nobody sees another balance, and no refund takes them for spent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger import store
from chalicelib.books.ledger.model import Balance, Grant, Holder, Origin, Source
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Subscription
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import commit
from chalicelib.flows.metering import expire
from chalicelib.flows.metering.expire import expire_page
from chalicelib.kernel.errors import TryLater
from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.shop import MENTORING
from tests.statements import statement_of, verified
from tests.world import Person, World

SECOND = timedelta(seconds=1)
MENTORSHIP = "mentorship-service"
SESSIONS = f"/v1/payments/me/service/{MENTORSHIP}/consumptionsession"


def the_page(world: World, person: Person) -> Balance:
    pages = ledger.own_balances(world.table, Holder.person(person.user_id))
    return next(page for page in pages if page.unit.service_id == MENTORING)


def retime(world: World, person: Person, **span: float) -> None:
    """All lots of the page end at another time."""
    page = the_page(world, person)
    ends = {lot.id: world.now + timedelta(**span) for lot in page.lots}
    entry_id = f"1_{world.now.timestamp()}#retime"
    writes = store.retime_writes(page.holder, page, ends, entry_id=entry_id, cause="test", now=world.now)
    commit(world.table, writes)


def swept(world: World) -> int:
    """How many pages the minute's tick cleared."""
    return world.sweep()["expired"]


@pytest.fixture
def buyer(world: World) -> Person:
    """Somebody who bought ten units that end in an hour, and used three."""
    person = world.paying()
    assert person.buy().status == 201
    world.settle()
    assert [person.put(SESSIONS).status for _ in range(3)] == [201] * 3
    retime(world, person, hours=1)
    return person


class TestWhatExpired:
    def test_leaves_its_page_and_no_balance_changes(self, world: World, buyer: Person, tmp_path: Path) -> None:
        assert (swept(world), buyer.units(MENTORSHIP)) == (0, 7)
        world.advance(hours=1)
        before = buyer.get("/v1/payments/me/service/consumable").json
        assert [lot.remaining for lot in the_page(world, buyer).lots] == [7]
        assert swept(world) == 1
        assert buyer.get("/v1/payments/me/service/consumable").json == before
        page = the_page(world, buyer)
        assert (page.lots, page.look_at) == ((), None)
        check_books(world)
        found = next(one for one in statement_of(buyer)["accounts"] if one["service"]["id"] == MENTORING)
        last = found["entries"][-1]
        assert (last["content"]["kind"], last["content"]["units"], last["balance"]) == ("expire", -7, 0)
        code, told = verified(tmp_path, statement_of(buyer))
        assert code == 0, told
        assert swept(world) == 0

    def test_is_not_taken_for_spent_by_a_refund(self, world: World, buyer: Person) -> None:
        """Three units were spent, seven ran out: of ten that go back three are owed."""
        world.advance(hours=1)
        assert swept(world) == 1
        clerk = staff(world, "issue_refund")
        (invoice,) = buyer.invoices()
        path = f"/v1/payments/academy/invoice/{invoice['id']}/refund"
        assert clerk.post(path, {"academy": world.academy_id}, Idempotency_Key="k").status == 201
        world.settle()
        assert sum(owed.units for owed in the_page(world, buyer).owed) == 3
        check_books(world)

    def test_comes_back_as_expired_where_its_use_is_cancelled_and_goes_again(self, world: World) -> None:
        person = world.paying()
        assert person.buy().status == 201
        world.settle()
        retime(world, person, seconds=10)
        session = person.put(SESSIONS).json["id"]
        world.advance(seconds=10)
        assert swept(world) == 1
        assert person.put(f"{SESSIONS}/{session}/cancel").status == 200
        assert ([lot.remaining for lot in the_page(world, person).lots], person.units(MENTORSHIP)) == ([1], 0)
        world.advance(days=7)
        assert swept(world) == 1
        assert the_page(world, person).lots == ()
        check_books(world)

    def test_is_cleared_once_by_two_at_once(self, world: World, buyer: Person) -> None:
        world.advance(hours=1)
        (key,) = ledger.due_pages(world.table, world.now)
        real = expire._remembered

        def overtaken(*arguments: Any) -> Any:
            with patch.object(expire, "_remembered", real):
                assert expire_page(world.runtime.context(world.now), key) == 1
            return real(*arguments)

        with patch.object(expire, "_remembered", overtaken):
            assert expire_page(world.runtime.context(world.now), key) == 0
        check_books(world)

    def test_stays_due_where_others_are_too_fast(self, world: World, buyer: Person) -> None:
        world.advance(hours=1)
        (key,) = ledger.due_pages(world.table, world.now)
        with patch.object(expire, "commit", side_effect=store.Moved), pytest.raises(TryLater):
            expire_page(world.runtime.context(world.now), key)
        assert ledger.due_pages(world.table, world.now) == [key]
        assert swept(world) == 1


class TestUnitsOfAPlan:
    @pytest.fixture
    def subscriber(self, world: World) -> Person:
        """Somebody with a plan, all of whose units of one service have just ended."""
        person = world.paying()
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        world.settle()
        retime(world, person, seconds=1)
        world.advance(seconds=1)
        return person

    def holding(self, world: World, person: Person) -> tuple[Subscription, int]:
        items = world.memory.beginning(f"USER#{person.user_id}", "SUB#")
        row = world.table.get(subscriptions.subscription_key(person.user_id, int(items[0]["sk"]["S"][4:])))
        assert row is not None
        return load(Subscription, row), row.version

    def test_are_kept_while_a_payment_may_make_them_last_longer(self, world: World, subscriber: Person) -> None:
        lots = the_page(world, subscriber).lots
        assert swept(world) == 1
        page = the_page(world, subscriber)
        assert (page.lots, page.look_at) == (lots, world.now + timedelta(days=7))
        retime(world, subscriber, days=20)
        assert subscriber.units(MENTORSHIP) == 2

    def test_go_when_their_subscription_is_over(self, world: World, subscriber: Person) -> None:
        held, version = self.holding(world, subscriber)
        over = held.model_copy(update={"ended_at": world.now})
        commit(world.table, [subscriptions.changed_holding(over, version=version)])
        assert swept(world) == 1
        assert the_page(world, subscriber).lots == ()

    def test_go_when_they_are_not_the_latest_of_their_item(self, world: World, subscriber: Person) -> None:
        held, _ = self.holding(world, subscriber)
        origin = Origin(source=Source.PLAN, invoice_id=held.id, subscription_id=held.id)
        unit = the_page(world, subscriber).unit
        old = Grant(lot_id=f"{held.id}_old_1", unit=unit, how_many=4, expires_at=world.now, origin=origin)
        holder = Holder.person(subscriber.user_id)
        commit(world.table, store.grant_writes(holder, unit, [old], page=0, now=world.now, cause="refill:1:1"))
        kept = {lot.id for lot in the_page(world, subscriber).lots} - {old.lot_id}
        assert swept(world) == 1
        assert {lot.id for lot in the_page(world, subscriber).lots} == kept

    def test_of_a_pool_are_remembered_by_the_invoice_of_who_pays(self, world: World, subscriber: Person) -> None:
        held, _ = self.holding(world, subscriber)
        origin = Origin(source=Source.PLAN, invoice_id=held.id, subscription_id=held.id, team_id=held.id)
        unit = the_page(world, subscriber).unit
        pooled = Grant(lot_id=f"{held.id}_old_2", unit=unit, how_many=4, expires_at=world.now + SECOND, origin=origin)
        pool = Holder.team(held.id)
        commit(world.table, store.grant_writes(pool, unit, [pooled], page=0, now=world.now, cause="refill:1:2"))
        world.advance(seconds=1)
        assert swept(world) == 2
        assert ledger.own_balances(world.table, pool)[0].lots == ()
        row = world.memory.get((f"USER#{subscriber.user_id}", f"INVOICE#{held.id:016d}"))
        assert row is not None and f'"{pooled.lot_id}":4' in row["doc"]["S"]
