"""What must hold of everything that recurs, once nothing is due: its periods, its payments, its units, its end.

The calendar is dateutil's and the price is computed anew here, so that an error of the backend's own does not agree
with itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]

from chalicelib.books.billing.model import Invoice
from chalicelib.books.ledger.model import Entry, EntryKind, Lot
from chalicelib.books.subscriptions.cycle import is_metered
from chalicelib.books.subscriptions.model import (
    GRACE_DAYS,
    Fate,
    Financing,
    Holding,
    Status,
    Subscription,
    TermCoupon,
    TermItem,
)
from chalicelib.flows.checkout.begin import MINIMUM_CHARGES
from chalicelib.flows.fulfillment.delivery import Delivery, RenewalDelivery
from chalicelib.kernel.money import Money
from chalicelib.kernel.periods import Span, Unit

MONTH = Span(1, Unit.MONTH)
CLOCKS_DIFFER = timedelta(minutes=2)
OPEN = frozenset({"requires_action", "requires_confirmation", "requires_payment_method", "processing"})
"""Statuses of payments at Stripe that may still succeed."""
FAR = 2_000


@dataclass(frozen=True)
class Recurring:
    """The rows that say what recurs. `due`: the holdings about which something is to be done."""

    holdings: Mapping[int, Holding]
    due: frozenset[int]
    invoices: Mapping[int, Invoice]
    deliveries: Mapping[int, Delivery]
    delivered: Callable[[Invoice], bool]
    entries: Sequence[tuple[str, Entry]]
    open_lots: Sequence[Lot]
    intents: Sequence[dict[str, Any]]
    now: datetime


def what_recurs(found: Recurring) -> list[str]:
    """Every broken rule, in a sentence each."""
    renewals: dict[int, list[tuple[Invoice, RenewalDelivery]]] = defaultdict(list)
    restarts: Counter[int] = Counter()
    credit: Counter[int] = Counter()
    for ident, invoice in found.invoices.items():
        renewal, change = found.deliveries[ident].renewal, found.deliveries[ident].change
        if renewal is not None:
            renewals[renewal.holding_id].append((invoice, renewal))
            credit[renewal.holding_id] -= renewal.credit if found.delivered(invoice) else 0
        if change is not None and found.delivered(invoice):
            restarts[change.holding_id] += change.restarts
            credit[change.holding_id] += change.credited - change.credit
    granted = _granted(found)
    wrong: list[str] = []
    for ident, holding in found.holdings.items():
        paid = sorted(
            ((renewal, invoice) for invoice, renewal in renewals[ident] if found.delivered(invoice)),
            key=lambda pair: pair[0].starts_at,
        )
        as_bought = not (changed(holding) or any(renewal.terms is not None for renewal, _ in paid))
        wrong += _counted(holding, [renewal for renewal, _ in paid], restarts[ident])
        wrong += [*_tiled(holding, [renewal for renewal, _ in paid]), *_as_agreed(holding, paid)] if as_bought else []
        if isinstance(holding, Subscription) and holding.credit != credit[ident]:
            wrong.append(f"{ident} has a credit of {holding.credit}; {credit[ident]} is left of it")
        wrong += _open_payments(found, ident, [invoice for invoice, _ in renewals[ident]])
        lots = [lot for lot in found.open_lots if ident in (lot.origin.subscription_id, lot.origin.financing_id)]
        wrong += _refills(holding, granted[ident], found.now) if as_bought else ()
        if ident not in found.due:
            wrong += _state(found, holding, [invoice for _, invoice in paid])
            wrong += _access(found, holding, lots, granted[ident] if as_bought else None)
    unheld = renewals.keys() - found.holdings.keys()
    return wrong + [f"invoices are of the holding {ident}, which is none" for ident in unheld]


def boundary(origin: datetime, span: Span, number: int) -> datetime:
    """As dateutil counts."""
    found: datetime = origin + relativedelta(**{f"{span.unit.lower()}s": span.every * number})
    return found


def latest(origin: datetime, span: Span, at: datetime) -> int:
    """The number of the latest boundary at or before `at`; -1 before the origin."""
    number = -1
    while number < FAR and boundary(origin, span, number + 1) <= at:
        number += 1
    return number


def moved(holding: Holding) -> bool:
    """Whether its calendar began anew since it was bought, as a pause lets it."""
    return isinstance(holding, Subscription) and holding.origin not in (holding.created_at, holding.trial_ends_at)


def changed(holding: Holding) -> bool:
    """Whether its plan, its period or its seats were changed: what it cost before is not on it any more."""
    return isinstance(holding, Subscription) and (holding.terms.since > 0 or holding.changes > 0)


def _counted(holding: Holding, paid: Sequence[RenewalDelivery], restarts: int) -> Iterator[str]:
    """It counts every period that was paid, and none is paid twice."""
    trial = isinstance(holding, Subscription) and holding.trial_ends_at is not None
    made = int(not trial) + restarts + sum(renewal.count for renewal in paid)
    if holding.payments != made:
        yield f"{holding.id} counts {holding.payments} payments; {made} were made"
    times = Counter(renewal.starts_at for renewal in paid)
    yield from (f"{holding.id} was paid {n} times for the period from {at}" for at, n in times.items() if n > 1)


def _tiled(holding: Holding, paid: Sequence[RenewalDelivery]) -> list[str]:
    """Its periods follow one another, and none is left out; so do a financing's instalments."""
    if isinstance(holding, Financing):
        first, span, number = 1, MONTH, 1
        counted, since = holding.installments_paid, holding.origin
    else:
        first = int(holding.trial_ends_at is None)
        span, since, counted = holding.terms.period, holding.origin, holding.periods_paid
        number = 0 if moved(holding) else first
    wrong = []
    for renewal in (one for one in paid if one.starts_at >= since):
        if renewal.starts_at != boundary(since, span, number):
            wrong.append(f"{holding.id} was paid from {renewal.starts_at}; the period {number} was to be paid")
        number += renewal.count
    if number != counted:
        wrong.append(f"{holding.id} says {counted} periods are paid, {number} are")
    return wrong


