"""Keep an invoice's refunds and disputes as the processor has them: its status and amounts follow from them."""

from __future__ import annotations

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import DisputeState
from chalicelib.books.billing.model import PAID_STATUSES, Dispute, Invoice, Refund, paid_status
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context
from chalicelib.kernel.ids import derived

TRIES_MAX = 5


def record_refunds(context: Context, user_id: int, invoice_id: int, payment_id: str) -> Invoice | None:
    """Read all refunds of the payment now, and keep them. None where the invoice is not paid yet: ask again later.

    The invoice is read before the processor is asked, and written only if it did not move since: an answer that comes
    late never overwrites a newer one.
    """
    for _ in range(TRIES_MAX):
        stored = billing_queries.invoice(context.table, user_id, invoice_id)
        if stored.invoice.status not in PAID_STATUSES:
            return None
        refunds = tuple(
            sorted(
                (
                    Refund(id=found.id, amount=found.amount, status=found.status, created_at=found.created_at)
                    for found in context.gateway.refunds_of(payment_id)
                ),
                key=lambda refund: (refund.created_at, refund.id),
            )
        )
        if refunds == stored.invoice.refunds:
            return stored.invoice
        changed = stored.invoice.model_copy(update={"refunds": refunds})
        if _kept(context, changed, stored.version, "refund"):
            return changed
    raise billing.InvoiceMoved


def record_dispute(context: Context, user_id: int, invoice_id: int, dispute_id: str) -> Invoice | None:
    """Read the dispute now, and keep it. None where the invoice is not paid yet: ask again later."""
    for _ in range(TRIES_MAX):
        stored = billing_queries.invoice(context.table, user_id, invoice_id)
        if stored.invoice.status not in PAID_STATUSES:
            return None
        found = context.gateway.dispute(dispute_id)
        if found is None:
            return None
        known = next((dispute for dispute in stored.invoice.disputes if dispute.id == dispute_id), None)
        if known is not None and (known.status, known.amount) == (found.status, found.amount):
            return stored.invoice
        others = tuple(dispute for dispute in stored.invoice.disputes if dispute.id != dispute_id)
        changed = stored.invoice.model_copy(update={"disputes": (*others, _dispute(context, found))})
        if _kept(context, changed, stored.version, "dispute"):
            return changed
    raise billing.InvoiceMoved


def _dispute(context: Context, found: DisputeState) -> Dispute:
    return Dispute(id=found.id, amount=found.amount, status=found.status, reason=found.reason, updated_at=context.now)


def _kept(context: Context, invoice: Invoice, version: int, what: str) -> bool:
    changed = invoice.model_copy(update={"status": paid_status(invoice)})
    activity = Activity(
        id=derived(what, invoice.id, version),
        user_id=invoice.buyer.user_id,
        academy_id=invoice.academy_id,
        kind=f"{what}-recorded",
        at=context.now,
        facts={"invoice": invoice.id, "status": changed.status, "refunded": changed.amount_refunded},
    )
    try:
        commit(context.table, [billing.changed_invoice(changed, version=version), timeline.new(activity)])
    except billing.InvoiceMoved:
        return False
    return True
