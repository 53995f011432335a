"""Cancel and reactivate: no further payment, and the same again as before."""

from __future__ import annotations

from chalicelib.books.subscriptions.model import Holding
from chalicelib.dynamo.rows import Key
from chalicelib.flows.context import Context
from chalicelib.flows.recurring.alter import alter, follow
from chalicelib.flows.recurring.wishes import When, cancelled, reactivated


def cancel(context: Context, key: Key, *, when: When, reason: str | None) -> Holding:
    """Ask for no further payment; access and refills last as long as what is paid, or end now.

    Raises AlreadyCancelled, PlanDeprecated, AllInstalmentsPaid, AlreadyOver, PurchaseInFlight.
    """
    after = alter(context, key, lambda holding: cancelled(holding, when, reason, context.now), "cancelled")
    return follow(context, key, after)


def reactivate(context: Context, key: Key) -> Holding:
    """Go on as if it had not been cancelled.

    Raises AlreadyActive, ReactivationPeriodExpired, PaymentWasRefunded, PaymentIsDisputed.
    """
    return follow(context, key, alter(context, key, lambda holding: reactivated(holding, context.now), "reactivated"))
