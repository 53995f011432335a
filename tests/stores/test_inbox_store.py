"""Outside events: stored once, due while pending, listed by what became of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.books.inbox import queries, store
from chalicelib.books.inbox.model import FIRST_SWEEP_AFTER, Event, EventStatus, after_failure, replayed, settled
from chalicelib.books.inbox.store import AnotherHandles, Received
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import commit
from tests.billing_rows import NOW
from tests.refusals import assert_refused

BODY = '{"id":"evt_1"}'
FAR = NOW + timedelta(days=99)


def an_event(**changed: Any) -> Event:
    values = {"id": "evt_1", "type": "refund.created", "object_id": "re_1", "received_at": NOW, "tried_since": NOW}
    return Event.model_validate(values | changed)


@pytest.fixture
def event(table: Table) -> Event:
    """An event that was received."""
    made = an_event()
    commit(table, [store.new(made, BODY)])
    return made


def changes(table: Table, event: Event, version: int = 1) -> None:
    commit(table, [store.changed(event, version=version)])


class TestReceiving:
    def test_keeps_the_event_with_its_body(self, table: Table, event: Event) -> None:
        found = queries.event(table, "evt_1")
        assert (found.event, found.body, found.version) == (event, BODY, 1)

    def test_again_is_told_as_such(self, table: Table, event: Event) -> None:
        assert_refused(table, [store.new(event, BODY)], Received)
        changes(table, settled(event, EventStatus.HANDLED))
        assert_refused(table, [store.new(event, BODY)], Received)

    def test_may_be_without_a_body(self, table: Table) -> None:
        commit(table, [store.new(an_event(body_stored=False), None)])
        assert queries.event(table, "evt_1").body is None

    def test_of_nothing_finds_nothing(self, table: Table) -> None:
        with pytest.raises(queries.EventNotFound):
            queries.event(table, "evt_1")


class TestChanges:
    def test_are_made_by_whoever_read_it_last(self, table: Table, event: Event) -> None:
        handled = settled(event, EventStatus.HANDLED)
        changes(table, handled)
        found = queries.event(table, "evt_1")
        assert (found.event, found.body, found.version) == (handled, BODY, 2)
        for version in (0, 1, 3):
            assert_refused(table, [store.changed(event, version=version)], AnotherHandles)

    def test_make_no_event(self, table: Table) -> None:
        assert_refused(table, [store.changed(an_event(), version=1)], AnotherHandles)


class TestDue:
    def test_is_a_pending_event_that_nobody_took_up(self, table: Table, event: Event) -> None:
        at = NOW + FIRST_SWEEP_AFTER
        assert queries.due(table, at - timedelta(seconds=1)) == []
        assert queries.due(table, at) == ["evt_1"]

    def test_is_one_that_failed_when_its_next_try_comes(self, table: Table, event: Event) -> None:
        failed = after_failure(event, "not-found", NOW + timedelta(hours=1))
        changes(table, failed)
        assert failed.next_attempt_at is not None
        assert queries.due(table, failed.next_attempt_at - timedelta(seconds=1)) == []
        assert queries.due(table, failed.next_attempt_at) == ["evt_1"]

    @pytest.mark.parametrize("status", sorted(set(EventStatus) - {EventStatus.PENDING}))
    def test_is_none_that_is_settled_or_parked(self, table: Table, event: Event, status: EventStatus) -> None:
        changes(table, settled(event, status))
        assert queries.due(table, FAR) == []

    def test_is_one_that_is_replayed(self, table: Table, event: Event) -> None:
        parked = settled(event, EventStatus.PARKED)
        changes(table, parked)
        changes(table, replayed(parked, FAR), version=2)
        assert queries.due(table, FAR - timedelta(seconds=1)) == []
        assert queries.due(table, FAR) == ["evt_1"]

    def test_are_all_of_them(self, table: Table) -> None:
        for number in range(20):
            commit(table, [store.new(an_event(id=f"evt_{number}"), None)])
        assert sorted(queries.due(table, FAR)) == sorted(f"evt_{number}" for number in range(20))


class TestLists:
    def test_are_by_status_newest_first(self, table: Table) -> None:
        for number in range(3):
            made = an_event(id=f"evt_{number}", received_at=NOW + timedelta(seconds=number))
            commit(table, [store.new(made, BODY)])
        changes(table, settled(queries.event(table, "evt_1").event, EventStatus.HANDLED))
        pending = queries.events(table, EventStatus.PENDING, limit=9)
        assert [found.id for found in pending.items] == ["evt_2", "evt_0"]
        assert [found.id for found in queries.events(table, EventStatus.HANDLED, limit=9).items] == ["evt_1"]
        assert queries.events(table, EventStatus.PARKED, limit=9).items == ()
