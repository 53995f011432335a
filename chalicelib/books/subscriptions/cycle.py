"""When periods end, when units are renewed, how long access lasts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from chalicelib.books.subscriptions.model import (
    ADD_ON_PREFIX,
    PER_TEAM,
    Fate,
    HeldBack,
    Holding,
    SeatsChange,
    Status,
    Subscription,
    TermItem,
    Terms,
)
from chalicelib.kernel.ids import derived_id, new_id
from chalicelib.kernel.periods import Span, Unit, after, boundary

FATED_STATUS = {
    Fate.SUSPENDED: Status.PAYMENT_ISSUE,
    Fate.ENDING: Status.CANCELLED,
    Fate.ENDED: Status.CANCELLED,
}
FATED_MESSAGES = {
    Fate.SUSPENDED: "The payment is disputed.",
    Fate.ENDING: "The payment was refunded.",
    Fate.ENDED: "The payment was refunded.",
}
SEVERITY = (Fate.LIVE, Fate.ENDING, Fate.SUSPENDED, Fate.ENDED)
SEATS_CHANGES_KEPT = 20
HIDDEN = frozenset({Status.EXPIRED, Status.DEPRECATED})


def first_period_end(terms: Terms, origin: datetime) -> datetime:
    return after(origin, terms.period)


def financing_access_end(origin: datetime, *, life: Span | None, instalments: int) -> datetime:
    """The later of the plan's life and one month after the last instalment's due day (D34, D80)."""
    paid_through = boundary(origin, Span(1, Unit.MONTH), instalments)
    return paid_through if life is None else max(paid_through, after(origin, life))


def is_metered(item: TermItem) -> bool:
    """Whether its units are counted and come again; what is not is one lot for as long as access lasts."""
    return item.is_renewable and item.how_many >= 0


def copied(terms: Terms) -> tuple[TermItem, ...]:
    """The items of which each further seat gets its own units (D31, D77). Add-ons are bought once, for the owner."""
    if terms.strategy == PER_TEAM:
        return ()
    return tuple(item for item in terms.items if not item.pooled and not item.link_id.startswith(ADD_ON_PREFIX))


def units_expire_at(item: TermItem, origin: datetime, access_until: datetime | None) -> datetime | None:
    """When the units granted at the origin end: at the item's next renewal within the access, else with it."""
    if not is_metered(item):
        return access_until
    return earlier(after(origin, item.renewal), access_until)


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two ends; None is no end."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def period_invoice_id(holding_id: int, starts_at: datetime) -> int:
    """The id of the one invoice of the period (or instalment) that begins then: it sorts by the period's second.

    Where in that second also follows from the holding. Plans of one invitation begin together, and the random bits
    alone would give two of them the same id once in 4096 periods: one would never be charged.
    """
    parts = ("period", holding_id, int(starts_at.timestamp()))
    moment = starts_at.replace(microsecond=0) + timedelta(milliseconds=derived_id(0, *parts, "millisecond") % 1000)
    return derived_id(new_id(moment, lambda bits: 0), *parts)


def lifted(holding: Holding) -> Holding:
    """The holding as it was, and would be, without the refunds and disputes of its payments."""
    before = holding.held_back
    if before is None:
        return holding
    changes: dict[str, object] = {
        "status": before.status,
        "status_message": before.status_message,
        "next_payment_at": before.next_payment_at,
        "held_back": None,
    }
    changes["paid_until" if isinstance(holding, Subscription) else "plan_expires_at"] = before.access_until
    return holding.model_copy(update=changes)


def fated(holding: Holding, invoice_id: int, fate: Fate, now: datetime) -> Holding:
    """The holding as refunds and disputes of its payments leave it: computed from how it would be without them.

    Each invoice has its say, and the worst holds. Suspended: not usable until the dispute is decided. Ending: no
    renewal, access as paid. Ended: over now.
    """
    said = {} if holding.held_back is None else dict(holding.held_back.fates)
    said.pop(str(invoice_id), None)
    if fate is not Fate.LIVE:
        said[str(invoice_id)] = fate
    return held_back(lifted(holding), said, holding.held_back, now)


