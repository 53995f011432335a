"""When a pool is low, and how much is bought then: never for more than was said, and never what is not sold."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.books.catalog.model import CountryPrice, ServiceType
from chalicelib.books.catalog.pricing import check_limits, units_price
from chalicelib.books.subscriptions.model import Terms
from chalicelib.books.teams.model import AutoRecharge
from chalicelib.flows.checkout.begin import check_amount
from chalicelib.flows.teams.low import buying, goes_on, is_low, month_of, pool_units
from chalicelib.kernel.money import Money
from tests.billing_rows import a_term_item, some_terms
from tests.shop import MENTORING, a_price, a_service
from tests.tended import a_subscription, a_trial

SERVICE = a_service(id=MENTORING, slug="mentorship-service", title="Mentorship", type=ServiceType.VOID)


def settings(**changed: Any) -> AutoRecharge:
    return AutoRecharge(**({"enabled": True, "threshold": 5000, "amount": 10_000} | changed))


def terms(**changed: Any) -> Terms:
    return some_terms(**({"currency": "USD", "country": None} | changed))


class TestAUnit:
    @pytest.mark.parametrize(("left", "low"), [(2, False), (1, True), (0, True), (-1, False)])
    def test_is_low_by_what_it_is_worth(self, left: int, low: bool) -> None:
        assert is_low(settings(), a_price(4), terms(), left) is low

    def test_is_worth_what_it_costs_in_the_country_of_the_terms(self) -> None:
        assert is_low(settings(threshold=7000), a_price(4), terms(country="MX"), 2)
        assert not is_low(settings(threshold=6999), a_price(4), terms(country="MX"), 2)

    def test_is_never_low_in_another_currency(self) -> None:
        price = a_price(4, countries={"ES": CountryPrice(ratio=Decimal(1), currency="EUR")})
        assert not is_low(settings(), price, terms(country="ES"), 0)
        assert buying(settings(), SERVICE, price, terms(country="ES")) is None

    def test_is_bought_where_it_is_pooled_and_has_a_limit(self) -> None:
        items = (
            a_term_item(link_id="1", service_id=1),
            a_term_item(link_id="2", service_id=2, pooled=True),
            a_term_item(link_id="3", service_id=3, pooled=True, how_many=-1),
            a_term_item(link_id="4", service_id=4, pooled=True),
            a_term_item(link_id="5", service_id=4, pooled=True, how_many=-1),
        )
        assert [unit.service_id for unit in pool_units(terms(items=items)).values()] == [2]


class TestABuying:
    @pytest.mark.parametrize(
        ("price", "amount", "how_many", "charged"),
        [
            ({}, 5000, 1, 5000),
            ({}, 9999, 1, 5000),
            ({}, 10_000, 2, 9000),
            ({"max_items": 3}, 100_000, 3, 13_500),
            ({"max_amount": 149}, 100_000, 2, 9000),
            ({"price_per_unit": "0.333", "bundle_size": 5, "discount_ratio": 1}, 200, 6, 200),
        ],
    )
    def test_is_of_as_many_as_the_amount_buys(
        self, price: dict[str, Any], amount: int, how_many: int, charged: int
    ) -> None:
        found = buying(settings(amount=amount), SERVICE, a_price(4, **price), terms())
        assert found is not None
        assert (found.how_many, found.priced.amount) == (how_many, charged)
        assert found.priced.lines[0].description == f"{how_many} Mentorship, recharged by itself"

    @pytest.mark.parametrize(
        ("price", "amount"),
        [
            ({}, 4999),
            ({"bundle_size": 3}, 10_000),
            ({"price_per_unit": 0}, 10_000),
            ({"price_per_unit": "0.3"}, 50),
            ({"discount_ratio": "1.2"}, 10_000),
        ],
        ids=["dearer", "sold by the three", "free", "below what is charged", "dearer in bulk"],
    )
    def test_is_of_nothing_where_it_buys_none(self, price: dict[str, Any], amount: int) -> None:
        assert buying(settings(amount=amount), SERVICE, a_price(4, **price), terms()) is None

    @given(
        st.decimals(min_value=0, max_value=1000, places=4),
        st.sampled_from(["0.5", "0.9", "1", "1.001", "3"]),
        st.integers(1, 50),
        st.integers(1, 500),
        st.integers(1, 3000),
        st.integers(1, 200_000),
    )
    def test_is_within_the_amount_and_what_is_sold_at_once(
        self, unit: Decimal, ratio: str, bundle: int, most: int, most_amount: int, amount: int
    ) -> None:
        price = a_price(
            4, price_per_unit=unit, discount_ratio=ratio, bundle_size=bundle, max_items=most, max_amount=most_amount
        )
        found = buying(settings(amount=amount), SERVICE, price, terms())
        if found is None:
            return
        assert 0 < found.priced.amount <= amount
        assert found.how_many * unit <= Money(amount, "USD").major
        check_amount(found.priced.total)
        check_limits(price, how_many=found.how_many, charged=found.priced.total, country=None)
        again = units_price(price, how_many=found.how_many, country=None).price.amount
        assert found.priced.total == Money.of(again, "USD")


class TestAMonthOfSpending:
    def test_keeps_the_day_of_the_purchase_whatever_its_periods_became(self) -> None:
        held = a_subscription()  # on the last of January
        moved = held.model_copy(update={"origin": datetime(2026, 2, 10, tzinfo=UTC), "periods_paid": 0})
        for holding in (held, moved):
            starts, ends = month_of(holding, datetime(2026, 3, 1, tzinfo=UTC))
            assert (starts.isoformat(), ends.isoformat()) == ("2026-02-28T12:00:00+00:00", "2026-03-31T12:00:00+00:00")

    def test_begins_with_a_trial(self) -> None:
        trial = a_trial(7)
        assert month_of(trial, trial.created_at)[0] == trial.created_at


class TestAHolding:
    def test_goes_on_while_its_access_does(self) -> None:
        held = a_subscription()
        assert held.paid_until is not None
        assert goes_on(held, held.created_at)
        assert goes_on(a_trial(7), held.created_at)
        assert not goes_on(held, held.paid_until)
        assert not goes_on(held.model_copy(update={"ended_at": held.created_at}), held.created_at)
