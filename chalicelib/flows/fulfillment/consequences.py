"""What refunds and disputes do to what was bought. Pure: from the invoice as it is, whatever order that came in."""

from __future__ import annotations

from datetime import datetime
from math import floor

from chalicelib.books.billing.model import Invoice, PlanAction
from chalicelib.books.billing.refunds import amount_lost, amount_returned, is_disputed, share_returned
from chalicelib.books.catalog.pricing import ADD_ON_LINE, SEATS_LINE
from chalicelib.books.ledger.model import Entry, Portion
from chalicelib.books.ledger.reversal import Target
from chalicelib.books.subscriptions.model import ADD_ON_PREFIX, Fate


def plan_fate(invoice: Invoice, *, is_over: bool) -> Fate:
    """What becomes of the plan that the invoice paid for (D55). `is_over`: a later period of it has been paid since.

    An invoice that ends up fully returned ends its plan, unless staff said otherwise with its last refund. The refund
    of a period that is over ends none that was paid for afterwards, unless staff say so; a lost dispute does.
    """
    orders = {order.id: order for order in invoice.refund_orders}
    holding = [refund for refund in invoice.refunds if refund.holds]
    actions = [orders[r.order_id].plan_action if r.order_id in orders else None for r in holding]
    if PlanAction.CANCEL_NOW in actions:
        return Fate.ENDED
    by_default = amount_lost(invoice) > 0 or (not is_over and (not actions or actions[-1] is None))
    if is_all_returned(invoice) and by_default:
        return Fate.ENDED
    if is_disputed(invoice):
        return Fate.SUSPENDED
    return Fate.ENDING if PlanAction.CANCEL_AT_PERIOD_END in actions else Fate.LIVE


def is_all_returned(invoice: Invoice) -> bool:
    return invoice.amount > 0 and amount_returned(invoice) >= invoice.amount


def units_target(
    invoice: Invoice, grant: Entry, *, fate: Fate, ended_at: datetime | None, collect: bool, is_over: bool
) -> Target:
    """What one grant of the invoice should come to: its units back pro rata to what went back of the lines that paid
    for them, rounded in the customer's favor.
    """
    counted = [portion for portion in grant.portions if not portion.unlimited]
    due = sum(portion.granted * share_returned(invoice, _lines_for(invoice, portion)) for portion in counted)
    return Target(
        due=floor(due),
        revoked=sum(invoice.revoked_units.get(portion.lot_id, 0) for portion in grant.portions),
        ended=(is_all_returned(invoice) and not is_over) or fate is Fate.ENDED,
        frozen=is_disputed(invoice),
        ends_at=ended_at if fate is Fate.ENDED else None,
        collect=collect,
    )


def _lines_for(invoice: Invoice, portion: Portion) -> frozenset[str]:
    """The lines of the invoice that paid for units: those of their add-on, else all but add-ons and further seats."""
    _, _, of_invoice = portion.lot_id.partition("_")
    link, _, _ = of_invoice.rpartition("_")
    kinds = {line.id: line.id.split(":") for line in invoice.lines}
    add_ons = {ident: kind[1] for ident, kind in kinds.items() if kind[0] == ADD_ON_LINE}
    own = frozenset(ident for ident, service in add_ons.items() if link == f"{ADD_ON_PREFIX}{service}")
    return own or frozenset(ident for ident, kind in kinds.items() if kind[0] not in (ADD_ON_LINE, SEATS_LINE))
