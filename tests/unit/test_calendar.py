"""The calendar over a whole cycle of 400 years: no boundary drifts, and periods tile time."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.periods import Span, Unit, after, boundary, latest_boundary, utc

INSTANT = timedelta.resolution
CYCLE_DAYS = 146_097
FIRST = datetime(2000, 1, 1, 23, 59, 59, 999_999, tzinfo=UTC)
DAYS = [FIRST + timedelta(days=number) for number in range(CYCLE_DAYS + 9 * 366)]
ORIGINS = DAYS[:CYCLE_DAYS]
"""Each day at which a period can begin: the calendar repeats after 400 years."""
OF_MONTHS = [Span(1, Unit.MONTH), Span(3, Unit.MONTH), Span(6, Unit.MONTH), Span(1, Unit.YEAR)]
ODD_OF_MONTHS = [Span(2, Unit.MONTH), Span(5, Unit.MONTH)]
OF_DAYS = [Span(1, Unit.DAY), Span(1, Unit.WEEK), Span(10, Unit.DAY), Span(3, Unit.WEEK)]
SOLD = [*OF_MONTHS, *ODD_OF_MONTHS, *OF_DAYS]
LATEST_ORIGIN = datetime(2094, 9, 7, tzinfo=UTC)
"""When ids end."""
LONGEST = 1000
"""A renewal, a trial and a plan's life have so many units at most."""
ZONES = [
    "Europe/Madrid",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Caracas",
    "Pacific/Apia",
    "Asia/Kathmandu",
]

spans = st.one_of(st.sampled_from(SOLD), st.builds(Span, st.integers(1, LONGEST), st.sampled_from(Unit)))
instants = st.integers(0, 530 * 366 * 86_400_000_000).map(lambda passed: utc(0) + timedelta(microseconds=passed))
zones = st.one_of(
    st.sampled_from(ZONES).map(ZoneInfo), st.integers(-14, 14).map(lambda h: timezone(timedelta(hours=h)))
)
within = st.integers(0, 400).flatmap(lambda years: st.integers(0, years * 366 * 86_400_000_000))


def months_of_the_cycle() -> list[list[datetime]]:
    """The days of each month, told apart by nothing but counting them."""
    found: dict[tuple[int, int], list[datetime]] = defaultdict(list)
    for day in DAYS:
        found[day.year, day.month].append(day)
    return list(found.values())


def by_dateutil(origin: datetime, span: Span, number: int) -> datetime:
    """The oracle: right where it counts from the origin, as here; wrong where it steps from boundary to boundary."""
    field = {Unit.DAY: "days", Unit.WEEK: "weeks", Unit.MONTH: "months", Unit.YEAR: "years"}[span.unit]
    found: datetime = origin + relativedelta(**{field: span.every * number})
    return found


def by_search(origin: datetime, span: Span, now: datetime) -> int:
    """The latest boundary, found by halving: the oracle."""
    low, high = 0, (now - origin).days + 2
    while high - low > 1:
        middle = (low + high) // 2
        length = span.every * middle * {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 28, Unit.YEAR: 365}[span.unit]
        is_later = length > (now - origin).days + 1 or by_dateutil(origin, span, middle) > now
        low, high = (low, middle) if is_later else (middle, high)
    return low


class TestEveryStartDay:
    @pytest.mark.parametrize("span", [*OF_MONTHS, *ODD_OF_MONTHS], ids=str)
    def test_keeps_its_day_of_the_month_or_has_the_last_one(self, span: Span) -> None:
        months = months_of_the_cycle()
        for number, each in ((1, 1), (2, 11), (7, 11)):
            ahead = span.months * number
            for index, starts in list(enumerate(months[: 400 * 12]))[::each]:
                ends = months[index + ahead]
                expected = [*ends, *ends[-1:] * 3][: len(starts)]
                assert [boundary(origin, span, number) for origin in starts] == expected, (starts[0], number)

    @pytest.mark.parametrize("span", OF_DAYS, ids=str)
    def test_is_so_many_days_ahead(self, span: Span) -> None:
        days = span.every * (7 if span.unit is Unit.WEEK else 1)
        assert [after(origin, span) for origin in ORIGINS] == DAYS[days:][:CYCLE_DAYS]

    def test_begins_a_month_that_holds_its_last_instant_and_not_its_end(self) -> None:
        month = Span(1, Unit.MONTH)
        for origin in ORIGINS:
            end = after(origin, month)
            assert latest_boundary(origin, month, end - INSTANT) == 0, origin
            assert latest_boundary(origin, month, end) == 1, origin

    def test_of_a_month_never_drifts_in_thirty_years(self) -> None:
        for origin in ORIGINS[::151]:
            for years in range(1, 31):
                same = boundary(origin, Span(1, Unit.MONTH), 12 * years)
                assert same == boundary(origin, Span(1, Unit.YEAR), years)
                assert (same.day, same.month) == (origin.day, origin.month) or (origin.month, origin.day) == (2, 29)


