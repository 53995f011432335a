"""Which invoice paid for which period of what recurs, whatever came between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chalicelib.books.subscriptions.course import MONTH, paying_invoice_id
from chalicelib.books.subscriptions.cycle import is_period_over, period_invoice_id, period_invoices
from chalicelib.books.subscriptions.model import Prorated, Raised
from chalicelib.flows.fulfillment.renewal import CHANGES_MAX, INVOICES_KEPT, with_invoice
from chalicelib.kernel.periods import boundary
from tests.tended import a_financing, a_subscription, a_trial

BEGINS = datetime(2026, 1, 31, 12, tzinfo=UTC)


def of_period(number: int, origin: datetime = BEGINS) -> int:
    return period_invoice_id(1, boundary(origin, MONTH, number))


def changes(*invoice_ids: int) -> Prorated:
    return Prorated(since=1, raised=tuple(Raised(invoice_id=ident, since=1, value=0) for ident in invoice_ids))


class TestPayingInvoiceId:
    def test_is_the_purchase_and_then_each_periods_own(self) -> None:
        held = a_subscription(created_at=BEGINS, periods_paid=3, invoice_ids=(1, of_period(1), of_period(2)))
        found = [paying_invoice_id(held, boundary(BEGINS, MONTH, number)) for number in range(3)]
        assert found == [1, of_period(1), of_period(2)]

    def test_is_none_of_a_change_within_the_period(self) -> None:
        held = a_subscription(created_at=BEGINS, invoice_ids=(1, 9), prorated=changes(9))
        assert paying_invoice_id(held, BEGINS + timedelta(days=3)) == 1

    def test_is_the_change_with_which_it_began_also_once_the_next_is_paid(self) -> None:
        begun = BEGINS + timedelta(days=9)
        ahead = of_period(1, begun)
        held = a_subscription(created_at=BEGINS, origin=begun, periods_paid=2, invoice_ids=(1, 8, ahead))
        assert [paying_invoice_id(held, at) for at in (begun, boundary(begun, MONTH, 1))] == [8, ahead]

    def test_is_the_change_that_came_in_the_second_of_the_purchase(self) -> None:
        held = a_subscription(created_at=BEGINS, invoice_ids=(1, 8))
        assert paying_invoice_id(held, BEGINS) == 8

    def test_of_a_trial_is_what_it_began_with_and_then_its_first_payment(self) -> None:
        trial = a_trial(created_at=BEGINS)
        assert paying_invoice_id(trial, BEGINS) == 1
        own = of_period(0, trial.origin)
        paid = trial.model_copy(update={"periods_paid": 1, "invoice_ids": (1, own)})
        assert paying_invoice_id(paid, trial.origin) == own

    def test_of_instalments_that_were_paid_at_once_is_the_one_that_paid_them(self) -> None:
        held = a_financing(created_at=BEGINS, installments_paid=12, invoice_ids=(1, of_period(1), of_period(2)))
        found = [paying_invoice_id(held, boundary(BEGINS, MONTH, number)) for number in (0, 1, 2, 5, 11)]
        assert found == [1, of_period(1), *[of_period(2)] * 3]


class TestPeriodInvoices:
    def test_are_none_of_changes_within_a_period(self) -> None:
        assert period_invoices(a_subscription(invoice_ids=(1, 5, 9, 10), prorated=changes(9, 10))) == (1, 5)
        assert period_invoices(a_subscription(invoice_ids=(1, 5))) == (1, 5)


class TestIsPeriodOver:
    def test_once_a_later_period_was_paid(self) -> None:
        held = a_subscription(invoice_ids=(1, 4, 5, 9), prorated=changes(9))
        assert [is_period_over(held, ident) for ident in (1, 4, 5, 9)] == [True, True, False, False]

    def test_of_a_change_as_of_the_period_that_it_was_within(self) -> None:
        held = a_subscription(invoice_ids=(1, 9, 5), prorated=changes(9))
        assert [is_period_over(held, ident) for ident in (1, 9, 5)] == [True, True, False]

    def test_of_what_it_names_no_more(self) -> None:
        assert is_period_over(a_subscription(invoice_ids=(1, 5)), 3)


class TestWithInvoice:
    def test_keeps_the_first_and_the_latest(self) -> None:
        assert with_invoice(tuple(range(1, INVOICES_KEPT + 1)), 99) == (1, *range(3, INVOICES_KEPT + 1), 99)

    def test_keeps_what_paid_the_period_that_runs_and_all_that_may_follow_it(self) -> None:
        """As many changes as it may have, and the period ahead."""
        named = (*range(1, INVOICES_KEPT), 50)
        for ident in (*range(100, 100 + CHANGES_MAX), 51):
            named = with_invoice(named, ident)
        assert {1, 50, 51, *range(100, 100 + CHANGES_MAX)} <= set(named)
