"""Attempts: so many within an hour, and how long until the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.billing.attempts import TooManyAttempts, check, recent

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
HOUR = 3600


def attempts(*ages: int) -> dict[str, object]:
    """A row with attempts of these ages in seconds, and what else stands in it."""
    tries: dict[str, object] = {f"try_{number}": SECONDS - age for number, age in enumerate(ages)}
    return {"version": len(ages), "ttl": SECONDS + HOUR, **tries}


class TestRecent:
    def test_forgets_those_of_an_hour_ago(self) -> None:
        assert recent(attempts(0, HOUR - 1, HOUR, HOUR + 1), NOW) == {"try_0": SECONDS, "try_1": SECONDS - HOUR + 1}

    def test_counts_attempts_only(self) -> None:
        assert recent(attempts(), NOW) == {}


class TestCheck:
    def test_lets_one_below_the_limit_through(self) -> None:
        check(attempts(0, 0, 0, 0), limit=5, now=NOW)

    def test_refuses_at_the_limit_until_the_oldest_is_an_hour_old(self) -> None:
        with pytest.raises(TooManyAttempts) as refused:
            check(attempts(10, 1000, 5), limit=3, now=NOW)
        assert refused.value.retry_after_seconds == HOUR - 1000

    @settings(max_examples=200, deadline=None)
    @given(ages=st.lists(st.integers(0, 2 * HOUR), max_size=12), limit=st.integers(1, 10))
    def test_says_exactly_how_long_to_wait(self, ages: list[int], limit: int) -> None:
        try:
            check(attempts(*ages), limit=limit, now=NOW)
        except TooManyAttempts as refused:
            wait = refused.retry_after_seconds
            assert wait is not None
            assert sum(age < HOUR for age in ages) >= limit
            check(attempts(*ages), limit=limit, now=NOW + timedelta(seconds=wait))
            if wait > 1:
                with pytest.raises(TooManyAttempts):
                    check(attempts(*ages), limit=limit, now=NOW + timedelta(seconds=wait - 1))
        else:
            assert sum(age < HOUR for age in ages) < limit
