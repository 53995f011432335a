"""Where each walk sets out: no second of time is left out, whatever happened in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.books.drift.model import Source, Walk, WalkName
from chalicelib.flows.reconcile.windows import (
    EVENTS_KEPT,
    EVENTS_REACH,
    IN_DELIVERY,
    OBJECTS_FIRST,
    OVERLAP,
    REVIEWED,
    SETTLING,
    UNDELIVERED_EVERY,
    WINDOW_MAX,
    lost_sight,
    moved,
    set_out,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OBJECTS = (Source.PAYMENTS, Source.REFUNDS, Source.DISPUTES, Source.CUSTOMERS, Source.INVOICES)


def a_walk(name: WalkName = WalkName.EVENTS, **changed: Any) -> Walk:
    """A walk whose last window is done."""
    values = {"name": name, "since": NOW - HOUR, "until": NOW, "source": None}
    return Walk.model_validate(values | changed)


def sets_out(name: WalkName, before: Walk | None, now: datetime) -> Walk:
    walk = set_out(name, before, now)
    assert walk is not None
    return walk


class TestEvents:
    def test_are_first_looked_for_as_far_back_as_stripe_tries_again(self) -> None:
        walk = sets_out(WalkName.EVENTS, None, NOW)
        assert (walk.since, walk.until) == (NOW - IN_DELIVERY - 3 * DAY - OVERLAP, NOW - IN_DELIVERY)
        assert not lost_sight(None, NOW)

    def test_go_on_an_hour_before_where_they_ended(self) -> None:
        walk = sets_out(WalkName.EVENTS, a_walk(), NOW + DAY)
        assert (walk.since, walk.until) == (NOW - OVERLAP, NOW + DAY - IN_DELIVERY)

    def test_stand_still_where_nothing_is_old_enough(self) -> None:
        assert set_out(WalkName.EVENTS, a_walk(), NOW + IN_DELIVERY) is None
        assert set_out(WalkName.EVENTS, a_walk(), NOW - DAY) is None

    def test_of_a_window_that_is_not_done_go_on_in_it(self) -> None:
        begun = a_walk(source=Source.EVENTS, after="evt_9")
        assert set_out(WalkName.EVENTS, begun, NOW + 29 * DAY) == begun

    @pytest.mark.parametrize("before", [a_walk(), a_walk(source=Source.EVENTS, after="evt_9")])
    def test_that_are_not_listed_any_more_are_told(self, before: Walk) -> None:
        late = before.since + EVENTS_KEPT + OVERLAP
        assert not lost_sight(before, before.since + EVENTS_KEPT)
        assert lost_sight(before, late + timedelta(seconds=1))
        walk = sets_out(WalkName.EVENTS, before, late + timedelta(seconds=1))
        assert (walk.since, walk.after) == (late + timedelta(seconds=1) - EVENTS_REACH, None)
        # With a day to read them, the next runs go on in this window and do not begin anew each time.
        assert set_out(WalkName.EVENTS, walk, late + 20 * HOUR) == walk

    @given(st.lists(st.tuples(st.integers(0, 40 * 86_400), st.booleans()), min_size=1, max_size=20))
    def test_leave_no_second_out_that_is_still_listed(self, runs: list[tuple[int, bool]]) -> None:
        """Runs come after any wait, and end in the middle of their window or with it."""
        now, walk = NOW, moved(sets_out(WalkName.EVENTS, None, NOW), None)
        reached = walk.until
        for wait, whole in runs:
            now += timedelta(seconds=wait)
            found = set_out(WalkName.EVENTS, walk, now)
            if found is None:
                continue
            assert now - EVENTS_KEPT <= found.since <= max(reached, now - EVENTS_REACH)
            walk = moved(found, None if whole else "evt_9")
            reached = found.until if whole else reached


class TestUndeliveredEvents:
    def test_are_all_that_are_listed_every_six_hours(self) -> None:
        walk = sets_out(WalkName.UNDELIVERED, None, NOW)
        assert (walk.since, walk.until) == (NOW - EVENTS_REACH, NOW - IN_DELIVERY)
        done = moved(walk, None)
        assert set_out(WalkName.UNDELIVERED, done, NOW + UNDELIVERED_EVERY - timedelta(seconds=1)) is None
        assert sets_out(WalkName.UNDELIVERED, done, NOW + UNDELIVERED_EVERY).until > walk.until

    def test_go_on_where_a_run_ended(self) -> None:
        walk = moved(sets_out(WalkName.UNDELIVERED, None, NOW), "evt_9")
        assert set_out(WalkName.UNDELIVERED, walk, NOW + HOUR) == walk
        assert sets_out(WalkName.UNDELIVERED, walk, NOW + 2 * DAY).after is None


class TestObjects:
    def test_are_read_list_by_list(self) -> None:
        walk, seen = sets_out(WalkName.NEW, None, NOW), []
        while walk.source is not None:
            seen.append(walk.source)
            assert moved(walk, "cursor") == walk.model_copy(update={"after": "cursor"})
            walk = moved(moved(walk, "cursor"), None)
        assert tuple(seen) == OBJECTS
        assert walk.after is None

    def test_that_are_new_are_followed_from_where_they_were_left(self) -> None:
        first = sets_out(WalkName.NEW, None, NOW)
        assert (first.since, first.until) == (NOW - SETTLING - OBJECTS_FIRST, NOW - SETTLING)
        done = first.model_copy(update={"source": None})
        assert set_out(WalkName.NEW, done, NOW) is None
        long_after = sets_out(WalkName.NEW, done, NOW + 60 * DAY)
        assert (long_after.since, long_after.until) == (first.until, first.until + WINDOW_MAX)

    def test_are_looked_at_again_round_and_round(self) -> None:
        walk, windows = sets_out(WalkName.AGAIN, None, NOW), 1
        assert walk.since == NOW - SETTLING - REVIEWED
        while walk.until < NOW - SETTLING:
            following = sets_out(WalkName.AGAIN, walk.model_copy(update={"source": None}), NOW)
            assert following.since == walk.until
            walk, windows = following, windows + 1
        assert windows == REVIEWED / WINDOW_MAX
        assert (
            sets_out(WalkName.AGAIN, walk.model_copy(update={"source": None}), NOW).since == NOW - SETTLING - REVIEWED
        )

    @pytest.mark.parametrize("name", [WalkName.NEW, WalkName.AGAIN, WalkName.OPEN])
    def test_of_a_window_that_is_not_done_go_on_in_it(self, name: WalkName) -> None:
        begun = a_walk(name, source=Source.DISPUTES, after="dp_9")
        assert set_out(name, begun, NOW + 99 * DAY) == begun

    def test_have_windows_of_whole_seconds(self) -> None:
        for name in WalkName:
            walk = sets_out(name, None, NOW.replace(microsecond=123_456))
            assert (walk.since.microsecond, walk.until.microsecond) == (0, 0)
