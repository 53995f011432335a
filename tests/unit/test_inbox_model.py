"""The inbox's tries: with growing pauses for about three days, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.inbox.model import (
    ATTEMPTS_MIN,
    BACKOFF_FIRST,
    BACKOFF_MAX,
    GIVE_UP_AFTER,
    Event,
    EventStatus,
    after_failure,
    replayed,
    settled,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def an_event() -> Event:
    return Event(id="evt_1", type="refund.created", received_at=NOW, tried_since=NOW)


def tried_until_parked(event: Event, late: timedelta) -> list[tuple[datetime, Event]]:
    """Each try and what it left, where the sweep comes so late each time."""
    tries: list[tuple[datetime, Event]] = []
    at = event.tried_since
    while event.status is EventStatus.PENDING:
        event = after_failure(event, "not-found", at)
        tries.append((at, event))
        at = (event.next_attempt_at or at) + late
    return tries


class TestAfterFailure:
    def test_waits_longer_each_time_up_to_six_hours(self) -> None:
        tries = tried_until_parked(an_event(), timedelta(0))
        waits = [event.next_attempt_at - at for at, event in tries if event.next_attempt_at is not None]
        assert waits[:3] == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
        assert all(later == min(2 * earlier, BACKOFF_MAX) for earlier, later in pairwise(waits))
        assert waits[-1] == BACKOFF_MAX == timedelta(hours=6)

    @settings(max_examples=100, deadline=None)
    @given(late=st.timedeltas(timedelta(0), timedelta(hours=2)))
    def test_gives_up_when_the_next_try_would_come_after_three_days_and_never_before(self, late: timedelta) -> None:
        tries = tried_until_parked(an_event(), late)
        *pending, (at, parked) = tries
        assert parked.status is EventStatus.PARKED
        assert (parked.attempts, parked.error, parked.next_attempt_at) == (len(tries), "not-found", None)
        assert at + BACKOFF_MAX > NOW + GIVE_UP_AFTER
        assert at <= NOW + GIVE_UP_AFTER + late
        for earlier, event in pending:
            assert event.status is EventStatus.PENDING
            assert event.next_attempt_at is not None
            assert earlier + BACKOFF_FIRST <= event.next_attempt_at <= NOW + GIVE_UP_AFTER

    def test_gives_up_after_three_days(self) -> None:
        tries = tried_until_parked(an_event(), timedelta(0))
        assert timedelta(days=2, hours=18) < tries[-1][0] - NOW <= timedelta(days=3)

    def test_tries_at_the_very_end_of_the_third_day_and_not_a_moment_later(self) -> None:
        often = an_event().model_copy(update={"attempts": 10**6})
        last = NOW + GIVE_UP_AFTER - BACKOFF_MAX
        assert after_failure(often, "x", last).next_attempt_at == NOW + GIVE_UP_AFTER
        assert after_failure(often, "x", last + timedelta(microseconds=1)).status is EventStatus.PARKED

    def test_never_gives_up_what_was_hardly_tried_however_late_it_is(self) -> None:
        """Nobody swept for a week, and then the processor is busy once."""
        at = NOW + timedelta(days=7)
        event = an_event()
        for attempt in range(1, ATTEMPTS_MIN + 1):
            assert event.status is EventStatus.PENDING, f"given up after {attempt - 1} tries"
            event = after_failure(event, "busy", at)
            at = event.next_attempt_at or at
        assert (event.status, event.attempts) == (EventStatus.PARKED, ATTEMPTS_MIN)

    def test_never_overflows(self) -> None:
        many = an_event().model_copy(update={"attempts": 10**6})
        assert after_failure(many, "x", NOW).next_attempt_at == NOW + BACKOFF_MAX

    def test_keeps_the_beginning_of_a_long_error(self) -> None:
        assert after_failure(an_event(), "x" * 501, NOW).error == "x" * 500


class TestSettled:
    def test_has_nothing_left_to_do(self) -> None:
        failed = after_failure(an_event(), "not-found", NOW)
        done = settled(failed, EventStatus.HANDLED)
        assert (done.status, done.attempts, done.error, done.next_attempt_at) == (EventStatus.HANDLED, 2, None, None)


class TestReplayed:
    def test_is_due_at_once_and_has_three_days_again(self) -> None:
        later = NOW + timedelta(days=30)
        parked = tried_until_parked(an_event(), timedelta(0))[-1][1]
        again = replayed(parked, later)
        assert (again.status, again.error, again.next_attempt_at) == (EventStatus.PENDING, None, later)
        tries = tried_until_parked(again, timedelta(0))
        assert tries[0][0] == later
        assert tries[-1][0] + BACKOFF_MAX > later + GIVE_UP_AFTER
        assert again.received_at == NOW
