"""Recharges of a team's pool, and what was spent on them, as rows of the team's partition.

`RECHARGE#{unit}` waits in the due index from when a use leaves the unit low until it was bought, or is not to be: there
is one at most, so that a low pool is filled up once. While it is being paid its row has `invoice`: what ends that
invoice ends the row, in the same transaction. `SPEND#{month}` has `spent`: what the recharges of the month that began
then came to, reserved before they are charged.
"""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.teams.model import Recharge
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Action, Condition, Path
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Delete, Put, Update, absent, anyway, at_version, never, present

RECHARGES_DUE = "recharge"
RECHARGE_PREFIX = "RECHARGE#"


class RechargeMoved(Exception):
    """The recharge was changed by somebody else since it was read."""


class SpendLimitReached(Exception):
    """The recharges of the month would come to more than the team's owner allows."""


def recharge_key(team_id: int, unit: str) -> Key:
    return Key(keys.team(team_id), f"{RECHARGE_PREFIX}{unit}")


def spend_key(team_id: int, since: int) -> Key:
    """What was spent in the month that began then (unix seconds)."""
    return Key(keys.team(team_id), f"SPEND#{since}")


def new_recharge(recharge: Recharge) -> Put:
    """To be looked at now. Raises RechargeMoved where one waits or is being paid."""
    key = recharge_key(recharge.team_id, recharge.unit)
    return Put(
        key=key,
        values={
            "doc": recharge.model_dump_json(),
            "version": 1,
            "due_shard": _shard(key),
            "due_at": int(recharge.begun_at.timestamp()),
        },
        condition=absent,
        refused=lambda old: RechargeMoved(),
    )


def wake_recharge(key: Key, now: datetime) -> Update:
    """Let one that waits be looked at now. Raises RechargeMoved where it is being paid, or gone."""
    return _waits(key, now, condition=present & ~Path("invoice").exists())


def changed_recharge(key: Key, *, version: int, due_at: datetime, invoice_id: int | None = None) -> Update:
    """The one that was read at `version` is looked at again at `due_at`; with an invoice, it is being paid until that
    is decided. Raises RechargeMoved.
    """
    paying = [] if invoice_id is None else [Path("invoice").set(invoice_id)]
    return _waits(key, due_at, *paying, condition=present & at_version(version))


def gone_recharge(key: Key, *, version: int) -> Delete:
    """Nothing is to be bought any more. Raises RechargeMoved."""
    return Delete(key=key, condition=present & at_version(version), refused=lambda old: RechargeMoved())


def ended_recharge(key: Key, *, invoice_id: int) -> Delete:
    """The invoice by which it was being paid is decided."""
    return Delete(
        key=key,
        condition=Path("invoice") == invoice_id,
        refused=never(f"the pending invoice {invoice_id} pays a recharge"),
    )


def unpaid_recharge(key: Key, *, invoice_id: int, due_at: datetime) -> Update:
    """Nobody looked at the invoice by which it was being paid: it waits for another one."""
    return Update(
        key=key,
        actions=(*_due(key, due_at), Path("invoice").remove()),
        condition=Path("invoice") == invoice_id,
        refused=never(f"the pending invoice {invoice_id} pays a recharge"),
    )


def reserve_spend(team_id: int, since: int, *, amount: int, most: int | None) -> Update:
    """Count an amount that is about to be charged, where all of the month's stay within `most` (None: any sum).

    Raises SpendLimitReached.
    """
    spent = Path("spent")
    return Update(
        key=spend_key(team_id, since),
        actions=(spent.add(amount),),
        condition=_room(spent, amount, most),
        refused=lambda old: SpendLimitReached(),
    )


def spend_back(team_id: int, since: int, *, amount: int) -> Update:
    """Count it no more: it was not charged."""
    return Update(
        key=spend_key(team_id, since),
        actions=(Path("spent").add(-amount),),
        condition=present,
        refused=never("what was reserved is there"),
    )


def _room(spent: Path, amount: int, most: int | None) -> Condition:
    if most is None:
        condition: Condition = anyway
        return condition
    within: Condition = spent <= most - amount
    if amount <= most:
        within = ~spent.exists() | within
    return within


def _waits(key: Key, due_at: datetime, *actions: Action, condition: Condition) -> Update:
    return Update(
        key=key,
        actions=(*_due(key, due_at), *actions),
        condition=condition,
        refused=lambda old: RechargeMoved(),
    )


def _due(key: Key, due_at: datetime) -> tuple[Action, ...]:
    return (
        Path("version").add(1),
        Path("due_shard").set(_shard(key)),
        Path("due_at").set(int(due_at.timestamp())),
    )


def _shard(key: Key) -> str:
    return keys.due_shard(RECHARGES_DUE, f"{key.pk} {key.sk}")
