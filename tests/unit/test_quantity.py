"""Quantities: -1 is unlimited in JSON and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.quantity import UNITS_MAX, Finite, Unlimited, quantity_from_json, quantity_to_json


class TestQuantity:
    @settings(max_examples=100, deadline=None)
    @given(how_many=st.integers(1, UNITS_MAX) | st.just(-1))
    def test_goes_to_json_and_back(self, how_many: int) -> None:
        assert quantity_to_json(quantity_from_json(how_many)) == how_many

    def test_of_minus_one_is_unlimited(self) -> None:
        assert quantity_from_json(-1) == Unlimited()
        assert quantity_from_json(1) == Finite(1)

    @pytest.mark.parametrize("how_many", [0, -2, -(10**9)])
    def test_in_json_is_refused_below_one(self, how_many: int) -> None:
        with pytest.raises(ValueError, match="must be -1 or positive"):
            quantity_from_json(how_many)

    @pytest.mark.parametrize("units", [-1, -2, UNITS_MAX + 1])
    def test_of_units_is_never_negative_nor_absurd(self, units: int) -> None:
        """So no arithmetic can reach the number that would mean unlimited."""
        with pytest.raises(ValueError, match="not a count of units"):
            Finite(units)

    def test_of_units_may_be_none_left(self) -> None:
        assert quantity_to_json(Finite(0)) == 0
