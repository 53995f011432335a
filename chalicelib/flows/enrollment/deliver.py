"""Deliver: give what an accepted invitation owes, plan by plan, each once. Repeats and races end in the same state."""

from __future__ import annotations

from contextlib import suppress

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing.model import InvoiceKind
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.enrollment import store
from chalicelib.books.enrollment.model import Invitation, Owed
from chalicelib.books.enrollment.queries import InvitationNotFound, StoredInvitation, read_invitation
from chalicelib.dynamo.rows import Key
from chalicelib.flows.checkout.begin import Purchase, begun_free, invoice_of
from chalicelib.flows.checkout.quote import Content
from chalicelib.flows.context import Context
from chalicelib.flows.enrollment.promise import delivery_of
from chalicelib.flows.fulfillment.fulfill import Begun, fulfill
from chalicelib.kernel.errors import Defect, TryLater

ROUNDS_MAX = 30


def deliver(context: Context, key: Key) -> Invitation:
    """Deliver all that the invitation owes, and answer it as it is then. Raises InvitationNotFound."""
    for _ in range(ROUNDS_MAX):
        row = context.table.get(key)
        if row is None:
            raise InvitationNotFound
        stored = read_invitation(row)
        if not stored.invitation.owed:
            return stored.invitation
        with suppress(store.InvitationMoved):  # another delivers it too: look what is left
            _deliver(context, stored, stored.invitation.owed[0])
    raise TryLater


def _deliver(context: Context, stored: StoredInvitation, owed: Owed) -> None:
    """Fulfil one plan's invoice of nothing, in the transaction that takes the plan off the invitation."""
    invitation = stored.invitation
    if invitation.user_id is None:
        raise Defect(f"invitation {invitation.id} owes something to nobody")
    bag = billing_queries.bag(context.table, invitation.user_id, owed.invoice_id)
    content = Content.model_validate_json(bag.content)
    delivery = delivery_of(content)
    purchase = Purchase(
        id=owed.invoice_id,
        kind=InvoiceKind.PLAN,
        academy_id=invitation.academy_id,
        buyer=bag.bag.buyer,
        bag_id=bag.bag.id,
        priced=content.ways[0].priced,
        amount=0,
        coupons=(),
        country=None,
        plan_slug=content.offer.plan.slug,
        delivery=delivery,
    )
    invoice = invoice_of(context, purchase, None)
    left = invitation.model_copy(update={"owed": tuple(other for other in invitation.owed if other != owed)})
    begun = begun_free(context, invoice, delivery, rows={})
    taken_off = store.changed_invitation(left, digest=stored.digest, version=stored.version)
    fulfill(
        context,
        StoredInvoice(invoice, delivery.model_dump_json(), 0),
        None,
        begun=Begun((taken_off, *begun.writes)),
    )
