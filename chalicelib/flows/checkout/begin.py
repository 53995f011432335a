"""Begin a purchase: invoice, claims and charge key in one transaction, before the processor is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.model import (
    AppliedCoupon,
    BagState,
    Buyer,
    Customer,
    Invoice,
    InvoiceKind,
    InvoiceStatus,
    PaymentRef,
    Whence,
)
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed
from chalicelib.dynamo.rows import Key, Row
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.flows.fulfillment.fulfill import claim_writes
from chalicelib.kernel.errors import Defect, DomainError, Kind
from chalicelib.kernel.money import Money, currency
from chalicelib.kernel.quotes import Priced

MINIMUM_CHARGES = {
    "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
    "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50,
    "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
}  # fmt: skip
"""Stripe's smallest charges in minor units (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""


class AmountTooLow(DomainError):
    slug = "amount-is-too-low"
    detail = "An amount above zero must be at least {least} to be charged."


class CardRequired(DomainError):
    kind = Kind.PAYMENT_REQUIRED
    slug = "payment-method-required"
    detail = "No card is saved: save one first."
    silent_code = "payment-method-required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What is bought, priced, and what it delivers."""

    id: int
    kind: InvoiceKind
    academy_id: int
    buyer: Buyer
    bag_id: int
    priced: Priced
    amount: int
    coupons: tuple[Coupon, ...]
    country: str | None
    plan_slug: str | None
    delivery: Delivery
    conversion_info: Mapping[str, str] = field(default_factory=dict)
    whence: Whence | None = None


def check_amount(amount: Money) -> None:
    """Zero needs no charge; anything below the processor's minimum for its currency cannot be charged."""
    least = MINIMUM_CHARGES.get(amount.code, 10 if currency(amount.code).exponent == 3 else 1)
    if 0 < amount.minor < least:
        raise AmountTooLow(least=str(Money(least, amount.code)))


def invoice_of(context: Context, purchase: Purchase, customer: Customer | None) -> Invoice:
    """The pending invoice of a purchase. `customer` pays it; None where there is nothing to charge.

    Raises CardRequired where the customer has no card.
    """
    reference = None
    if customer is not None:
        if customer.card is None or customer.customer_id is None:
            raise CardRequired
        reference = PaymentRef(
            account=customer.account,
            customer_id=customer.customer_id,
            payment_method_id=customer.card.payment_method_id,
            card_brand=customer.card.brand,
            card_last4=customer.card.last4,
            key=f"invoice-{purchase.id}-1",
            attempted_at=context.now,
        )
    subscribes = purchase.delivery.plan is not None
    financed = purchase.delivery.plan is not None and purchase.delivery.plan.access == "financing"
    return Invoice(
        id=purchase.id,
        kind=purchase.kind,
        status=InvoiceStatus.PENDING,
        academy_id=purchase.academy_id,
        buyer=purchase.buyer,
        bag_id=purchase.bag_id,
        currency=purchase.priced.currency,
        amount=purchase.amount,
        lines=purchase.priced.lines,
        coupons=tuple(_applied(coupon) for coupon in purchase.coupons),
        country=purchase.country,
        conversion_info=purchase.conversion_info,
        plan_slug=purchase.plan_slug,
        subscription_id=purchase.id if subscribes and not financed else None,
        financing_id=purchase.id if financed else None,
        payment=reference,
        whence=purchase.whence,
        created_at=context.now,
    )


def begin_writes(
    context: Context,
    invoice: Invoice,
    delivery: Delivery,
    *,
    rows: Mapping[Key, Row],
    keyed: Keyed | None,
    beside: Sequence[Write] = (),
) -> list[Write]:
    """What must be in the table before the processor is asked. `rows` has the person's attempts, if there are any;
    `beside` is what this purchase takes too (its place).

    Raises TooManyAttempts at once; the writes raise what they find taken.
    """
    user_id = invoice.buyer.user_id
    writes: list[Write] = [*beside]
    if keyed is not None:
        writes.append(idempotency.opened(keyed, subject=invoice.id, now=context.now))
    if invoice.kind is InvoiceKind.PLAN:
        # What costs nothing is delivered in this same transaction.
        state = BagState.PAID if invoice.payment is None else BagState.PAYING
        writes.append(billing.bag_begins(user_id, invoice.bag_id, invoice_id=invoice.id, state=state))
    writes += claim_writes(invoice, delivery)
    if invoice.payment is not None:
        writes.append(
            billing.attempt_begins(
                user_id,
                AttemptKind.PAYMENT,
                rows.get(billing.attempts_key(user_id, AttemptKind.PAYMENT)),
                attempt_id=invoice.id,
                limit=context.limits.declines_per_hour,
                now=context.now,
            )
        )
    writes.append(billing.new_invoice(invoice, delivery.model_dump_json()))
    return writes


def begin(
    context: Context,
    invoice: Invoice,
    delivery: Delivery,
    *,
    rows: Mapping[Key, Row],
    keyed: Keyed | None,
    beside: Sequence[Write] = (),
) -> StoredInvoice:
    """Put the pending invoice and everything that it claims. Raises what is taken already."""
    if invoice.payment is None:
        raise Defect(f"invoice {invoice.id} begins without a payment")
    commit(context.table, begin_writes(context, invoice, delivery, rows=rows, keyed=keyed, beside=beside))
    return StoredInvoice(invoice, delivery.model_dump_json(), 1)


def _applied(coupon: Coupon) -> AppliedCoupon:
    return AppliedCoupon(
        slug=coupon.slug,
        discount_type=coupon.discount_type,
        discount_value=str(coupon.discount_value),
        referral_type=coupon.referral_type,
        referral_value=str(coupon.referral_value),
        auto=coupon.auto,
        offered_at=coupon.offered_at,
        expires_at=coupon.expires_at,
    )
