"""Money: one rounding, exact products, no mixing of currencies."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor

import pytest
from babel.numbers import get_currency_precision
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.kernel.money import CURRENCIES, Money, UnknownCurrency, currency, exact

OTHERWISE_IN_CLDR = {"RSD": 0}
"""Where babel's data says how many decimals are in use, and ISO 4217, which Stripe follows, says two."""

codes = st.sampled_from(sorted(CURRENCIES))
majors = st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, allow_infinity=False)
ratios = st.decimals(min_value=0, max_value=2, places=8)


def half_up(major: Decimal, code: str) -> int:
    """The oracle: minor units, in steps that can be charged, by fractions alone."""
    exponent = CURRENCIES[code].exponent
    step = 10 if exponent == 3 else 1
    steps = Fraction(major) * 10**exponent / step
    magnitude: int = floor(abs(steps) + Fraction(1, 2)) * step
    return -magnitude if steps < 0 else magnitude


class TestExponents:
    @pytest.mark.parametrize("code", sorted(CURRENCIES))
    def test_are_those_of_the_standard(self, code: str) -> None:
        found = CURRENCIES[code]
        assert found.code == code
        assert OTHERWISE_IN_CLDR.get(code, found.exponent) == get_currency_precision(code)

    def test_of_the_exceptions_are_two(self) -> None:
        assert {CURRENCIES[code].exponent for code in OTHERWISE_IN_CLDR} == {2}

    @pytest.mark.parametrize("code", ["usd", "Usd", "USD"])
    def test_are_found_in_any_case(self, code: str) -> None:
        assert currency(code).code == "USD"

    @pytest.mark.parametrize("code", ["", "XXX", "US", "USD ", "BTC"])
    def test_of_an_unknown_currency_are_refused(self, code: str) -> None:
        with pytest.raises(UnknownCurrency):
            Money.of(Decimal(1), code)


class TestRounding:
    @pytest.mark.parametrize(
        ("major", "code", "minor"),
        [
            ("239.995", "USD", 24000),
            ("0.005", "USD", 1),
            ("0.0049999999999999999999999999999999999999", "USD", 0),
            ("-0.005", "USD", -1),
            ("1.10", "USD", 110),
            ("16.10", "USD", 1610),
            ("19.99", "USD", 1999),
            ("2.675", "EUR", 268),
            ("0.5", "JPY", 1),
            ("0.4999", "JPY", 0),
            ("1500", "JPY", 1500),
            ("1.005", "KWD", 1010),
            ("1.0049", "KWD", 1000),
            ("0.004", "BHD", 0),
            ("0.005", "BHD", 10),
            ("0", "USD", 0),
        ],
    )
    def test_is_half_up_to_what_can_be_charged(self, major: str, code: str, minor: int) -> None:
        assert Money.of(Decimal(major), code) == Money(minor, code)

    @settings(max_examples=300, deadline=None)
    @given(major=majors, code=codes)
    def test_agrees_with_fractions(self, major: Decimal, code: str) -> None:
        assert Money.of(major, code).minor == half_up(major, code)

    @settings(max_examples=200, deadline=None)
    @given(
        half=st.integers(-(10**9), 10**9),
        away=st.sampled_from([0, 1, -1]),
        digits=st.integers(1, 25),
        code=codes,
    )
    def test_agrees_with_fractions_at_a_half_and_a_hair_beside_it(
        self, half: int, away: int, digits: int, code: str
    ) -> None:
        """Ties are where a rounding goes wrong, and random decimals never meet one."""
        exponent = CURRENCIES[code].exponent
        with localcontext() as context:
            context.prec = 60
            step = Decimal(10 if exponent == 3 else 1).scaleb(-exponent)
            major = (Decimal(half) + Decimal("0.5")) * step + Decimal(away).scaleb(-exponent - digits - 1)
        assert Money.of(major, code).minor == half_up(major, code)

    @settings(max_examples=100, deadline=None)
    @given(steps=st.integers(-(10**10), 10**10), code=codes)
    def test_leaves_alone_what_is_an_amount_already(self, steps: int, code: str) -> None:
        money = Money(steps * (10 if CURRENCIES[code].exponent == 3 else 1), code)
        assert Money.of(money.major, code) == money

    def test_keeps_the_decimals_of_the_currency_in_major_units(self) -> None:
        assert [str(Money(minor, code).major) for minor, code in ((110, "USD"), (110, "JPY"), (110, "KWD"))] == [
            "1.10",
            "110",
            "0.110",
        ]


class TestExact:
    @settings(max_examples=200, deadline=None)
    @given(price=st.decimals(min_value=0, max_value=10**7, places=6), factors=st.lists(ratios, max_size=4))
    def test_loses_no_digit(self, price: Decimal, factors: list[Decimal]) -> None:
        product = Fraction(price)
        for factor in factors:
            product *= Fraction(factor)
        assert Fraction(exact(price, *factors)) == product

    def test_takes_whole_numbers_as_factors(self) -> None:
        assert exact(Decimal("0.1"), 3, Decimal("0.1")) == Decimal("0.03")


class TestArithmetic:
    @settings(max_examples=100, deadline=None)
    @given(left=st.integers(-(10**11), 10**11), right=st.integers(-(10**11), 10**11), code=codes)
    def test_is_that_of_whole_numbers(self, left: int, right: int, code: str) -> None:
        one, other = Money(left, code), Money(right, code)
        assert (one + other).minor == left + right
        assert one - other == Money(left - right, code)
        assert (one < other) is (left < right)
        assert (one > other) is (left > right)
        assert one + Money.zero(code) == one

    def test_refuses_to_mix_currencies(self) -> None:
        dollars, euros = Money(1, "USD"), Money(1, "EUR")
        for mixed in (lambda: dollars + euros, lambda: dollars - euros, lambda: dollars < euros):
            with pytest.raises(ValueError, match="USD and EUR do not mix"):
                mixed()
        assert dollars != euros
