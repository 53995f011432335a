"""Balance pages and entries as rows, and the writes that move units.

A page has `doc` (its unit), `lots` (how many it holds) and one attribute for each lot, `lot_<id>`: a map of `r`
remaining (-1 unlimited), `h` held, `g` granted, `e` expiry in unix seconds (0 never), `c` creation in unix
milliseconds, and its origin. Times in lots are whole seconds, so that a condition compares what a reader saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.books.ledger.burn import Take
from chalicelib.books.ledger.model import (
    LOTS_PER_PAGE_MAX,
    Balance,
    Entry,
    EntryKind,
    Grant,
    Holder,
    Lot,
    Origin,
    Portion,
    Unit,
)
from chalicelib.dynamo.expressions import Action, Condition, Path
from chalicelib.dynamo.rows import Key, Row
from chalicelib.dynamo.writes import Check, Put, Update, Write, absent, never
from chalicelib.kernel.errors import Defect
from chalicelib.kernel.periods import utc

BALANCE_PREFIX = "BAL#"
POOL_PREFIX = "BAL_POOL#"
BALANCES_PREFIX = "BAL"
LOT = "lot_"


class PageFull(Exception):
    """The page holds as many lots as it may; the grant goes to the next one."""


class Moved(Exception):
    """A chosen lot has changed since it was read; choose again."""


def balance_key(holder: Holder, unit: Unit, page: int) -> Key:
    return Key(holder.partition, f"{BALANCE_PREFIX}{unit.name}#{page}")


def entry_key(holder: Holder, entry_id: str) -> Key:
    return Key(holder.partition, f"ENTRY#{entry_id}")


def pool_key(holder: Holder, team: Holder) -> Key:
    """The row in a member's partition that says which pool it may use."""
    return Key(holder.partition, f"{POOL_PREFIX}{team.id}")


def read_balance(holder: Holder, row: Row) -> Balance:
    """A page out of its row."""
    page = int(row.key.sk.rsplit("#", 1)[1])
    lots = tuple(_read_lot(name.removeprefix(LOT), value) for name, value in row.values.items() if name.startswith(LOT))
    return Balance(
        holder_kind=holder.kind,
        holder_id=holder.id,
        unit=Unit.model_validate_json(row.doc),
        page=page,
        lots=tuple(sorted(lots, key=lambda lot: (lot.created_at, lot.id))),
    )


def grant_writes(
    holder: Holder, unit: Unit, grants: Sequence[Grant], *, page: int, now: datetime, cause: str
) -> list[Write]:
    """Put lots of one unit on one page, and an entry for them.

    The update raises PageFull where the page has no room. A lot that is already there is a defect: the invoice that
    grants it is fulfilled once, in the same transaction.
    """
    actions: list[Action] = [Path("doc").set(unit.model_dump_json()), Path("lots").add(len(grants))]
    condition = (~Path("lots").exists()) | (Path("lots") <= LOTS_PER_PAGE_MAX - len(grants))
    for grant in grants:
        attribute = Path([LOT + grant.lot_id])
        actions.append(attribute.set(_lot_map(grant, now)))
        condition &= ~attribute.exists()
    update = Update(
        key=balance_key(holder, unit, page),
        actions=tuple(actions),
        condition=condition,
        refused=lambda old: _grant_refused(old, [LOT + grant.lot_id for grant in grants]),
    )
    return [update, _new_entry(holder, _grant_entry(unit, grants, page=page, now=now, cause=cause))]


def take_writes(holder: Holder, balance: Balance, takes: Sequence[Take], *, entry: Entry, now: datetime) -> list[Write]:
    """Take units from chosen lots of one page, and the entry for it. Raises Moved where a lot has changed too much.

    A lot that is emptied leaves the page, and so does one that others emptied before.
    """
    actions: list[Action] = []
    conditions: list[Condition] = []
    closed = 0
    for take in takes:
        attribute, expiry = Path([LOT + take.lot.id]), Path([LOT + take.lot.id, "e"])
        remaining = Path([LOT + take.lot.id, "r"])
        conditions.append((expiry == 0) | (expiry > int(now.timestamp())))
        if take.lot.remaining < 0:
            conditions.append(remaining == -1)
        elif take.lot.remaining == take.units:
            conditions.append(remaining == take.units)
            actions.append(attribute.remove())
            closed += 1
        else:
            conditions.append(remaining >= take.units)
            actions.append(remaining.set(remaining - take.units))
    for lot in balance.lots:
        if lot.remaining == 0:
            conditions.append(Path([LOT + lot.id, "r"]) == 0)
            actions.append(Path([LOT + lot.id]).remove())
            closed += 1
    if closed:
        actions.append(Path("lots").add(-closed))
    condition = conditions[0]
    for further in conditions[1:]:
        condition &= further
    key = balance_key(holder, balance.unit, balance.page)
    moved: Write
    if actions:
        moved = Update(key=key, actions=tuple(actions), condition=condition, refused=lambda old: Moved())
    else:
        moved = Check(key=key, condition=condition, refused=lambda old: Moved())
    return [moved, _new_entry(holder, entry)]


