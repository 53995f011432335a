"""What of an invoice's money went back, what may still go back, and what status that gives it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from chalicelib.books.billing.model import Invoice, InvoiceStatus, Refund
from chalicelib.kernel.errors import DomainError, Kind

CLOSED_DISPUTES = frozenset({"won", "lost", "warning_closed", "prevented"})


class RefundExceedsInvoice(DomainError):
    kind = Kind.CONFLICT
    slug = "refund-exceeds-invoice"
    detail = "Of this invoice {left} are left to be refunded."


def is_disputed(invoice: Invoice) -> bool:
    """Whether the bank of the customer is holding the money back until a dispute is decided."""
    return any(dispute.status not in CLOSED_DISPUTES for dispute in invoice.disputes)


def amount_lost(invoice: Invoice) -> int:
    """What lost disputes took, in minor units."""
    return sum(dispute.amount for dispute in invoice.disputes if dispute.status == "lost")


def amount_returned(invoice: Invoice) -> int:
    """What went back over refunds and lost disputes together, at most all of it, in minor units."""
    return min(invoice.amount, invoice.amount_refunded + amount_lost(invoice))


def share_returned(invoice: Invoice, line_ids: Collection[str]) -> Fraction:
    """Which part went back of what some lines of a paid invoice cost, from 0 to 1.

    What a refund names of a line is that line's. Any other money that went back (by no line, in the dashboard, by a
    lost dispute) is of all lines, in proportion to what was left of each then. Lines that cost nothing, or as much as
    the invoice or more, share in the whole of it.
    """
    cost = sum(line.amount for line in invoice.lines if line.id in line_ids)
    whole = Fraction(amount_returned(invoice), invoice.amount or 1)
    if whole == 1 or not 0 < cost < invoice.amount:
        return whole
    own, others = Fraction(cost), Fraction(invoice.amount - cost)
    for amount, of_own, of_others in _parts(invoice, line_ids):
        left, rest = own + others - of_own - of_others, amount - of_own - of_others
        # What is named of a line that other money had come out of already comes out of the others.
        own = min(max(own - of_own, Fraction(0)), left)
        own, others = own * (left - rest) / left, (left - own) * (left - rest) / left
    return 1 - own / cost


def _parts(invoice: Invoice, line_ids: Collection[str]) -> list[tuple[int, int, int]]:
    """What went back, one after the other: the amount, what of it was named of these lines, and of the others."""
    orders = {order.id: order for order in invoice.refund_orders}

    def part(refund: Refund) -> tuple[int, int, int]:
        lines = orders[refund.order_id].lines if refund.order_id in orders else ()
        own = sum(line.amount for line in lines if line.id in line_ids)
        return refund.amount, own, sum(line.amount for line in lines) - own

    return [*(part(refund) for refund in invoice.refunds if refund.holds), (amount_lost(invoice), 0, 0)]


def amount_left(invoice: Invoice) -> int:
    """What may still be refunded: refunds that were asked for count, whether or not the processor has them yet."""
    asked = sum(order.amount for order in invoice.open_orders)
    return max(0, invoice.amount - invoice.amount_refunded - amount_lost(invoice) - asked)


def paid_status(invoice: Invoice) -> InvoiceStatus:
    """The status of a paid invoice, from its refunds and disputes alone: the order of events does not matter."""
    if is_disputed(invoice):
        return InvoiceStatus.DISPUTED
    returned = amount_returned(invoice)
    if returned == 0:
        return InvoiceStatus.REJECTED if invoice.undelivered else InvoiceStatus.FULFILLED
    return InvoiceStatus.REFUNDED if returned >= invoice.amount else InvoiceStatus.PARTIALLY_REFUNDED
