"""When a change of plan applies."""

from __future__ import annotations

import pytest

from chalicelib.books.subscriptions.model import Terms
from chalicelib.flows.recurring.proration import When, stretch_of, when
from tests.unit.test_proration import a_subscription, at, terms

BASIC = a_subscription(terms(3000))


class TestWhen:
    @pytest.mark.parametrize(
        ("new", "expected"),
        [
            (terms(3001, plan=2), When.NOW),
            (terms(3000, plan=2), When.AT_END),
            (terms(2999, plan=2), When.AT_END),
            (terms(30_000, months=12), When.RESTART),
            (terms(36_001, plan=2, months=12), When.RESTART),
            (terms(36_000, plan=2, months=12), When.AT_END),
        ],
    )
    def test_of_a_month(self, new: Terms, expected: When) -> None:
        assert when(BASIC, new, stretch_of(BASIC, at(0))) is expected

    def test_of_a_year_to_a_month_is_at_the_end(self) -> None:
        yearly = a_subscription(terms(30_000, months=12))
        for amount in (1, 99_999):
            assert when(yearly, terms(amount, plan=2), stretch_of(yearly, at(0))) is When.AT_END

    def test_of_a_longer_period_waits_where_more_is_paid_already(self) -> None:
        ahead = a_subscription(terms(3000), paid=2)
        assert when(ahead, terms(30_000, months=12), stretch_of(ahead, at(0))) is When.AT_END