def held_back(free: Holding, fates: Mapping[str, Fate], before: HeldBack | None, now: datetime) -> Holding:
    """A holding that nothing holds back, under what its invoices say. `before`: how it was held back until now.

    One that is over is not held back; a refund still says when what it gave has ended.
    """
    fate = max(fates.values(), key=SEVERITY.index, default=Fate.LIVE)
    if fate is Fate.LIVE or (free.ended_at is not None and fate is not Fate.ENDED):
        return free
    paid = free.paid_until if isinstance(free, Subscription) else free.plan_expires_at
    since = before.since if before is not None and before.fate is fate else now
    kept = HeldBack(
        fate=fate,
        fates=fates,
        since=since,
        status=free.status,
        status_message=free.status_message,
        access_until=paid,
        next_payment_at=free.next_payment_at,
    )
    changes: dict[str, object] = {
        "status": FATED_STATUS[fate],
        "status_message": FATED_MESSAGES[fate],
        "next_payment_at": None,
        "held_back": kept,
    }
    if fate is Fate.ENDED:
        ends = _ends_at(free, fates, since.replace(microsecond=0))
        until = ends if paid is None else min(paid, ends)
        changes["paid_until" if isinstance(free, Subscription) else "plan_expires_at"] = until
    return free.model_copy(update=changes)


def _ends_at(free: Holding, fates: Mapping[str, Fate], now: datetime) -> datetime:
    """When access ends by refunds: now, or where only the period ahead was refunded, when that would have begun."""
    if not isinstance(free, Subscription):
        return now
    ahead = boundary(free.origin, free.terms.period, free.periods_paid - 1)
    of_ahead = str(period_invoice_id(free.id, ahead))
    others = [ident for ident, fate in fates.items() if fate is Fate.ENDED and ident != of_ahead]
    return now if others else max(now, ahead)


def coming_terms(holding: Holding) -> Terms:
    """The terms that the next payment is for."""
    planned = holding.planned if isinstance(holding, Subscription) else None
    return holding.terms if planned is None else planned


def unplanned(holding: Holding) -> Holding:
    """The holding without a change that was planned."""
    return holding.model_copy(update={"planned": None}) if isinstance(holding, Subscription) else holding


def claimed_plans(holding: Holding) -> frozenset[int]:
    """The plans that nobody can buy beside it: its own, and the one that its next payment brings (D25).

    None where a refund ended it; its own where a refund lets it end, and no payment comes.
    """
    fate = Fate.LIVE if holding.held_back is None else holding.held_back.fate
    if holding.ended_at is not None or fate is Fate.ENDED:
        return frozenset()
    coming = holding.terms if fate is Fate.ENDING else coming_terms(holding)
    return frozenset({holding.terms.plan_id, coming.plan_id})


def period_invoices(holding: Holding) -> tuple[int, ...]:
    """The invoices that paid for periods, as they were paid: changes within a period have invoices of their own."""
    changed = holding.prorated if isinstance(holding, Subscription) else None
    within = () if changed is None else changed.invoice_ids
    return tuple(ident for ident in holding.invoice_ids if ident not in within)


def is_period_over(holding: Holding, invoice_id: int) -> bool:
    """Whether a later period was paid since this invoice, of a period or of a change within it, was."""
    named = holding.invoice_ids
    return invoice_id not in named or named.index(invoice_id) < named.index(period_invoices(holding)[-1])


def with_planned(holding: Subscription) -> Subscription:
    """The subscription at the end of what is paid: what was planned is agreed from there on.

    The calendar keeps its origin where the new periods fit it, so that a day like the 31st is not lost.
    """
    planned = holding.planned
    if planned is None:
        return holding
    starts = boundary(holding.origin, holding.terms.period, holding.periods_paid)
    passed, rest = divmod(holding.terms.period.months * holding.periods_paid, planned.period.months)
    calendar: dict[str, object] = {"origin": starts, "periods_paid": 0} if rest else {"periods_paid": passed}
    return arrived(holding.model_copy(update={"planned": None, **calendar}), planned, starts)


def arrived(holding: Subscription, terms: Terms, at: datetime) -> Subscription:
    """The subscription under other terms: another plan's units begin anew, and those that it gave are looked at.

    Units are told apart by the second from which they are: of two plans in one second (add-ons are of both), and of
    one that comes in the second of a refill, the later one counts from the next.
    """
    if terms.seats != holding.terms.seats:
        change = SeatsChange(before=holding.terms.seats, after=terms.seats, at=at)
        holding = holding.model_copy(update={"seats_log": (*holding.seats_log, change)[-SEATS_CHANGES_KEPT:]})
    if terms.plan_id == holding.terms.plan_id:
        return holding.model_copy(update={"terms": terms.model_copy(update={"since": holding.terms.since})})
    latest = max(holding.terms.since, *holding.refills.values(), 0)
    since = max(int(at.timestamp()), latest + 1)
    return holding.model_copy(update={"terms": terms.model_copy(update={"since": since}), "refills": {}})


def shown(status: Status, access_until: datetime | None, now: datetime) -> bool:
    """Whether a customer's list without a filter shows it: all but what is over (D46)."""
    if status in HIDDEN:
        return False
    ended = access_until is not None and access_until <= now
    return not (status is Status.CANCELLED and ended)
