"""What a change of plan that was paid makes of its subscription, and what one that is given up leaves."""

from __future__ import annotations

from chalicelib.books.billing.model import Invoice
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.cycle import arrived
from chalicelib.books.subscriptions.model import Holding, Status, Subscription
from chalicelib.books.subscriptions.queries import Held
from chalicelib.books.teams import queries, store
from chalicelib.books.teams.model import Team
from chalicelib.dynamo.writes import Write
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.delivery import ChangeDelivery
from chalicelib.flows.fulfillment.plan import Granting
from chalicelib.flows.fulfillment.renew import with_arrivals
from chalicelib.flows.fulfillment.renewal import digest, with_invoice
from chalicelib.kernel.periods import boundary


def held_for(context: Context, invoice: Invoice, change: ChangeDelivery) -> Held | None:
    """The subscription that a change is of, as it is now."""
    key = subscriptions.subscription_key(invoice.buyer.user_id, change.holding_id)
    return subscription_queries.held(context.table, key)


def delivered(
    context: Context, invoice: Invoice, change: ChangeDelivery, held: Held
) -> tuple[Holding, list[Granting]] | None:
    """The subscription under its new terms, and the units that come with them; None where it has moved on since."""
    holding = held.holding
    if not isinstance(holding, Subscription) or not can_be_changed(holding, change):
        return None
    after = changed(holding, invoice.id, change)
    return with_arrivals(holding, after, context.now, invoice.id)


def seats_kept(context: Context, before: Holding, after: Holding) -> list[Write] | None:
    """Where there are fewer seats afterwards: nobody is seated meanwhile. None where more than these are in use, which
    were filled while the change was being paid. The writes raise TeamMoved.
    """
    if after.terms.seats >= before.terms.seats:
        return []
    found = queries.team(context.table, before.id)
    if found is None:
        nobody = Team(id=before.id, owner_id=before.user_id, academy_id=before.terms.academy_id)
        return [store.unchanged_team(nobody, version=0)]
    if found.team.seats > after.terms.seats:
        return None
    return [store.unchanged_team(found.team, version=found.version)]


def can_be_changed(holding: Subscription, change: ChangeDelivery) -> bool:
    """Whether it is as it was when its customer asked: live, in the same paid period, under the same terms."""
    return (
        holding.status is Status.ACTIVE
        and holding.ended_at is None
        and holding.held_back is None
        and holding.pause is None
        and holding.open_invoice_id is None
        and holding.paid_until == change.paid_until
        and digest(holding.terms) == change.replaces
        and holding.credit >= change.credit
    )


def changed(holding: Subscription, invoice_id: int, change: ChangeDelivery) -> Subscription:
    """The subscription from the change on. What was planned before is forgotten."""
    at = change.at.replace(microsecond=0)
    changes: dict[str, object] = {
        "planned": None,
        "credit": holding.credit - change.credit + change.credited,
        "prorated": change.prorated,
        "changes": max(holding.changes, change.number + 1),
        "change_invoice_id": None,
        "invoice_ids": with_invoice(holding.invoice_ids, invoice_id),
    }
    if change.restarts:
        ends = boundary(at, change.terms.period, 1)
        changes |= {
            "origin": at,
            "periods_paid": 1,
            "paid_at": at,
            "paid_until": ends,
            "next_payment_at": ends,
            "payments": holding.payments + 1,
            "retry_at": None,
        }
    return arrived(holding.model_copy(update=changes), change.terms, at)


def given_up(context: Context, stored: StoredInvoice, change: ChangeDelivery) -> list[Write]:
    """The subscription without the change that nobody will pay: another can begin. The writes raise HoldingMoved."""
    held = held_for(context, stored.invoice, change)
    if held is None or not isinstance(held.holding, Subscription):
        return []
    if held.holding.change_invoice_id != stored.invoice.id:
        return []
    free = held.holding.model_copy(update={"change_invoice_id": None})
    return [subscriptions.changed_holding(free, version=held.version)]
