"""Pause and resume a subscription."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from chalicelib.books.idempotency.model import RequestInFlight
from chalicelib.books.subscriptions.model import Holding, Status
from chalicelib.dynamo.rows import Key
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.settle import Outcome
from chalicelib.flows.recurring.alter import alter, follow, held_by
from chalicelib.flows.recurring.pay_now import Ask, check_attempts, check_card, collected
from chalicelib.flows.recurring.wishes import NotPaused, pausing, resumed

TRIES_MAX = 5


def pause(context: Context, key: Key, *, days: int) -> Holding:
    """Neither payment nor access for so many days from the end of what is paid on; then a new period begins.

    Raises NotActive, AlreadyPaused, PaymentIsDisputed, FinancingNotPausable, PurchaseInFlight.
    """
    return alter(context, key, lambda holding: pausing(holding, days, context.now), "pause-asked-for")


def resume(context: Context, key: Key, ask: Ask) -> Holding | Outcome:
    """Withdraw a pause that has not begun: answers the subscription. One that has begun ends now, and the period that
    begins with that is paid at once: answers what came of the payment. Where it is not made, the pause goes on as it
    was, to its own end.

    Raises NotPaused, PaymentIsDisputed, FinancingNotPausable, CardRequired, TooManyAttempts, PurchaseInFlight, and what
    the processor refuses but for a decline.
    """
    for _ in range(TRIES_MAX):
        after = held_by(context, key).holding
        if after.status is Status.PAUSED:
            check_card(context, resumed(after, context.now))
            if _rests(after, context.now):
                check_attempts(context, after.user_id)  # before it is ended, for which the schedule would charge them
        if after.status is not Status.PAUSED or _rests(after, context.now):
            after = alter(context, key, lambda holding: resumed(holding, context.now), "resumed")
        if after.status is not Status.PAUSED:
            return follow(context, key, after)
        with suppress(_RestsOn):
            return collected(context, key, ask, lambda holding, waits: _check_ends(holding, context.now))
    raise RequestInFlight


class _RestsOn(Exception):
    """The attempt before this one was given up, and the pause goes on with that."""


def _check_ends(holding: Holding, now: datetime) -> None:
    if holding.status is not Status.PAUSED:
        raise NotPaused  # another call was faster
    if _rests(holding, now):
        raise _RestsOn


def _rests(holding: Holding, now: datetime) -> bool:
    return holding.next_payment_at is None or now < holding.next_payment_at
