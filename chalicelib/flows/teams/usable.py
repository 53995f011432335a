"""Usable: what a person can use of their own and of the pools of teams.

What was bought for a pool is its owner's and lasts beyond the plan; the others use it while the plan gives them access.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.model import Balance, Holder, Lot, Source
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.queries import read_holding
from chalicelib.books.teams import queries, store
from chalicelib.dynamo.table import Table
from chalicelib.flows.teams.low import has_access

POOL = Holder.team(0).kind


def usable_balances(table: Table, user_id: int, now: datetime) -> list[Balance]:
    """The open pages that a person may use: two reads more than their balances where a pool has what was bought for it,
    for those who do not own it.
    """
    balances = ledger.balances(table, Holder.person(user_id))
    bought = {one.holder_id for one in balances if one.holder_kind == POOL and any(_is_bought(lot) for lot in one.lots)}
    closed = _closed(table, user_id, bought, now) if bought else set()
    return [_without_bought(one) if one.holder_kind == POOL and one.holder_id in closed else one for one in balances]


def _closed(table: Table, user_id: int, team_ids: set[int], now: datetime) -> set[int]:
    """Those of these teams whose plans give their members no access now."""
    rows = table.get_many(store.team_key(ident) for ident in sorted(team_ids))
    teams = [queries.read_team(row).team for row in rows.values()]
    keys = [subscriptions.subscription_key(one.owner_id, one.id) for one in teams if one.owner_id != user_id]
    held = [read_holding(row).holding for row in table.get_many(keys).values()] if keys else []
    return {holding.id for holding in held if not has_access(holding, now)}


def _is_bought(lot: Lot) -> bool:
    return lot.origin.source is Source.PURCHASE and lot.remaining != 0


def _without_bought(balance: Balance) -> Balance:
    kept = tuple(lot for lot in balance.lots if lot.origin.source is not Source.PURCHASE)
    return balance.model_copy(update={"lots": kept})
