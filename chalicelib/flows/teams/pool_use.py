"""Pool use: what a use that takes from a team's pool writes beside it.

It counts against its member's allowance, and where it leaves a unit low that is bought by itself, the recharge begins
in the same transaction. Uses at once do not see each other: where none began, the pool is looked at again afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.books.catalog import store as catalog
from chalicelib.books.catalog.model import ServicePrice
from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger.burn import Take
from chalicelib.books.ledger.model import Balance, Holder
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Holding
from chalicelib.books.subscriptions.queries import read_holding
from chalicelib.books.teams import queries, recharge_store, store
from chalicelib.books.teams.model import AutoRecharge, Recharge, Team
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.teams.low import NO_LIMIT, goes_on, is_low, left_of, pool_units
from chalicelib.flows.teams.seats import period_of
from chalicelib.flows.teams.usable import POOL
from chalicelib.kernel.errors import Defect, TryLater


@dataclass(frozen=True, slots=True)
class Watched:
    """A unit of a pool that is bought by itself, and of which none is being bought."""

    team: Team
    recharge: AutoRecharge
    holding: Holding
    unit: str
    price: ServicePrice

    def is_left_low(self, left: int) -> bool:
        return is_low(self.recharge, self.price, self.holding.terms, left)


@dataclass(frozen=True, slots=True)
class PoolUse:
    """`counted`: the team, the period and the units that count against `cap` (None: nobody counts). `begins`: what the
    use leaves low. `watched`: what it does not, as far as it can see.
    """

    team_id: int
    counted: tuple[int, int, int] | None
    cap: int
    begins: tuple[Recharge, ...]
    watched: tuple[Watched, ...]

    def writes(self, user_id: int) -> list[Write]:
        """They raise MemberCapReached, and RechargeMoved where one began meanwhile."""
        found: list[Write] = [recharge_store.new_recharge(one) for one in self.begins]
        if self.counted is not None:
            team_id, since, units = self.counted
            found.append(store.use_pool(team_id, user_id, since=since, units=units, cap=self.cap))
        return found


def pool_uses(context: Context, user_id: int, takes: Sequence[Take], balances: Sequence[Balance]) -> list[PoolUse]:
    """What taking these does to the pools among `balances`: a read each, and one more where it counts or recharges."""
    taken: dict[int, Counter[str]] = {}
    for take in takes:
        if take.balance.holder_kind == POOL:
            taken.setdefault(take.balance.holder_id, Counter())[take.balance.unit.name] += take.units
    return [_pool_use(context, user_id, team_id, units, balances) for team_id, units in taken.items()]


def look_again(context: Context, uses: Iterable[PoolUse]) -> None:
    """Nudge what begins; and begin what uses at once have left low together. Never fails the use, which is done."""
    with suppress(TryLater):
        for use in uses:
            begun = list(use.begins)
            if use.watched:
                balances = ledger_queries.own_balances(context.table, Holder.team(use.team_id))
                begun += _begun(context, use.watched, balances)
            if begun:
                context.queue.nudge_holdings([recharge_store.recharge_key(one.team_id, one.unit) for one in begun])


def refused_use(context: Context, balances: Sequence[Balance]) -> None:
    """Somebody found too little in these pools: what is low of them is bought, also where no use has left it so."""
    units: dict[int, set[str]] = {}
    for balance in balances:
        if balance.holder_kind == POOL:
            units.setdefault(balance.holder_id, set()).add(balance.unit.name)
    for team_id, names in units.items():
        stored = queries.team(context.table, team_id)
        if stored is not None and _recharges(stored.team):
            watched = _watched(context, stored.team, _rows(context, stored.team, balances, names), names)
            begun = _begun(context, watched, [one for one in balances if one.holder == Holder.team(team_id)])
            if begun:
                context.queue.nudge_holdings([recharge_store.recharge_key(one.team_id, one.unit) for one in begun])


def _pool_use(
    context: Context, user_id: int, team_id: int, taken: Mapping[str, int], balances: Sequence[Balance]
) -> PoolUse:
    stored = queries.team(context.table, team_id)
    if stored is None:
        return PoolUse(team_id, None, 0, (), ())
    team = stored.team
    cap = None if team.owner_id == user_id else team.per_member_cap
    if cap is None and not _recharges(team):
        return PoolUse(team_id, None, 0, (), ())
    rows = _rows(context, team, balances, taken)
    counted = None
    if cap is not None:
        counted = (team_id, int(period_of(_holding(team, rows))[0].timestamp()), sum(taken.values()))
    own = [balance for balance in balances if balance.holder == Holder.team(team_id)]
    watched = _watched(context, team, rows, taken)
    low = [one for one in watched if one.is_left_low(_after(left_of(own, one.unit, context.now), taken[one.unit]))]
    return PoolUse(
        team_id,
        counted,
        cap or 0,
        tuple(_recharge(context, one) for one in low),
        tuple(one for one in watched if one not in low),
    )


def _after(left: int, taken: int) -> int:
    return left if left == NO_LIMIT else left - taken


def _recharges(team: Team) -> bool:
    return team.recharge is not None and team.recharge.enabled


def _rows(context: Context, team: Team, balances: Sequence[Balance], units: Collection[str]) -> dict[Key, Row]:
    """The holding; and where the pool is filled up, the prices of these units and what is being bought of them."""
    key = subscriptions.financing_key if team.financed else subscriptions.subscription_key
    keys = [key(team.owner_id, team.id)]
    if _recharges(team):
        services = {one.unit.service_id for one in balances if one.unit.name in units}
        keys += [catalog.price_key(team.academy_id, service_id) for service_id in sorted(services)]
        keys += [recharge_store.recharge_key(team.id, unit) for unit in sorted(units)]
    return context.table.get_many(keys)


def _holding(team: Team, rows: Mapping[Key, Row]) -> Holding:
    key = subscriptions.financing_key if team.financed else subscriptions.subscription_key
    row = rows.get(key(team.owner_id, team.id))
    if row is None:
        raise Defect(f"team {team.id} is of no holding")
    return read_holding(row).holding


def _watched(context: Context, team: Team, rows: Mapping[Key, Row], units: Collection[str]) -> list[Watched]:
    if team.recharge is None or not team.recharge.enabled:
        return []
    holding = _holding(team, rows)
    if not goes_on(holding, context.now):
        return []
    found = []
    for name, unit in pool_units(holding.terms).items():
        price = rows.get(catalog.price_key(team.academy_id, unit.service_id))
        waits = recharge_store.recharge_key(team.id, name) in rows
        if name in units and price is not None and not waits:
            found.append(Watched(team, team.recharge, holding, name, load(ServicePrice, price)))
    return found


def _begun(context: Context, watched: Iterable[Watched], balances: Sequence[Balance]) -> list[Recharge]:
    begun = []
    for one in watched:
        if one.is_left_low(left_of(balances, one.unit, context.now)):
            with suppress(recharge_store.RechargeMoved):  # another use was faster
                recharge = _recharge(context, one)
                commit(context.table, [recharge_store.new_recharge(recharge)])
                begun.append(recharge)
    return begun


def _recharge(context: Context, one: Watched) -> Recharge:
    return Recharge(team_id=one.team.id, owner_id=one.team.owner_id, unit=one.unit, begun_at=context.now)
