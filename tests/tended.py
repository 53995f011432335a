"""Holdings as purchases make them, and the worker that does what is due about them, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Any

from chalicelib.books.subscriptions import course
from chalicelib.books.subscriptions.course import Step, due_refills, due_step, next_due, next_refill_at, refills_after
from chalicelib.books.subscriptions.cycle import fated, financing_access_end, first_period_end, is_metered
from chalicelib.books.subscriptions.model import (
    Fate,
    Financing,
    Holding,
    Pause,
    Status,
    Subscription,
    TermItem,
    Terms,
)
from chalicelib.flows.fulfillment.delivery import RenewalDelivery
from chalicelib.flows.fulfillment.renewal import expected_start, next_invoice_id, over, refused, renewed
from chalicelib.kernel.periods import Unit, boundary
from tests.billing_rows import USER, a_term_item, some_terms

BEGINS = datetime(2026, 1, 31, 12, tzinfo=UTC)
INSTANT = timedelta.resolution
DAY = timedelta(days=1)
FAR = datetime(2400, 1, 1, tzinfo=UTC)


class Answer(StrEnum):
    """How a payment goes. NONE: nobody knows yet, so it is looked at again in a quarter of an hour."""

    PAID = "paid"
    SOFT = "card_declined"
    HARD = "expired_card"
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


def with_items(*renewals: tuple[int, Unit], **changed: Any) -> Terms:
    items = tuple(
        a_term_item(link_id=str(number), renew_at=every, renew_at_unit=unit)
        for number, (every, unit) in enumerate(renewals)
    )
    return some_terms(items=items, **changed)


def with_changes(holding: Holding, **changes: Any) -> Holding:
    return holding.model_copy(update=changes)


def say(holding: Holding, fate: Fate, now: datetime) -> Holding:
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
            self.holding = over(holding, Status.EXPIRED, None, now)
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
        self.holding = paid(self.holding, now) if answer is Answer.PAID else declined(self.holding, answer, now)

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
            if ends > now and until > now:  # in the days of grace, nothing that is counted comes
                assert (item.link_id, int(paid_for[-1].timestamp())) in self.given, "a refill is lost"


def calendar_of(item: TermItem, start: datetime, until: datetime) -> list[datetime]:
    """Every boundary of an item until then, one after the other."""
    found: list[datetime] = []
    while not found or found[-1] <= until:
        found.append(boundary(start, item.renewal, len(found)))
    return found[:-1]


def paid(holding: Holding, now: datetime) -> Holding:
    renewal = RenewalDelivery(
        holding_id=holding.id,
        financed=isinstance(holding, Financing),
        plan_id=holding.terms.plan_id,
        starts_at=expected_start(holding),
    )
    return renewed(holding, next_invoice_id(holding), renewal, now)


def declined(holding: Holding, code: str, now: datetime) -> Holding:
    return refused(holding, code=code, payment_method_id="pm_1", scheduled=True, now=now)


def disturbed(holding: Holding, chance: Random, now: datetime) -> Holding:
    """What a customer, staff or a bank does to it, where they can."""
    if holding.ended_at is not None:
        return holding
    if holding.held_back is not None:
        return say(holding, chance.choice(list(Fate)), now)
    what = chance.choice(("cancel", "fate", "pause", "change"))
    if what == "fate":
        return say(holding, chance.choice(list(Fate)), now)
    if what == "cancel" and holding.next_payment_at is not None and holding.status is not Status.PAUSED:
        return with_changes(holding, status=Status.CANCELLED, next_payment_at=None, dunning=None)
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
