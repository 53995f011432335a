"""Bags and quotes as the academy's dialect shows them."""

from __future__ import annotations

from chalicelib.books.billing.model import Bag, Invoice
from chalicelib.books.catalog.model import Period
from chalicelib.entrypoints._http import Instant, Output
from chalicelib.entrypoints.academy.schemas import (
    CouponOut,
    CurrencyOut,
    SmallPlanOut,
    coupon_out,
    currency_out,
    major,
    small_plan_out,
)
from chalicelib.flows.checkout.check import Checked
from chalicelib.flows.checkout.quote import Content, Way
from chalicelib.kernel.quotes import Line


class AddOnOut(Output):
    service: str
    how_many: int


class SeatsOut(Output):
    """All seats of the team, the owner's among them, and how many of them are paid for."""

    team_seats: int
    seats_included: int
    extra_seats: int


class TrialOut(Output):
    duration: int
    unit: str
    first_charge_at: Instant


class CouponRefusedOut(Output):
    slug: str
    reason: str


class InstalmentOut(Output):
    how_many_months: int
    amount: float
    discounted_amount: float


class BagOut(Output):
    """A checked bag. Amounts of periods that are not offered are 0.0; `available_periods` lists those that are.

    `renewal_amount`: by period, what the first renewal will cost, since a coupon may not serve it.
    """

    id: int
    service_items: list[AddOnOut]
    plans: list[SmallPlanOut]
    coupons: list[CouponOut]
    coupons_refused: list[CouponRefusedOut]
    status: str
    type: str
    is_recurrent: bool
    was_delivered: bool
    amount_per_month: float
    amount_per_quarter: float
    amount_per_half: float
    amount_per_year: float
    discounted_amount_per_month: float
    discounted_amount_per_quarter: float
    discounted_amount_per_half: float
    discounted_amount_per_year: float
    renewal_amount: dict[str, float]
    available_periods: list[str]
    installments: list[InstalmentOut]
    currency: CurrencyOut
    token: str
    seat_service_item: SeatsOut | None
    trial: TrialOut | None
    expires_at: Instant


class StepOut(Output):
    rule: str
    input: str
    result: str


class LineOut(Output):
    """`exact_amount` before rounding as exact text; `remainder`: what rounding half up added."""

    id: str
    description: str
    quantity: int
    months: int
    full_amount: float
    amount: float
    exact_amount: str
    remainder: str
    steps: list[StepOut]


class WayOut(Output):
    """One way to pay: by a period, or in instalments."""

    period: str | None
    how_many_installments: int | None
    full_amount: float
    amount: float
    lines: list[LineOut]


class QuoteOut(Output):
    bag: int
    currency: CurrencyOut
    country_code: str | None
    quoted_at: Instant
    ways: list[WayOut]


def bag_out(checked: Checked) -> BagOut:
    bag, content = checked.bag, checked.content
    full = {period: _amount(content, period, discounted=False) for period in Period}
    less = {period: _amount(content, period, discounted=True) for period in Period}
    return BagOut(
        id=bag.id,
        service_items=[
            AddOnOut(service=service.slug, how_many=content.add_ons[service.id])
            for service in content.offer.add_on_services
        ],
        plans=[small_plan_out(content.offer, content.country)],
        coupons=[coupon_out(coupon) for coupon in content.coupons],
        coupons_refused=[CouponRefusedOut(slug=c.slug, reason=c.reason) for c in content.coupons_refused],
        status="CHECKING",
        type=bag.kind,
        is_recurrent=content.offer.plan.is_renewable,
        was_delivered=False,
        **{f"amount_per_{period.value.lower()}": amount for period, amount in full.items()},
        **{f"discounted_amount_per_{period.value.lower()}": amount for period, amount in less.items()},
        renewal_amount={
            way.period.value: major(way.renewal_amount, content.currency)
            for way in content.ways
            if way.period is not None and way.renewal_amount is not None
        },
        available_periods=[way.period.value for way in content.ways if way.period is not None],
        installments=[
            InstalmentOut(
                how_many_months=way.instalments,
                amount=major(way.priced.full_amount, content.currency),
                discounted_amount=major(way.priced.amount, content.currency),
            )
            for way in content.ways
            if way.instalments is not None
        ],
        currency=currency_out(content.currency),
        token=bag.token,
        seat_service_item=_seats(content),
        trial=None
        if content.trial is None
        else TrialOut(
            duration=content.trial.duration,
            unit=content.trial.unit,
            first_charge_at=content.trial.first_charge_at,
        ),
        expires_at=bag.expires_at,
    )


def quote_out(bag: Bag, content: Content) -> QuoteOut:
    return QuoteOut(
        bag=bag.id,
        currency=currency_out(content.currency),
        country_code=content.country,
        quoted_at=bag.created_at,
        ways=[_way_out(way, content.currency) for way in content.ways],
    )


def quote_of_invoice(invoice: Invoice) -> QuoteOut:
    """The quote of a direct purchase, which has no bag of its own: what its invoice was priced with."""
    way = WayOut(
        period=None,
        how_many_installments=None,
        full_amount=major(sum(line.full_amount for line in invoice.lines), invoice.currency),
        amount=major(invoice.amount, invoice.currency),
        lines=[_line_out(line, invoice.currency) for line in invoice.lines],
    )
    return QuoteOut(
        bag=invoice.bag_id,
        currency=currency_out(invoice.currency),
        country_code=invoice.country,
        quoted_at=invoice.created_at,
        ways=[way],
    )


def _way_out(way: Way, code: str) -> WayOut:
    return WayOut(
        period=way.period,
        how_many_installments=way.instalments,
        full_amount=major(way.priced.full_amount, code),
        amount=major(way.priced.amount, code),
        lines=[_line_out(line, code) for line in way.priced.lines],
    )


def _line_out(line: Line, code: str) -> LineOut:
    return LineOut(
        id=line.id,
        description=line.description,
        quantity=line.quantity,
        months=line.months,
        full_amount=major(line.full_amount, code),
        amount=major(line.amount, code),
        exact_amount=str(line.exact_amount),
        remainder=str(line.remainder),
        steps=[StepOut(rule=step.rule, input=step.input, result=step.result) for step in line.steps],
    )


def _amount(content: Content, period: Period, *, discounted: bool) -> float:
    way = content.period_way(period)
    if way is None:
        return 0.0
    return major(way.priced.amount if discounted else way.priced.full_amount, content.currency)


def _seats(content: Content) -> SeatsOut | None:
    if content.offer.seat_price is None:
        return None
    included = content.offer.plan.seats_included
    return SeatsOut(team_seats=content.seats, seats_included=included, extra_seats=content.extra_seats)
