"""Money back, by staff (D55)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from chalicelib.books.billing.gateway import PaymentRefused
from chalicelib.books.billing.model import PlanAction
from chalicelib.books.billing.queries import InvoiceNotFound
from chalicelib.books.billing.refunds import RefundExceedsInvoice
from chalicelib.books.idempotency.model import Keyed, KeyReused, RequestInFlight
from chalicelib.entrypoints._auth import AcademyRequired, academy_id_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints._keyed import keyed, played_back
from chalicelib.entrypoints.academy.inputs import Ref
from chalicelib.entrypoints.academy.schemas import CurrencyOut, currency_out, major, refund_status
from chalicelib.flows.refunds.issue import Issued, ReplayedRefund, issue_refund
from chalicelib.flows.refunds.order import (
    AmountOrLines,
    InvalidRefundAmount,
    InvoiceDisputed,
    InvoiceLineNotFound,
    InvoiceNotPaid,
    IssueRefund,
    TooManyRefunds,
)
from chalicelib.kernel.errors import DomainError

AMOUNT_MAX = 1_000_000_000
LINES_MAX = 50


def _exact(value: Any) -> Any:
    """A JSON number as it was written; everything else is refused by the field itself."""
    return Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Amount = Annotated[Decimal, BeforeValidator(_exact, json_schema_input_type=float), Field(gt=0, le=AMOUNT_MAX)]


class RefundLineIn(Input):
    """How much of one of the invoice's lines goes back, in major units."""

    id: str = Field(min_length=1, max_length=100)
    amount: Amount


class RefundBody(Input):
    """`amount` or `lines`, in major units; neither is all that is left. Of a line, what it paid for is taken back.

    `plan_action`: what becomes of the plan.
    """

    amount: Amount | None = None
    lines: list[RefundLineIn] = Field(default=[], max_length=LINES_MAX)
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None
    note: str | None = Field(default=None, max_length=1000)
    plan_action: Literal["cancel_now", "cancel_at_period_end", "keep"] | None = None
    academy: Ref | None = None
    academy_id: Ref | None = None


class RefundedInvoiceOut(Output):
    id: int
    status: str


class TakenBackOut(Output):
    """Units that were taken back (-1: unlimited ones ended). `spent`: due back as well, but used before."""

    service: str
    how_many: int
    spent: int


class RefundOut(Output):
    """A refund. `number` is its credit note's; null while Stripe has not answered."""

    id: int
    number: str | None
    invoice: RefundedInvoiceOut
    amount: float
    currency: CurrencyOut
    status: str
    taken_back: list[TakenBackOut]


class IdempotencyKeyRequired(DomainError):
    slug = "idempotency-key-required"
    detail = "Send the header Idempotency-Key, so that a repeated call is the same refund."


@route(
    "POST",
    "/v1/payments/academy/invoice/{invoice_id}/refund",
    access=Access.STAFF,
    capability="issue_refund",
    keyed=True,
    answers={201: RefundOut},
    errors=(
        AcademyRequired,
        IdempotencyKeyRequired,
        InvoiceNotFound,
        InvoiceNotPaid,
        InvoiceDisputed,
        AmountOrLines,
        InvalidRefundAmount,
        InvoiceLineNotFound,
        TooManyRefunds,
        RefundExceedsInvoice,
        PaymentRefused,
        KeyReused,
        RequestInFlight,
    ),
)
def refund(call: Call, invoice_id: int, body: RefundBody) -> Answer:
    """Give money back for an invoice, and take back what it paid for."""
    academy_id = academy_id_of(call, body)
    if academy_id is None:
        raise AcademyRequired
    command = IssueRefund(
        ordered_by=call.person.caller_key,
        amount=body.amount,
        lines=[(line.id, line.amount) for line in body.lines],
        reason=body.reason,
        note=body.note,
        plan_action=None if body.plan_action is None else PlanAction(body.plan_action),
    )
    context = call.runtime.context(call.now)
    issued = issue_refund(context, invoice_id, command, _keyed(call, invoice_id), academy_id=academy_id)
    return played_back(issued.answer) if isinstance(issued, ReplayedRefund) else _refund_out(issued)


def _keyed(call: Call, invoice_id: int) -> Keyed:
    found = keyed(call, f"refund-{invoice_id}", _refund_out)
    if found is None:
        raise IdempotencyKeyRequired
    return found


def _refund_out(issued: Issued) -> Answer:
    invoice, order, made = issued.invoice, issued.order, issued.refund
    out = RefundOut(
        id=order.id,
        number=None if made is None else made.number,
        invoice=RefundedInvoiceOut(id=invoice.id, status=invoice.status),
        amount=major(order.amount, invoice.currency),
        currency=currency_out(invoice.currency),
        status=refund_status(made),
        taken_back=[
            TakenBackOut(service=taken.service, how_many=taken.how_many, spent=taken.spent)
            for taken in (made.taken_back if made is not None else ())
        ],
    )
    return Answer(201, out)
