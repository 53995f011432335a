"""Teams of subscriptions and financings: their owner sees them, and says who sits there."""

from __future__ import annotations

from chalicelib.books.identity import queries as identity
from chalicelib.books.subscriptions.queries import FinancingNotFound, SubscriptionNotFound
from chalicelib.books.teams import queries
from chalicelib.books.teams.invites import TooManyInvites
from chalicelib.books.teams.queries import SeatNotFound
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints._keyed import keyed_late
from chalicelib.entrypoints.academy.buyers import buyer_of, whence_of
from chalicelib.entrypoints.academy.paying import REFUSALS_OF_PAYMENT, WaitingOut, changed_answer
from chalicelib.entrypoints.academy.plan_change import REFUSALS
from chalicelib.entrypoints.academy.team_schemas import (
    SeatOut,
    SeatsBody,
    SeatsOut,
    TeamBody,
    TeamOut,
    command_of,
    owner_seat_out,
    rules_of,
    seat_out,
    seats_out,
    team_out,
)
from chalicelib.flows.checkout.begin import AmountTooLow
from chalicelib.flows.recurring.change import Changed, ChangedMeanwhile
from chalicelib.flows.recurring.once import Made, once
from chalicelib.flows.recurring.resizing import PlanWithoutSeats, SeatsIncluded
from chalicelib.flows.teams.fill_seats import SeatsLimitExceeded, SeatsRequired, TeamNotUsable, fill_seats
from chalicelib.flows.teams.find import BillingTeamNotFound, OnlyOwnerAllowed, OwnTeam, TeamRef, own_team, team_to_be
from chalicelib.flows.teams.low import month_of
from chalicelib.flows.teams.remove_seat import OwnerSeatStays, remove_seat
from chalicelib.flows.teams.resize import Resize, resize
from chalicelib.flows.teams.rules import InvalidRechargeAmount, TeamHasNoPool, check_rules, set_rules

TEAM = "/v2/payments/subscription/{subscription_id}/billing-team"
FINANCED = "/v2/payments/plan-financing/{financing_id}/team"
OF_TEAM = (OnlyOwnerAllowed, BillingTeamNotFound, SubscriptionNotFound)
OF_FINANCED = (OnlyOwnerAllowed, BillingTeamNotFound, FinancingNotFound)
OF_FILLING = (SeatsRequired, SeatsLimitExceeded, TeamNotUsable, TooManyInvites)


@route("GET", TEAM, access=Access.PERSON, answers={200: TeamOut}, errors=OF_TEAM)
def get_team(call: Call, subscription_id: int) -> Answer:
    """The team of a subscription of one's own."""
    return Answer(200, _team(call, own_team(call.runtime.table, _subscription(call, subscription_id))))


@route(
    "PUT",
    TEAM,
    access=Access.PERSON,
    keyed=True,
    answers={200: TeamOut, 202: WaitingOut},
    errors=(
        OnlyOwnerAllowed,
        BillingTeamNotFound,
        *REFUSALS,
        *REFUSALS_OF_PAYMENT,
        ChangedMeanwhile,
        SeatsIncluded,
        PlanWithoutSeats,
        TeamHasNoPool,
        InvalidRechargeAmount,
        AmountTooLow,
    ),
)
def put_team(call: Call, subscription_id: int, body: TeamBody) -> Answer:
    """Let a team have more seats, which are paid for now for the rest of the period, or fewer from its end on.

    And say how much of its pool each member may use in a period, and when more is bought for it: only once the seats
    are as the same body asks; so while a payment of them waits, or where it is refused, these stay as they were, and
    the same body may be sent again.
    """
    ref, context, buyer = _subscription(call, subscription_id), call.runtime.context(call.now), buyer_of(call.person)
    key, rules = keyed_late(call, f"team-{subscription_id}"), rules_of(body)
    command = Resize(ref=ref, seats=body.seats, whence=whence_of(call))

    def make() -> Made:
        check_rules(context, ref, rules)
        return resize(context, buyer, command, key)

    def resized(done: Changed) -> Answer:
        if rules.say_something:
            set_rules(context, ref, rules)
        return Answer(200, _team(call, team_to_be(context.table, ref)))

    return changed_answer(context, key, once(context, buyer, subscription_id, key, make), resized)


@route("GET", FINANCED, access=Access.PERSON, answers={200: TeamOut}, errors=OF_FINANCED)
def get_financed_team(call: Call, financing_id: int) -> Answer:
    """The team of a financing of one's own."""
    return Answer(200, _team(call, own_team(call.runtime.table, _financing(call, financing_id))))


