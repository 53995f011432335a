"""Proration: many changes within a period cost what the last of them costs, to the minor unit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.billing.model import Invoice, Refund
from chalicelib.books.subscriptions.model import Prorated, Raised, Status, Subscription, TermCoupon, Terms
from chalicelib.flows.fulfillment.renewal import next_invoice_id
from chalicelib.flows.recurring.price import credit_in
from chalicelib.flows.recurring.proration import (
    Reckoned,
    When,
    anew,
    coming,
    half_up,
    paid_by,
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
SINCE = int(ORIGIN.timestamp())
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


class Customer:
    """Somebody whose plan changes, with the invoices of it: the period's is 7, and was paid so much."""

    def __init__(self, first: Terms, *, paid: int | None = None) -> None:
        amount = first.full_amount if paid is None else paid
        self.holding = a_subscription(first)
        self.invoices = {7: an_invoice(id=7, amount=amount, lines=(a_line(amount),))}

    def change(self, new: Terms, second: int) -> int:
        """Change within the period; answers what it came to: money and credit, less new credit."""
        holding, invoice_id = self.holding, 100 + len(self.invoices)
        stretch = stretch_of(holding, at(second))
        assert paid_by(holding, stretch) == set(self.invoices)
        found = within(holding, new, stretch, invoice_id, self.invoices)
        credit = holding.credit - found.credit + found.credited
        assert min(found.amount, credit) >= 0
        assert found.amount == sum(line.amount for line in found.lines)
        named = (*holding.invoice_ids, invoice_id)
        changes = {"terms": new, "prorated": found.prorated, "credit": credit, "invoice_ids": named}
        self.holding = holding.model_copy(update=changes)
        self.invoices[invoice_id] = an_invoice(id=invoice_id, amount=found.amount, lines=found.lines)
        return found.amount + found.credit - found.credited

    def refund(self, invoice_id: int, amount: int) -> None:
        refunded = self.invoices[invoice_id].model_copy(update={"refunds": (_refund(amount),)})
        self.invoices[invoice_id] = refunded


def costs(first: Terms, changes: Sequence[tuple[int, Terms]], paid: int | None = None) -> int:
    """What changes at these seconds of a period come to, one after the other."""
    customer = Customer(first, paid=paid)
    return sum(customer.change(new, second) for second, new in changes)


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

    @given(first=amounts, paid=amounts, changes=changing)
    @settings(max_examples=300, deadline=None)
    def test_are_rounded_once_whenever_they_come(self, first: int, paid: int, changes: list[tuple[int, int]]) -> None:
        """From what was paid for the period, whatever its plan costs without a coupon."""
        zar = [(second, terms(amount, plan=2, code="ZAR")) for second, amount in changes]
        assert costs(terms(first, code="ZAR"), zar, paid) == exactly(paid, changes)
        assert costs(terms(paid, code="ZAR"), zar) == exactly(paid, changes)

    @given(paid=amounts, changes=changing, back=st.integers(0, 5), second=seconds, last=amounts)
    @settings(max_examples=300, deadline=None)
    def test_go_on_from_what_refunds_left_of_what_was_paid(
        self, paid: int, changes: list[tuple[int, int]], back: int, second: int, last: int
    ) -> None:
        """A change whose money went back whole raised nothing, from there on."""
        customer = Customer(terms(paid, code="ZAR"))
        rises, asked, worth = [], 0, paid
        for when_changed, amount in changes:
            asked += customer.change(terms(amount, plan=2, code="ZAR"), when_changed)
            rises.append(amount - worth)
            worth = amount
        invoice_ids = list(customer.invoices)[1:]
        if back < len(changes) and rises[back] > 0 and customer.invoices[invoice_ids[back]].amount:
            customer.refund(invoice_ids[back], customer.invoices[invoice_ids[back]].amount)
            kept = customer.invoices[invoice_ids[back]]
            worth -= rises[back] * kept.amount // (kept.amount + credit_in(kept.lines))
        second = max(second, changes[-1][0] if changes else 0)
        came_to = customer.change(terms(last, plan=3, code="ZAR"), second)
        owed = Fraction((last - worth) * (MONTH_SECONDS - second), MONTH_SECONDS)
        assert abs(asked + came_to - exactly(paid, changes) - owed) <= 1

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
        customer, total, highest, ups = Customer(terms(first, code="ZAR")), 0, first, []
        for second, amount in wishes:
            new = terms(amount, plan=2, code="ZAR")
            kind = when(customer.holding, new, stretch_of(customer.holding, at(second)))
            assert kind is (When.NOW if amount > highest else When.AT_END)
            if kind is When.NOW:
                total, highest = total + customer.change(new, second), amount
                ups.append((second, amount))
            else:
                customer.holding = customer.holding.model_copy(update={"planned": new})
        assert total == exactly(first, ups)
        assert customer.holding.credit == 0