def _as_agreed(holding: Holding, paid: Sequence[tuple[RenewalDelivery, Invoice]]) -> Iterator[str]:
    """Each payment is what its customer agreed to: the frozen lines, less the coupons that served by their rule."""
    before = 0 if isinstance(holding, Subscription) and holding.trial_ends_at is not None else 1
    for renewal, invoice in paid:
        wanted = agreed(holding, payments=before, at=renewal.starts_at) * renewal.count
        before += renewal.count
        if invoice.amount != wanted:
            yield f"invoice {invoice.id} of {holding.id} is {invoice.amount}, agreed were {wanted}"


def agreed(holding: Holding, *, payments: int, at: datetime) -> int:
    """What the payment after so many is, in minor units; too little to be charged is nothing."""
    if isinstance(holding, Financing):
        return holding.monthly_amount
    terms = holding.terms
    coupons = [one for one in terms.coupons if payments == 0 or _serves(one, payments, at)]
    ratio = Decimal(1)
    for one in coupons:
        ratio *= 1 - one.discount_value if one.discount_type == "PERCENT_OFF" else 1
    off = sum((one.discount_value for one in coupons if one.discount_type in ("FIXED_PRICE", "HAGGLING")), Decimal(0))
    amount = 0
    for line in terms.lines:
        whole = line.unit_price * ratio
        taken = min(whole, off)
        off -= taken
        amount += Money.of(whole - taken, terms.currency).minor
    return amount if amount >= MINIMUM_CHARGES.get(terms.currency, 1) else 0


def _serves(coupon: TermCoupon, number: int, at: datetime) -> bool:
    if coupon.renewals is not None:
        return number <= coupon.renewals
    return coupon.expires_at is None or at < coupon.expires_at


def _open_payments(found: Recurring, ident: int, invoices: Sequence[Invoice]) -> list[str]:
    """At most one payment at Stripe may still succeed, and none where nothing is asked for any more."""
    names = {str(invoice.id) for invoice in invoices}
    waiting = [
        intent["id"]
        for intent in found.intents
        if intent["metadata"].get("invoice_id") in names and intent["status"] in OPEN
    ]
    return [f"{ident} has the open payments {waiting}"] if len(waiting) > 1 else []


def _state(found: Recurring, holding: Holding, paid: Sequence[Invoice]) -> Iterator[str]:
    """What was refused is settled in time; what is over is over for good, and is paid no more."""
    dunning, ended = holding.dunning, over_since(holding)
    waits = holding.held_back is not None or (dunning is not None and dunning.next_attempt_at > found.now)
    if (
        dunning is not None
        and ended is None
        and not waits
        and dunning.since + timedelta(days=GRACE_DAYS) + CLOCKS_DIFFER < found.now
    ):
        yield f"{holding.id} was refused at {dunning.since} and is {holding.status}"
    if dunning is not None and holding.status is not Status.PAYMENT_ISSUE and holding.held_back is None:
        yield f"{holding.id} was refused and is {holding.status}"
    if holding.status is Status.PAYMENT_ISSUE and dunning is None and holding.held_back is None:
        yield f"{holding.id} is {holding.status} and nothing was refused"
    if holding.status is Status.EXPIRED and holding.ended_at is None:
        yield f"{holding.id} is EXPIRED and has no end"
    if holding.open_invoice_id is not None and dunning is None and holding.retry_at is None:
        yield f"{holding.id} waits for the invoice {holding.open_invoice_id}"
    for invoice in paid:
        if ended is not None and invoice.paid_at is not None and invoice.paid_at > ended + CLOCKS_DIFFER:
            yield f"{holding.id} ended at {ended} and was paid at {invoice.paid_at}"


