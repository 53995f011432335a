"""Proration: many changes within a period cost what the last of them costs, to the minor unit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.billing.model import Invoice, Refund
from chalicelib.books.subscriptions.model import Prorated, Status, Subscription, TermCoupon, Terms
from chalicelib.flows.recurring.proration import (
    Reckoned,
    When,
    anew,
    coming,
    half_up,
    period_value,
    stretch_of,
    when,
    within,
)
from chalicelib.kernel.money import Money
from chalicelib.kernel.periods import boundary
from chalicelib.kernel.quotes import Line
from tests.billing_rows import an_invoice, some_terms

ORIGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEAST = 50
"""The smallest charge in USD; ZAR has none."""


def a_line(amount: int, ident: str = "plan", code: str = "USD") -> Line:
    major = Money(amount, code).major
    return Line(
        id=ident,
        description=ident,
        quantity=1,
        unit_price=major,
        exact_amount=major,
        remainder=Decimal(0),
        full_amount=amount,
        amount=amount,
    )


def terms(amount: int, *, plan: int = 1, months: int = 1, code: str = "USD", **changed: Any) -> Terms:
    values = {
        "plan_id": plan,
        "plan_slug": f"plan-{plan}",
        "currency": code,
        "pay_every": months,
        "full_amount": amount,
        "lines": (a_line(amount, code=code),),
    }
    return some_terms(**(values | changed))


def a_subscription(agreed: Terms, *, paid: int = 1, **changed: Any) -> Subscription:
    ends = boundary(ORIGIN, agreed.period, paid)
    values = {
        "id": 7,
        "user_id": 1,
        "status": Status.ACTIVE,
        "terms": agreed,
        "origin": ORIGIN,
        "periods_paid": paid,
        "paid_at": ORIGIN,
        "paid_until": ends,
        "next_payment_at": ends,
        "invoice_ids": (7,),
        "created_at": ORIGIN,
        "payments": paid,
    }
    return Subscription.model_validate(values | changed)


def at(seconds: int) -> datetime:
    return ORIGIN + timedelta(seconds=seconds)


def step(holding: Subscription, new: Terms, instant: datetime) -> tuple[Subscription, int]:
    """The subscription after a change within the period, and what it came to: money and credit, less new credit."""
    found = within(holding, new, stretch_of(holding, instant), instant.second)
    credit = holding.credit - found.credit + found.credited
    after = holding.model_copy(update={"terms": new, "prorated": found.prorated, "credit": credit})
    assert found.amount >= 0
    assert credit >= 0
    assert found.amount == sum(line.amount for line in found.lines)
    return after, found.amount + found.credit - found.credited


def costs(first: Terms, changes: Sequence[tuple[int, Terms]]) -> int:
    """What changes at these seconds of a period come to, one after the other."""
    holding, total = a_subscription(first), 0
    for second, new in changes:
        holding, came_to = step(holding, new, at(second))
        total += came_to
    return total


MONTH_SECONDS = 28 * 86_400
"""From 31 January to 28 February."""
amounts = st.integers(0, 100_000)
seconds = st.integers(0, MONTH_SECONDS - 1)
changing = st.lists(st.tuples(seconds, amounts), max_size=6).map(lambda found: sorted(found, key=lambda one: one[0]))


def exactly(first: int, changes: Sequence[tuple[int, int]]) -> int:
    """What changes come to by the second, rounded half up once."""
    worths = [first, *(amount for _, amount in changes)]
    owed = sum(
        (new - old) * Fraction(MONTH_SECONDS - second, MONTH_SECONDS)
        for old, new, (second, _) in zip(worths, worths[1:], changes, strict=False)
    )
    return floor(owed + Fraction(1, 2))


class TestManyChanges:
    @given(first=amounts, between=st.lists(amounts, max_size=5), last=amounts, second=seconds)
    @settings(max_examples=300, deadline=None)
    def test_at_one_instant_cost_what_going_straight_to_the_last_costs(
        self, first: int, between: list[int], last: int, second: int
    ) -> None:
        zar = [(second, terms(amount, plan=2, code="ZAR")) for amount in [*between, last]]
        assert costs(terms(first, code="ZAR"), zar) == costs(terms(first, code="ZAR"), zar[-1:])

    @given(first=amounts, changes=changing)
    @settings(max_examples=300, deadline=None)
    def test_are_rounded_once_whenever_they_come(self, first: int, changes: list[tuple[int, int]]) -> None:
        zar = [(second, terms(amount, plan=2, code="ZAR")) for second, amount in changes]
        assert costs(terms(first, code="ZAR"), zar) == exactly(first, changes)

    @given(first=amounts, changes=changing)
    @settings(max_examples=300, deadline=None)
    def test_too_little_to_be_charged_is_asked_for_with_the_next(
        self, first: int, changes: list[tuple[int, int]]
    ) -> None:
        usd = [(second, terms(amount, plan=2)) for second, amount in changes]
        assert 0 <= exactly(first, changes) - costs(terms(first), usd) < LEAST

    @given(first=amounts, wishes=changing)
    @settings(max_examples=300, deadline=None)
    def test_up_and_down_cost_the_steps_up_alone(self, first: int, wishes: list[tuple[int, int]]) -> None:
        """A step down waits for the end and costs nothing; to take it back costs nothing either."""
        holding, total, highest, ups = a_subscription(terms(first, code="ZAR")), 0, first, []
        for second, amount in wishes:
            new = terms(amount, plan=2, code="ZAR")
            kind = when(holding, new, stretch_of(holding, at(second)))
            assert kind is (When.NOW if amount > highest else When.AT_END)
            if kind is When.NOW:
                holding, came_to = step(holding, new, at(second))
                total, highest = total + came_to, amount
                ups.append((second, amount))
            else:
                holding = holding.model_copy(update={"planned": new})
        assert total == exactly(first, ups)
        assert holding.credit == 0


class TestWithin:
    def test_takes_the_difference_for_the_seconds_that_are_left(self) -> None:
        found = within(a_subscription(terms(3000)), terms(9000, plan=2), stretch_of(_basic(), at(86_400 * 7)), 9)
        assert [(line.id, line.amount) for line in found.lines] == [("plan", 6750), ("unused", -2250)]
        assert found.amount == 4500
        assert found.prorated == Prorated(
            since=int(ORIGIN.timestamp()), value=6000, owed=6000 * 21 * 86_400, billed=4500, invoice_ids=(9,)
        )

    def test_is_for_all_of_the_first_period_by_a_clock_that_is_behind(self) -> None:
        assert stretch_of(_basic(), at(-1)) == stretch_of(_basic(), at(0))

    def test_counts_periods_that_are_paid_ahead(self) -> None:
        holding = a_subscription(terms(3000), paid=2)
        found = within(holding, terms(9000, plan=2), stretch_of(holding, at(86_400 * 14)), 9)
        assert found.amount == 3000 + 6000

    def test_takes_credit_first(self) -> None:
        found = within(a_subscription(terms(3000), credit=1000), terms(9000, plan=2), stretch_of(_basic(), at(0)), 9)
        assert (found.amount, found.credit) == (5000, 1000)
        assert found.lines[-1].amount == -1000

    def test_gives_what_is_less_than_the_least_charge(self) -> None:
        found = within(a_subscription(terms(3000)), terms(3049, plan=2), stretch_of(_basic(), at(0)), 9)
        assert (found.amount, found.lines[-1].id, found.lines[-1].amount) == (0, "waived", -49)
        assert found.prorated is not None
        assert found.prorated.billed == 0

    def test_keeps_what_is_below_zero_as_credit(self) -> None:
        found = within(a_subscription(terms(9000)), terms(3000, plan=2), stretch_of(_basic(), at(0)), 9)
        assert (found.amount, found.credited, found.credit) == (0, 6000, 0)

    def test_takes_a_coupon_off_both_sides_where_it_serves_both(self) -> None:
        half = TermCoupon(
            slug="half", discount_type="PERCENT_OFF", discount_value=Decimal("0.5"), renewals=None, expires_at=None
        )
        holding = a_subscription(terms(3000, coupons=(half,)))
        stretch = stretch_of(holding, at(0))
        assert within(holding, terms(9000, plan=2, coupons=(half,)), stretch, 9).amount == 3000
        assert within(holding, terms(9000, plan=2), stretch, 9).amount == 6000

    def test_forgets_what_an_earlier_period_came_to(self) -> None:
        old = Prorated(since=1, value=5, owed=10**12, billed=99, invoice_ids=(3,))
        found = within(a_subscription(terms(3000), prorated=old), terms(9000, plan=2), stretch_of(_basic(), at(0)), 9)
        assert found.amount == 6000
        assert found.prorated is not None
        assert found.prorated.invoice_ids == (9,)


class TestAnew:
    def test_takes_off_what_was_paid_for_the_seconds_that_are_left(self) -> None:
        found = _anew(terms(30_000, months=12), paid=3000)
        assert [line.amount for line in found.lines] == [30_000, -1500]
        assert found.amount == 28_500

    def test_counts_what_was_paid_and_not_what_it_costs(self) -> None:
        assert _anew(terms(30_000, months=12), paid=600).amount == 29_700

    def test_counts_changes_within_the_period_less_what_went_back_of_them(self) -> None:
        so_far = Prorated(since=int(ORIGIN.timestamp()), value=6000, billed=6000, invoice_ids=(9,))
        back = an_invoice(id=9, amount=6000, refunds=(_refund(700),))
        whole = _anew(terms(30_000, months=12), paid=3000, prorated=so_far)
        less = _anew(terms(30_000, months=12), paid=3000, prorated=so_far, changes=(back,))
        assert (whole.amount, less.amount) == (25_500, 26_200)

    def test_pays_nothing_back(self) -> None:
        found = _anew(terms(500, months=12), paid=3000)
        assert (found.amount, found.credited) == (0, 1000)
        assert sum(line.amount for line in found.lines) == 0


class TestPeriodValue:
    def test_counts_credit_that_was_taken_and_not_what_was_unused_before(self) -> None:
        lines = (a_line(9000), a_line(-2000, "credit"), a_line(-1000, "unused"))
        assert period_value(an_invoice(amount=6000, lines=lines)) == 9000

    def test_is_less_what_went_back(self) -> None:
        assert period_value(an_invoice(amount=6000, lines=(a_line(6000),), refunds=(_refund(2500),))) == 3500


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
        assert when(_basic(), new, stretch_of(_basic(), at(0))) is expected

    def test_of_a_year_to_a_month_is_at_the_end(self) -> None:
        yearly = a_subscription(terms(30_000, months=12))
        for amount in (1, 99_999):
            assert when(yearly, terms(amount, plan=2), stretch_of(yearly, at(0))) is When.AT_END

    def test_of_a_longer_period_waits_where_more_is_paid_already(self) -> None:
        ahead = a_subscription(terms(3000), paid=2)
        assert when(ahead, terms(30_000, months=12), stretch_of(ahead, at(0))) is When.AT_END


class TestComing:
    def test_is_the_first_payment_under_what_is_planned_less_the_credit(self) -> None:
        found = coming(a_subscription(terms(9000), credit=500), terms(3000, plan=2))
        assert (found.amount, [line.amount for line in found.lines]) == (2500, [3000, -500])


class TestHalfUp:
    @given(numerator=st.integers(-(10**12), 10**12), denominator=st.integers(1, 10**8))
    def test_is_the_nearest_and_halves_go_up(self, numerator: int, denominator: int) -> None:
        exact = Fraction(numerator, denominator)
        assert half_up(numerator, denominator, "USD") == floor(exact + Fraction(1, 2))
        assert half_up(numerator, denominator, "KWD") == floor(exact / 10 + Fraction(1, 2)) * 10


def _basic() -> Subscription:
    return a_subscription(terms(3000))


def _anew(new: Terms, *, paid: int, prorated: Prorated | None = None, changes: Sequence[Invoice] = ()) -> Reckoned:
    """Half-way through a period that cost 3000, or what was paid for it."""
    holding = a_subscription(terms(3000), prorated=prorated)
    instant = at(MONTH_SECONDS // 2)
    invoices = [an_invoice(id=7, amount=paid, lines=(a_line(paid),)), *changes]
    return anew(holding, new, stretch_of(holding, instant), instant, invoices)


def _refund(amount: int) -> Refund:
    return Refund(id="re_1", amount=amount, status="succeeded", created_at=ORIGIN)
