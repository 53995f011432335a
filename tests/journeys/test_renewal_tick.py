"""The tick of holdings and their worker: what is due is nudged, how late we are is measured, nothing else is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest

from chalicelib.books.subscriptions.store import HOLDINGS_DUE
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key, Values
from chalicelib.dynamo.table import DUE_PER_SHARD_MAX, Usage, usage
from chalicelib.dynamo.writes import Put, absent, commit, never
from chalicelib.entrypoints import _observe, workers
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import TryLater
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
        assert spent.operations == ["Query"] * keys.DUE_SHARDS * 2  # of holdings, and of seats


class TestTheWorker:
    def test_tends_to_each_and_gives_back_only_those_that_failed(self, world: World) -> None:
        wanted = [Key(keys.user(number), keys.ordered("SUB", number)) for number in range(4)]
        tended: list[tuple[Key, datetime]] = []

        def tend(context: Context, key: Key) -> None:
            tended.append((key, context.now))
            if key == wanted[1]:
                raise TryLater
            if key == wanted[2]:
                raise RuntimeError("a defect")

        with patch.object(workers, "tend", tend):
            answer = workers.handle_holdings(batch({"pk": key.pk, "sk": key.sk} for key in wanted))
        assert tended == [(key, START) for key in wanted]
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]}

    def test_gives_back_a_message_that_it_cannot_read(self, world: World) -> None:
        with patch.object(workers, "tend", lambda context, key: None):
            event = {"Records": [{"messageId": "m1", "body": json.dumps({"pk": "USER#1"})}]}
            assert workers.handle_holdings(event) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
