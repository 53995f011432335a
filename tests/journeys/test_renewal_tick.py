"""The tick of holdings and their worker: what is due is nudged, how late we are is measured, nothing else is read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.billing.gateway import PaymentServiceBusy, PaymentServiceDown, PaymentUnauthorized
from chalicelib.books.subscriptions import store
from chalicelib.books.subscriptions.queries import held
from chalicelib.books.subscriptions.store import HOLDINGS_DUE
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key, Values
from chalicelib.dynamo.table import DUE_PER_SHARD_MAX, Usage, usage
from chalicelib.dynamo.writes import Put, absent, anyway, backoff, commit, never
from chalicelib.entrypoints import _observe, schedules, workers
from chalicelib.flows.context import Context
from chalicelib.flows.recurring import tend as tending
from chalicelib.flows.recurring.put_off import put_off
from chalicelib.kernel.errors import TryLater
from tests.books import check_books
from tests.recurring import holding, paid, subscribed
from tests.world import START, World, batch


def wait(world: World, number: int, at: datetime) -> Key:
    """A row that is due at an instant, as that of a subscription is; the tick looks no further than this."""
    key = Key(keys.user(number), keys.ordered("SUB", number))
    values: Values = {"due_shard": keys.due_shard(HOLDINGS_DUE, str(number)), "due_at": int(at.timestamp())}
    commit(world.table, [Put(key=key, values=values, condition=absent, refused=never("made twice"))])
    return key


@pytest.fixture
def measured() -> Iterator[list[dict[str, int]]]:
    found: list[dict[str, int]] = []
    with patch.object(_observe, "measure", lambda values: found.append(dict(values))):
        yield found


class TestTheTick:
    def test_nudges_what_is_due_and_nothing_else_the_oldest_first(
        self, world: World, measured: list[dict[str, int]]
    ) -> None:
        late = [wait(world, number, START - timedelta(minutes=number)) for number in range(9)]
        wait(world, 9, START + timedelta(seconds=1))
        assert world.renew() == {"holdings": 9}
        assert world.queue.holdings == late[::-1]
        assert measured == [{"HoldingsDue": 9, "HoldingsLateSeconds": 8 * 60}]

    def test_says_that_nothing_is_late_where_nothing_is_due(self, world: World, measured: list[dict[str, int]]) -> None:
        wait(world, 1, START + timedelta(days=1))
        assert world.renew() == {"holdings": 0}
        assert world.queue.holdings == []
        assert measured == [{"HoldingsDue": 0, "HoldingsLateSeconds": 0}]

    def test_nudges_again_what_is_still_due(self, world: World) -> None:
        key = wait(world, 1, START)
        for _ in range(3):
            world.renew()
        assert world.queue.holdings == [key] * 3

    def test_reads_each_shard_once_however_many_wait(self, world: World) -> None:
        for number in range(2 * DUE_PER_SHARD_MAX):
            wait(world, number, START + timedelta(days=1))
        for number in range(2 * DUE_PER_SHARD_MAX, 2 * DUE_PER_SHARD_MAX + 3):
            wait(world, number, START)
        spent = Usage()
        token = usage.set(spent)
        try:
            assert world.renew() == {"holdings": 3}
        finally:
            usage.reset(token)
        assert spent.operations == ["Query"] * keys.DUE_SHARDS * 3  # of holdings, seats and recharges

    def test_hands_over_all_that_is_due(self, world: World) -> None:
        late = [wait(world, number, START - timedelta(seconds=number)) for number in range(1000)]
        wait(world, 1000, START + timedelta(seconds=1))
        assert world.renew() == {"holdings": 1000}
        assert world.queue.holdings == late[::-1]

    def test_hands_over_what_a_minute_can_do_the_oldest_of_each_shard(self, world: World) -> None:
        for number in range(1000):
            wait(world, number, START - timedelta(seconds=number))
        with patch.object(schedules, "NUDGED_PER_TICK_MAX", 500):
            handed = world.renew()["holdings"]
        assert 500 <= handed < 500 + keys.DUE_SHARDS * DUE_PER_SHARD_MAX
        spread = Counter(keys.due_shard(HOLDINGS_DUE, key.pk.removeprefix("USER#")) for key in world.queue.holdings)
        assert spread == dict.fromkeys(keys.due_shards(HOLDINGS_DUE), 2 * DUE_PER_SHARD_MAX)

    def test_measures_before_it_nudges(self, world: World, measured: list[dict[str, int]]) -> None:
        wait(world, 1, START)
        with (
            patch.object(world.queue, "nudge_holdings", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            world.renew()
        assert measured == [{"HoldingsDue": 1, "HoldingsLateSeconds": 0}]


class TestTheWorker:
    def test_tends_to_each_and_gives_back_only_those_that_failed(self, world: World) -> None:
        wanted = [Key(keys.user(number), keys.ordered("SUB", number)) for number in range(4)]
        tended: list[tuple[Key, datetime]] = []

        def tend(context: Context, key: Key) -> None:
            tended.append((key, context.now))
            if key == wanted[1]:
                raise TryLater
            if key == wanted[2]:
                raise PaymentServiceDown

        with patch.object(workers, "tend", tend):
            answer = workers.handle_holdings(batch({"pk": key.pk, "sk": key.sk} for key in wanted))
        assert tended == [(key, START) for key in wanted]
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}

    def test_gives_back_a_message_that_it_cannot_read(self, world: World) -> None:
        with patch.object(workers, "tend", lambda context, key: None):
            event = {"Records": [{"messageId": "m1", "body": json.dumps({"pk": "USER#1"})}]}
            assert workers.handle_holdings(event) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


class TestAHoldingThatWeFailAt:
    """It waits for an hour, and is counted: it would be the oldest for good, before all others of its shard."""

    @pytest.fixture
    def counted(self) -> Iterator[list[str]]:
        found: list[str] = []
        with patch.object(workers, "put_off", put_off), patch.object(_observe, "count", found.append):
            yield found

    @staticmethod
    def fail(world: World, key: Key) -> dict[str, Any]:
        with patch.object(workers, "tend", side_effect=RuntimeError("a defect")):
            return workers.handle_holdings(batch([{"pk": key.pk, "sk": key.sk}]))

    def test_leaves_its_place_to_the_others(self, world: World, counted: list[str]) -> None:
        key, other = wait(world, 1, START - timedelta(days=1)), wait(world, 2, START)
        assert self.fail(world, key) == {"batchItemFailures": []}
        assert counted == ["HoldingsPutOff"]
        world.renew()
        assert world.queue.holdings == [other]

    def test_has_its_turn_again_in_an_hour(self, world: World, counted: list[str]) -> None:
        key = wait(world, 1, START)
        for times in (1, 2, 3):
            assert world.renew() == {"holdings": 1}
            self.fail(world, key)
            world.advance(seconds=3599)
            assert world.renew() == {"holdings": 0}
            world.advance(seconds=1)
            assert len(counted) == times

    def test_does_not_come_again_where_nothing_is_due_any_more(self, world: World, counted: list[str]) -> None:
        key = wait(world, 1, START + timedelta(days=2))
        self.fail(world, key)
        world.advance(days=1)
        assert world.renew() == {"holdings": 0}
        self.fail(world, Key("USER#9", "SUB#9"))
        assert world.table.get(Key("USER#9", "SUB#9")) is None

    def test_is_not_kept_back_when_it_changes(self, world: World, counted: list[str]) -> None:
        person = subscribed(world)
        world.advance(days=31)
        self.fail(world, store.holding_key(holding(person)))
        assert world.renew() == {"holdings": 0}
        found = held(world.table, store.holding_key(holding(person)))
        assert found is not None
        commit(world.table, [store.changed_holding(found.holding, version=found.version)])
        world.settle()
        assert paid(person) == [59.99, 59.99]

    def test_is_charged_once_an_hour_later(self, world: World, counted: list[str]) -> None:
        person = subscribed(world)
        world.advance(days=31)
        self.fail(world, store.holding_key(holding(person)))
        world.advance(hours=1)
        world.settle()
        assert paid(person) == [59.99, 59.99]
        check_books(world)

    def test_whose_row_cannot_be_read_waits_too(self, world: World, counted: list[str]) -> None:
        person = subscribed(world)
        key = store.holding_key(holding(person))
        world.advance(days=31)
        row = world.table.get(key)
        assert row is not None
        commit(world.table, [Put(key=key, values={**row.values, "doc": "{"}, condition=anyway, refused=never("free"))])
        assert workers.handle_holdings(batch([{"pk": key.pk, "sk": key.sk}])) == {"batchItemFailures": []}
        assert (counted, world.renew()) == (["HoldingsPutOff"], {"holdings": 0})

    @pytest.mark.parametrize("outage", [PaymentServiceDown, PaymentServiceBusy, PaymentUnauthorized, TryLater])
    def test_is_not_meant_by_an_outage(self, world: World, counted: list[str], outage: type[Exception]) -> None:
        key = wait(world, 1, START)
        with patch.object(workers, "tend", side_effect=outage):
            answer = workers.handle_holdings(batch([{"pk": key.pk, "sk": key.sk}]))
        assert (answer, counted) == ({"batchItemFailures": [{"itemIdentifier": "m0"}]}, [])
        assert world.renew() == {"holdings": 1}

    def test_that_others_change_all_the_time_comes_again_at_once(self, world: World, counted: list[str]) -> None:
        person = subscribed(world)
        key = store.holding_key(holding(person))
        world.advance(days=31)
        with patch.object(tending, "collect", side_effect=store.HoldingMoved), patch.object(backoff, "sleep"):
            answer = workers.handle_holdings(batch([{"pk": key.pk, "sk": key.sk}]))
        assert (answer, counted) == ({"batchItemFailures": [{"itemIdentifier": "m0"}]}, [])
        assert world.renew() == {"holdings": 1}
