"""Ids: ordered by time, exact in JSON, and the same whenever they follow from the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.kernel.ids import EPOCH, ID_MAX, RANDOM_BITS, derived, new_id, sortable

MILLISECOND = timedelta(milliseconds=1)
LAST = EPOCH + (2**41 - 1) * MILLISECOND
instants = st.integers(0, 2**41 - 2).map(lambda milliseconds: EPOCH + milliseconds * MILLISECOND)


def lowest(bits: int) -> int:
    return 0


def highest(bits: int) -> int:
    return (1 << bits) - 1


class TestNewId:
    @settings(max_examples=500, deadline=None)
    @given(at=instants)
    @example(at=datetime(2027, 2, 20, 0, 0, 0, 4000, tzinfo=UTC))
    def test_sorts_by_the_millisecond_whatever_the_random_bits(self, at: datetime) -> None:
        assert new_id(at, highest) < new_id(at + MILLISECOND, lowest)

    def test_sorts_by_the_millisecond_where_floating_point_would_not(self) -> None:
        """Seconds as a float lose a millisecond where they lie just above a power of two."""
        start = datetime(2027, 2, 20, tzinfo=UTC)
        ids = [new_id(start + number * MILLISECOND, lowest) for number in range(2000)]
        assert ids == sorted(set(ids))
        assert {later - earlier for earlier, later in pairwise(ids)} == {2**RANDOM_BITS}

    @settings(max_examples=200, deadline=None)
    @given(at=instants)
    def test_is_exact_in_json(self, at: datetime) -> None:
        assert 0 <= new_id(at) <= ID_MAX < 2**53

    def test_is_exact_in_json_until_2094(self) -> None:
        assert new_id(LAST, highest) == ID_MAX
        assert LAST.year == 2094

    def test_takes_the_random_bits_that_it_is_given(self) -> None:
        assert new_id(EPOCH, lambda bits: bits) == RANDOM_BITS


class TestSortable:
    @settings(max_examples=200, deadline=None)
    @given(one=st.integers(0, ID_MAX), other=st.integers(0, ID_MAX))
    def test_text_sorts_like_the_number(self, one: int, other: int) -> None:
        assert (sortable(one) < sortable(other)) is (one < other)
        assert len(sortable(one)) == 16


class TestDerived:
    def test_is_the_same_for_the_same_parts_for_ever(self) -> None:
        assert derived("paid", 5) == "paid_ef2d127de37b942baad06145e54b0c61"

    @pytest.mark.parametrize("other", [("a", "bc"), ("abc",), ("ab", "d"), ("ab", "c", ""), ("ab\x1e", "c")])
    def test_is_another_for_other_parts(self, other: tuple[str, ...]) -> None:
        assert derived("x", "ab", "c") != derived("x", *other)