class TestBoundary:
    @settings(max_examples=300, deadline=None)
    @given(origin=instants, span=spans, number=st.integers(0, 4800))
    def test_is_dateutils_from_the_origin(self, origin: datetime, span: Span, number: int) -> None:
        number = min(number, 4800 // span.every)
        assert boundary(origin, span, number) == by_dateutil(origin, span, number)

    @settings(max_examples=300, deadline=None)
    @given(origin=instants, span=spans, number=st.integers(0, 400))
    def test_grows_and_keeps_the_time_of_day(self, origin: datetime, span: Span, number: int) -> None:
        number = min(number, 4800 // span.every)
        here, there = boundary(origin, span, number), boundary(origin, span, number + 1)
        assert here < there
        assert here.timetz() == there.timetz() == origin.timetz()

    @settings(max_examples=200, deadline=None)
    @given(origin=instants, span=spans, number=st.integers(0, 400))
    def test_is_one_longer_span_ahead(self, origin: datetime, span: Span, number: int) -> None:
        number = min(number, 4800 // span.every)
        assert boundary(origin, span, number) == after(origin, span.times(number))

    def test_of_the_31st_is_not_that_of_the_28th_which_came_between(self) -> None:
        origin, month = datetime(2026, 1, 31, tzinfo=UTC), Span(1, Unit.MONTH)
        assert boundary(origin, month, 2) == datetime(2026, 3, 31, tzinfo=UTC)
        assert after(after(origin, month), month) == datetime(2026, 3, 28, tzinfo=UTC)

    @pytest.mark.parametrize("unit", Unit)
    def test_of_the_latest_origin_is_within_what_an_instant_can_be(self, unit: Unit) -> None:
        longest = Span(LONGEST, unit)
        life_ends = after(LATEST_ORIGIN, longest)
        number = latest_boundary(LATEST_ORIGIN, longest, life_ends)
        assert number == 1
        assert boundary(LATEST_ORIGIN, longest, number + 1) > life_ends
        assert after(LATEST_ORIGIN, Span(400, Unit.YEAR)) == LATEST_ORIGIN.replace(year=2494)


class TestLatestBoundary:
    @settings(max_examples=500, deadline=None)
    @given(origin=instants, span=spans, passed=within)
    def test_is_the_only_period_that_holds_the_instant(self, origin: datetime, span: Span, passed: int) -> None:
        now = origin + timedelta(microseconds=passed)
        number = latest_boundary(origin, span, now)
        assert boundary(origin, span, number) <= now < boundary(origin, span, number + 1)
        assert number == by_search(origin, span, now)

    @settings(max_examples=300, deadline=None)
    @given(origin=instants, span=spans, number=st.integers(0, 4800))
    def test_is_reached_at_its_very_instant(self, origin: datetime, span: Span, number: int) -> None:
        number = min(number, 4800 // span.every)
        at = boundary(origin, span, number)
        assert latest_boundary(origin, span, at) == number
        assert latest_boundary(origin, span, at + INSTANT) == number
        assert latest_boundary(origin, span, at - INSTANT) == number - 1

    @settings(max_examples=100, deadline=None)
    @given(origin=instants, span=spans, before=st.timedeltas(INSTANT, timedelta(days=400_000)))
    def test_is_none_before_the_origin(self, origin: datetime, span: Span, before: timedelta) -> None:
        assert latest_boundary(origin, span, max(origin - before, datetime(1, 1, 2, tzinfo=UTC))) == -1

    @pytest.mark.parametrize("span", SOLD, ids=str)
    def test_tiles_time(self, span: Span) -> None:
        """Looked at in order at odd times over ten years, each period follows the one before it."""
        chance = random.Random(3)
        for origin in (datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2025, 8, 31, tzinfo=UTC)):
            found, now = [0], origin
            while now < origin + timedelta(days=3653):
                now += timedelta(microseconds=chance.randrange(1, 86_400_000_000))
                found.append(latest_boundary(origin, span, now))
            assert {there - here for here, there in pairwise(found)} == {0, 1}


class TestInAZone:
    """An origin and a now of a zone whose clock moves are the instants that they are, and nothing else."""

    @settings(max_examples=300, deadline=None)
    @given(origin=instants, zone=zones, span=spans, number=st.integers(0, 400))
    def test_has_the_boundaries_of_its_instant(
        self, origin: datetime, zone: ZoneInfo | timezone, span: Span, number: int
    ) -> None:
        number = min(number, 4800 // span.every)
        found = boundary(origin.astimezone(zone), span, number)
        assert found == boundary(origin, span, number)
        assert found.tzinfo is UTC

    @settings(max_examples=300, deadline=None)
    @given(origin=instants, zone=zones, here=zones, span=spans, passed=within)
    def test_is_in_the_period_of_its_instant(
        self, origin: datetime, zone: ZoneInfo | timezone, here: ZoneInfo | timezone, span: Span, passed: int
    ) -> None:
        now = origin + timedelta(microseconds=passed)
        found = latest_boundary(origin.astimezone(zone), span, now.astimezone(here))
        assert found == latest_boundary(origin, span, now)

    @pytest.mark.parametrize("zone", ZONES[:3])
    def test_has_each_boundary_once_around_every_change_of_the_clock(self, zone: str) -> None:
        """Half hours of a year, as origins: in the hour that comes twice, and beside the one that is left out."""
        local = ZoneInfo(zone)
        halves = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30) * number for number in range(365 * 48)]
        for span, length in ((Span(1, Unit.DAY), timedelta(days=1)), (Span(1, Unit.WEEK), timedelta(weeks=1))):
            found = [after(origin.astimezone(local), span) for origin in halves]
            assert found == [origin + length for origin in halves]
        origin = halves[0].astimezone(local)
        numbers = [latest_boundary(origin, Span(1, Unit.DAY), half.astimezone(local)) for half in halves]
        assert numbers == [number // 48 for number in range(len(halves))]

    @pytest.mark.parametrize("span", [Span(1, Unit.DAY), Span(1, Unit.MONTH)], ids=str)
    def test_that_is_missing_is_refused(self, span: Span) -> None:
        origin, naive = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC).replace(tzinfo=None)
        with pytest.raises(ValueError, match="has no zone"):
            boundary(naive, span, 1)
        with pytest.raises(ValueError, match="has no zone"):
            latest_boundary(origin, span, naive)
        with pytest.raises(ValueError, match="has no zone"):
            latest_boundary(naive, span, origin)
