"""Allowance: how much of a team's pool each of its members may use in a paid period."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.teams import queries, store
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import backoff, commit
from chalicelib.flows.context import Context
from chalicelib.flows.teams.find import TeamRef, own_team
from chalicelib.flows.teams.seats import period_of
from chalicelib.kernel.errors import Defect, TryLater

TRIES_MAX = 8


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many units since an instant, in unix seconds."""

    cap: int
    since: int


def allowance(table: Table, user_id: int, team_id: int) -> Allowance | None:
    """Somebody's allowance of a pool; None: all of it, as its owner has."""
    stored = queries.team(table, team_id)
    if stored is None or stored.team.per_member_cap is None or stored.team.owner_id == user_id:
        return None
    team, cap = stored.team, stored.team.per_member_cap
    key = subscriptions.financing_key if team.financed else subscriptions.subscription_key
    held = subscription_queries.held(table, key(team.owner_id, team.id))
    if held is None:
        raise Defect(f"team {team.id} is of no holding")
    return Allowance(cap, int(period_of(held.holding)[0].timestamp()))


def set_cap(context: Context, ref: TeamRef, cap: int | None) -> None:
    """Let each member use so many units of the pool in a period; None: as many as there are. What they used while there
    was no cap is not counted. Raises what `own_team` refuses.
    """
    for attempt in range(TRIES_MAX):
        found = own_team(context.table, ref)
        after = found.team.model_copy(update={"per_member_cap": cap})
        try:
            commit(context.table, [store.saved_team(after, version=found.stored.version)])
        except store.TeamMoved:
            backoff.wait(attempt)
        else:
            return
    raise TryLater
