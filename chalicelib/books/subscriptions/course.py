"""What must be done about a holding, and when. Pure: the holding is a state machine, and its row waits for `next_due`.

Steps may be asked for late, twice, and in parallel: each is computed from the holding as it is, and doing one changes
the holding so that it is not asked for again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.books.subscriptions.cycle import (
    coming_terms,
    earlier,
    is_metered,
    period_invoice_id,
    period_invoices,
)
from chalicelib.books.subscriptions.model import Fate, Holding, Status, Subscription, TermItem
from chalicelib.kernel.periods import Span, Unit, boundary, latest_boundary, utc

DUNNING_DAYS = (1, 3, 5, 7)
"""After how many days from the first refusal a payment is tried again (D78)."""
TRIAL_TOLD_BEFORE = timedelta(days=3)
DEARER_TOLD_BEFORE = timedelta(days=7)
INSTANT = timedelta.resolution
PAYING = frozenset({Status.ACTIVE, Status.FREE_TRIAL, Status.PAYMENT_ISSUE, Status.PAUSED})


class Step(StrEnum):
    """In the order in which they are done where several are due."""

    RETIME = "retime"
    SEATS = "seats"
    PAUSE = "pause"
    CHARGE = "charge"
    END = "end"
    REFILL = "refill"
    TRIAL_NOTICE = "trial-notice"
    DEARER_NOTICE = "dearer-notice"


@dataclass(frozen=True, slots=True)
class Refill:
    """Units of an item that come at a boundary of its own calendar."""

    item: TermItem
    at: datetime
    expires_at: datetime | None


def next_due(holding: Holding) -> datetime | None:
    """When something must be done next; None: never."""
    return min((at for _, at in _steps(holding)), default=None)


def due_step(holding: Holding, now: datetime) -> Step | None:
    """What is to be done first; None: nothing is due."""
    due = {step for step, at in _steps(holding) if at <= now}
    return next((step for step in Step if step in due), None)


def _steps(holding: Holding) -> Iterator[tuple[Step, datetime]]:
    if holding.lots_until != holding.access_until:
        yield Step.RETIME, holding.created_at
    if holding.seats_told not in (None, seats_mark(holding)):
        yield Step.SEATS, holding.created_at
    if holding.ended_at is not None or is_stopped(holding):
        return
    charge = charge_at(holding)
    if charge is not None:
        yield Step.PAUSE if _is_pausing(holding) else Step.CHARGE, charge
    ends = end_at(holding)
    if ends is not None:
        yield Step.END, ends
    refill = next_refill_at(holding)
    if refill is not None:
        yield Step.REFILL, refill
    yield from _notices(holding)


def is_stopped(holding: Holding) -> bool:
    """A payment of it is disputed, or was refunded for good: its claim went with the refund."""
    return holding.held_back is not None and holding.held_back.fate in (Fate.SUSPENDED, Fate.ENDED)


def seats_mark(holding: Holding) -> str:
    """What the units of further seats follow: when it changes, each of them is looked at."""
    instants = (holding.access_until, holding.paid_through, anchor(holding))
    seconds = ["-" if at is None else str(int(at.timestamp())) for at in instants]
    return ".".join([*seconds, str(holding.terms.since)])


def _is_pausing(holding: Holding) -> bool:
    """Whether it pauses on the day of its next payment, instead of it: not if that one was refused already."""
    asked = isinstance(holding, Subscription) and holding.pause is not None
    return asked and holding.status is not Status.PAUSED and holding.dunning is None


def renews(holding: Holding) -> bool:
    """Whether a payment will be asked for, at the latest on `next_payment_at`."""
    return (
        holding.ended_at is None
        and holding.held_back is None
        and holding.next_payment_at is not None
        and holding.status in PAYING
    )


def charge_at(holding: Holding) -> datetime | None:
    """When the next payment is to be tried; None where none is."""
    if not renews(holding):
        return None
    dunning = holding.dunning
    at = holding.next_payment_at if dunning is None else dunning.card_saved_at or dunning.next_attempt_at
    if at is None or holding.retry_at is None:
        return at
    return max(at, holding.retry_at)


def end_at(holding: Holding) -> datetime | None:
    """When it is over for good: access that nothing will prolong has ended."""
    return None if renews(holding) else holding.access_until


def is_over_by(holding: Holding, now: datetime) -> bool:
    """Whether it is over by its dates, and only nobody has come to say so."""
    return any(step is Step.END and at <= now for step, at in _steps(holding))


def anchor(holding: Holding) -> datetime:
    """From where its items' own calendars count: the origin of the periods, and in a trial its beginning.

    A trial that is cancelled, or whose first payment is refused, has no period yet: it counts as before.
    """
    return holding.created_at if _had_only_a_trial(holding) else holding.origin


def _had_only_a_trial(holding: Holding) -> bool:
    if not isinstance(holding, Subscription) or holding.trial_ends_at is None or holding.paid_until is None:
        return False
    return holding.paid_until <= holding.trial_ends_at


def latest_mark(holding: Holding, item: TermItem, now: datetime) -> int:
    """The item's latest boundary at or before now that is paid for: its number; -1 where there is none."""
    paid = holding.paid_through
    last = now if paid is None else min(now, paid - INSTANT)
    return latest_boundary(anchor(holding), item.renewal, last)


