"""Once: a change that is asked for under a key is made once, and answered again as it was answered first.

The key's record is opened in the transaction that makes the change, or that begins its payment. Its answer says how all
is afterwards, so it is kept when all is done; whoever finds the record without an answer goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing.model import Buyer
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed, KeyReused, RequestInFlight
from chalicelib.dynamo.writes import commit
from chalicelib.flows.checkout.charge import resume
from chalicelib.flows.checkout.pay import Replayed, answered_alike
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.settle import Refused, Waiting
from chalicelib.flows.recurring.change import Changed, told
from chalicelib.flows.recurring.proposal import find, subscription_of

Made = Changed | Waiting | Refused


def once(
    context: Context, buyer: Buyer, subscription_id: int, keyed: Keyed | None, make: Callable[[], Made]
) -> Made | Replayed:
    """What comes of the change, made where the key is new. Raises KeyReused, and what `make` and `resume` do."""
    row = None if keyed is None else context.table.get(idempotency.key_of(keyed))
    if keyed is None or row is None:
        return answered_alike(context, keyed, make)
    record = idempotency.read(row)
    if record.input_hash != keyed.input_hash:
        raise KeyReused
    if record.answer is not None:
        return Replayed(record.answer)
    holding = subscription_of(find(context, buyer.user_id, subscription_id))
    if record.subject is None:
        return Changed(holding)
    stored = billing_queries.invoice(context.table, buyer.user_id, record.subject)
    return told(context, holding, resume(context, stored, keyed=keyed))


def keep(context: Context, keyed: Keyed, result: object, changed: Changed) -> Replayed | None:
    """Keep the answer. Where another call with the key was faster: what it kept."""
    subject = None if changed.invoice is None else changed.invoice.id
    answered = idempotency.answered(keyed, keyed.render(result), subject=subject, now=context.now)
    try:
        commit(context.table, [answered])
    except RequestInFlight:
        kept = idempotency.answer_of(context.table.get(idempotency.key_of(keyed)), keyed)
        if kept is None:
            raise
        return Replayed(kept)
    return None
