"""Prices: exact until the line, rounded once, and what is quoted is what is charged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.catalog.model import CountryPrice, Coupon, DiscountType, ServicePrice
from chalicelib.books.catalog.pricing import (
    AmountTooHigh,
    DraftLine,
    MultipleCurrenciesFound,
    TooFewItems,
    TooManyItems,
    UnitPrice,
    check_limits,
    country_price,
    priced,
    units_price,
)
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.money import Money
from chalicelib.kernel.quotes import Priced
from tests.shop import a_coupon, a_price
from tests.unit.test_money import half_up

NOW = datetime(2026, 11, 21, tzinfo=UTC)
PERCENT, FIXED, HAGGLING = DiscountType.PERCENT_OFF, DiscountType.FIXED_PRICE, DiscountType.HAGGLING

CHAT = a_price(4, price_per_unit="0.01", bundle_size=100, max_items=50_000, max_amount=500, discount_ratio=1)
SESSIONS = a_price(4, price_per_unit=50, bundle_size=1, max_items=20, max_amount=800, discount_ratio="0.90")
REGIONAL = a_price(
    4,
    price_per_unit=1,
    bundle_size=10,
    max_items=1000,
    discount_ratio=1,
    countries={
        country: CountryPrice(ratio=Decimal(ratio))
        for country, ratio in (("MX", "0.70"), ("ES", "0.85"), ("IN", "0.50"), ("BR", "0.60"))
    },
)


def a_draft(amount: str | Decimal, code: str = "USD", ident: str = "plan") -> DraftLine:
    price = UnitPrice(amount=Decimal(amount), currency=code, steps=())
    return DraftLine(id=ident, description="", price=price)


def a_discount(kind: DiscountType, value: str | Decimal, ident: int = 1) -> Coupon:
    return a_coupon(NOW, 4, id=ident, slug=f"c{ident}", discount_type=kind, discount_value=Decimal(value))


def charged(price: ServicePrice, how_many: int, country: str | None = None) -> Money:
    """What buying units charges, within the limits."""
    total = priced([units_price(price, how_many=how_many, country=country)]).total
    check_limits(price, how_many=how_many, charged=total, country=country)
    return total


def amounts(found: Priced) -> list[int]:
    return [line.amount for line in found.lines]


class TestTheWorkedExamples:
    """Of the documents' part on prices of academy services."""

    @pytest.mark.parametrize(("how_many", "minor"), [(100, 100), (101, 101), (250, 250), (50_000, 50_000)])
    def test_chat_messages_cost_a_cent(self, how_many: int, minor: int) -> None:
        assert charged(CHAT, how_many) == Money(minor, "USD")

    @pytest.mark.parametrize(
        ("how_many", "refused"), [(99, TooFewItems), (1, TooFewItems), (50_001, TooManyItems), (50_100, TooManyItems)]
    )
    def test_chat_messages_are_sold_from_a_bundle_to_the_limit(self, how_many: int, refused: type[DomainError]) -> None:
        with pytest.raises(refused):
            charged(CHAT, how_many)

    @pytest.mark.parametrize(("how_many", "minor"), [(1, 5000), (2, 9000), (10, 45_000), (17, 76_500)])
    def test_sessions_are_cheaper_above_one(self, how_many: int, minor: int) -> None:
        assert charged(SESSIONS, how_many) == Money(minor, "USD")

    @pytest.mark.parametrize(("how_many", "refused"), [(18, AmountTooHigh), (20, AmountTooHigh), (21, TooManyItems)])
    def test_sessions_are_limited_by_what_is_charged(self, how_many: int, refused: type[DomainError]) -> None:
        with pytest.raises(refused):
            charged(SESSIONS, how_many)

    @pytest.mark.parametrize(
        ("country", "minor"),
        [(None, 1000), ("US", 1000), ("MX", 700), ("ES", 850), ("IN", 500), ("BR", 600), ("mx", 700), ("Es", 850)],
    )
    def test_countries_have_their_ratio(self, country: str | None, minor: int) -> None:
        price = REGIONAL.model_copy(update={"max_amount": Decimal(10)})
        assert charged(price, 10, country) == Money(minor, "USD")

    @pytest.mark.parametrize(("ratio", "result"), [("0.85", "254.15"), ("0.70", "209.30"), ("0.50", "149.50")])
    def test_a_plan_has_its_countries_ratio(self, ratio: str, result: str) -> None:
        countries = {"ES": CountryPrice(ratio=Decimal(ratio))}
        found = country_price(Decimal("299.00"), "USD", countries, country="ES", field="price_per_month")
        assert found.amount == Decimal(result)

    def test_half_of_the_yearly_plan_is_240(self) -> None:
        found = priced([a_draft("479.99")], [a_discount(PERCENT, "0.5")])
        assert found.total == Money(24_000, "USD")
        assert found.lines[0].exact_amount == Decimal("239.995")
        assert found.lines[0].remainder == Decimal("0.005")
        assert found.lines[0].full_amount == 47_999