def refill_at(holding: Holding, item: TermItem, now: datetime) -> Refill | None:
    """The refill of an item that is due, if it is: of its latest boundary, where that was not given yet.

    One that would have ended by now is not given: it could not be used. Where only the access ended, and a payment that
    is late may still prolong it, it is: its units come as ended, and last longer once that is paid.
    """
    if not is_metered(item):
        return None
    start, number = anchor(holding), latest_mark(holding, item, now)
    at, following = (boundary(start, item.renewal, max(number, 0) + more) for more in (0, 1))
    if number < 0 or int(at.timestamp()) <= refilled(holding, item) or following <= now:
        return None
    expires_at = earlier(following, holding.access_until)
    is_over = expires_at is not None and expires_at <= now
    return None if is_over and not renews(holding) else Refill(item, at, expires_at)


def arriving(holding: Holding, now: datetime) -> Iterator[Refill]:
    """What other terms begin with: every item at once, where it would not have ended by now."""
    at = utc(holding.terms.since)
    for item in holding.terms.items:
        expires_at = lot_end(holding, item, holding.access_until)
        if expires_at is None or expires_at > now:
            yield Refill(item, at, expires_at)


def refills_after(holding: Holding, now: datetime) -> dict[str, int]:
    """The latest refills once those that are due were given, or had ended before anybody could give them."""
    marks = dict(holding.refills)
    for item in holding.terms.items:
        if is_metered(item):
            number = latest_mark(holding, item, now)
            at = int(boundary(anchor(holding), item.renewal, max(number, 0)).timestamp())
            if number >= 0 and at > refilled(holding, item):
                marks[item.link_id] = at
    return marks


def refilled(holding: Holding, item: TermItem) -> int:
    """The boundary whose units of an item came last, in unix seconds. What the terms began with came with them."""
    begun = max(int(holding.created_at.timestamp()), holding.terms.since)
    return max(holding.refills.get(item.link_id, begun), begun)


def _given_until(holding: Holding, item: TermItem) -> datetime:
    """The last instant of the second that `refilled` names: a boundary within it was given."""
    return utc(refilled(holding, item) + 1) - INSTANT


def due_refills(holding: Holding, now: datetime) -> tuple[Refill, ...]:
    """Every item's units that are due."""
    found = (refill_at(holding, item, now) for item in holding.terms.items)
    return tuple(refill for refill in found if refill is not None)


