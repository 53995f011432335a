"""How a payment is answered, whatever was paid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chalicelib.books.billing.gateway import PaymentDeclined
from chalicelib.books.billing.queries import BadReputation
from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.idempotency.model import Keyed, KeyReused, RequestInFlight
from chalicelib.entrypoints._http import Answer, Instant, Output
from chalicelib.entrypoints._keyed import played_back
from chalicelib.entrypoints.academy.schemas import invoice_out
from chalicelib.flows.checkout.begin import AmountTooLow, CardRequired
from chalicelib.flows.checkout.charge import PurchaseGivenUp
from chalicelib.flows.checkout.pay import Replayed
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.settle import Outcome, Refused, Settled, Waiting
from chalicelib.flows.recurring.change import Changed
from chalicelib.flows.recurring.once import Made, keep
from chalicelib.kernel.errors import DomainError


class WaitingOut(Output):
    """A payment that is not decided yet. With `requires_action` the front end confirms with `client_secret`."""

    status: str
    client_secret: str | None
    id: int
    amount: float
    created_at: Instant


REFUSALS_OF_PAYMENT: tuple[type[DomainError], ...] = (
    AmountTooLow,
    BadReputation,
    CardRequired,
    PaymentDeclined,
    PurchaseInFlight,
    PurchaseGivenUp,
    RequestInFlight,
    KeyReused,
)


def answer_of(outcome: Outcome | Replayed, status: int, render: Any) -> Answer:
    """What came of a payment: its kept answer, a refusal, or what `render` makes of its invoice."""
    if isinstance(outcome, Replayed):
        return played_back(outcome.answer)
    if isinstance(outcome, Refused):
        raise outcome.error
    return paid_answer(outcome, status, render)


def changed_answer(
    context: Context, keyed: Keyed | None, outcome: Made | Replayed, show: Callable[[Changed], Answer]
) -> Answer:
    """What came of a change: its kept answer, a refusal, that it waits, or what `show` makes of it, which is kept."""
    if not isinstance(outcome, Changed):
        return answer_of(outcome, 200, invoice_out)
    answer = show(outcome)
    kept = None if keyed is None else keep(context, keyed, answer, outcome)
    return answer if kept is None else played_back(kept.answer)


def paid_answer(outcome: Settled | Waiting, status: int, render: Any) -> Answer:
    """A payment that is done; or 202 with what the front end needs to finish it."""
    if isinstance(outcome, Settled):
        return Answer(status, render(outcome.invoice))
    invoice = outcome.invoice
    waiting = WaitingOut(
        status=outcome.status,
        client_secret=outcome.client_secret,
        id=invoice.id,
        amount=invoice_out(invoice).amount,
        created_at=invoice.created_at,
    )
    return Answer(202, waiting)
