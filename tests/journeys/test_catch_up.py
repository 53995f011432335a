"""Events that no webhook brought are read from Stripe's list and go the way of all events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.adapters.stripe.events import TOPICS
from chalicelib.books.drift import queries as drift
from chalicelib.books.drift.model import WalkName
from chalicelib.books.inbox import queries as inbox
from chalicelib.books.inbox.model import EventStatus
from chalicelib.books.inbox.store import event_key
from chalicelib.dynamo.writes import Delete, anyway, commit, never
from chalicelib.entrypoints import _observe, schedules
from chalicelib.flows.reconcile import catch_up as flow
from chalicelib.flows.reconcile.catch_up import CaughtUp, catch_up
from tests.books import check_books
from tests.faults import bought, charged_and_lost, invoice_of, unheard
from tests.moto_table import all_rows
from tests.world import World


@pytest.fixture
def counted() -> Iterator[Counter[str]]:
    total: Counter[str] = Counter()
    with patch.object(_observe, "count", lambda name: total.update([name])):
        yield total


def caught_up(world: World, name: WalkName = WalkName.EVENTS) -> CaughtUp:
    return catch_up(world.runtime.context(world.now), name, TOPICS)


def stored(world: World) -> set[str]:
    return {row.key.pk.removeprefix("INBOX#") for row in all_rows(world.table) if row.key.sk == "EVENT"}


class TestWebhooksDroppedForThreeDays:
    def test_are_all_brought_in_and_handled(self, world: World) -> None:
        schedules.catch_up({})
        refunded, _, payment = bought(world)
        disputed, _, lost = bought(world)
        person = charged_and_lost(world)
        with unheard(world):
            world.advance(days=1)
            world.control(f"/_control/refund/{payment}", {"amount": 10000})
            world.advance(days=1)
            world.control(f"/_control/dispute/{lost}", {"outcome": "lost"})
            world.advance(days=1)
        assert schedules.catch_up({})["events"] > 5
        world.work()
        assert person.units("mentorship-service") == 10
        assert invoice_of(refunded).amount_refunded == 10000
        assert invoice_of(disputed).status == "REFUNDED"
        check_books(world)
        assert schedules.catch_up({}) == {"events": 0}

    def test_are_brought_in_by_the_very_first_run_too(self, world: World) -> None:
        person = charged_and_lost(world)
        world.advance(days=3)
        assert schedules.catch_up({})["events"] > 0
        world.work()
        assert person.units("mentorship-service") == 10

    def test_are_all_that_a_webhook_would_have_been_handled_for(self, world: World) -> None:
        with unheard(world):
            bought(world)
        world.advance(minutes=6)
        schedules.catch_up({})
        made = [(stub.id, stub.kind) for stub in world.standin.world.events.newest_first()]
        assert stored(world) == {ident for ident, kind in made if kind in TOPICS}
        assert any(kind not in TOPICS for _, kind in made)


class TestEvents:
    def test_that_webhooks_brought_are_not_missing(self, world: World) -> None:
        bought(world)
        before = all_rows(world.table)
        world.advance(minutes=6)
        assert schedules.catch_up({}) == {"events": 0}
        assert [row for row in all_rows(world.table) if row.key.pk != "WALKS"] == before

    def test_that_are_on_their_way_are_not_missing(self, world: World) -> None:
        with unheard(world):
            bought(world)
        world.advance(minutes=4)
        assert schedules.catch_up({}) == {"events": 0}
        world.advance(minutes=2)
        assert schedules.catch_up({})["events"] > 0

    def test_are_stored_as_their_webhooks_would_have_been(self, world: World) -> None:
        bought(world)
        ident = next(ident for ident in stored(world) if inbox.event(world.table, ident).event.type in TOPICS)
        brought = inbox.event(world.table, ident)
        commit(world.table, [Delete(key=event_key(ident), condition=anyway, refused=never("no condition"))])
        world.advance(minutes=6)
        assert caught_up(world).missed == 1
        again = inbox.event(world.table, ident)
        for name in ("type", "object_id", "previous_customer", "body_stored"):
            assert getattr(again.event, name) == getattr(brought.event, name)
        assert (again.event.status, again.event.received_at) == (EventStatus.PENDING, world.now)
        assert world.queue.inbox == [ident]

    def test_whose_nudge_is_lost_are_found_by_the_sweep(self, world: World) -> None:
        person = charged_and_lost(world)
        world.advance(minutes=6)
        world.queue.lost = True
        assert schedules.catch_up({})["events"] > 0
        world.advance(minutes=2)
        world.sweep()
        assert person.units("mentorship-service") == 10

    def test_that_come_by_both_ways_are_handled_once(self, world: World) -> None:
        world.misbehave(webhooks={"delay_seconds": 900})
        person = charged_and_lost_late(world)
        world.advance(minutes=10)
        assert schedules.catch_up({})["events"] > 0
        world.advance(minutes=10)
        world.settle()
        assert person.units("mentorship-service") == 10
        assert schedules.catch_up({}) == {"events": 0}
        check_books(world)


class TestUndelivered:
    def test_are_found_however_long_ago(self, world: World) -> None:
        with unheard(world):
            bought(world)
        world.advance(days=10)
        assert caught_up(world).missed == 0
        assert caught_up(world, WalkName.UNDELIVERED).missed > 0
        assert caught_up(world, WalkName.UNDELIVERED) == CaughtUp()


class TestARunThatIsTooLong:
    @pytest.fixture(autouse=True)
    def small(self) -> Iterator[None]:
        """Pages of three events, and two pages a run."""
        with patch.object(flow, "PAGES_PER_RUN_MAX", 2), patch("chalicelib.adapters.stripe.listing.LISTED_MAX", 3):
            yield

    def test_goes_on_with_the_next_until_its_window_is_done(self, world: World) -> None:
        with unheard(world):
            bought(world)
            bought(world)
        made = [stub.id for stub in world.standin.world.events.newest_first() if stub.kind in TOPICS]
        world.advance(minutes=6)
        window, runs = None, 0
        while True:
            done = caught_up(world)
            assert done.pages <= 2
            walk = drift.walk(world.table, WalkName.EVENTS).walk
            assert walk is not None
            assert window in (None, (walk.since, walk.until)), "the window moved before it was done"
            window, runs = (walk.since, walk.until), runs + 1
            if done.whole:
                break
            world.advance(minutes=5)
            with unheard(world):
                world.paying()  # new events push the old ones back in Stripe's list
        assert runs > 2
        assert set(made) <= stored(world)
        assert walk.source is None

    def test_begins_its_window_anew_where_the_event_to_go_on_after_is_gone(self, world: World) -> None:
        with unheard(world):
            bought(world)
        world.advance(minutes=6)
        assert not caught_up(world).whole
        walk = drift.walk(world.table, WalkName.EVENTS).walk
        assert walk is not None and walk.after is not None
        del world.standin.world.events._stored[walk.after]
        while not caught_up(world).whole:
            world.advance(minutes=5)
        made = {stub.id for stub in world.standin.world.events.newest_first() if stub.kind in TOPICS}
        assert made <= stored(world)


class TestAGap:
    def test_longer_than_stripe_lists_is_told(self, world: World, counted: Counter[str]) -> None:
        schedules.catch_up({})
        first = drift.walk(world.table, WalkName.EVENTS).walk
        assert first is not None
        world.advance(days=29)
        assert caught_up(world).unseen_since is None
        assert counted == Counter()
        second = drift.walk(world.table, WalkName.EVENTS).walk
        assert second is not None
        world.advance(days=31)
        schedules.catch_up({})
        assert counted == Counter({"EventsNotListedAnyMore": 1})
        assert caught_up(world).unseen_since is None

    def test_before_the_first_run_is_told(self, world: World) -> None:
        assert caught_up(world).first
        assert not caught_up(world).first


class TestAnOutage:
    def test_of_stripe_in_the_middle_loses_nothing(self, world: World, counted: Counter[str]) -> None:
        with unheard(world):
            bought(world)
        world.advance(minutes=6)
        with patch("chalicelib.adapters.stripe.listing.LISTED_MAX", 3):
            real: Any = world.stripe_client.request
            calls: list[str] = []

            def failing(*arguments: Any, **named: Any) -> Any:
                calls.append(arguments[0])
                if len(calls) == 2:
                    world.misbehave(rules=[{"match": "GET /v1/events", "action": "error_500", "times": 9}])
                return real(*arguments, **named)

            with patch.object(world.stripe_client, "request", failing):
                schedules.catch_up({})
            assert counted == Counter({"ReconcilerWaits": 1})
            walk = drift.walk(world.table, WalkName.EVENTS).walk
            assert walk is not None and walk.source is not None and walk.after is not None
            world.misbehave()
            schedules.catch_up({})
        made = {stub.id for stub in world.standin.world.events.newest_first() if stub.kind in TOPICS}
        assert stored(world) == made

    def test_a_second_run_at_the_same_time_stops(self, world: World) -> None:
        with unheard(world):
            bought(world)
        world.advance(minutes=6)
        real = flow._feed

        def overtaken(*arguments: Any) -> int:
            with patch.object(flow, "_feed", real):
                assert caught_up(world).whole
            return real(*arguments)

        with patch.object(flow, "_feed", overtaken):
            late = caught_up(world)
        assert (late.missed, late.whole) == (0, False)
        walk = drift.walk(world.table, WalkName.EVENTS)
        assert (walk.version, walk.walk and walk.walk.source) == (1, None)


def charged_and_lost_late(world: World) -> Any:
    """As `charged_and_lost`, but the webhooks do come, a quarter of an hour later."""
    person = world.paying()
    lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}
    world.misbehave(webhooks={"delay_seconds": 900}, rules=[lost])
    assert person.buy().status == 202
    world.misbehave()
    return person
