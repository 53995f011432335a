"""What must hold of the coupons that people earn when others buy with theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal

from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.refunds import amount_returned
from chalicelib.books.catalog.model import Coupon
from chalicelib.dynamo.rows import Row, load
from chalicelib.flows.fulfillment.delivery import Delivery
from chalicelib.kernel.ids import derived


def rewards(
    rows: Mapping[tuple[str, str], Row],
    invoices: Mapping[int, Invoice],
    deliveries: Mapping[int, Delivery],
    delivered: Callable[[Invoice], bool],
) -> list[str]:
    """Whoever's coupon brought a paid plan has a coupon for it and was told, unless the payment was given back."""
    wanted: Counter[tuple[str, int | None, int, bool]] = Counter()
    for ident, invoice in invoices.items():
        delivery = deliveries[ident]
        left = invoice.amount if delivery.plan is not None and delivered(invoice) else 0
        gone = amount_returned(invoice) >= invoice.amount or any(one.status == "lost" for one in invoice.disputes)
        for coupon in delivery.coupons:
            seller = coupon.seller_user_id
            if seller == invoice.buyer.user_id or (f"USER#{seller}", "USER") not in rows:
                continue
            price = Decimal(sum(line.full_amount for line in invoice.lines))
            shares = {"PERCENTAGE": price * coupon.referral_value, "FIXED_PRICE": coupon.referral_value * 100}
            share = shares.get(coupon.referral_type, Decimal(0)).quantize(Decimal(1), rounding=ROUND_HALF_UP)
            amount = min(left, int(share))
            left -= amount
            if amount:
                wanted[f"reward-{ident:016d}", seller, amount, gone] += 1
    got: Counter[tuple[str, int | None, int, bool]] = Counter()
    wrong = []
    for row in (row for (_, sk), row in rows.items() if sk.startswith("COUPON#reward-")):
        made = load(Coupon, row)
        got[made.slug.rpartition("-")[0], made.allowed_user_id, int(made.discount_value * 100), made.revoked] += 1
        if (f"OUTBOX#{derived('reward', made.slug)}", "MESSAGE") not in rows:
            wrong.append(f"nobody was told of {made.slug}")
        if ("revoked" in row.values) is not made.revoked:
            wrong.append(f"the row of {made.slug} does not say whether it is revoked")
    wrong += [f"the reward {one} is missing" for one in wanted - got]
    return wrong + [f"the reward {one} is nobody's" for one in got - wanted]
