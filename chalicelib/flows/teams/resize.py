"""Resize: more seats are paid for now, for the rest of the period; fewer come with the next payment."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.billing.model import Buyer, Whence
from chalicelib.books.billing.store import PurchaseInFlight
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.model import ServiceType
from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed
from chalicelib.books.subscriptions.cycle import coming_terms
from chalicelib.books.subscriptions.model import Status, Subscription
from chalicelib.books.teams import store
from chalicelib.dynamo.writes import Check, absent, backoff, present
from chalicelib.flows.checkout.check import SEATS_MAX
from chalicelib.flows.checkout.pay import Replayed, replayed
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.settle import Outcome, Settled
from chalicelib.flows.recurring.change import Changed, change
from chalicelib.flows.recurring.proposal import FinancingCannotBeChanged, SubscriptionCannotBeChanged, Wish
from chalicelib.flows.recurring.resizing import PlanWithoutSeats
from chalicelib.flows.teams.find import OwnTeam, TeamRef, team_to_be
from chalicelib.kernel.errors import DomainError, Kind, TryLater

TRIES_MAX = 8


class SeatsInUse(DomainError):
    kind = Kind.CONFLICT
    slug = "seats-in-use"
    detail = "{used} seats are in use: remove somebody first."


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


def resize(context: Context, buyer: Buyer, ref: TeamRef, seats: int, whence: Whence | None = None) -> Changed | Outcome:
    """Let the team have so many seats. To the number that it has: that takes back what was planned.

    Raises what `team_to_be` and `change` refuse, SeatsInUse, SeatsIncluded, PlanWithoutSeats, TooManySeats.
    """
    for attempt in range(TRIES_MAX):
        found = team_to_be(context.table, ref)
        holding = _subscription(found)
        if seats > SEATS_MAX:
            raise TooManySeats
        if seats < found.team.seats:
            raise SeatsInUse(used=found.team.seats)
        planned = coming_terms(holding)
        other = planned.plan_id != holding.terms.plan_id or planned.period != holding.terms.period
        if seats == holding.terms.seats and (other or planned == holding.terms):
            return Changed(holding)
        as_read = store.unchanged_team(found.team, version=found.stored.version)
        wish = Wish(subscription_id=holding.id, plan=holding.terms.plan_id, seats=seats, beside=(as_read,))
        try:
            return change(context, buyer, wish, whence)
        except store.TeamMoved:
            backoff.wait(attempt)
    raise TryLater


def buy_seats(context: Context, buyer: Buyer, command: BuySeats, keyed: Keyed | None = None) -> Outcome | Replayed:
    """Charge the saved card for the seats, for what is left of the period.

    More seats are always paid for at once. Where others bought as many since the team was read, there is nothing to be
    paid, or fewer would be planned: nothing is done then, and it is to be asked again.

    Raises as `resize`, ServiceNotFound, KeyReused, RequestInFlight, PurchaseInFlight; never a decline: that is an
    outcome.
    """
    if keyed is not None:
        replay = replayed(context, buyer, context.table.get_many([idempotency.key_of(keyed)]), keyed)
        if replay is not None:
            return replay
    found = team_to_be(context.table, TeamRef(buyer.user_id, command.subscription_id))
    if catalog.service(context.table, command.service).type is not ServiceType.SEAT:
        raise PlanWithoutSeats
    holding = _subscription(found)
    seats = holding.terms.seats + command.how_many
    if seats > SEATS_MAX:
        raise TooManySeats
    if holding.status is Status.FREE_TRIAL:
        raise SubscriptionCannotBeChanged(why="it is on trial; set the number of its seats at its team instead")
    wish = Wish(subscription_id=holding.id, plan=holding.terms.plan_id, seats=seats, beside=(_never_planned(found),))
    outcome = change(context, buyer, wish, command.whence, keyed)
    if not isinstance(outcome, Changed):
        return outcome
    if outcome.invoice is None:
        raise PurchaseInFlight
    return Settled(outcome.invoice)


def _never_planned(found: OwnTeam) -> Check:
    """No row is both there and not: what this is beside is never written."""
    key = store.team_key(found.team.id)
    return Check(key=key, condition=absent & present, refused=lambda old: PurchaseInFlight())


def _subscription(found: OwnTeam) -> Subscription:
    if not isinstance(found.holding, Subscription):
        raise FinancingCannotBeChanged
    return found.holding
