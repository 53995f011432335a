"""What a change of plan that was paid makes of a subscription, and when it comes too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.books.subscriptions.cycle import claimed_plans, with_planned
from chalicelib.books.subscriptions.model import Fate, HeldBack, Pause, Prorated, Raised, Status, Subscription, Terms
from chalicelib.flows.fulfillment.change import can_be_changed, changed
from chalicelib.flows.fulfillment.delivery import ChangeDelivery, RenewalDelivery
from chalicelib.flows.fulfillment.renewal import can_be_renewed, digest, expected_start, next_invoice_id, renewed
from chalicelib.kernel.periods import Unit
from tests.billing_rows import some_terms
from tests.tended import a_subscription

BEGINS = datetime(2026, 1, 31, 12, tzinfo=UTC)
AT = BEGINS + timedelta(days=10)
OTHER = some_terms(plan_id=2, plan_slug="other", full_amount=9999)


def agreed(**changes: Any) -> Subscription:
    return a_subscription(created_at=BEGINS, **changes)


def a_change(holding: Subscription, terms: Terms = OTHER, **changes: Any) -> ChangeDelivery:
    values = {
        "holding_id": holding.id,
        "number": holding.changes,
        "terms": terms,
        "at": AT,
        "replaces": digest(holding.terms),
        "paid_until": holding.paid_until,
        "restarts": False,
    }
    return ChangeDelivery.model_validate(values | changes)


def a_renewal(holding: Subscription, **changes: Any) -> RenewalDelivery:
    values = {
        "holding_id": holding.id,
        "financed": False,
        "plan_id": holding.terms.plan_id,
        "starts_at": expected_start(holding),
        "terms": digest(holding.terms),
    }
    return RenewalDelivery.model_validate(values | changes)


SUSPENDED = HeldBack(
    fate=Fate.SUSPENDED, since=AT, status=Status.ACTIVE, status_message=None, access_until=None, next_payment_at=None
)


class TestCanBeChanged:
    def test_as_it_was(self) -> None:
        assert can_be_changed(agreed(), a_change(agreed()))

    @pytest.mark.parametrize(
        "since",
        [
            {"status": Status.CANCELLED},
            {"ended_at": AT},
            {"held_back": SUSPENDED},
            {"pause": Pause(asked_at=AT, days=1, begins_at=AT, until=AT)},
            {"open_invoice_id": 5},
            {"paid_until": AT},
            {"terms": OTHER},
            {"terms": some_terms(full_amount=1)},
        ],
        ids=lambda since: next(iter(since)),
    )
    def test_not_once_it_is_otherwise(self, since: dict[str, Any]) -> None:
        assert not can_be_changed(agreed().model_copy(update=since), a_change(agreed()))

    def test_not_where_the_credit_that_it_takes_is_gone(self) -> None:
        assert can_be_changed(agreed(credit=5), a_change(agreed(), credit=5))
        assert not can_be_changed(agreed(credit=4), a_change(agreed(), credit=5))


class TestCanBeRenewed:
    def test_not_by_what_was_paid_for_other_terms(self) -> None:
        before = agreed()
        after = before.model_copy(update={"terms": OTHER})
        assert can_be_renewed(before, next_invoice_id(before), a_renewal(before))
        assert not can_be_renewed(after, next_invoice_id(after), a_renewal(before))

    def test_by_what_was_paid_for_the_terms_that_are_planned(self) -> None:
        planned = agreed(planned=OTHER)
        assert not can_be_renewed(planned, next_invoice_id(planned), a_renewal(planned))
        assert can_be_renewed(planned, next_invoice_id(planned), a_renewal(planned, terms=digest(OTHER)))

    def test_by_what_was_written_down_before_terms_were(self) -> None:
        assert can_be_renewed(agreed(), next_invoice_id(agreed()), a_renewal(agreed(), terms=None))

    def test_not_where_the_credit_that_it_takes_is_gone(self) -> None:
        assert not can_be_renewed(agreed(), next_invoice_id(agreed()), a_renewal(agreed(), credit=1))


class TestChanged:
    def test_within_the_period_keeps_its_end_and_its_calendar(self) -> None:
        before = agreed(credit=30, planned=OTHER, refills={"1": 5})
        so_far = Prorated(since=1, raised=(Raised(invoice_id=9, since=1, value=5),))
        after = changed(before, 9, a_change(before, credit=10, credited=2, prorated=so_far))
        assert (after.origin, after.paid_until, after.periods_paid) == (before.origin, before.paid_until, 1)
        assert (after.terms.plan_id, after.terms.since, after.refills) == (2, int(AT.timestamp()), {})
        assert (after.credit, after.planned, after.prorated, after.changes) == (22, None, so_far, 1)
        assert (after.invoice_ids, after.payments) == ((*before.invoice_ids, 9), before.payments)

    def test_that_restarts_begins_a_period_then(self) -> None:
        yearly = some_terms(pay_every_unit=Unit.YEAR)
        before = agreed(refills={"1": 5})
        after = changed(before, 9, a_change(before, yearly, restarts=True))
        assert (after.origin, after.periods_paid, after.paid_until) == (AT, 1, AT.replace(year=2027))
        assert (after.terms.since, after.refills, after.payments) == (0, {"1": 5}, before.payments + 1)


class TestWithPlanned:
    @pytest.mark.parametrize(
        ("every", "unit", "paid", "other", "origin", "number"),
        [
            (1, Unit.YEAR, 1, (1, Unit.MONTH), BEGINS, 12),
            (1, Unit.MONTH, 3, (3, Unit.MONTH), BEGINS, 1),
            (1, Unit.MONTH, 4, (3, Unit.MONTH), BEGINS.replace(month=5), 0),
        ],
    )
    def test_keeps_the_day_where_the_new_periods_fit(
        self, every: int, unit: Unit, paid: int, other: tuple[int, Unit], origin: datetime, number: int
    ) -> None:
        terms = some_terms(pay_every=every, pay_every_unit=unit)
        planned = some_terms(pay_every=other[0], pay_every_unit=other[1])
        before = agreed(terms=terms, periods_paid=paid, planned=planned)
        after = with_planned(before)
        assert (after.origin, after.periods_paid, after.planned) == (origin, number, None)
        assert expected_start(after) == expected_start(before)

    def test_takes_the_credit_that_its_payment_took(self) -> None:
        before = agreed(credit=30, planned=OTHER)
        after = renewed(before, 9, a_renewal(before, credit=10), BEGINS.replace(month=3, day=1))
        assert isinstance(after, Subscription)
        assert (after.credit, after.terms.plan_id) == (20, 2)


class TestClaimedPlans:
    def test_are_its_own_and_the_one_that_comes(self) -> None:
        own = agreed().terms.plan_id
        assert claimed_plans(agreed()) == {own}
        assert claimed_plans(agreed(planned=OTHER)) == {own, 2}

    def test_are_none_once_it_is_over(self) -> None:
        ended = SUSPENDED.model_copy(update={"fate": Fate.ENDED})
        assert claimed_plans(agreed(planned=OTHER, ended_at=AT)) == frozenset()
        assert claimed_plans(agreed(planned=OTHER, held_back=ended)) == frozenset()
