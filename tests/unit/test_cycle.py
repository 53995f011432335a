"""When periods end, units renew and access is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.books.subscriptions.cycle import (
    financing_access_end,
    first_period_end,
    shown,
    units_expire_at,
)
from chalicelib.books.subscriptions.model import Status
from chalicelib.kernel.periods import Span, Unit
from tests.billing_rows import a_term_item, some_terms

JANUARY = datetime(2026, 1, 31, 12, tzinfo=UTC)


def on(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


class TestFirstPeriodEnd:
    @pytest.mark.parametrize(
        ("every", "unit", "expected"),
        [
            (1, "MONTH", on(2026, 2, 28)),
            (3, "MONTH", on(2026, 4, 30)),
            (6, "MONTH", on(2026, 7, 31)),
            (1, "YEAR", on(2027, 1, 31)),
        ],
    )
    def test_is_one_period_after_the_origin(self, every: int, unit: str, expected: datetime) -> None:
        assert first_period_end(some_terms(pay_every=every, pay_every_unit=unit), JANUARY) == expected


class TestFinancingAccessEnd:
    @pytest.mark.parametrize(
        ("life", "instalments", "expected"),
        [
            (None, 1, on(2026, 2, 28)),
            (None, 2, on(2026, 3, 31)),
            (None, 12, on(2027, 1, 31)),
            (Span(6, Unit.MONTH), 12, on(2027, 1, 31)),
            (Span(6, Unit.MONTH), 6, on(2026, 7, 31)),
            (Span(2, Unit.YEAR), 12, on(2028, 1, 31)),
            (Span(10, Unit.DAY), 1, on(2026, 2, 28)),
            (Span(6, Unit.WEEK), 1, JANUARY + timedelta(weeks=6)),
        ],
    )
    def test_is_the_later_of_life_and_a_month_after_the_last_instalment(
        self, life: Span | None, instalments: int, expected: datetime
    ) -> None:
        assert financing_access_end(JANUARY, life=life, instalments=instalments) == expected


class TestUnitsExpireAt:
    @pytest.mark.parametrize(
        ("item", "access_until", "expected"),
        [
            ({}, on(2027, 1, 31), on(2026, 2, 28)),
            ({}, on(2026, 2, 7), on(2026, 2, 7)),
            ({}, None, on(2026, 2, 28)),
            ({"renew_at": 2, "renew_at_unit": "WEEK"}, on(2026, 2, 28), on(2026, 2, 14)),
            ({"is_renewable": False}, on(2027, 1, 31), on(2027, 1, 31)),
            ({"is_renewable": False}, None, None),
        ],
    )
    def test_is_the_items_renewal_within_the_access_or_its_end(
        self, item: dict[str, Any], access_until: datetime | None, expected: datetime | None
    ) -> None:
        assert units_expire_at(a_term_item(**item), JANUARY, access_until) == expected


class TestShown:
    @pytest.mark.parametrize("status", sorted(Status))
    def test_is_all_that_is_not_over(self, status: Status) -> None:
        over = status in (Status.EXPIRED, Status.DEPRECATED)
        ahead, passed = JANUARY + timedelta(seconds=1), JANUARY
        assert shown(status, ahead, JANUARY) is not over
        assert shown(status, None, JANUARY) is not over
        assert shown(status, passed, JANUARY) is not (over or status is Status.CANCELLED)
