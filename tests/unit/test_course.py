"""The course of a holding: what is due, once, in time, and nothing after it is over."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.subscriptions import course
from chalicelib.books.subscriptions.course import Step, due_refills, due_step, next_due, next_refill_at
from chalicelib.books.subscriptions.cycle import is_metered, lifted
from chalicelib.books.subscriptions.model import Fate, Holding, Pause, Status, Subscription, TermCoupon
from chalicelib.kernel.periods import Span, Unit, utc
from tests.billing_rows import a_term_item, some_terms
from tests.tended import (
    BEGINS,
    DAY,
    FAR,
    Tended,
    a_financing,
    a_subscription,
    a_trial,
    calendar_of,
    declined,
    disturbed,
    say,
    with_changes,
    with_items,
)

COUPON = TermCoupon(slug="off", discount_type="PERCENT_OFF", discount_value=Decimal("0.1"), renewals=1, expires_at=None)

renewals = st.builds(Span, st.integers(1, 5), st.sampled_from(Unit))
term_items = st.lists(
    st.builds(
        lambda renewal, how_many, is_renewable: {
            "renew_at": renewal.every,
            "renew_at_unit": renewal.unit,
            "how_many": how_many,
            "is_renewable": is_renewable,
        },
        renewals,
        st.sampled_from([-1, 5, 100]),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=3,
).map(lambda found: tuple(a_term_item(link_id=str(number), **values) for number, values in enumerate(found)))
all_terms = st.builds(
    lambda items, period, coupons: some_terms(
        items=items, pay_every=period.every, pay_every_unit=period.unit, coupons=coupons
    ),
    term_items,
    st.sampled_from([Span(1, Unit.MONTH), Span(3, Unit.MONTH), Span(6, Unit.MONTH), Span(1, Unit.YEAR)]),
    st.sampled_from([(), (COUPON,)]),
)
begins = st.integers(1_767_225_600, 1_861_920_000).map(utc)
lives = st.sampled_from([None, Span(2, Unit.YEAR), Span(3, Unit.MONTH)])
fresh: st.SearchStrategy[Holding] = st.one_of(
    st.builds(lambda terms, at: a_subscription(terms=terms, created_at=at), all_terms, begins),
    st.builds(
        lambda terms, at: a_subscription(terms=terms, created_at=at, paid_until=None, next_payment_at=None),
        all_terms,
        begins,
    ),
    st.builds(lambda days, terms, at: a_trial(days, terms=terms, created_at=at), st.integers(1, 45), all_terms, begins),
    st.builds(
        lambda terms, at, count, life: a_financing(terms=terms, created_at=at, how_many_installments=count, life=life),
        all_terms,
        begins,
        st.integers(1, 14),
        lives,
    ),
)


class TestACourse:
    @settings(max_examples=120, deadline=None)
    @given(holding=fresh, seed=st.integers(0, 2**32))
    def test_of_whatever_happens_is_tended_once_and_to_its_end(self, holding: Holding, seed: int) -> None:
        chance = Random(seed)
        tended, now = Tended(holding, answers=chance), holding.created_at
        for _ in range(chance.randrange(30, 200)):
            now += timedelta(seconds=chance.randrange(3600, 86_400))
            if chance.random() < 0.04:
                now += timedelta(days=chance.randrange(1, 10))
            if chance.random() < 0.04:
                tended.holding = disturbed(tended.holding, chance, now)
                now += timedelta(seconds=1)
            tended.look(now)

    @settings(max_examples=40, deadline=None)
    @given(holding=fresh, seed=st.integers(0, 2**32))
    def test_that_is_paid_is_refilled_at_each_boundary(self, holding: Holding, seed: int) -> None:
        chance = Random(seed)
        tended, now = Tended(holding), holding.created_at
        while now < holding.created_at + timedelta(days=200):
            now += timedelta(seconds=chance.randrange(3600, 86_400))
            tended.look(now)
        trial_ends = holding.trial_ends_at if isinstance(holding, Subscription) else None
        for item in filter(is_metered, holding.terms.items):
            expected = calendar_of(item, holding.origin, now)
            if trial_ends is not None:
                expected += [at for at in calendar_of(item, holding.created_at, now) if at < trial_ends]
            until = tended.holding.access_until or FAR
            wanted = {int(at.timestamp()) for at in expected if holding.created_at < at < until}
            found = {at for link, at in tended.given if link == item.link_id}
            assert found == wanted if trial_ends is None else found <= wanted
            assert all(given - utc(at) <= DAY for (_, at), given in tended.given.items())

    @settings(max_examples=40, deadline=None)
    @given(holding=fresh, seed=st.integers(0, 2**32))
    def test_is_the_same_however_often_it_is_looked_at(self, holding: Holding, seed: int) -> None:
        """Looked at only when something is due, and at odd times besides: the same charges and refills."""
        seldom, often, chance = Tended(holding), Tended(holding), Random(seed)
        last, now = holding.created_at + timedelta(days=150), holding.created_at
        while (due := next_due(seldom.holding)) is not None and due <= last:
            while (now := now + timedelta(seconds=chance.randrange(1, 400_000))) < due:
                often.look(now)
            now = due
            seldom.look(now)
            often.look(now)
        assert (often.holding, often.charges, often.given) == (seldom.holding, seldom.charges, seldom.given)


class TestNextDue:
    @pytest.mark.parametrize("code", ["card_declined", "expired_card"])
    def test_of_refused_instalments_is_an_attempt_and_access_lasts_for_the_grace(self, code: str) -> None:
        due = a_financing().next_payment_at
        assert due is not None
        holding = declined(a_financing(), code, due)
        assert holding.access_until == due + timedelta(days=8)
        assert next_due(with_changes(holding, lots_until=holding.access_until)) == due + DAY

    def test_of_a_refused_payment_after_a_pause_is_to_try_it_again_and_not_to_pause(self) -> None:
        due = BEGINS + timedelta(days=60)
        pause = Pause(asked_at=BEGINS, days=30, begins_at=due - timedelta(days=30), until=due)
        paused = a_subscription(status=Status.PAUSED, pause=pause, origin=due, periods_paid=0, next_payment_at=due)
        holding = declined(paused, "card_declined", due)
        holding = with_changes(holding, lots_until=holding.access_until)
        assert due_step(holding, due + DAY) is Step.CHARGE

    @pytest.mark.parametrize("fate", [Fate.SUSPENDED, Fate.ENDED])
    def test_of_one_that_was_taken_back_is_to_retime_its_lots_and_then_never(self, fate: Fate) -> None:
        holding = say(a_subscription(), fate, BEGINS + DAY)
        assert due_step(holding, BEGINS + DAY) is Step.RETIME
        assert next_due(with_changes(holding, lots_until=holding.access_until)) is None

    def test_of_one_that_pauses_says_nothing_of_a_dearer_payment(self) -> None:
        holding = a_subscription(terms=some_terms(items=(), coupons=(COUPON,)))
        due = holding.next_payment_at
        assert due is not None and next_due(holding) == due - timedelta(days=7)
        pause = Pause(asked_at=BEGINS, days=30, begins_at=due, until=due + timedelta(days=30))
        pausing = holding.model_copy(update={"pause": pause})
        assert (next_due(pausing), due_step(pausing, due)) == (due, Step.PAUSE)


class TestNextAttempt:
    @pytest.mark.parametrize(("failures", "days"), [(1, 1), (2, 3), (3, 5), (4, 7)])
    def test_is_so_many_days_after_the_first_refusal(self, failures: int, days: int) -> None:
        previous = (0, 1, 3, 5)[failures - 1]
        assert course.next_attempt(BEGINS, failures, BEGINS + timedelta(days=previous)) == BEGINS + timedelta(days=days)

    def test_is_none_after_the_last(self) -> None:
        assert course.next_attempt(BEGINS, 5, BEGINS + timedelta(days=7)) is None

    def test_is_never_on_the_day_of_a_late_one(self) -> None:
        late = BEGINS + timedelta(days=9)
        assert course.next_attempt(BEGINS, 2, late) == late + DAY


class TestRefills:
    def test_of_a_cancelled_trial_go_on_until_it_ends(self) -> None:
        trial = a_trial(terms=with_items((1, Unit.WEEK)))
        cancelled = trial.model_copy(update={"status": Status.CANCELLED, "next_payment_at": None})
        assert next_refill_at(trial) == next_refill_at(cancelled) == BEGINS + timedelta(weeks=1)
        tended = Tended(cancelled)
        for days in range(40):
            tended.look(BEGINS + timedelta(days=days))
        assert [at for _, at in tended.given] == [
            int((BEGINS + timedelta(weeks=weeks)).timestamp()) for weeks in (1, 2, 3, 4)
        ]

    def test_from_before_a_change_of_plan_came_with_it(self) -> None:
        """The weekly refill of day 7 was not given yet when the plan changed: the new plan's first units were."""
        changed = BEGINS + timedelta(days=7, hours=1)
        terms = with_items((1, Unit.WEEK), since=int(changed.timestamp()))
        holding = a_subscription(terms=terms, refills={"0": int(BEGINS.timestamp())})
        assert due_refills(holding, changed) == ()
        assert next_refill_at(holding) == BEGINS + timedelta(weeks=2)

    @pytest.mark.parametrize("fate", [None, Fate.ENDING])
    def test_of_instalments_that_are_cancelled_end_with_what_was_paid(self, fate: Fate | None) -> None:
        financing = a_financing()
        due = financing.next_payment_at
        changes: dict[str, Any] = {"status": Status.CANCELLED, "next_payment_at": None}
        holding = with_changes(financing, **changes) if fate is None else say(financing, fate, BEGINS + DAY)
        assert holding.paid_through == holding.access_until == due
        assert next_refill_at(holding) is None
        assert course.end_at(holding) == due

    def test_of_a_calendar_that_begins_within_a_second_are_due_once(self) -> None:
        origin = BEGINS.replace(microsecond=500_000)
        holding = a_subscription(terms=with_items((1, Unit.WEEK)), created_at=origin)
        tended = Tended(holding)
        for days in range(1, 29):
            tended.look(origin + timedelta(days=days))
        assert len(tended.given) == 4

    def test_of_a_whole_week_missed_is_the_latest_only(self) -> None:
        holding = a_subscription(terms=with_items((1, Unit.DAY)))
        tended = Tended(holding)
        tended.look(BEGINS + timedelta(days=7, hours=1))
        assert list(tended.given) == [("0", int((BEGINS + timedelta(days=7)).timestamp()))]

    def test_stop_while_a_payment_is_disputed_and_catch_up_when_it_is_won(self) -> None:
        tended = Tended(a_subscription(terms=with_items((1, Unit.WEEK))))
        tended.holding = say(tended.holding, Fate.SUSPENDED, BEGINS + timedelta(days=6))
        tended.look(BEGINS + timedelta(days=8))
        assert tended.given == {}
        tended.holding = lifted(tended.holding)
        tended.look(BEGINS + timedelta(days=9))
        assert list(tended.given) == [("0", int((BEGINS + timedelta(days=7)).timestamp()))]