def next_refill_at(holding: Holding) -> datetime | None:
    """The next boundary of an item that is paid for and not given yet."""
    start, paid = anchor(holding), holding.paid_through
    found = []
    for item in holding.terms.items:
        if not is_metered(item):
            continue
        at = boundary(start, item.renewal, latest_boundary(start, item.renewal, _given_until(holding, item)) + 1)
        if paid is None or at < paid:
            found.append(at)
    return min(found, default=None)


def lot_end(holding: Holding, item: TermItem, access_until: datetime | None) -> datetime | None:
    """When the item's latest units end, with access until then."""
    if not is_metered(item):
        return access_until
    start, last = anchor(holding), _given_until(holding, item)
    return earlier(boundary(start, item.renewal, latest_boundary(start, item.renewal, last) + 1), access_until)


def lot_id(holding: Holding, item: TermItem) -> str:
    """The lot of the item's latest units: named after the refill that brought them, or what came at once."""
    refill = holding.refills.get(item.link_id, 0) if is_metered(item) else 0
    return f"{holding.id}_{item.link_id}_{max(refill, holding.terms.since)}"


def current_lots(holding: Holding) -> dict[str, datetime | None]:
    """The lots that its items have now, and when each should end."""
    return {lot_id(holding, item): lot_end(holding, item, holding.access_until) for item in holding.terms.items}


def ends_moved(holding: Holding, fresh: Collection[str]) -> bool:
    """Whether open lots end otherwise than they should, but for those of the items (by link) that were just given."""
    return any(
        lot_end(holding, item, holding.lots_until) != lot_end(holding, item, holding.access_until)
        for item in holding.terms.items
        if item.link_id not in fresh
    )


def next_attempt(since: datetime, failures: int, now: datetime) -> datetime | None:
    """When a payment refused now, so many times on our schedule, is tried again; None: never again.

    Where attempts came late, still a day apart: what was missed is not made up for at once.
    """
    if failures > len(DUNNING_DAYS):
        return None
    return max(since + timedelta(days=DUNNING_DAYS[failures - 1]), now + timedelta(days=1))


def paying_invoice_id(holding: Holding, at: datetime) -> int:
    """The invoice that paid for the period in which an instant lies: the period's own; or where it began with the
    purchase, with a change, or with instalments that were paid at once, the last one before those of later periods.
    """
    if isinstance(holding, Subscription):
        span, paid = holding.terms.period, holding.periods_paid
    else:
        span, paid = MONTH, holding.installments_paid
    number = latest_boundary(holding.origin, span, at)
    if number < 0:
        return holding.id
    starts = (boundary(holding.origin, span, each) for each in range(number, max(paid, number + 1)))
    own, *later = (period_invoice_id(holding.id, at) for at in starts)
    known = [ident for ident in period_invoices(holding) if ident not in later]
    return own if own in known else known[-1]


MONTH = Span(1, Unit.MONTH)


def trial_told(holding: Subscription) -> str:
    """The name of the notice of a trial's end, with what it costs then: of another plan, it is told again."""
    terms = coming_terms(holding)
    return f"trial-{int(holding.created_at.timestamp())}-{terms.plan_id}-{terms.full_amount}"


def dearer_told(at: datetime) -> str:
    """The name of the notice of a dearer payment due then."""
    return f"dearer-{int(at.timestamp())}"


def _notices(holding: Holding) -> Iterator[tuple[Step, datetime]]:
    due = holding.next_payment_at
    if not isinstance(holding, Subscription) or due is None or not renews(holding) or holding.dunning is not None:
        return
    if holding.status is Status.FREE_TRIAL:
        if trial_told(holding) not in holding.told:
            yield Step.TRIAL_NOTICE, max(holding.created_at, due - TRIAL_TOLD_BEFORE)
    elif _is_pausing(holding) or holding.planned is not None:
        return  # its customer chose what comes
    elif holding.terms.coupons and dearer_told(due) not in holding.told:
        yield Step.DEARER_NOTICE, max(holding.paid_at, due - DEARER_TOLD_BEFORE)
