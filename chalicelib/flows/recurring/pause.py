"""Pause and resume a subscription."""

from __future__ import annotations

from chalicelib.books.subscriptions.model import Holding, Status
from chalicelib.dynamo.rows import Key
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.settle import Outcome
from chalicelib.flows.recurring.alter import alter, follow, held_by
from chalicelib.flows.recurring.pay_now import Ask, check_card, collected
from chalicelib.flows.recurring.wishes import NotPaused, pausing, resumed


def pause(context: Context, key: Key, *, days: int) -> Holding:
    """Neither payment nor access for so many days from the end of what is paid on; then a new period begins.

    Raises NotActive, AlreadyPaused, PaymentIsDisputed, FinancingNotPausable, PurchaseInFlight.
    """
    return alter(context, key, lambda holding: pausing(holding, days, context.now), "pause-asked-for")


def resume(context: Context, key: Key, ask: Ask) -> Holding | Outcome:
    """Withdraw a pause that has not begun: answers the subscription. One that has begun ends now, and the period that
    begins with that is paid at once: answers what came of the payment.

    Raises NotPaused, PaymentIsDisputed, FinancingNotPausable, CardRequired, TooManyAttempts, PurchaseInFlight, and what
    the processor refuses but for a decline.
    """
    after = held_by(context, key).holding
    if after.status is Status.PAUSED:
        check_card(context, resumed(after, context.now))
    if after.next_payment_at is None or after.status is not Status.PAUSED or context.now < after.next_payment_at:
        after = alter(context, key, lambda holding: resumed(holding, context.now), "resumed")
    if after.status is not Status.PAUSED:
        return follow(context, key, after)
    return collected(context, key, ask, _check_paused)


def _check_paused(holding: Holding, waits: bool) -> None:
    if holding.status is not Status.PAUSED:
        raise NotPaused  # another call was faster