def _granted(found: Recurring) -> Mapping[int, Mapping[str, list[Entry]]]:
    """By holding and lot, the entries that granted it."""
    granted: dict[int, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for _, entry in found.entries:
        for portion in entry.portions if entry.kind is EntryKind.GRANT else ():
            origin = portion.origin
            ident = None if origin is None else origin.subscription_id or origin.financing_id
            if ident is not None:
                granted[ident][portion.lot_id].append(entry)
    return granted


def _refills(holding: Holding, granted: Mapping[str, Sequence[Entry]], now: datetime) -> Iterator[str]:
    """An item's units come once a boundary of its own calendar, as many as were agreed, and never before it."""
    items = {item.link_id: item for item in holding.terms.items}
    for lot_id, entries in granted.items():
        if len(entries) > 1:
            yield f"lot {lot_id} was granted {len(entries)} times"
        link, _, mark = lot_id.partition("_")[2].rpartition("_")
        item, at = items.get(link), int(mark)
        if item is None or at == holding.terms.since or moved(holding):
            continue
        (portion,) = (one for one in entries[0].portions if one.lot_id == lot_id)
        if not portion.unlimited and portion.granted != item.how_many:
            yield f"lot {lot_id} is of {portion.granted}, agreed were {item.how_many}"
        if at not in _marks(holding, item, now + CLOCKS_DIFFER):
            yield f"lot {lot_id} is of no boundary of its item"


def _marks(holding: Holding, item: TermItem, until: datetime) -> set[int]:
    """The boundaries of an item so far, counted from the origin, and in a trial from its beginning."""
    return {
        int(boundary(start, item.renewal, number).timestamp())
        for start in {holding.created_at, holding.origin}
        for number in range(latest(start, item.renewal, until) + 1)
    }


def _access(
    found: Recurring, holding: Holding, lots: Sequence[Lot], granted: Mapping[str, Sequence[Entry]] | None
) -> Iterator[str]:
    """Whoever has access has the units of it, to its end (`granted`: where they are as bought); whoever has none can
    use none.
    """
    until, now = holding.access_until, found.now
    if until is not None and until <= now:
        yield from (f"{holding.id} ended at {until}; lot {lot.id} is usable" for lot in lots if lot.usable(now))
        return
    if granted is None:
        return
    by_id = {lot.id: lot for lot in lots}
    ran_out = {one.lot_id for _, entry in found.entries if entry.kind is EntryKind.EXPIRE for one in entry.portions}
    for item in holding.terms.items:
        mark, ends = holding.terms.since, until
        if is_metered(item):
            at, following = _latest_refill(holding, item, now)
            if following <= now:
                continue  # in the days of grace nothing that is counted comes, also where the last refill was late
            ends = following if until is None else min(following, until)
            mark = mark if at is None else int(at.timestamp())
        lot_id = f"{holding.id}_{item.link_id}_{mark}"
        if lot_id not in granted:
            yield f"{holding.id} has access until {until} and has no lot {lot_id}"
        if lot_id in ran_out:
            yield f"{holding.id} has access until {until}, its lot {lot_id} ran out"
        lot = by_id.get(lot_id)
        if lot is not None and not lot.cut_short and _seconds(lot.expires_at) != _seconds(ends):
            yield f"lot {lot_id} ends at {lot.expires_at}, the access to it at {ends}"


def _latest_refill(holding: Holding, item: TermItem, now: datetime) -> tuple[datetime | None, datetime]:
    """The latest boundary that is paid for (None: what came with the purchase), and the one after it."""
    start, number = calendar(holding), latest_paid(holding, item, now)
    at = boundary(start, item.renewal, max(number, 0))
    first = number <= 0 and start == holding.created_at
    return (None if first else at), boundary(start, item.renewal, max(number, 0) + 1)


def calendar(holding: Holding) -> datetime:
    """From where its items' boundaries count: from the origin, and while there was only a trial from its beginning."""
    trial = isinstance(holding, Subscription) and holding.trial_ends_at is not None
    paid = holding.paid_through
    tried_only = trial and paid is not None and paid <= (getattr(holding, "trial_ends_at", None) or paid)
    return holding.created_at if tried_only else holding.origin


def latest_paid(holding: Holding, item: TermItem, now: datetime) -> int:
    """The number of the item's latest boundary that is paid for."""
    paid = holding.paid_through
    last = now if paid is None else min(now, paid - timedelta(microseconds=1))
    return latest(calendar(holding), item.renewal, last)


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def over_since(holding: Holding) -> datetime | None:
    """When it ended, by itself or by a refund."""
    held_back = holding.held_back
    by_refund = held_back.since if held_back is not None and held_back.fate is Fate.ENDED else None
    return holding.ended_at or by_refund


def is_over(holding: Holding) -> bool:
    """Whether its claim is free."""
    return over_since(holding) is not None
