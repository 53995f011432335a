"""What becomes of a recharge when its payment succeeds, and when it does not.

While its invoice is pending, the recharge is bound to it and the month's spend has its amount: what decides the invoice
ends both, in its own transaction. An invoice that was given up has neither; a payment that comes late reserves again.
"""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import Invoice, InvoiceStatus
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Fate, Holding
from chalicelib.books.teams import queries, recharge_store, store
from chalicelib.books.teams.model import Team
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import Delivery, PoolDelivery, UnitsDelivery
from chalicelib.flows.fulfillment.notices import recharge_stopped
from chalicelib.flows.fulfillment.renewal import NOT_ASKED_AGAIN_FOR


def delivered(context: Context, invoice: Invoice, units: UnitsDelivery, *, late: bool) -> Sequence[Write] | None:
    """What is written beside the units; None where the plan is over, so that nobody would have them.

    Raises InvoiceMoved where another was faster. The writes raise HoldingMoved; of a `late` payment SpendLimitReached
    too, where others were bought meanwhile.
    """
    pool = units.pool
    if pool is None:
        return ()
    key = subscriptions.subscription_key(invoice.buyer.user_id, pool.team_id)
    held = subscription_queries.held(context.table, key)
    if held is None or _is_over(held.holding):
        if billing_queries.invoice(context.table, invoice.buyer.user_id, invoice.id).invoice.is_paid:
            raise billing.InvoiceMoved  # another delivered it while the plan went on: its money stays
        return None
    goes_on = subscriptions.unchanged_holding(held.holding, version=held.version)
    if not late:
        return [goes_on, recharge_store.ended_recharge(_key(pool, units), invoice_id=invoice.id)]
    found = queries.team(context.table, pool.team_id)
    most = None if found is None or found.team.recharge is None else found.team.recharge.max_period_spend
    return [goes_on, recharge_store.reserve_spend(pool.team_id, pool.month, amount=invoice.amount, most=most)]


def given_up(
    context: Context, invoice: Invoice, units: UnitsDelivery, *, status: InvoiceStatus, reason: str
) -> tuple[list[Write], list[Message]]:
    """What is written where its pending invoice is not paid. Refused (REJECTED): no more is bought, and its owner is
    told; never looked at (VOIDED): it is tried again. The writes raise TeamMoved.
    """
    pool = units.pool
    if pool is None:
        return [], []
    back = recharge_store.spend_back(pool.team_id, pool.month, amount=invoice.amount)
    if status is InvoiceStatus.VOIDED:
        again = context.now + NOT_ASKED_AGAIN_FOR
        return [back, recharge_store.unpaid_recharge(_key(pool, units), invoice_id=invoice.id, due_at=again)], []
    writes: list[Write] = [back, recharge_store.ended_recharge(_key(pool, units), invoice_id=invoice.id)]
    found = queries.team(context.table, pool.team_id)
    if found is None or found.team.recharge is None or not found.team.recharge.enabled:
        return writes, []
    writes.append(store.saved_team(stopped(found.team, reason), version=found.version))
    return writes, [recharge_stopped(invoice.buyer, reason, (invoice.id,), context.now)]


def undelivered(stored: StoredInvoice) -> list[Write]:
    """What is written where the money of an invoice goes back, since there is nobody to deliver to."""
    units = Delivery.model_validate_json(stored.delivery).units
    invoice = stored.invoice
    if units is None or units.pool is None or invoice.status is not InvoiceStatus.PENDING:
        return []
    return [
        recharge_store.spend_back(units.pool.team_id, units.pool.month, amount=invoice.amount),
        recharge_store.ended_recharge(_key(units.pool, units), invoice_id=invoice.id),
    ]


def stopped(team: Team, code: str) -> Team:
    """The team, for whose pool nothing is bought until its owner switches that on again."""
    if team.recharge is None:
        return team
    recharge = team.recharge.model_copy(update={"enabled": False, "stopped": code})
    return team.model_copy(update={"recharge": recharge})


def _is_over(holding: Holding) -> bool:
    refunded = holding.held_back is not None and holding.held_back.fate is Fate.ENDED
    return holding.ended_at is not None or refunded


def _key(pool: PoolDelivery, units: UnitsDelivery) -> Key:
    return recharge_store.recharge_key(pool.team_id, units.unit.name)