@route("GET", f"{TEAM}/seat", access=Access.PERSON, answers={200: list[SeatOut]}, errors=OF_TEAM)
def list_seats(call: Call, subscription_id: int) -> Answer:
    """Every seat that the team has and had, the owner's first."""
    return Answer(200, _seats(call, _subscription(call, subscription_id)))


@route("GET", f"{FINANCED}/seat", access=Access.PERSON, answers={200: list[SeatOut]}, errors=OF_FINANCED)
def list_financed_seats(call: Call, financing_id: int) -> Answer:
    """Every seat that the team has and had, the owner's first."""
    return Answer(200, _seats(call, _financing(call, financing_id)))


@route("GET", f"{TEAM}/seat/{{seat_id}}", access=Access.PERSON, answers={200: SeatOut}, errors=(*OF_TEAM, SeatNotFound))
def get_seat(call: Call, subscription_id: int, seat_id: int) -> Answer:
    """One seat."""
    return Answer(200, _seat(call, _subscription(call, subscription_id), seat_id))


@route(
    "GET",
    f"{FINANCED}/seat/{{seat_id}}",
    access=Access.PERSON,
    answers={200: SeatOut},
    errors=(*OF_FINANCED, SeatNotFound),
)
def get_financed_seat(call: Call, financing_id: int, seat_id: int) -> Answer:
    """One seat."""
    return Answer(200, _seat(call, _financing(call, financing_id), seat_id))


@route("PUT", f"{TEAM}/seat", access=Access.PERSON, answers={207: SeatsOut}, errors=(*OF_TEAM, *OF_FILLING))
def put_seats(call: Call, subscription_id: int, body: SeatsBody) -> Answer:
    """Give free seats to people, and seats of people to others. What is refused of the list is in `errors`."""
    return Answer(207, _filled(call, _subscription(call, subscription_id), body))


@route("PUT", f"{FINANCED}/seat", access=Access.PERSON, answers={207: SeatsOut}, errors=(*OF_FINANCED, *OF_FILLING))
def put_financed_seats(call: Call, financing_id: int, body: SeatsBody) -> Answer:
    """Give free seats to people, and seats of people to others. What is refused of the list is in `errors`."""
    return Answer(207, _filled(call, _financing(call, financing_id), body))


@route(
    "DELETE",
    f"{TEAM}/seat/{{seat_id}}",
    access=Access.PERSON,
    answers={204: None},
    errors=(*OF_TEAM, SeatNotFound, OwnerSeatStays),
)
def delete_seat(call: Call, subscription_id: int, seat_id: int) -> Answer:
    """Free a seat: what its holder has left of it ends."""
    remove_seat(call.runtime.context(call.now), _subscription(call, subscription_id), seat_id)
    return Answer(204)


@route(
    "DELETE",
    f"{FINANCED}/seat/{{seat_id}}",
    access=Access.PERSON,
    answers={204: None},
    errors=(*OF_FINANCED, SeatNotFound, OwnerSeatStays),
)
def delete_financed_seat(call: Call, financing_id: int, seat_id: int) -> Answer:
    """Free a seat: what its holder has left of it ends."""
    remove_seat(call.runtime.context(call.now), _financing(call, financing_id), seat_id)
    return Answer(204)


def _subscription(call: Call, ident: int) -> TeamRef:
    return TeamRef(call.person.user_id, ident)


def _financing(call: Call, ident: int) -> TeamRef:
    return TeamRef(call.person.user_id, ident, financed=True)


def _team(call: Call, found: OwnTeam) -> TeamOut:
    month = month_of(found.holding, call.now)
    spent = queries.spent(call.runtime.table, found.team.id, int(month[0].timestamp()))
    return team_out(found, month=month, spent=spent)


def _seats(call: Call, ref: TeamRef) -> list[Output]:
    table = call.runtime.table
    own = owner_seat_out(own_team(table, ref), identity.user(table, ref.owner_id))
    return [own, *(seat_out(stored.seat) for stored in queries.seats(table, ref.holding_id))]


def _seat(call: Call, ref: TeamRef, seat_id: int) -> SeatOut:
    table = call.runtime.table
    found = own_team(table, ref)
    if seat_id == ref.holding_id:
        return owner_seat_out(found, identity.user(table, ref.owner_id))
    return seat_out(queries.seat(table, ref.holding_id, seat_id).seat)


def _filled(call: Call, ref: TeamRef, body: SeatsBody) -> SeatsOut:
    return seats_out(fill_seats(call.runtime.context(call.now), ref, command_of(body)))
