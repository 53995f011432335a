"""What a refund may be, of an invoice as it is. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from chalicelib.books.billing.model import Invoice, PlanAction, RefundLine, RefundOrder
from chalicelib.books.billing.refunds import RefundExceedsInvoice, amount_left, is_disputed
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.money import Money

ORDERS_MAX = 50


class InvoiceNotPaid(DomainError):
    kind = Kind.CONFLICT
    slug = "invoice-not-fulfilled"
    detail = "Nothing was paid with this invoice that could be refunded."


class InvoiceDisputed(DomainError):
    kind = Kind.CONFLICT
    slug = "invoice-is-disputed"
    detail = "The payment is disputed: the bank decides what becomes of the money."


class InvalidRefundAmount(DomainError):
    slug = "invalid-refund-amount"
    detail = "{amount} is no amount of {currency} that can be refunded."


class AmountOrLines(DomainError):
    slug = "refund-amount-mismatch"
    detail = "Give an amount, or lines, or neither for all that is left."


class InvoiceLineNotFound(DomainError):
    slug = "invalid-slugs-in-breakdown"
    detail = "The invoice has no line {line}, or it was named twice."


class TooManyRefunds(DomainError):
    kind = Kind.CONFLICT
    slug = "too-many-refunds"
    detail = "An invoice can be refunded in at most 50 parts."


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRefund:
    """What staff ask for: an amount or lines in major units, or neither for all that is left."""

    ordered_by: str
    amount: Decimal | None = None
    lines: Sequence[tuple[str, Decimal]] = ()
    reason: str | None = None
    note: str | None = None
    plan_action: PlanAction | None = None


def order_of(invoice: Invoice, command: IssueRefund, *, order_id: int, now: datetime) -> RefundOrder:
    """The order, or what it lacks: InvoiceNotPaid, InvoiceDisputed, AmountOrLines, InvalidRefundAmount,
    InvoiceLineNotFound, TooManyRefunds, RefundExceedsInvoice.
    """
    if not invoice.is_paid or invoice.amount == 0 or invoice.payment is None:
        raise InvoiceNotPaid
    if is_disputed(invoice):
        raise InvoiceDisputed
    if len(invoice.refund_orders) >= ORDERS_MAX:
        raise TooManyRefunds
    lines = _lines(invoice, command)
    left = amount_left(invoice)
    amount = left
    if lines:
        amount = sum(line.amount for line in lines)
    elif command.amount is not None:
        amount = _minor(command.amount, invoice.currency)
    if amount > left or amount == 0:
        raise RefundExceedsInvoice(left=str(Money(left, invoice.currency)))
    return RefundOrder(
        id=order_id,
        amount=amount,
        lines=lines,
        reason=command.reason,
        note=command.note,
        plan_action=command.plan_action,
        ordered_by=command.ordered_by,
        ordered_at=now,
    )


def _lines(invoice: Invoice, command: IssueRefund) -> tuple[RefundLine, ...]:
    if command.lines and command.amount is not None:
        raise AmountOrLines
    known = {line.id: line.amount for line in invoice.lines}
    held = {refund.order_id for refund in invoice.refunds if refund.holds}
    counted = [order for order in invoice.refund_orders if order.is_open or order.id in held]
    before = Counter[str]()
    for order in counted:
        before.update({line.id: line.amount for line in order.lines})
    found: list[RefundLine] = []
    for ident, amount in command.lines:
        if ident not in known or ident in {line.id for line in found}:
            raise InvoiceLineNotFound(line=ident)
        line = RefundLine(id=ident, amount=_minor(amount, invoice.currency))
        if line.amount > known[ident] - before[ident]:
            raise RefundExceedsInvoice(left=str(Money(known[ident] - before[ident], invoice.currency)))
        found.append(line)
    return tuple(found)


def _minor(amount: Decimal, currency: str) -> int:
    """An amount that the processor can give back, to the minor unit."""
    money = Money.of(amount, currency)
    if money.minor <= 0 or money.major != amount:
        raise InvalidRefundAmount(amount=amount, currency=currency)
    return money.minor
