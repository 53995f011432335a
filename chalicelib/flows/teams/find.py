"""The team of a subscription or financing, for its owner alone."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Holding
from chalicelib.books.subscriptions.queries import FinancingNotFound, Held, SubscriptionNotFound
from chalicelib.books.teams import queries
from chalicelib.books.teams.model import Team
from chalicelib.books.teams.queries import StoredTeam
from chalicelib.dynamo.table import Table
from chalicelib.flows.teams.sit import is_pooled
from chalicelib.kernel.errors import DomainError, Kind


class OnlyOwnerAllowed(DomainError):
    kind = Kind.FORBIDDEN
    slug = "only-owner-allowed"
    detail = "Only whoever pays for the team may see and change it."


class BillingTeamNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "billing-team-not-found"
    detail = "It is for one person, and has no team."


@dataclass(frozen=True, slots=True)
class TeamRef:
    """A team as its owner names it: by what they pay for."""

    owner_id: int
    holding_id: int
    financed: bool = False


@dataclass(frozen=True, slots=True)
class OwnTeam:
    """A team with the holding that it is of, as both were read."""

    held: Held
    stored: StoredTeam

    @property
    def holding(self) -> Holding:
        return self.held.holding

    @property
    def team(self) -> Team:
        return self.stored.team


def own_team(table: Table, ref: TeamRef) -> OwnTeam:
    """The team. Raises BillingTeamNotFound where it is for one person, and what `team_to_be` refuses."""
    found = team_to_be(table, ref)
    if found.holding.terms.seats <= 1 and not is_pooled(found.holding.terms):
        raise BillingTeamNotFound
    return found


def team_to_be(table: Table, ref: TeamRef) -> OwnTeam:
    """The team that there is, or would be with more seats: without a row it has its owner alone.

    Raises SubscriptionNotFound, FinancingNotFound, and OnlyOwnerAllowed for its members.
    """
    key = (subscriptions.financing_key if ref.financed else subscriptions.subscription_key)(
        ref.owner_id, ref.holding_id
    )
    held = subscription_queries.held(table, key)
    if held is None:
        if queries.is_member(table, ref.owner_id, ref.holding_id):
            raise OnlyOwnerAllowed
        raise FinancingNotFound if ref.financed else SubscriptionNotFound
    holding = held.holding
    fresh = Team(id=holding.id, owner_id=holding.user_id, academy_id=holding.terms.academy_id, financed=ref.financed)
    return OwnTeam(held, queries.team(table, holding.id) or StoredTeam(fresh, 0))
