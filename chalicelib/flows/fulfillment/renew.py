"""Renew: what a further payment of a holding writes when it succeeds, and when it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.books.billing.model import Invoice, InvoiceStatus
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.identity.credentials import new_secret, secret_digest
from chalicelib.books.ledger import pool_store
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.entries import grant_entry_id
from chalicelib.books.ledger.model import Holder
from chalicelib.books.ledger.queries import FIRST_PAGE, Place, place
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.course import arriving, due_refills, ends_moved, refills_after
from chalicelib.books.subscriptions.model import Financing, Holding, Status
from chalicelib.books.subscriptions.queries import Held
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment import renewal as rules
from chalicelib.flows.fulfillment.delivery import RenewalDelivery
from chalicelib.flows.fulfillment.latest import latest
from chalicelib.flows.fulfillment.notices import finish_payment, fully_paid, holding_over, payment_failed
from chalicelib.flows.fulfillment.plan import Granting, refill_grantings

RECOVERY_PREFIX = "purser_recover_"

Places = dict[tuple[Holder, str], Place]


def key_of(user_id: int, renewal: RenewalDelivery) -> Key:
    key = subscriptions.financing_key if renewal.financed else subscriptions.subscription_key
    return key(user_id, renewal.holding_id)


def held_of(context: Context, invoice: Invoice, renewal: RenewalDelivery) -> Held | None:
    """The holding that a renewal is of, as it is now."""
    return latest(context, key_of(invoice.buyer.user_id, renewal))


def paid(context: Context, invoice: Invoice, renewal: RenewalDelivery, held: Held) -> tuple[Holding, list[Granting]]:
    """The holding once the invoice is paid, and the units that come with it."""
    after = rules.renewed(held.holding, invoice.id, renewal, context.now)
    return with_arrivals(held.holding, after, context.now, invoice.id)


def with_arrivals(before: Holding, after: Holding, now: datetime, invoice_id: int) -> tuple[Holding, list[Granting]]:
    """As `with_refills`; where other terms came, with the units that they begin with, and the old ones to be ended."""
    if after.terms == before.terms:
        return with_refills(after, now, invoice_id)
    arrivals = [] if after.terms.plan_id == before.terms.plan_id else arriving(after, now)
    given = [*arrivals, *due_refills(after, now)]
    looked_at = None if after.access_until is not None else now
    changes = {"refills": refills_after(after, now), "lots_until": looked_at}
    return after.model_copy(update=changes), list(refill_grantings(after, given, invoice_id))


def with_refills(holding: Holding, now: datetime, invoice_id: int) -> tuple[Holding, list[Granting]]:
    """The holding with what is due of its items marked as given, and the units themselves."""
    refills = due_refills(holding, now)
    after = holding.model_copy(update={"refills": refills_after(holding, now)})
    if not ends_moved(after, {refill.item.link_id for refill in refills}):
        after = after.model_copy(update={"lots_until": after.access_until})
    return after, list(refill_grantings(holding, refills, invoice_id))


def grant_writes(
    grantings: Sequence[Granting], places: Places, *, invoice_id: int, cause: str, now: datetime
) -> list[Write]:
    """Put units that come again, and say which invoice paid for them."""
    writes = lot_writes(grantings, places, cause=cause, now=now)
    at = now.replace(microsecond=0)
    by_holder: dict[Holder, list[Granting]] = {}
    for granting in grantings:
        by_holder.setdefault(granting.holder, []).append(granting)
    for holder, given in by_holder.items():
        ends = [grant.expires_at for granting in given for grant in granting.grants]
        known = [end for end in ends if end is not None]
        until = max(known) if len(known) == len(ends) else None
        entry_ids = [grant_entry_id(granting.grants) for granting in given]
        writes.append(ledger.paid_by(holder, invoice_id, entry_ids, at=at, until=until))
    return writes


def lot_writes(grantings: Sequence[Granting], places: Places, *, cause: str, now: datetime) -> list[Write]:
    """Put units, each where there is room."""
    writes: list[Write] = []
    at = now.replace(microsecond=0)
    for granting in grantings:
        where = places.get((granting.holder, granting.unit.name), FIRST_PAGE)
        writes += ledger.grant_writes(
            granting.holder, granting.unit, granting.grants, page=where.page, now=at, cause=cause, owing=where.owing
        )
    return writes


def places_now(context: Context, grantings: Sequence[Granting]) -> Places:
    """For each unit the first page with room, and what it owes, out of what is there now."""
    return {
        (granting.holder, granting.unit.name): place(
            context.table, granting.holder, granting.unit, lots=len(granting.grants)
        )
        for granting in grantings
    }


def paid_messages(invoice: Invoice, before: Holding, after: Holding, now: datetime) -> list[Message]:
    """What is told beside the receipt: that nothing is left to pay."""
    done = isinstance(after, Financing) and after.status is Status.FULLY_PAID and before.status is not after.status
    return [fully_paid(invoice, now)] if done else []


def refusal_writes(
    context: Context, stored: StoredInvoice, renewal: RenewalDelivery, status: InvoiceStatus, reason: str
) -> tuple[list[Write], list[Message], Held | None]:
    """What a refused payment (REJECTED), or one that was never looked at (VOIDED), does to its holding.

    With it comes the holding as the writes make it; they raise HoldingMoved. One that waits for another payment by now
    is left alone.
    """
    invoice = stored.invoice
    held = held_of(context, invoice, renewal)
    if held is None or held.holding.open_invoice_id != invoice.id:
        return [], [], None
    if status is InvoiceStatus.VOIDED:
        after = rules.given_up(held.holding, context.now)
        return changed_writes(held, after), [], Held(after, held.version + 1)
    secret = None
    if reason == rules.AUTHENTICATION:
        secret = new_secret(f"{RECOVERY_PREFIX}{invoice.buyer.user_id}.{invoice.id}.")
    after = _refused(context, held.holding, invoice, reason, secret)
    messages = refusal_messages(context, invoice, held.holding, after, secret)
    return changed_writes(held, after), messages, Held(after, held.version + 1)


def changed_writes(held: Held, after: Holding) -> list[Write]:
    """The holding and its claims: where it is over by that, or on another plan, the plan can be bought again."""
    return [
        subscriptions.changed_holding(after, version=held.version),
        *subscriptions.claims_moved(held.holding, after),
    ]


def pool_writes(context: Context, before: Holding, after: Holding) -> list[Write]:
    """The pool of a plan that has one, where the holding never had any."""
    if before.terms == after.terms or not any(item.pooled for item in after.terms.items):
        return []
    owner, team = Holder.person(after.user_id), Holder.team(after.id)
    has_one = context.table.get(pool_store.pool_key(owner, team)) is not None
    return [] if has_one else [pool_store.pool_write(owner, team)]


def _refused(context: Context, holding: Holding, invoice: Invoice, reason: str, secret: str | None) -> Holding:
    reference = invoice.payment
    return rules.refused(
        holding,
        code=reason,
        payment_method_id=None if reference is None else reference.payment_method_id,
        scheduled=reference is not None and reference.scheduled,
        now=context.now,
        recovery=None if secret is None else secret_digest(secret),
    )


def refusal_messages(
    context: Context, invoice: Invoice, before: Holding, after: Holding, secret: str | None
) -> list[Message]:
    """A mail at each step; none to whoever is looking on, unless it is over by that."""
    if after.ended_at is not None:
        return [holding_over(invoice.buyer, after, context.now)]
    watching = invoice.payment is not None and invoice.payment.present
    if after.dunning is None or watching:
        return []
    if secret is not None:
        return [
            finish_payment(invoice, after.dunning, f"{context.front_end.rstrip('/')}/recover/{secret}", context.now)
        ]
    return [payment_failed(invoice.buyer, after, invoice.total, context.now)]
