"""Proration: when a change of plan applies, and what it costs (D82). Pure; seconds are whole, a sum is rounded once.

A change within the period costs what the whole period is worth under the new terms less what was paid for it, for the
seconds that are left; the sum over all changes of a period is rounded, never each, so that many cost what the last of
them costs. What was paid is what invoices say, credit included and less what went back: never what a plan costs by now,
nor what it would have cost without a coupon. Further seats of the same plan cost what seats cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.refunds import amount_returned
from chalicelib.books.catalog.model import Plan
from chalicelib.books.subscriptions.course import paying_invoice_id
from chalicelib.books.subscriptions.model import Prorated, Raised, Subscription, Terms
from chalicelib.flows.fulfillment.renewal import CHANGES_MAX, expected_start
from chalicelib.flows.recurring.price import (
    CREDIT,
    credit_in,
    less_credit,
    next_price,
    period_price,
    plain_line,
    waived,
)
from chalicelib.kernel.errors import Defect, DomainError, Kind
from chalicelib.kernel.money import Money, grain
from chalicelib.kernel.periods import boundary, latest_boundary, utc
from chalicelib.kernel.quotes import Line, Priced

UNUSED, CREDITED = "unused", "credited"
NOT_VALUE = frozenset({CREDIT, UNUSED, CREDITED})
"""Lines that say how a period was paid, and not what it costs."""


class TooManyChanges(DomainError):
    kind = Kind.CONFLICT
    slug = "too-many-changes"
    detail = "It was changed {count} times in this period already. It can be again from {again_from} on."


class When(StrEnum):
    """NOW: the period goes on. RESTART: a new one begins now. AT_END: at the end of what is paid."""

    NOW = "now"
    RESTART = "restart"
    AT_END = "at-end"


@dataclass(frozen=True, slots=True)
class PaidPeriod:
    """A period that is paid: when it begins in unix seconds, how many of its seconds are left, which invoice paid it.

    One that is paid ahead counts as if it were as long as the one under way.
    """

    since: int
    left: int
    invoice_id: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is paid: the period under way, `whole` seconds long, and those ahead of it."""

    whole: int
    periods: tuple[PaidPeriod, ...]

    @property
    def since(self) -> int:
        return self.periods[0].since

    @property
    def ahead(self) -> int:
        return len(self.periods) - 1


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
    """What is paid at an instant. By a clock that is behind, the first period begins at once."""
    span, at = holding.terms.period, max(at, holding.origin)
    number = latest_boundary(holding.origin, span, at)
    if number < 0 or number >= holding.periods_paid:
        raise Defect(f"subscription {holding.id} has no paid period at {at}")
    begins = [boundary(holding.origin, span, each) for each in range(number, holding.periods_paid + 1)]
    whole, left = _seconds(begins[0], begins[1]), _seconds(at, begins[1])
    periods = [
        PaidPeriod(int(start.timestamp()), whole if place else left, paying_invoice_id(holding, start))
        for place, start in enumerate(begins[:-1])
    ]
    return Stretch(whole, tuple(periods))


def paid_by(holding: Subscription, stretch: Stretch) -> frozenset[int]:
    """The invoices that say what was paid: those of the periods, and of changes within them."""
    return frozenset({*(period.invoice_id for period in stretch.periods), *changes_within(holding, stretch)})


def within(
    holding: Subscription, new: Terms, stretch: Stretch, invoice_id: int, invoices: Mapping[int, Invoice]
) -> Reckoned:
    """A change within the period: what all of its changes come to, less what was asked for already.

    `invoices`: those of `paid_by`, by id. Raises TooManyChanges.
    """
    before = _so_far(holding, stretch)
    if len(before.invoice_ids) >= CHANGES_MAX:
        raise TooManyChanges(count=len(before.invoice_ids), again_from=applies_at(holding).isoformat())
    worths = _worths(holding, new, stretch)
    if new.plan_id == holding.terms.plan_id:
        values = _worths(holding, holding.terms, stretch)  # it has more seats, and pays for these
    else:
        values = _values(before, stretch, invoices)
    wanted, unused = _of_rest(worths, stretch), _of_rest(values, stretch)
    owed = before.owed + wanted - unused
    code = new.currency
    total = half_up(owed, stretch.whole, code) - before.billed
    asked, given = half_up(wanted, stretch.whole, code), half_up(unused, stretch.whole, code)
    lines = [
        plain_line("plan", f"{_title(new)}, for the rest of the period", Money(asked, code)),
        plain_line(UNUSED, f"{_title(holding.terms)}, for the rest of the period", Money(-given, code)),
    ]
    rest = total - asked + given
    if rest:
        lines.append(plain_line("carried", "Left from earlier changes in the period, and rounding", Money(rest, code)))
    found = _asked(holding, lines, total, code)
    raised = (
        Raised(invoice_id=invoice_id, since=period.since, value=worth - value)
        for period, worth, value in zip(stretch.periods, worths, values, strict=True)
    )
    prorated = Prorated(
        since=stretch.since,
        owed=owed,
        billed=before.billed + (found.amount + found.credit if total > 0 else total),
        raised=(*before.raised, *raised),
    )
    return Reckoned(found.lines, found.amount, prorated, found.credited)


def anew(
    holding: Subscription, new: Terms, stretch: Stretch, at: datetime, invoices: Mapping[int, Invoice]
) -> Reckoned:
    """A new period that begins now, less what was paid for the seconds that are left of the one under way.

    `invoices`: those of `paid_by`, by id.
    """
    price = period_price(holding.model_copy(update={"terms": new}), payments=holding.payments, at=at)
    code = price.currency
    values = _values(_so_far(holding, stretch), stretch, invoices)
    unused = max(0, half_up(_of_rest(values, stretch), stretch.whole, code))
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
    """What changes within the period under way came to. Of those of an earlier one, what they made of this period."""
    known = holding.prorated
    if known is None or known.since == stretch.since:
        return known or Prorated(since=stretch.since)
    return Prorated(since=stretch.since, raised=tuple(one for one in known.raised if one.since >= stretch.since))


def _values(so_far: Prorated, stretch: Stretch, invoices: Mapping[int, Invoice]) -> list[int]:
    """What was paid for each whole period, as it stands: by its invoice, and by what changes raised it to."""
    return [
        period_value(invoices[period.invoice_id])
        + sum(_raised(one, invoices[one.invoice_id]) for one in so_far.raised if one.since == period.since)
        for period in stretch.periods
    ]


def _raised(one: Raised, invoice: Invoice) -> int:
    """What is left of what a change raised: less the share of its money that went back."""
    paid, returned = invoice.amount + credit_in(invoice.lines), amount_returned(invoice)
    return one.value - max(0, one.value) * returned // paid if returned else one.value


def _worths(holding: Subscription, new: Terms, stretch: Stretch) -> list[int]:
    """What each whole period would have cost under other terms, with the coupons that these have."""
    agreed = holding.model_copy(update={"terms": new})
    first = holding.payments - len(stretch.periods)
    return [
        period_price(agreed, payments=max(first + place, 0), at=utc(period.since)).amount
        for place, period in enumerate(stretch.periods)
    ]


def _of_rest(amounts: Sequence[int], stretch: Stretch) -> int:
    """Amounts of whole periods for the seconds that are left of each, in minor units times seconds."""
    return sum(amount * period.left for amount, period in zip(amounts, stretch.periods, strict=True))


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
