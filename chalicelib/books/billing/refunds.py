"""What of an invoice's money went back, what may still go back, and what status that gives it. Pure."""

from __future__ import annotations

from chalicelib.books.billing.model import Invoice, InvoiceStatus
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
