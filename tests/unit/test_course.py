"""The course of a holding: what is due, once, in time, and nothing after it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.subscriptions import course
from chalicelib.books.subscriptions.course import Step, due_refills, due_step, next_due, next_refill_at, refills_after
from chalicelib.books.subscriptions.cycle import (
    fated,
    financing_access_end,
    first_period_end,
    is_metered,
    lifted,
)
from chalicelib.books.subscriptions.model import (
    Dunning,
    Fate,
    Financing,
    Holding,
    Pause,
    Status,
    Subscription,
    TermCoupon,
    TermItem,
)
from chalicelib.kernel.periods import Span, Unit, boundary, utc
from tests.billing_rows import USER, a_term_item, some_terms

BEGINS = datetime(2026, 1, 31, 12, tzinfo=UTC)
INSTANT = timedelta.resolution
DAY = timedelta(days=1)
FAR = datetime(2400, 1, 1, tzinfo=UTC)
COUPON = TermCoupon(slug="off", discount_type="PERCENT_OFF", discount_value="0.1", renewals=1, expires_at=None)  # type: ignore[arg-type]


class Answer(StrEnum):
    """How a payment goes. NONE: nobody knows yet, so it is looked at again in a quarter of an hour."""

    PAID = "paid"
    SOFT = "soft"
    HARD = "hard"
    NONE = "none"


def a_subscription(**changed: Any) -> Subscription:
    """A subscription as a paid purchase makes it."""
    begins, terms = changed.get("created_at", BEGINS), changed.get("terms", some_terms())
    until = changed.get("paid_until", first_period_end(terms, begins))
    values = {
        "id": 1,
        "user_id": USER,
        "status": Status.ACTIVE,
        "terms": terms,
        "origin": begins,
        "periods_paid": 1,
        "paid_at": begins,
        "paid_until": until,
        "next_payment_at": until,
        "invoice_ids": (1,),
        "created_at": begins,
        "lots_until": until,
    }
    return Subscription(**(values | changed))


def a_trial(days: int = 30, **changed: Any) -> Subscription:
    ends = changed.get("created_at", BEGINS) + timedelta(days=days)
    trial = {"status": Status.FREE_TRIAL, "origin": ends, "periods_paid": 0, "payments": 0, "trial_ends_at": ends}
    return a_subscription(**(trial | {"paid_until": ends} | changed))


def a_financing(**changed: Any) -> Financing:
    """A financing as its first instalment makes it."""
    begins, count = changed.get("created_at", BEGINS), changed.get("how_many_installments", 12)
    ends = financing_access_end(begins, life=changed.pop("life", None), instalments=count)
    values = {
        "id": 1,
        "user_id": USER,
        "status": Status.ACTIVE if count > 1 else Status.FULLY_PAID,
        "terms": some_terms(),
        "origin": begins,
        "how_many_installments": count,
        "installments_paid": 1,
        "monthly_amount": 29_900,
        "paid_at": begins,
        "next_payment_at": boundary(begins, course.MONTH, 1) if count > 1 else None,
        "plan_expires_at": ends,
        "invoice_ids": (1,),
        "created_at": begins,
        "lots_until": ends,
    }
    return Financing(**(values | changed))


def with_items(*renewals: tuple[int, Unit], **changed: Any) -> Any:
    items = tuple(
        a_term_item(link_id=str(number), renew_at=every, renew_at_unit=unit)
        for number, (every, unit) in enumerate(renewals)
    )
    return some_terms(items=items, **changed)


def with_changes(holding: Holding, **changes: Any) -> Holding:
    return holding.model_copy(update=changes)


def say(holding: Holding, fate: Fate, now: datetime) -> Holding:
    if isinstance(holding, Subscription):
        return fated(holding, 1, fate, now)
    return fated(holding, 1, fate, now)


@dataclass
class Tended:
    """A holding whose due steps are done as the worker does them, and what they gave."""

    holding: Holding
    answers: Random | None = None
    given: dict[tuple[str, int], datetime] = field(default_factory=dict)
    charges: list[datetime] = field(default_factory=list)

    def look(self, now: datetime) -> None:
        """Do what is due until nothing is, and see that each step was needed, once."""
        self.holds_together(now)
        steps: list[Step] = []
        while (step := due_step(self.holding, now)) is not None:
            steps.append(step)
            assert len(steps) < 12, f"without end: {steps}"
            due = next_due(self.holding)
            assert due is not None and due <= now
            before = self.holding
            self.do(step, now)
            assert self.holding != before, f"{step} changes nothing"
            assert due_step(self.holding, now) is not step, f"{step} is due again"
        assert steps.count(Step.CHARGE) <= 1
        self.holds_together(now)
        self.none_is_lost(now)

    def do(self, step: Step, now: datetime) -> None:
        holding = self.holding
        if step is Step.RETIME:
            self.holding = with_changes(holding, lots_until=holding.access_until)
        elif step is Step.CHARGE:
            self.charge(now)
        elif step is Step.END:
            assert holding.access_until is not None and holding.access_until <= now
            self.holding = with_changes(holding, status=Status.EXPIRED, ended_at=now)
        elif step is Step.REFILL:
            self.refill(now)
        elif isinstance(holding, Subscription) and step is Step.PAUSE:
            assert holding.pause is not None
            until = holding.pause.until
            self.holding = holding.model_copy(
                update={"status": Status.PAUSED, "origin": until, "periods_paid": 0, "next_payment_at": until}
            )
        elif isinstance(holding, Subscription) and holding.next_payment_at is not None:
            is_trial = step is Step.TRIAL_NOTICE
            name = course.trial_told(holding) if is_trial else course.dearer_told(holding.next_payment_at)
            self.holding = holding.model_copy(update={"told": (*holding.told, name)})

    def refill(self, now: datetime) -> None:
        holding, begun = self.holding, max(int(self.holding.created_at.timestamp()), self.holding.terms.since)
        marks = refills_after(holding, now)
        for refill in due_refills(holding, now):
            key = (refill.item.link_id, int(refill.at.timestamp()))
            assert key not in self.given, f"{key} is given twice"
            assert begun < key[1] and refill.at <= now
            assert holding.paid_through is None or refill.at < holding.paid_through, "not paid"
            assert refill.expires_at is None or refill.expires_at > now
            assert marks[refill.item.link_id] == key[1]
            self.given[key] = now
        assert all(marks[link] >= mark for link, mark in holding.refills.items())
        self.holding = with_changes(holding, refills=marks)

    def charge(self, now: datetime) -> None:
        answer = Answer.PAID
        if self.answers is not None:
            answer = self.answers.choices(list(Answer), weights=(12, 4, 1, 2))[0]
        if answer is Answer.NONE:
            self.holding = with_changes(self.holding, retry_at=now + timedelta(minutes=15))
            return
        assert not self.charges or now - self.charges[-1] >= DAY - timedelta(hours=1), "two attempts in a day"
        self.charges.append(now)
        self.holding = paid(self.holding, now) if answer is Answer.PAID else refused(self.holding, answer, now)

    def holds_together(self, now: datetime) -> None:
        """What is due and when say the same; what can still end does."""
        due = next_due(self.holding)
        if due is None:
            assert due_step(self.holding, FAR) is None
            stopped = self.holding.held_back is not None and self.holding.held_back.fate is not Fate.ENDING
            endless = self.holding.access_until is None
            assert self.holding.ended_at is not None or stopped or endless, "it never ends"
            return
        assert due_step(self.holding, due) is not None
        assert due_step(self.holding, due - INSTANT) is None
        assert (due_step(self.holding, now) is None) is (due > now)
        refill_due = next_refill_at(self.holding)
        if refill_due is not None and refill_due <= now:
            assert refills_after(self.holding, now) != self.holding.refills

    def none_is_lost(self, now: datetime) -> None:
        """Every item's latest paid boundary was given, unless it is what the terms began with."""
        holding = self.holding
        stopped = holding.held_back is not None and holding.held_back.fate is not Fate.ENDING
        if holding.ended_at is not None or stopped:
            return
        until = holding.paid_through or FAR
        begun = max(int(holding.created_at.timestamp()), holding.terms.since)
        for item in holding.terms.items:
            if not is_metered(item):
                continue
            start = course.anchor(holding)
            paid_for = [at for at in calendar_of(item, start, now) if at <= now and at < until]
            if not paid_for or int(paid_for[-1].timestamp()) <= begun:
                continue
            ends = boundary(start, item.renewal, len(paid_for))
            if ends > now and (holding.access_until is None or holding.access_until > now):
                assert (item.link_id, int(paid_for[-1].timestamp())) in self.given, "a refill is lost"


