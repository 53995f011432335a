"""Proration: when a change of plan applies, and what it costs (D82). Pure; seconds are whole, a sum is rounded once.

A change within the period costs the difference of what the two are worth for the whole period, for the seconds that are
left; the sum over all changes of a period is rounded, never each, so that many cost what the last of them costs. What
was paid is worth what its invoice says, whatever the plan costs by now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.refunds import amount_returned
from chalicelib.books.catalog.model import Plan
from chalicelib.books.subscriptions.model import Prorated, Subscription, TermCoupon, Terms
from chalicelib.flows.fulfillment.renewal import expected_start
from chalicelib.flows.recurring.price import (
    CREDIT,
    credit_in,
    less_credit,
    next_price,
    period_price,
    plain_line,
    waived,
)
from chalicelib.kernel.errors import Defect
from chalicelib.kernel.money import Money, grain
from chalicelib.kernel.periods import boundary, latest_boundary
from chalicelib.kernel.quotes import Line, Priced

UNUSED, CREDITED = "unused", "credited"
NOT_VALUE = frozenset({CREDIT, UNUSED, CREDITED})
"""Lines that say how a period was paid, and not what it costs."""


class When(StrEnum):
    """NOW: the period goes on. RESTART: a new one begins now. AT_END: at the end of what is paid."""

    NOW = "now"
    RESTART = "restart"
    AT_END = "at-end"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The period under way: when it began and how long it is, in unix seconds and seconds, and what is left that was
    paid for, further periods included as if each were as long.
    """

    since: int
    whole: int
    left: int
    ahead: int


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What is asked for, line by line, and what stays on the subscription: `credited` is added to its credit."""

    lines: tuple[Line, ...]
    amount: int
    prorated: Prorated | None = None
    credited: int = 0

    @property
    def credit(self) -> int:
        """What is taken of its credit."""
        return credit_in(self.lines)


def when(holding: Subscription, new: Terms, stretch: Stretch) -> When:
    """An upgrade, worth more for the same time, applies now; so does a longer period of the same plan. Anything else
    waits for the end of what is paid.
    """
    old = holding.terms
    months, before = new.period.months, old.period.months
    dearer = new.full_amount * before > old.full_amount * months
    if months == before:
        more = new.plan_id == old.plan_id and new.seats > old.seats
        return When.NOW if dearer or more else When.AT_END
    longer = months > before and not stretch.ahead
    return When.RESTART if longer and (dearer or new.plan_id == old.plan_id) else When.AT_END


def needs_payment(holding: Subscription, plan: Plan | None, terms: Terms) -> bool:
    """Whether a trial cannot have the terms before the first payment: a plan that has no trial, or further seats."""
    another = terms.plan_id != holding.terms.plan_id
    return (another and (plan is None or plan.trial is None)) or terms.seats > holding.terms.seats


def stretch_of(holding: Subscription, at: datetime) -> Stretch:
    """The paid period in which an instant lies. By a clock that is behind, the first one begins at once."""
    span, at = holding.terms.period, max(at, holding.origin)
    number = latest_boundary(holding.origin, span, at)
    begins, ends = boundary(holding.origin, span, number), boundary(holding.origin, span, number + 1)
    ahead = holding.periods_paid - number - 1
    if number < 0 or ahead < 0:
        raise Defect(f"subscription {holding.id} has no paid period at {at}")
    whole = _seconds(begins, ends)
    return Stretch(int(begins.timestamp()), whole, _seconds(at, ends) + ahead * whole, ahead)


def within(holding: Subscription, new: Terms, stretch: Stretch, invoice_id: int) -> Reckoned:
    """A change within the period: what all of its changes come to, less what was asked for already."""
    before = _so_far(holding, stretch)
    old_worth = worth(holding, holding.terms, new.coupons, stretch)
    new_worth = worth(holding, new, new.coupons, stretch)
    owed = before.owed + (new_worth - old_worth) * stretch.left
    code, left = new.currency, stretch.left
    total = half_up(owed, stretch.whole, code) - before.billed
    coming = half_up(new_worth * left, stretch.whole, code)
    unused = half_up(old_worth * left, stretch.whole, code)
    lines = [
        plain_line("plan", f"{_title(new)}, for the rest of the period", Money(coming, code)),
        plain_line(UNUSED, f"{_title(holding.terms)}, for the rest of the period", Money(-unused, code)),
    ]
    rest = total - coming + unused
    if rest:
        lines.append(plain_line("carried", "Left from earlier changes in the period, and rounding", Money(rest, code)))
    found = _asked(holding, lines, total, code)
    billed = before.billed + (found.amount + found.credit if total > 0 else total)
    prorated = Prorated(
        since=stretch.since,
        value=before.value + new_worth - old_worth,
        owed=owed,
        billed=billed,
        invoice_ids=(*before.invoice_ids, invoice_id),
    )
    return Reckoned(found.lines, found.amount, prorated, found.credited)


def anew(holding: Subscription, new: Terms, stretch: Stretch, at: datetime, invoices: Sequence[Invoice]) -> Reckoned:
    """A new period that begins now, less what was paid for the seconds that are left of the one under way.

    `invoices`: the one that paid the period under way, and those of changes within it.
    """
    price = period_price(holding.model_copy(update={"terms": new}), payments=holding.payments, at=at)
    value = _so_far(holding, stretch).value
    given_back = 0
    changes = set(_so_far(holding, stretch).invoice_ids)
    for invoice in invoices:
        if invoice.id in changes:
            given_back += amount_returned(invoice)
        else:
            value += period_value(invoice)
    code = price.currency
    unused = max(0, half_up(value * stretch.left, stretch.whole, code) - given_back)
    lines = list(price.lines)
    if unused:
        rest = f"{_title(holding.terms)}, what was paid for the rest of the period"
        lines.append(plain_line(UNUSED, rest, Money(-unused, code)))
    return _asked(holding, lines, price.amount - unused, code)


def coming(holding: Subscription, new: Terms) -> Reckoned:
    """The first payment under terms that are planned, as it would be now."""
    planned = holding.model_copy(update={"planned": new})
    price = less_credit(next_price(planned), planned)
    lines = waived(price)
    return Reckoned(lines, sum(line.amount for line in lines))


def worth(holding: Subscription, terms: Terms, coupons: tuple[TermCoupon, ...], stretch: Stretch) -> int:
    """What the whole period under way is worth under terms, with coupons that serve both sides of a change."""
    agreed = holding.model_copy(update={"terms": terms.model_copy(update={"coupons": coupons})})
    starts = boundary(holding.origin, holding.terms.period, holding.periods_paid - 1 - stretch.ahead)
    return period_price(agreed, payments=max(holding.payments - 1 - stretch.ahead, 0), at=starts).amount


def period_value(invoice: Invoice) -> int:
    """What an invoice paid for a whole period, credit included, less what went back."""
    paid = invoice.amount - sum(line.amount for line in invoice.lines if line.id in NOT_VALUE)
    return max(0, paid - amount_returned(invoice))


def applies_at(holding: Subscription) -> datetime:
    """When what is planned applies."""
    return expected_start(holding)


def half_up(numerator: int, denominator: int, code: str) -> int:
    """A quotient rounded half up to what can be charged in a currency: to the nearest, and halves to the greater."""
    whole = denominator * grain(code)
    return (2 * numerator + whole) // (2 * whole) * grain(code)


def changes_within(holding: Subscription, stretch: Stretch) -> tuple[int, ...]:
    """The invoices of changes within the period under way."""
    return _so_far(holding, stretch).invoice_ids


def _so_far(holding: Subscription, stretch: Stretch) -> Prorated:
    """What changes within the period under way came to: those of an earlier one are over."""
    known = holding.prorated
    return known if known is not None and known.since == stretch.since else Prorated(since=stretch.since)


def _asked(holding: Subscription, lines: list[Line], total: int, code: str) -> Reckoned:
    """Less what it has to its credit; what is below zero becomes credit, and nothing is paid back."""
    if total < 0:
        kept = plain_line(CREDITED, "Kept as credit for the next invoices", Money(-total, code))
        return Reckoned((*lines, kept), 0, credited=-total)
    whole = waived(less_credit(Priced(lines=tuple(lines), currency=code), holding))
    return Reckoned(whole, sum(line.amount for line in whole))


def _seconds(begins: datetime, ends: datetime) -> int:
    return int((ends - begins).total_seconds())


def _title(terms: Terms) -> str:
    return terms.plan_title or terms.plan_slug