COUNTRIES = {
    "ES": CountryPrice(ratio=Decimal("0.85"), currency="eur"),
    "JP": CountryPrice(prices={"price_per_month": Decimal(4000)}, ratio=Decimal("0.1"), currency="JPY"),
    "CH": CountryPrice(currency="CHF"),
}


class TestCountryPrice:
    @pytest.mark.parametrize(
        ("country", "field", "amount", "code"),
        [
            (None, "price_per_month", "10", "USD"),
            ("", "price_per_month", "10", "USD"),
            ("FR", "price_per_month", "10", "USD"),
            ("es", "price_per_month", "8.50", "EUR"),
            ("ES", "price_per_year", "8.50", "EUR"),
            ("jp", "price_per_month", "4000", "JPY"),
            ("Jp", "price_per_year", "1.0", "JPY"),
            ("CH", "price_per_month", "10", "USD"),
        ],
    )
    def test_is_the_explicit_one_else_the_ratio_else_the_base(
        self, country: str | None, field: str, amount: str, code: str
    ) -> None:
        """The currency of a country holds only where its price or ratio decides."""
        found = country_price(Decimal(10), "USD", COUNTRIES, country=country, field=field)
        assert (found.amount, found.currency) == (Decimal(amount), code)
        assert found.steps[0].rule == "base-price"

    def test_says_how_it_came_about(self) -> None:
        found = country_price(Decimal(10), "USD", COUNTRIES, country="es", field="price")
        assert [(step.rule, step.input, step.result) for step in found.steps] == [
            ("base-price", "price", "10 USD"),
            ("country-ratio", "ES 0.85", "8.50 EUR"),
        ]


class TestUnitsPrice:
    @pytest.mark.parametrize(("how_many", "amount"), [(9, "9"), (10, "10"), (11, "8.80"), (25, "20.00"), (1, "1")])
    def test_is_discounted_once_above_one_bundle(self, how_many: int, amount: str) -> None:
        price = a_price(4, price_per_unit=1, bundle_size=10, discount_ratio="0.8", countries={})
        assert units_price(price, how_many=how_many, country=None).price.amount == Decimal(amount)

    def test_takes_the_countrys_price_before_the_discount(self) -> None:
        assert units_price(SESSIONS, how_many=10, country="mx").price.amount == Decimal(315)

    def test_is_rounded_by_the_line_and_not_by_the_unit(self) -> None:
        price = a_price(4, price_per_unit="0.005", bundle_size=1, discount_ratio=1, max_items=999, countries={})
        assert [charged(price, how_many).minor for how_many in (1, 2, 3, 999)] == [1, 1, 2, 500]


class TestLimits:
    def test_of_an_amount_may_be_the_countrys_own(self) -> None:
        price = a_price(4, max_amount=100, countries={"MX": CountryPrice(prices={"max_amount": Decimal(40)})})
        check_limits(price, how_many=1, charged=Money(4001, "USD"), country=None)
        check_limits(price, how_many=1, charged=Money(4000, "USD"), country="mx")
        with pytest.raises(AmountTooHigh, match="At most 40 USD"):
            check_limits(price, how_many=1, charged=Money(4001, "USD"), country="mx")

    def test_of_an_amount_include_it(self) -> None:
        price = a_price(4, max_amount=100)
        check_limits(price, how_many=1, charged=Money(10_000, "USD"), country=None)
        with pytest.raises(AmountTooHigh):
            check_limits(price, how_many=1, charged=Money(10_001, "USD"), country=None)


