"""What a further payment costs: the frozen lines, less the coupons that still serve. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.books.billing.model import AppliedCoupon
from chalicelib.books.catalog.coupons import serves_renewal
from chalicelib.books.catalog.model import Coupon, DiscountType, ReferralType
from chalicelib.books.catalog.pricing import DraftLine, UnitPrice, priced
from chalicelib.books.subscriptions.cycle import coming_terms
from chalicelib.books.subscriptions.model import Financing, Holding, Subscription, TermCoupon
from chalicelib.flows.checkout.begin import MINIMUM_CHARGES
from chalicelib.flows.fulfillment.renewal import expected_start
from chalicelib.kernel.money import Money
from chalicelib.kernel.quotes import Line, Priced

CREDIT = "credit"
DISCOUNT_RULES = frozenset({"percent-off", "amount-off", "round-half-up"})


def serving(holding: Subscription, *, payments: int, at: datetime) -> list[Coupon]:
    """The coupons of the payment that follows so many: all of them at the first, afterwards each by its own rule."""
    found = [_coupon(holding, coupon) for coupon in holding.terms.coupons]
    return [coupon for coupon in found if payments == 0 or serves_renewal(coupon, number=payments, at=at)]


def period_price(holding: Subscription, *, payments: int, at: datetime) -> Priced:
    """The period that is paid after so many payments, due `at`."""
    coupons = serving(holding, payments=payments, at=at)
    counted = [coupon for coupon in coupons if coupon.discount_type is not DiscountType.NO_DISCOUNT]
    return priced([_draft(holding, line) for line in holding.terms.lines], counted)


def next_price(holding: Holding, *, count: int = 1) -> Priced:
    """What is to be paid next; of a financing, so many instalments."""
    if isinstance(holding, Subscription):
        coming = holding.model_copy(update={"terms": coming_terms(holding)})
        return period_price(coming, payments=holding.payments, at=expected_start(holding))
    first = holding.installments_paid + 1
    lines = [line for number in range(first, first + count) for line in _instalment(holding, number)]
    return Priced(lines=tuple(lines), currency=holding.terms.currency)


def applied(holding: Holding) -> tuple[AppliedCoupon, ...]:
    """The coupons that the next payment is made with, as its invoice keeps them."""
    if not isinstance(holding, Subscription):
        return ()
    coming = holding.model_copy(update={"terms": coming_terms(holding)})
    return tuple(_applied(coupon) for coupon in serving(coming, payments=holding.payments, at=expected_start(holding)))


def less_credit(price: Priced, holding: Holding) -> Priced:
    """The price after what the holding has to its credit, never below zero."""
    credit = min(holding.credit, price.amount) if isinstance(holding, Subscription) else 0
    if credit <= 0:
        return price
    line = plain_line(CREDIT, "Credit of a change of plan", Money(-credit, price.currency))
    return price.model_copy(update={"lines": (*price.lines, line)})


def credit_in(lines: Sequence[Line]) -> int:
    """The credit that lines take, in minor units."""
    return -sum(line.amount for line in lines if line.id == CREDIT)


def chargeable(price: Priced) -> int:
    """What is asked for: what is less than the processor takes is not."""
    least = MINIMUM_CHARGES.get(price.currency, 1)
    return 0 if price.amount < least else price.amount


def waived(price: Priced) -> tuple[Line, ...]:
    """The lines, of which what is too little for the processor to take is given."""
    given = price.amount - chargeable(price)
    if not given:
        return price.lines
    return (*price.lines, plain_line("waived", "Too little to be charged", Money(-given, price.currency)))


def plain_line(ident: str, description: str, amount: Money) -> Line:
    """A line whose amount is decided elsewhere."""
    return Line(
        id=ident,
        description=description,
        quantity=1,
        unit_price=amount.major,
        exact_amount=amount.major,
        remainder=amount.major - amount.major,
        full_amount=amount.minor,
        amount=amount.minor,
    )


def _instalment(holding: Financing, number: int) -> list[Line]:
    """The lines of the first instalment, as every one has them: what is discounted at purchase is so to the end."""
    whole = holding.how_many_installments
    title = holding.terms.plan_title or holding.terms.plan_slug
    named = f"{title}, instalment {number} of {whole}"
    return [
        line.model_copy(
            update={"id": f"{line.id}:{number}", "description": named if line.id == "plan" else line.description}
        )
        for line in holding.terms.lines
    ]


def _draft(holding: Holding, line: Line) -> DraftLine:
    steps = tuple(step for step in line.steps if step.rule not in DISCOUNT_RULES)
    return DraftLine(
        id=line.id,
        description=line.description,
        quantity=line.quantity,
        months=line.months,
        price=UnitPrice(amount=line.unit_price, currency=holding.terms.currency, steps=steps),
    )


def _coupon(holding: Holding, coupon: TermCoupon) -> Coupon:
    return Coupon(
        id=0,
        academy_id=holding.terms.academy_id,
        slug=coupon.slug,
        discount_type=DiscountType(coupon.discount_type),
        discount_value=coupon.discount_value,
        renewals=coupon.renewals,
        offered_at=holding.created_at,
        expires_at=coupon.expires_at,
    )


def _applied(coupon: Coupon) -> AppliedCoupon:
    return AppliedCoupon(
        slug=coupon.slug,
        discount_type=coupon.discount_type,
        discount_value=str(coupon.discount_value),
        referral_type=ReferralType.NO_REFERRAL,
        referral_value="0",
        auto=False,
        offered_at=coupon.offered_at,
        expires_at=coupon.expires_at,
    )