class TestWithin:
    def test_takes_the_difference_for_the_seconds_that_are_left(self) -> None:
        found = _within(_basic(), terms(9000, plan=2), second=86_400 * 7)
        assert [(line.id, line.amount) for line in found.lines] == [("plan", 6750), ("unused", -2250)]
        assert found.amount == 4500
        raised = Raised(invoice_id=9, since=SINCE, value=6000)
        assert found.prorated == Prorated(since=SINCE, owed=6000 * 21 * 86_400, billed=4500, raised=(raised,))

    def test_is_for_all_of_the_first_period_by_a_clock_that_is_behind(self) -> None:
        assert stretch_of(_basic(), at(-1)) == stretch_of(_basic(), at(0))

    def test_counts_what_was_paid_for_the_period_and_not_what_the_plan_costs(self) -> None:
        """A plan that was had for nothing by a coupon of its own is worth nothing."""
        found = [_within(_basic(), terms(9000, plan=2), paid=paid).amount for paid in (0, 500, 3000)]
        assert found == [9000, 8500, 6000]

    def test_counts_what_was_kept_after_a_refund_as_given(self) -> None:
        invoice = _paid(7, 3000).model_copy(update={"refunds": (_refund(3000),)})
        found = within(_basic(), terms(9000, plan=2), stretch_of(_basic(), at(0)), 9, {7: invoice})
        assert found.amount == 9000

    def test_counts_credit_as_paid(self) -> None:
        invoice = an_invoice(id=7, amount=1000, lines=(a_line(3000), a_line(-2000, "credit")))
        found = within(_basic(), terms(9000, plan=2), stretch_of(_basic(), at(0)), 9, {7: invoice})
        assert found.amount == 6000

    def test_counts_a_period_that_is_paid_ahead_at_what_was_paid_for_it(self) -> None:
        ahead = next_invoice_id(_basic())
        holding = a_subscription(terms(3000), paid=2, invoice_ids=(7, ahead))
        stretch = stretch_of(holding, at(86_400 * 14))
        assert paid_by(holding, stretch) == {7, ahead}
        found = within(holding, terms(9000, plan=2), stretch, 9, {7: _paid(7, 0), ahead: _paid(ahead, 3000)})
        assert found.amount == 4500 + 6000

    def test_of_a_period_ahead_is_not_paid_again_when_that_runs(self) -> None:
        ahead = next_invoice_id(_basic())
        invoices = {7: _paid(7, 3000), ahead: _paid(ahead, 3000)}
        holding = a_subscription(terms(3000), paid=2, invoice_ids=(7, ahead))
        first = within(holding, terms(9000, plan=2), stretch_of(holding, at(0)), 9, invoices)
        assert first.amount == 12_000
        named = {"terms": terms(9000, plan=2), "prorated": first.prorated, "invoice_ids": (7, ahead, 9)}
        holding = holding.model_copy(update=named)
        invoices[9] = an_invoice(id=9, amount=12_000, lines=first.lines)
        stretch = stretch_of(holding, at(MONTH_SECONDS))
        assert paid_by(holding, stretch) == {ahead, 9}
        again = within(holding, terms(10_000, plan=3), stretch, 10, invoices)
        assert again.amount == 1000

    def test_after_a_longer_period_began_counts_what_that_was_paid_with(self) -> None:
        yearly = a_subscription(terms(30_000, months=12), invoice_ids=(7, 8))
        lines = (a_line(30_000), a_line(-3000, "unused"), a_line(-1000, "credit"))
        restart = an_invoice(id=8, amount=26_000, lines=lines)
        stretch = stretch_of(yearly, at(0))
        assert paid_by(yearly, stretch) == {8}
        assert within(yearly, terms(40_000, plan=2, months=12), stretch, 9, {8: restart}).amount == 10_000

    def test_after_a_change_that_was_refunded_counts_what_was_paid_before_it(self) -> None:
        customer = Customer(terms(3000))
        assert customer.change(terms(9000, plan=2), 0) == 6000
        customer.refund(101, 6000)
        assert customer.change(terms(12_000, plan=3), MONTH_SECONDS // 2) == 4500

    def test_after_a_change_that_was_refunded_in_part_counts_the_rest(self) -> None:
        customer = Customer(terms(3000))
        customer.change(terms(9000, plan=2), 0)
        customer.refund(101, 1500)
        assert customer.change(terms(12_000, plan=3), MONTH_SECONDS // 2) == 2250

    def test_pays_again_what_was_given_back_twice(self) -> None:
        """A change to what a coupon makes free left credit, and then the money of the period went back too."""
        customer = Customer(terms(3000))
        assert customer.change(terms(0, plan=2), 0) == -3000
        customer.refund(7, 3000)
        assert customer.change(terms(9000, plan=3), 0) == 12_000
        assert customer.change(terms(10_000, plan=4), 0) == 1000

    def test_of_seats_alone_costs_these_seats_whatever_was_paid_for_the_plan(self) -> None:
        lines = (a_line(3000), a_line(500, "seats"))
        more = terms(3500, seats=2, lines=lines)
        found = [_within(_basic(), more, paid=paid) for paid in (3000, 0)]
        assert [one.amount for one in found] == [500, 500]
        assert found[1].prorated is not None
        assert [one.value for one in found[1].prorated.raised] == [500]

    def test_takes_credit_first(self) -> None:
        found = _within(a_subscription(terms(3000), credit=1000), terms(9000, plan=2))
        assert (found.amount, found.credit) == (5000, 1000)
        assert found.lines[-1].amount == -1000

    def test_gives_what_is_less_than_the_least_charge(self) -> None:
        found = _within(_basic(), terms(3049, plan=2))
        assert (found.amount, found.lines[-1].id, found.lines[-1].amount) == (0, "waived", -49)
        assert found.prorated is not None
        assert found.prorated.billed == 0

    def test_keeps_what_is_below_zero_as_credit(self) -> None:
        found = _within(a_subscription(terms(9000)), terms(3000, plan=2), paid=9000)
        assert (found.amount, found.credited, found.credit) == (0, 6000, 0)

    def test_takes_a_coupon_that_follows_off_what_is_new(self) -> None:
        half = TermCoupon(
            slug="half", discount_type="PERCENT_OFF", discount_value=Decimal("0.5"), renewals=None, expires_at=None
        )
        holding = a_subscription(terms(3000, coupons=(half,)))
        assert _within(holding, terms(9000, plan=2, coupons=(half,)), paid=1500).amount == 3000
        assert _within(holding, terms(9000, plan=2), paid=1500).amount == 7500

    def test_forgets_what_an_earlier_period_came_to(self) -> None:
        raised = Raised(invoice_id=3, since=1, value=5)
        old = Prorated(since=1, owed=10**12, billed=99, raised=(raised,))
        found = _within(a_subscription(terms(3000), prorated=old), terms(9000, plan=2))
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
        raised = Raised(invoice_id=9, since=SINCE, value=6000)
        so_far = Prorated(since=SINCE, billed=6000, raised=(raised,))
        found = []
        for back in (0, 700, 6000):
            paid = _paid(9, 6000).model_copy(update={"refunds": (_refund(back),)})
            found.append(_anew(terms(30_000, months=12), paid=3000, prorated=so_far, changes=(paid,)).amount)
        assert found == [25_500, 25_850, 28_500]

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


def _paid(ident: int, amount: int) -> Invoice:
    return an_invoice(id=ident, amount=amount, lines=(a_line(amount),))


def _within(holding: Subscription, new: Terms, *, paid: int = 3000, second: int = 0) -> Reckoned:
    """A change in a period that was paid so much, with invoice 9."""
    return within(holding, new, stretch_of(holding, at(second)), 9, {7: _paid(7, paid)})


def _anew(new: Terms, *, paid: int, prorated: Prorated | None = None, changes: Sequence[Invoice] = ()) -> Reckoned:
    """Half-way through a period that cost 3000, or what was paid for it."""
    named = (7, *(invoice.id for invoice in changes))
    holding = a_subscription(terms(3000), prorated=prorated, invoice_ids=named)
    instant = at(MONTH_SECONDS // 2)
    stretch = stretch_of(holding, instant)
    invoices = {invoice.id: invoice for invoice in (_paid(7, paid), *changes)}
    assert paid_by(holding, stretch) == set(invoices)
    return anew(holding, new, stretch, instant, invoices)


def _refund(amount: int) -> Refund:
    return Refund(id="re_1", amount=amount, status="succeeded", created_at=ORIGIN)