class TestCoupons:
    @pytest.mark.parametrize(
        ("coupons", "minor"),
        [
            ([], 10_000),
            ([(PERCENT, "0.2"), (PERCENT, "0.5")], 4000),
            ([(PERCENT, "1")], 0),
            ([(PERCENT, "0")], 10_000),
            ([(FIXED, "30"), (HAGGLING, "5.5")], 6450),
            ([(FIXED, "100")], 0),
            ([(FIXED, "100.01")], 0),
            ([(FIXED, "30"), (PERCENT, "0.5")], 2000),
            ([(PERCENT, "0.5"), (FIXED, "30")], 2000),
            ([(PERCENT, "1"), (FIXED, "30")], 0),
        ],
    )
    def test_take_percentages_first_and_then_amounts(
        self, coupons: Sequence[tuple[DiscountType, str]], minor: int
    ) -> None:
        given_coupons = [a_discount(kind, value, ident) for ident, (kind, value) in enumerate(coupons)]
        assert priced([a_draft("100")], given_coupons).amount == minor

    def test_of_an_amount_go_on_to_the_next_line(self) -> None:
        lines = [a_draft("10"), a_draft("20", ident="seats"), a_draft("5", ident="add_on:1")]
        assert amounts(priced(lines, [a_discount(FIXED, "25")])) == [0, 500, 500]
        assert amounts(priced(lines, [a_discount(FIXED, "1000")])) == [0, 0, 0]

    def test_are_in_the_trace(self) -> None:
        found = priced([a_draft("100")], [a_discount(FIXED, "30", 2), a_discount(PERCENT, "0.5", 1)]).lines[0]
        assert [(step.rule, step.input, step.result) for step in found.steps] == [
            ("percent-off", "c1 0.5", "50.0"),
            ("amount-off", "30", "20.0"),
            ("round-half-up", "20.0", "20.00"),
        ]


majors = st.decimals(min_value=0, max_value=10**5, places=4)
percents = st.decimals(min_value=0, max_value=1, places=4).map(lambda value: (PERCENT, value))
offs = st.tuples(st.sampled_from([FIXED, HAGGLING]), st.decimals(min_value=0, max_value=10**5, places=3))
codes = st.sampled_from(["USD", "JPY", "KWD"])


def by_fractions(lines: Sequence[Decimal], coupons: Sequence[Coupon]) -> list[Fraction]:
    """The oracle: what each line comes to before its rounding."""
    left = sum((Fraction(c.discount_value) for c in coupons if c.discount_type is not PERCENT), Fraction(0))
    found = []
    for line in lines:
        amount = Fraction(line)
        for coupon in coupons:
            if coupon.discount_type is PERCENT:
                amount *= 1 - Fraction(coupon.discount_value)
        taken = min(amount, left)
        left -= taken
        found.append(amount - taken)
    return found


class TestEveryQuote:
    @settings(max_examples=200, deadline=None)
    @given(lines=st.lists(majors, min_size=1, max_size=3), discounts=st.lists(percents | offs, max_size=3), code=codes)
    def test_is_the_sum_of_lines_rounded_once_each(
        self, lines: list[Decimal], discounts: list[tuple[DiscountType, Decimal]], code: str
    ) -> None:
        coupons = [a_discount(kind, value, ident) for ident, (kind, value) in enumerate(discounts)]
        found = priced([a_draft(line, code, str(ident)) for ident, line in enumerate(lines)], coupons)
        exact = by_fractions(lines, coupons)
        assert [Fraction(line.exact_amount) for line in found.lines] == exact
        assert amounts(found) == [half_up(line.exact_amount, code) for line in found.lines]
        assert [line.full_amount for line in found.lines] == [half_up(line, code) for line in lines]
        assert found.amount == found.total.minor == sum(amounts(found))
        assert found.full_amount == sum(line.full_amount for line in found.lines)

    @settings(max_examples=200, deadline=None)
    @given(lines=st.lists(majors, min_size=1, max_size=3), discounts=st.lists(percents | offs, max_size=3), code=codes)
    def test_is_never_below_zero_nor_above_its_full_price(
        self, lines: list[Decimal], discounts: list[tuple[DiscountType, Decimal]], code: str
    ) -> None:
        coupons = [a_discount(kind, value, ident) for ident, (kind, value) in enumerate(discounts)]
        found = priced([a_draft(line, code) for line in lines], coupons)
        for line in found.lines:
            assert 0 <= line.amount <= line.full_amount
            assert line.exact_amount + line.remainder == Money(line.amount, code).major
            assert abs(Fraction(line.remainder)) <= Fraction({"USD": "0.005", "JPY": "0.5", "KWD": "0.005"}[code])

    @settings(max_examples=100, deadline=None)
    @given(lines=st.lists(majors, min_size=1, max_size=2), discounts=st.lists(percents | offs, min_size=2, max_size=3))
    def test_does_not_depend_on_the_order_of_coupons(
        self, lines: list[Decimal], discounts: list[tuple[DiscountType, Decimal]]
    ) -> None:
        coupons = [a_discount(kind, value, ident) for ident, (kind, value) in enumerate(discounts)]
        drafts = [a_draft(line) for line in lines]
        found = {tuple(amounts(priced(drafts, ordered))) for ordered in permutations(coupons)}
        assert len(found) == 1

    def test_has_one_currency(self) -> None:
        with pytest.raises(MultipleCurrenciesFound, match="EUR and USD"):
            priced([a_draft("1", "USD"), a_draft("1", "EUR")])
