"""What refunds and disputes do to a holding: whatever their order, and taken back without a trace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.subscriptions.cycle import SEVERITY, fated, lifted, period_invoice_id
from chalicelib.books.subscriptions.model import Dunning, Fate, Financing, Holding, Status, Subscription
from chalicelib.kernel.periods import utc
from tests.billing_rows import NOW, USER, some_terms

LATER = timedelta(days=3)
Says = Sequence[tuple[int, Fate]]

dunnings = st.one_of(
    st.none(),
    st.just(
        Dunning(since=NOW, failures=1, payment_method_id="pm_1", code="x", hard=False, next_attempt_at=NOW + LATER)
    ),
)
ends = st.integers(1_767_225_600, 1_798_761_600).map(utc)
subscriptions = st.builds(
    Subscription,
    id=st.just(1),
    user_id=st.just(USER),
    status=st.sampled_from([Status.ACTIVE, Status.FREE_TRIAL, Status.CANCELLED, Status.PAYMENT_ISSUE, Status.PAUSED]),
    status_message=st.sampled_from([None, "The card was declined."]),
    terms=st.just(some_terms()),
    origin=st.just(NOW),
    periods_paid=st.just(1),
    paid_at=st.just(NOW),
    paid_until=st.none() | ends,
    next_payment_at=st.none() | ends,
    invoice_ids=st.just((1,)),
    created_at=st.just(NOW),
    dunning=dunnings,
)
financings = st.builds(
    Financing,
    id=st.just(1),
    user_id=st.just(USER),
    status=st.sampled_from([Status.ACTIVE, Status.FULLY_PAID, Status.PAYMENT_ISSUE, Status.CANCELLED]),
    status_message=st.sampled_from([None, "The card was declined."]),
    terms=st.just(some_terms()),
    origin=st.just(NOW),
    how_many_installments=st.just(12),
    installments_paid=st.integers(1, 12),
    monthly_amount=st.just(29_900),
    paid_at=st.just(NOW),
    next_payment_at=st.none() | ends,
    plan_expires_at=ends,
    invoice_ids=st.just((1,)),
    created_at=st.just(NOW),
    dunning=dunnings,
)
holdings: st.SearchStrategy[Holding] = st.one_of(subscriptions, financings)
says = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(Fate)), max_size=8)


def said(holding: Holding, all_of_them: Says, now: datetime = NOW) -> Holding:
    for invoice_id, fate in all_of_them:
        holding = fated(holding, invoice_id, fate, now)
    return holding


class TestFated:
    @settings(max_examples=200, deadline=None)
    @given(holding=holdings, all_of_them=says, chance=st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_what_different_invoices_say(
        self, holding: Holding, all_of_them: Says, chance: Random
    ) -> None:
        latest = list(dict(all_of_them).items())
        shuffled = list(latest)
        chance.shuffle(shuffled)
        assert said(holding, shuffled) == said(holding, latest) == said(holding, all_of_them)

    @settings(max_examples=200, deadline=None)
    @given(holding=holdings, all_of_them=says)
    def test_is_the_worst_that_any_invoice_says(self, holding: Holding, all_of_them: Says) -> None:
        found = said(holding, all_of_them).held_back
        left = {str(ident): fate for ident, fate in dict(all_of_them).items() if fate is not Fate.LIVE}
        assert (found is None) is (not left)
        if found is not None:
            assert found.fates == left
            assert all(SEVERITY.index(fate) <= SEVERITY.index(found.fate) for fate in left.values())
            assert found.fate in left.values()

    @settings(max_examples=200, deadline=None)
    @given(holding=holdings, all_of_them=says)
    def test_of_one_invoice_that_is_live_again_leaves_what_the_others_say(
        self, holding: Holding, all_of_them: Says
    ) -> None:
        others = [(ident, fate) for ident, fate in all_of_them if ident != 1]
        both = said(holding, [*all_of_them, (1, Fate.LIVE)])
        assert both == said(holding, others)

    @settings(max_examples=200, deadline=None)
    @given(holding=holdings, all_of_them=says)
    def test_said_again_later_changes_nothing(self, holding: Holding, all_of_them: Says) -> None:
        once = said(holding, all_of_them)
        for ident, fate in dict(all_of_them).items():
            assert fated(once, ident, fate, NOW + LATER) == once

    @settings(max_examples=200, deadline=None)
    @given(holding=holdings, all_of_them=says)
    def test_never_prolongs_what_was_paid_nor_asks_for_a_payment(self, holding: Holding, all_of_them: Says) -> None:
        found = said(holding, all_of_them)
        if found.held_back is None:
            return
        assert found.next_payment_at is None
        before, after = holding.access_until, found.access_until
        assert before is None or (after is not None and after <= before)

    @settings(max_examples=200, deadline=None)
    @given(holding=holdings, fate=st.sampled_from([Fate.SUSPENDED, Fate.ENDED]))
    def test_that_is_bad_enough_ends_access_now(self, holding: Holding, fate: Fate) -> None:
        until = fated(holding, 1, fate, NOW + LATER).access_until
        assert until is not None
        assert until <= NOW + LATER


class TestLifted:
    @settings(max_examples=200, deadline=None)
    @given(holding=holdings, all_of_them=says)
    def test_is_exactly_what_was_before(self, holding: Holding, all_of_them: Says) -> None:
        found = said(holding, all_of_them)
        assert lifted(found) == holding
        assert lifted(lifted(found)) == holding
        assert said(found, [(ident, Fate.LIVE) for ident in range(1, 5)], NOW + LATER) == holding


class TestPeriodInvoiceId:
    @settings(max_examples=200, deadline=None)
    @given(
        holding_id=st.integers(1, 2**53 - 1),
        starts=st.lists(st.integers(1_767_225_600, 3_900_000_000), min_size=2, max_size=9, unique=True),
    )
    def test_sorts_by_the_periods_time_and_is_one_for_each(self, holding_id: int, starts: list[int]) -> None:
        found = [period_invoice_id(holding_id, utc(at)) for at in sorted(starts)]
        assert found == sorted(set(found))
        assert found[0] > 0 and found[-1] < 2**53
        assert found == [period_invoice_id(holding_id, utc(at)) for at in sorted(starts)]

    @pytest.mark.parametrize("first", [7_000_000_000, 137_438_953_472_000])
    def test_differs_between_plans_that_begin_at_one_instant(self, first: int) -> None:
        """Five plans of an invitation, each month of twenty years."""
        ids = [first + number * 4096 for number in range(5)]
        for month in range(240):
            starts_at = NOW + timedelta(days=30 * month)
            made = {ident: period_invoice_id(ident, starts_at) for ident in ids}
            clash = [pair for pair in combinations(ids, 2) if made[pair[0]] == made[pair[1]]]
            assert not clash, (clash, starts_at)
