"""Keep an invoice's refunds and disputes as the processor has them, and do what follows, in one transaction.

Whoever learns of a refund comes here: staff who ordered it, the webhook, the sweep. What follows is computed from all
refunds and disputes together, so that each is done once, in whatever order and however often it is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import DisputeState, RefundState
from chalicelib.books.billing.model import Dispute, Invoice, Refund, Standing
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.billing.refunds import CLOSED_DISPUTES, paid_status
from chalicelib.books.catalog import store as catalog
from chalicelib.books.ledger import store as ledger
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.notices import credit_note, disputed, refund_failed
from chalicelib.flows.fulfillment.reverse import reverse
from chalicelib.flows.fulfillment.staff import staff_to_tell
from chalicelib.kernel.ids import derived

TRIES_MAX = 10
MOVED = (
    billing.InvoiceMoved,
    billing.SeriesMoved,
    catalog.ChangedMeanwhile,
    ledger.Moved,
    subscriptions.HoldingMoved,
)
ORDER_ID = "order_id"
"""Under which name a refund at the processor carries the id of the order that asked for it."""


def record_refunds(context: Context, user_id: int, invoice_id: int, payment_id: str) -> Invoice | None:
    """Read all refunds of the payment now, keep them, and take back or give back what follows from them.

    None where the invoice is not paid yet: ask again later. The invoice is read before the processor is asked, and
    written only if it did not move since: an answer that comes late never overwrites a newer one.
    """
    for attempt in range(TRIES_MAX):
        stored = billing_queries.invoice(context.table, user_id, invoice_id)
        if not stored.invoice.is_paid:
            return None
        states = context.gateway.refunds_of(payment_id)
        change = _refunded(context, stored.invoice, states)
        if change.invoice == stored.invoice:
            return stored.invoice
        written = _written(context, stored, change, "refund")
        if written is not None:
            return written
        backoff.wait(attempt)
    raise billing.InvoiceMoved


def record_dispute(context: Context, user_id: int, invoice_id: int, dispute_id: str) -> Invoice | None:
    """Read the dispute now, and keep it: what was bought is frozen while it is open, and taken back if it is lost.

    None where the invoice is not paid yet: ask again later.
    """
    for attempt in range(TRIES_MAX):
        stored = billing_queries.invoice(context.table, user_id, invoice_id)
        if not stored.invoice.is_paid:
            return None
        found = context.gateway.dispute(dispute_id)
        if found is None:
            return None
        known = next((dispute for dispute in stored.invoice.disputes if dispute.id == dispute_id), None)
        if known is not None and (known.status, known.amount) == (found.status, found.amount):
            return stored.invoice
        change = _disputed(context, stored.invoice, found, is_new=known is None)
        written = _written(context, stored, change, "dispute")
        if written is not None:
            return written
        backoff.wait(attempt)
    raise billing.InvoiceMoved


@dataclass(frozen=True, slots=True)
class _Change:
    """An invoice with what is new of it: refunds seen for the first time, and those that `failed` since."""

    invoice: Invoice
    new: tuple[Refund, ...] = ()
    failed: tuple[Refund, ...] = ()
    writes: tuple[Write, ...] = ()
    marks: Mapping[str, Standing | None] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()


def _refunded(context: Context, invoice: Invoice, states: Sequence[RefundState]) -> _Change:
    known = {refund.id: refund for refund in invoice.refunds}
    by_order = {order.id: order for order in invoice.refund_orders}
    ordered = sorted(states, key=lambda state: (state.created_at, state.id))
    fresh = [state for state in ordered if state.id not in known]
    numbers: dict[str, str] = {}
    writes: list[Write] = []
    if fresh:
        series = billing.series_key(invoice.academy_id, billing.CREDIT_NOTES)
        first = billing_queries.next_number(context.table.get(series))
        numbers = {state.id: f"CN-{first + place:06d}" for place, state in enumerate(fresh)}
        writes.append(billing.next_numbers(invoice.academy_id, billing.CREDIT_NOTES, first=first, count=len(fresh)))
    refunds = []
    for state in ordered:
        before = known.get(state.id)
        order_id = state.metadata.get(ORDER_ID, "")
        refund = before or Refund(
            id=state.id,
            amount=state.amount,
            status=state.status,
            created_at=state.created_at,
            order_id=int(order_id) if order_id.isdecimal() and int(order_id) in by_order else None,
            number=numbers[state.id],
        )
        refunds.append(refund.model_copy(update={"status": state.status, "amount": state.amount}))
    of_order = {refund.order_id: refund.id for refund in refunds if refund.order_id is not None}
    orders = tuple(
        order.model_copy(update={"refund_id": of_order[order.id], "refusal": None}) if order.id in of_order else order
        for order in invoice.refund_orders
    )
    return _Change(
        invoice=invoice.model_copy(update={"refunds": tuple(refunds), "refund_orders": orders}),
        new=tuple(refund for refund in refunds if refund.id in numbers),
        failed=tuple(r for r in refunds if not r.holds and (r.id not in known or known[r.id].holds)),
        writes=tuple(writes),
    )


def _disputed(context: Context, invoice: Invoice, found: DisputeState, *, is_new: bool) -> _Change:
    others = tuple(dispute for dispute in invoice.disputes if dispute.id != found.id)
    dispute = Dispute(
        id=found.id, amount=found.amount, status=found.status, reason=found.reason, updated_at=context.now
    )
    forgiven = found.status in CLOSED_DISPUTES and found.status != "lost"
    standing = Standing.FRAUD if found.reason == "fraudulent" else Standing.BAD
    changed = invoice.model_copy(update={"disputes": (*others, dispute)})
    told = staff_to_tell(context, invoice.academy_id) if is_new else ()
    messages = tuple(disputed(changed, dispute, person, context.now) for person in told)
    return _Change(invoice=changed, marks={found.id: None if forgiven else standing}, messages=messages)


def _written(context: Context, stored: StoredInvoice, change: _Change, what: str) -> Invoice | None:
    """Commit a change with all that follows from it; None where something moved, and all is to be looked at again."""
    try:
        return _commit(context, stored, change, what, restores=True)
    except (subscriptions.PlanAlreadyBought, subscriptions.PlanAlreadyFinanced):
        return _commit(context, stored, change, what, restores=False)


def _commit(context: Context, stored: StoredInvoice, change: _Change, what: str, *, restores: bool) -> Invoice | None:
    done = reverse(context, stored, change.invoice, restores=restores)
    invoice = done.invoice.model_copy(update={"status": paid_status(done.invoice)})
    if change.new:
        last = change.new[-1].id
        refunds = tuple(
            refund.model_copy(update={"taken_back": done.taken_back}) if refund.id == last else refund
            for refund in invoice.refunds
        )
        invoice = invoice.model_copy(update={"refunds": refunds})
    marks = {**done.marks, **change.marks}
    messages = [*change.messages, *_messages(context, invoice, change)]
    writes: list[Write] = [
        billing.changed_invoice(invoice, version=stored.version),
        *done.writes,
        *change.writes,
        *([billing.marked(invoice.buyer.user_id, marks)] if marks else []),
        timeline.new(_activity(context, invoice, stored.version, what)),
        *(outbox.new(message) for message in messages),
    ]
    try:
        commit(context.table, writes)
    except MOVED:
        return None
    for message in messages:
        context.queue.nudge_outbox(message.id)
    if done.due is not None:
        context.queue.nudge_holdings([done.due])
    return invoice


def _messages(context: Context, invoice: Invoice, change: _Change) -> list[Message]:
    """The credit notes for the customer; and for staff, the refunds that failed."""
    mails = [credit_note(invoice, refund, context.now) for refund in change.new if refund.holds]
    if change.failed:
        staff = staff_to_tell(context, invoice.academy_id)
        mails += [refund_failed(invoice, refund, person, context.now) for refund in change.failed for person in staff]
    return mails


def _activity(context: Context, invoice: Invoice, version: int, what: str) -> Activity:
    return Activity(
        id=derived(what, invoice.id, version),
        user_id=invoice.buyer.user_id,
        academy_id=invoice.academy_id,
        kind=f"{what}-recorded",
        at=context.now,
        facts={
            "invoice": invoice.id,
            "status": invoice.status,
            "refunded": invoice.amount_refunded,
            "currency": invoice.currency,
        },
    )