def calendar_of(item: TermItem, start: datetime, until: datetime) -> list[datetime]:
    """Every boundary of an item until then, one after the other."""
    found: list[datetime] = []
    while not found or found[-1] <= until:
        found.append(boundary(start, item.renewal, len(found)))
    return found[:-1]


def paid(holding: Holding, now: datetime) -> Holding:
    following = following_payment(holding)
    changes: dict[str, Any] = {
        "status": Status.ACTIVE,
        "payments": holding.payments + 1,
        "paid_at": now,
        "dunning": None,
        "next_payment_at": following,
        "retry_at": now + DAY if following is not None and following <= now else None,
    }
    if isinstance(holding, Subscription):
        changes |= {"periods_paid": holding.periods_paid + 1, "paid_until": following, "pause": None}
    else:
        changes["installments_paid"] = holding.installments_paid + 1
        changes["status"] = Status.ACTIVE if following is not None else Status.FULLY_PAID
    return with_changes(holding, **changes)


def following_payment(holding: Holding) -> datetime | None:
    if isinstance(holding, Financing):
        number = holding.installments_paid + 1
        return boundary(holding.origin, course.MONTH, number) if number < holding.how_many_installments else None
    return boundary(holding.origin, holding.terms.period, holding.periods_paid + 1)


def refused(holding: Holding, answer: Answer, now: datetime) -> Holding:
    before = holding.dunning
    since, failures = (now, 1) if before is None else (before.since, before.failures + 1)
    again = course.next_attempt(since, failures, now)
    if again is None:
        return with_changes(holding, status=Status.EXPIRED, ended_at=now)
    dunning = Dunning(
        since=since,
        failures=failures,
        payment_method_id="pm_1",
        code="card_declined",
        hard=answer is Answer.HARD,
        next_attempt_at=again,
    )
    changes: dict[str, Any] = {"status": Status.PAYMENT_ISSUE, "dunning": dunning, "retry_at": None}
    if isinstance(holding, Subscription):
        changes["pause"] = None
    return with_changes(holding, **changes)


