"""What those earn with whose coupons a plan was bought. Pure: from the invoice and what it delivers."""

from __future__ import annotations

from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.refunds import amount_lost
from chalicelib.books.catalog.model import Coupon
from chalicelib.books.catalog.referrals import earned, reward
from chalicelib.flows.fulfillment.consequences import is_all_returned
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.kernel.money import Money


def rewards(invoice: Invoice, delivery: Delivery) -> tuple[Coupon, ...]:
    """A coupon for the seller of each coupon of a paid plan: of its price before discounts, together never more than
    was paid. The same paid invoice gives the same coupons.
    """
    if delivery.plan is None or invoice.paid_at is None:
        return ()
    price = Money(sum(line.full_amount for line in invoice.lines), invoice.currency)
    left = invoice.total
    found = []
    for coupon in delivery.coupons:
        amount = earned(coupon, buyer_id=invoice.buyer.user_id, price=price, most=left)
        if amount.minor == 0:
            continue
        left -= amount
        found.append(
            reward(coupon, amount, buyer_id=invoice.buyer.user_id, invoice_id=invoice.id, paid_at=invoice.paid_at)
        )
    return tuple(found)


def are_revoked(invoice: Invoice) -> bool:
    """Whether what was earned is gone: the payment was given back whole, or a dispute about it was lost."""
    return is_all_returned(invoice) or amount_lost(invoice) > 0
