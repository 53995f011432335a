"""Certificates of what is paid off, and payments that wait for their customer, as they are shown."""

from __future__ import annotations

from chalicelib.books.billing.model import Invoice
from chalicelib.entrypoints._http import Instant, Output
from chalicelib.entrypoints.academy.account_schemas import PlanRefOut
from chalicelib.entrypoints.academy.schemas import CurrencyOut, UserOut, currency_out, major
from chalicelib.flows.recurring.certify import Certificate
from chalicelib.flows.recurring.recover import Recovery


class CertifiedInvoiceOut(Output):
    id: int
    paid_at: Instant | None
    amount: float
    amount_refunded: float


class CertificateOut(Output):
    """That a financing is fully paid. `amount` is what was paid, less what was given back."""

    plan_financing: int
    academy: int
    plan: PlanRefOut
    user: UserOut
    how_many_installments: int
    amount: float
    currency: CurrencyOut
    began_at: Instant
    completed_at: Instant
    invoices: list[CertifiedInvoiceOut]


class RecoveryOut(Output):
    """A payment that recurs. `status`: `requires_action` (confirm it at the bank with `client_secret` and
    `payment_method`), `processing`, or `succeeded`.
    """

    invoice: int
    plan: PlanRefOut
    amount: float
    currency: CurrencyOut
    status: str
    client_secret: str | None
    payment_method: str | None


def certificate_out(found: Certificate) -> CertificateOut:
    financing, person = found.financing, found.person
    terms = financing.terms
    code = terms.currency
    return CertificateOut(
        plan_financing=financing.id,
        academy=terms.academy_id,
        plan=PlanRefOut(id=terms.plan_id, slug=terms.plan_slug, title=terms.plan_title, version=terms.plan_version),
        user=UserOut(id=person.user_id, first_name=person.first_name, last_name=person.last_name, email=person.email),
        how_many_installments=financing.how_many_installments,
        amount=major(sum(invoice.amount - invoice.amount_refunded for invoice in found.invoices), code),
        currency=currency_out(code),
        began_at=financing.created_at,
        completed_at=found.completed_at,
        invoices=[_invoice(invoice) for invoice in found.invoices],
    )


def recovery_out(found: Recovery) -> RecoveryOut:
    invoice, terms = found.invoice, found.terms
    return RecoveryOut(
        invoice=invoice.id,
        plan=PlanRefOut(id=terms.plan_id, slug=terms.plan_slug, title=terms.plan_title, version=terms.plan_version),
        amount=major(invoice.amount, invoice.currency),
        currency=currency_out(invoice.currency),
        status=found.status,
        client_secret=found.client_secret,
        payment_method=found.payment_method_id,
    )


def _invoice(invoice: Invoice) -> CertifiedInvoiceOut:
    return CertifiedInvoiceOut(
        id=invoice.id,
        paid_at=invoice.paid_at,
        amount=major(invoice.amount, invoice.currency),
        amount_refunded=major(invoice.amount_refunded, invoice.currency),
    )
