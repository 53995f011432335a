"""Alter: what its holder wants of a holding is done by one rule, in one transaction over the holding as it was read."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.books.billing.gateway import PaymentServiceBusy, PaymentServiceDown
from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.course import due_step
from chalicelib.books.subscriptions.model import Holding
from chalicelib.books.subscriptions.queries import FinancingNotFound, Held, SubscriptionNotFound
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import backoff
from chalicelib.flows.context import Context
from chalicelib.flows.recurring.close import close_payment
from chalicelib.flows.recurring.rewrite import rewrite
from chalicelib.flows.recurring.tend import MOVED, tend
from chalicelib.kernel.errors import TryLater

TRIES_MAX = 10

Rule = Callable[[Holding], Holding]
"""From the holding as it is to the holding as it is wanted; raises what forbids it."""


def held_by(context: Context, key: Key) -> Held:
    """The holding of a key, to be changed. Raises SubscriptionNotFound, FinancingNotFound."""
    held = subscription_queries.held(context.table, key)
    if held is None:
        raise SubscriptionNotFound if key.sk.startswith("SUB#") else FinancingNotFound
    return held


def alter(context: Context, key: Key, rule: Rule, what: str) -> Holding:
    """Apply the rule, with no payment of the holding under way or left open. Answers the holding as it is then.

    A payment that turns out to have succeeded is delivered first, and the rule applied to what that makes of it.
    Raises PurchaseInFlight where one may take money right now.
    """
    for attempt in range(TRIES_MAX):
        held = held_by(context, key)
        after = rule(held.holding)
        close_payment(context, held.holding)
        try:
            rewrite(context, held, after, what)
        except subscriptions.HoldingMoved:
            backoff.wait(attempt)
        else:
            return after
    raise TryLater


def follow(context: Context, key: Key, after: Holding) -> Holding:
    """Do at once what a change made due, such as units that end now. Where that fails, it is left to a worker."""
    if due_step(after, context.now) is None:
        return after
    try:
        tend(context, key)
    except (TryLater, PaymentServiceBusy, PaymentServiceDown, *MOVED):
        context.queue.nudge_holdings([key])
    return held_by(context, key).holding
