"""Rules: what the owner of a team says of its pool: how much each member may use of it, and when it is filled up."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from chalicelib.books.subscriptions.model import Terms
from chalicelib.books.teams import queries, recharge_store, store
from chalicelib.books.teams.model import AutoRecharge, Recharge, Team
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.checkout.begin import check_amount
from chalicelib.flows.context import Context
from chalicelib.flows.teams.find import OwnTeam, TeamRef, own_team, team_to_be
from chalicelib.flows.teams.low import pool_units
from chalicelib.kernel.errors import DomainError, Kind, TryLater
from chalicelib.kernel.money import MINOR_UNITS_MAX, Money

TRIES_MAX = 8
DEFAULT_AMOUNT = Decimal(10)
"""The threshold and the amount of a recharge where its owner named none, in major units."""
UNITS_AT_ONCE_MAX = 90
"""Of how many units the recharges are looked at in the transaction of the rules; of more only when they are used."""


class TeamHasNoPool(DomainError):
    kind = Kind.CONFLICT
    slug = "team-has-no-pool"
    detail = "The team has no pool of units that could be recharged: each seat has its own."


class InvalidRechargeAmount(DomainError):
    slug = "invalid-recharge-amount"
    detail = "{amount} is no amount of {currency} for {field}."


@dataclass(frozen=True, slots=True, kw_only=True)
class RechargeRules:
    """What is given is changed. Amounts in major units; `limited`: whether `max_period_spend` is given, which None
    takes away.
    """

    enabled: bool | None = None
    threshold: Decimal | None = None
    amount: Decimal | None = None
    limited: bool = False
    max_period_spend: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`capped`: whether `cap` is given; None takes it away. `recharge` None: it stays as it is."""

    capped: bool = False
    cap: int | None = None
    recharge: RechargeRules | None = None

    @property
    def say_something(self) -> bool:
        return self.capped or self.recharge is not None


def recharge_of(team: Team, terms: Terms) -> AutoRecharge:
    """How a team's pool is filled up: not at all, where its owner never said so."""
    ten = Money.of(DEFAULT_AMOUNT, terms.currency).minor
    return team.recharge or AutoRecharge(enabled=False, threshold=ten, amount=ten)


def check_rules(context: Context, ref: TeamRef, rules: Rules) -> None:
    """Raises what `team_to_be` refuses, and for a recharge TeamHasNoPool, InvalidRechargeAmount, AmountTooLow."""
    if rules.recharge is not None:
        _recharge(team_to_be(context.table, ref), rules.recharge)


def set_rules(context: Context, ref: TeamRef, rules: Rules) -> None:
    """Keep what is said. Of a cap: what was used while there was none is not counted. Where it is about recharges, the
    pool is looked at: it may be low already, and what waited for another month may be bought in this one.

    Raises what `own_team` refuses, TeamHasNoPool, InvalidRechargeAmount, AmountTooLow.
    """
    for attempt in range(TRIES_MAX):
        found = own_team(context.table, ref)
        team = found.team
        keys: list[Key] = []
        looks: list[Write] = []
        if rules.capped:
            team = team.model_copy(update={"per_member_cap": rules.cap})
        if rules.recharge is not None:
            team = team.model_copy(update={"recharge": _recharge(found, rules.recharge)})
            keys, looks = _looks(context, found, team)
        try:
            commit(context.table, [store.saved_team(team, version=found.stored.version), *looks])
        except (store.TeamMoved, recharge_store.RechargeMoved):
            backoff.wait(attempt)
            continue
        if keys:
            context.queue.nudge_holdings(keys)
        return
    raise TryLater


def _looks(context: Context, found: OwnTeam, team: Team) -> tuple[list[Key], list[Write]]:
    """What waits is looked at again; and where the pool is filled up, so is every unit of it, low or not."""
    known = {one.recharge.unit: one for one in queries.recharges(context.table, team.id)}
    waiting = [unit for unit, one in known.items() if one.invoice_id is None]
    fresh = [unit for unit in pool_units(found.holding.terms) if unit not in known]
    if team.recharge is None or not team.recharge.enabled:
        fresh = []
    writes: list[Write] = [
        recharge_store.wake_recharge(recharge_store.recharge_key(team.id, unit), context.now) for unit in waiting
    ]
    writes += [
        recharge_store.new_recharge(Recharge(team_id=team.id, owner_id=team.owner_id, unit=unit, begun_at=context.now))
        for unit in fresh
    ]
    writes = writes[:UNITS_AT_ONCE_MAX]
    return [write.key for write in writes], writes


def _recharge(found: OwnTeam, rules: RechargeRules) -> AutoRecharge:
    """How the pool is filled up from now on. Whoever switches that on again begins anew after what had stopped it."""
    terms = found.holding.terms
    before = recharge_of(found.team, terms)
    changes: dict[str, object] = {}
    if rules.enabled is not None:
        changes |= {"enabled": rules.enabled, "stopped": None}
    if rules.threshold is not None:
        changes["threshold"] = _minor(rules.threshold, terms, "recharge_threshold_amount")
    if rules.amount is not None:
        changes["amount"] = _minor(rules.amount, terms, "recharge_amount")
    if rules.limited:
        most = rules.max_period_spend
        changes["max_period_spend"] = None if most is None else _minor(most, terms, "max_period_spend")
    after = before.model_copy(update=changes)
    if rules.amount is not None or after.enabled:
        check_amount(Money(after.amount, terms.currency))
    if after.enabled and not pool_units(terms):
        raise TeamHasNoPool
    return after


def _minor(amount: Decimal, terms: Terms, field: str) -> int:
    """An amount that is charged like this, to the minor unit."""
    money = Money.of(amount, terms.currency)
    if money.major != amount or money.minor > MINOR_UNITS_MAX:
        raise InvalidRechargeAmount(amount=amount, currency=terms.currency, field=field)
    return money.minor