def disturbed(holding: Holding, chance: Random, now: datetime) -> Holding:
    """What a customer, staff or a bank does to it, where they can."""
    if holding.ended_at is not None:
        return holding
    if holding.held_back is not None:
        return say(holding, chance.choice(list(Fate)), now)
    what = chance.choice(("cancel", "fate", "pause", "change", "card"))
    if what == "fate":
        return say(holding, chance.choice(list(Fate)), now)
    if what == "cancel" and holding.next_payment_at is not None and holding.status is not Status.PAUSED:
        return with_changes(holding, status=Status.CANCELLED, next_payment_at=None, dunning=None)
    if what == "card" and holding.dunning is not None:
        dunning = holding.dunning.model_copy(update={"hard": False, "next_attempt_at": now + DAY})
        return with_changes(holding, dunning=dunning)
    if isinstance(holding, Subscription) and holding.status is Status.ACTIVE and holding.paid_until is not None:
        if what == "pause" and holding.pause is None and holding.paid_until > now:
            days = chance.randrange(1, 91)
            until = holding.paid_until + timedelta(days=days)
            pause = Pause(asked_at=now, days=days, begins_at=holding.paid_until, until=until)
            return holding.model_copy(update={"pause": pause})
        if what == "change":
            terms = holding.terms.model_copy(update={"since": int(now.timestamp())})
            return holding.model_copy(update={"terms": terms})
    return holding


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
    def test_of_a_card_that_cannot_succeed_is_the_end_of_the_grace(self) -> None:
        due = a_subscription().next_payment_at
        assert due is not None
        holding = refused(a_subscription(), Answer.HARD, due)
        tended = Tended(holding)
        tended.look(due)
        assert next_due(tended.holding) == due + timedelta(days=8)
        assert due_step(tended.holding, due + timedelta(days=8)) is Step.END

    def test_of_an_instalment_that_cannot_succeed_is_not_the_plans_end(self) -> None:
        due = a_financing().next_payment_at
        assert due is not None
        holding = refused(a_financing(), Answer.HARD, due)
        assert holding.access_until == due + timedelta(days=8)
        assert course.end_at(holding) == due + timedelta(days=8)

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
        assert isinstance(tended.holding, Subscription)
        tended.holding = lifted(tended.holding)
        tended.look(BEGINS + timedelta(days=9))
        assert list(tended.given) == [("0", int((BEGINS + timedelta(days=7)).timestamp()))]
