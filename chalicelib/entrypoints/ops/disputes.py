"""Disputed payments, for operators: all that is known of one, to answer the bank."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.billing.gateway import PaymentServiceDown
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints.academy.schemas import (
    CurrencyOut,
    InvoiceLineOut,
    UserOut,
    currency_out,
    invoice_line_out,
    major,
    user_out,
)
from chalicelib.flows.refunds.evidence import DisputeNotFound, Evidence, evidence


class CardOut(Output):
    brand: str
    last4: str


class BoughtOut(Output):
    """What was bought, from where (`ip`, `user_agent`, `country_code`), and how it was paid."""

    invoice: int
    status: str
    amount: float
    amount_refunded: float
    currency: CurrencyOut
    paid_at: datetime | None
    lines: list[InvoiceLineOut]
    plan: str | None
    payment: str | None
    charge: str | None
    card: CardOut | None
    country_code: str | None
    ip: str | None
    user_agent: str | None
    conversion_info: dict[str, str]


class UsedOut(Output):
    """One use of what was bought, by the customer or somebody of their team. `ip` and `user_agent`: from where."""

    session: int
    user: int
    service: str
    units: int
    status: str
    at: datetime
    ip: str | None
    user_agent: str | None


class HappenedOut(Output):
    kind: str
    at: datetime


class EvidenceOut(Output):
    """`uses` since the payment (at most a thousand) and what `happened` to the invoice, the newest first."""

    id: str
    status: str
    reason: str
    amount: float
    opened_at: datetime | None
    evidence_due_at: datetime | None
    customer: UserOut
    bought: BoughtOut
    uses: list[UsedOut]
    happened: list[HappenedOut]


@route(
    "GET",
    "/ops/disputes/{dispute_id}/evidence",
    access=Access.OPERATOR,
    answers={200: EvidenceOut},
    errors=(DisputeNotFound, PaymentServiceDown),
)
def show_evidence(call: Call, dispute_id: str) -> Answer:
    """What was bought with a disputed payment, used, when and from where."""
    return Answer(200, _evidence_out(evidence(call.runtime.context(call.now), dispute_id)))


def _evidence_out(found: Evidence) -> EvidenceOut:
    dispute, invoice = found.dispute, found.invoice
    return EvidenceOut(
        id=dispute.id,
        status=dispute.status,
        reason=dispute.reason,
        amount=major(dispute.amount, invoice.currency),
        opened_at=dispute.opened_at,
        evidence_due_at=dispute.evidence_due_at,
        customer=user_out(invoice.buyer),
        bought=_bought_out(found),
        uses=[
            UsedOut(
                session=use.session.id,
                user=use.session.user_id,
                service=use.service,
                units=use.units,
                status=use.status,
                at=use.session.created_at,
                ip=use.session.ip,
                user_agent=use.session.user_agent,
            )
            for use in found.uses
        ],
        happened=[HappenedOut(kind=activity.kind, at=activity.at) for activity in found.activities],
    )


def _bought_out(found: Evidence) -> BoughtOut:
    invoice = found.invoice
    payment, whence = invoice.payment, invoice.whence
    return BoughtOut(
        invoice=invoice.id,
        status=invoice.status,
        amount=major(invoice.amount, invoice.currency),
        amount_refunded=major(invoice.amount_refunded, invoice.currency),
        currency=currency_out(invoice.currency),
        paid_at=invoice.paid_at,
        lines=[invoice_line_out(line, invoice.currency) for line in invoice.lines],
        plan=invoice.plan_slug,
        payment=None if payment is None else payment.payment_id,
        charge=None if payment is None else payment.charge_id,
        card=None if payment is None else CardOut(brand=payment.card_brand, last4=payment.card_last4),
        country_code=invoice.country,
        ip=None if whence is None else whence.ip,
        user_agent=None if whence is None else whence.user_agent,
        conversion_info=dict(invoice.conversion_info),
    )
