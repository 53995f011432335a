"""Periods: every boundary from the origin, so that none drifts."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta, timezone

import pytest
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.periods import Span, Unit, after, boundary, utc

FIRST_DAY = datetime(2024, 1, 1, 23, 59, 59, 999_999, tzinfo=UTC)
FOUR_YEARS = [FIRST_DAY + timedelta(days=number) for number in range(4 * 365 + 1)]
NUMBERS = (0, 1, 2, 3, 11, 12, 13, 25, 48)
spans = st.builds(Span, st.integers(1, 24), st.sampled_from(Unit))


def by_dateutil(origin: datetime, span: Span, number: int) -> datetime:
    """The oracle."""
    field = {Unit.DAY: "days", Unit.WEEK: "weeks", Unit.MONTH: "months", Unit.YEAR: "years"}[span.unit]
    found: datetime = origin + relativedelta(**{field: span.every * number})
    return found


class TestBoundary:
    @pytest.mark.parametrize("span", [Span(every, unit) for unit in Unit for every in (1, 3)], ids=str)
    def test_from_each_day_of_four_years_is_dateutils(self, span: Span) -> None:
        for origin in FOUR_YEARS:
            for number in NUMBERS:
                assert boundary(origin, span, number) == by_dateutil(origin, span, number), (origin, number)

    @settings(max_examples=200, deadline=None)
    @given(seconds=st.integers(631_152_000, 3_786_912_000), span=spans, number=st.integers(0, 250))
    def test_grows_and_keeps_the_time_of_day(self, seconds: int, span: Span, number: int) -> None:
        origin = utc(seconds)
        here, there = boundary(origin, span, number), boundary(origin, span, number + 1)
        assert here < there
        assert here.timetz() == origin.timetz()

    @settings(max_examples=200, deadline=None)
    @given(origin=st.sampled_from(FOUR_YEARS), every=st.integers(1, 12), number=st.integers(0, 200))
    def test_of_months_has_the_origins_day_wherever_the_month_does(
        self, origin: datetime, every: int, number: int
    ) -> None:
        found = boundary(origin, Span(every, Unit.MONTH), number)
        assert found.day == min(origin.day, calendar.monthrange(found.year, found.month)[1])

    def test_of_the_last_of_january_comes_back_to_the_31st(self) -> None:
        origin = datetime(2026, 1, 31, tzinfo=UTC)
        found = [boundary(origin, Span(1, Unit.MONTH), number) for number in range(13)]
        assert [(at.month, at.day) for at in found] == [
            *[(1, 31), (2, 28), (3, 31), (4, 30), (5, 31), (6, 30), (7, 31), (8, 31), (9, 30), (10, 31)],
            *[(11, 30), (12, 31), (1, 31)],
        ]

    def test_of_the_leap_day_comes_back_to_it(self) -> None:
        origin = datetime(2024, 2, 29, tzinfo=UTC)
        found = [boundary(origin, Span(1, Unit.YEAR), number) for number in range(5)]
        assert [at.day for at in found] == [29, 28, 28, 28, 29]

    def test_of_zero_is_the_origin(self) -> None:
        origin = datetime(2026, 5, 31, 1, 2, 3, 4, tzinfo=UTC)
        assert {boundary(origin, Span(3, unit), 0) for unit in Unit} == {origin}

    def test_one_span_after_is_the_first(self) -> None:
        origin = datetime(2026, 11, 30, tzinfo=UTC)
        assert after(origin, Span(3, Unit.MONTH)) == datetime(2027, 2, 28, tzinfo=UTC)


class TestSpan:
    def test_times_a_count_is_a_longer_one(self) -> None:
        assert Span(3, Unit.MONTH).times(4) == Span(12, Unit.MONTH)

    @pytest.mark.parametrize(("span", "months"), [(Span(5, Unit.MONTH), 5), (Span(2, Unit.YEAR), 24)])
    def test_of_months_or_years_knows_its_months(self, span: Span, months: int) -> None:
        assert span.months == months

    @pytest.mark.parametrize("unit", [Unit.DAY, Unit.WEEK])
    def test_of_days_or_weeks_has_no_months(self, unit: Unit) -> None:
        with pytest.raises(ValueError, match="no number of months"):
            _ = Span(4, unit).months


class TestUtc:
    def test_of_seconds_is_aware(self) -> None:
        assert utc(1_769_860_800) == datetime(2026, 1, 31, 12, tzinfo=UTC)
        assert utc(0.5).tzinfo is UTC
        assert utc(0) == datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