def give_back_writes(holder: Holder, balance: Balance | None, unit: Unit, portions: Sequence[Portion]) -> list[Write]:
    """Give units back to the lots they came from; a lot that was closed meanwhile is opened again as it was.

    `balance` is the page as read. Raises Moved where a lot was opened or closed since.
    """
    open_ids = {lot.id for lot in balance.lots} if balance is not None else set()
    actions: list[Action] = [Path("doc").set(unit.model_dump_json())]
    conditions: list[Condition] = []
    opened = 0
    for portion in portions:
        attribute = Path([LOT + portion.lot_id])
        remaining = Path([LOT + portion.lot_id, "r"])
        if portion.lot_id in open_ids:
            conditions.append(attribute.exists())
            actions.append(remaining.set(remaining + portion.units))
        else:
            conditions.append(~attribute.exists())
            actions.append(attribute.set(_reopened(portion)))
            opened += 1
    if opened:
        actions.append(Path("lots").add(opened))
    condition = conditions[0]
    for further in conditions[1:]:
        condition &= further
    key = balance_key(holder, unit, portions[0].page)
    return [Update(key=key, actions=tuple(actions), condition=condition, refused=lambda old: Moved())]


def pool_write(holder: Holder, team: Holder) -> Put:
    """Let a member use a team's pool."""
    return Put(
        key=pool_key(holder, team),
        values={"team": team.id},
        condition=absent,
        refused=never("a pool is opened with its subscription"),
    )


def new_entry(holder: Holder, entry: Entry) -> Put:
    return _new_entry(holder, entry)


def portion_of(take: Take) -> Portion:
    """What an entry keeps of a take."""
    lot = take.lot
    return Portion(
        lot_id=lot.id,
        units=take.units,
        page=take.balance.page,
        unlimited=lot.remaining < 0,
        granted=lot.granted,
        expires_at=lot.expires_at,
        created_at=lot.created_at,
        origin=lot.origin,
    )


def _new_entry(holder: Holder, entry: Entry) -> Put:
    return Put(
        key=entry_key(holder, entry.id),
        values={"doc": entry.model_dump_json()},
        condition=absent,
        refused=never(f"the entry {entry.id} follows from its cause and was written before"),
    )


def _grant_entry(unit: Unit, grants: Sequence[Grant], *, page: int, now: datetime, cause: str) -> Entry:
    portions = tuple(
        Portion(
            lot_id=grant.lot_id,
            units=max(grant.how_many, 0),
            page=page,
            unlimited=grant.how_many < 0,
            granted=grant.how_many,
            expires_at=grant.expires_at,
            created_at=now,
            origin=grant.origin,
        )
        for grant in grants
    )
    return Entry(
        id=f"{grants[0].lot_id}#grant",
        kind=EntryKind.GRANT,
        unit=unit,
        units=sum(portion.units for portion in portions),
        portions=portions,
        cause=cause,
        at=now,
    )


def _grant_refused(old: Mapping[str, Any] | None, attributes: Sequence[str]) -> Exception:
    if old is not None and any(name in old for name in attributes):
        return Defect(f"granted before: {attributes}")
    return PageFull()


def _lot_map(grant: Grant, now: datetime) -> dict[str, Any]:
    return _map(
        remaining=grant.how_many,
        granted=grant.how_many,
        expires_at=grant.expires_at,
        created_at=now,
        origin=grant.origin,
    )


def _reopened(portion: Portion) -> dict[str, Any]:
    if portion.created_at is None or portion.origin is None:
        raise Defect(f"the portion of lot {portion.lot_id} does not say what the lot was")
    return _map(
        remaining=portion.units,
        granted=portion.granted,
        expires_at=portion.expires_at,
        created_at=portion.created_at,
        origin=portion.origin,
    )


def _map(
    *, remaining: int, granted: int, expires_at: datetime | None, created_at: datetime, origin: Origin
) -> dict[str, Any]:
    return {
        "r": remaining,
        "h": 0,
        "g": granted,
        "e": 0 if expires_at is None else int(expires_at.timestamp()),
        "c": int(created_at.timestamp() * 1000),
        "o": origin.model_dump_json(),
    }


def _read_lot(ident: str, value: Any) -> Lot:
    return Lot(
        id=ident,
        remaining=value["r"],
        held=value["h"],
        granted=value["g"],
        expires_at=utc(value["e"]) if value["e"] else None,
        created_at=utc(value["c"] / 1000),
        origin=Origin.model_validate_json(value["o"]),
    )
