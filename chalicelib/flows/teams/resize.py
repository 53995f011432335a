"""Resize: more seats are paid for now, for the rest of the period; fewer come with the next payment."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.billing.model import Buyer, Whence
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.model import ServiceType
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed
from chalicelib.books.subscriptions.cycle import coming_terms
from chalicelib.books.subscriptions.model import Status, Subscription
from chalicelib.dynamo.writes import backoff
from chalicelib.flows.checkout.check import SEATS_MAX
from chalicelib.flows.checkout.pay import Replayed, answered_alike, replayed
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.settle import Outcome, Refused, Settled, Waiting
from chalicelib.flows.recurring.change import Changed, change, unchanged
from chalicelib.flows.recurring.proposal import FinancingCannotBeChanged, SeatsMoved, SubscriptionCannotBeChanged, Wish
from chalicelib.flows.recurring.resizing import PlanWithoutSeats
from chalicelib.flows.teams.find import OwnTeam, TeamRef, team_to_be
from chalicelib.kernel.errors import Defect, DomainError, TryLater

TRIES_MAX = 8


class TooManySeats(DomainError):
    slug = "the-amount-of-items-is-too-high"
    detail = f"A team has {SEATS_MAX} seats at most."


@dataclass(frozen=True, slots=True, kw_only=True)
class BuySeats:
    """So many seats more. `service` (id or slug) is one of seats."""

    service: int | str
    subscription_id: int
    how_many: int
    whence: Whence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """The team of a subscription is to have so many seats; None: as many as it has, and what is planned stays."""

    ref: TeamRef
    seats: int | None
    whence: Whence | None = None


def resize(context: Context, buyer: Buyer, command: Resize, keyed: Keyed | None = None) -> Changed | Waiting | Refused:
    """Let the team have so many seats. To the number that it has: that takes back what was planned.

    `keyed` is a key that is new.

    Raises what `team_to_be` and `change` refuse, SeatsInUse, SeatsIncluded, PlanWithoutSeats, TooManySeats.
    """
    found, seats = team_to_be(context.table, command.ref), command.seats
    holding = _subscription(found)
    if seats is None:
        return unchanged(context, holding, keyed)
    if seats > SEATS_MAX:
        raise TooManySeats
    planned = coming_terms(holding)
    other = planned.plan_id != holding.terms.plan_id or planned.period != holding.terms.period
    if seats == holding.terms.seats and (other or planned == holding.terms):
        return unchanged(context, holding, keyed)
    wish = Wish(subscription_id=holding.id, plan=holding.terms.plan_id, seats=seats)
    return change(context, buyer, wish, command.whence, keyed)


def buy_seats(context: Context, buyer: Buyer, command: BuySeats, keyed: Keyed | None = None) -> Outcome | Replayed:
    """Charge the saved card for the seats, for what is left of the period.

    Raises as `resize`, ServiceNotFound, KeyReused, RequestInFlight, PurchaseInFlight; never a decline: that is an
    outcome.
    """
    return answered_alike(context, keyed, lambda: _bought(context, buyer, command, keyed))


def _bought(context: Context, buyer: Buyer, command: BuySeats, keyed: Keyed | None) -> Outcome | Replayed:
    for attempt in range(TRIES_MAX):
        if keyed is not None:
            replay = replayed(context, buyer, context.table.get_many([idempotency.key_of(keyed)]), keyed)
            if replay is not None:
                return replay
        wish = _wish(context, buyer, command)
        try:
            outcome = change(context, buyer, wish, command.whence, keyed)
        except SeatsMoved:
            backoff.wait(attempt)
            continue
        if not isinstance(outcome, Changed):
            return outcome
        if outcome.invoice is None:
            raise Defect(f"seats of subscription {wish.subscription_id} were bought without an invoice")
        return Settled(outcome.invoice)
    raise TryLater


def _wish(context: Context, buyer: Buyer, command: BuySeats) -> Wish:
    """So many seats as there are now, and those that are bought."""
    found = team_to_be(context.table, TeamRef(buyer.user_id, command.subscription_id))
    if catalog.service(context.table, command.service).type is not ServiceType.SEAT:
        raise PlanWithoutSeats
    holding = _subscription(found)
    has = holding.terms.seats
    if has + command.how_many > SEATS_MAX:
        raise TooManySeats
    if holding.status is Status.FREE_TRIAL:
        raise SubscriptionCannotBeChanged(why="it is on trial; set the number of its seats at its team instead")
    return Wish(subscription_id=holding.id, plan=holding.terms.plan_id, seats=has + command.how_many, instead_of=has)


def _subscription(found: OwnTeam) -> Subscription:
    if not isinstance(found.holding, Subscription):
        raise FinancingCannotBeChanged
    return found.holding
