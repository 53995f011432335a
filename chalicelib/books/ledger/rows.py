"""Lots and debts as the attributes of a balance page, and back.

A page has `doc` (its unit), `lots` (how many it holds) and one attribute for each lot, `lot_<id>`: a map of `r`
remaining (-1 unlimited), `h` held, `z` frozen (absent: none), `g` granted, `e` expiry in unix seconds (0 never), `u`
the expiry that it would have without a refund that cut it short (absent: none did), `c` creation in unix milliseconds,
and its origin. Times in lots are whole seconds, so that a condition compares what a reader saw. `owed_<entry>` is a
map of what a refund took back of that grant and was spent before: `n` units, `c` whether they are collected, `i` the
invoice. `owes` sums up what is to be collected, `turns` counts reversals and retimings, and `frozen_<entry>` is the
invoice of a grant whose payment is disputed, also where nothing of it is left.

Beside them stands `head_<hash>` for each entry that no later entry names (`chain.py`). Whoever writes an entry makes it
a head in place of its parents, in the update that moves its units and without a condition: such updates commute, so
uses of one account at once do not refuse each other. A page is never deleted, so an emptied one keeps its heads.

A page with a lot that ends is in the due index, at the time when expired lots are looked for (`expiry.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from chalicelib.books.ledger import chain
from chalicelib.books.ledger.expiry import next_look
from chalicelib.books.ledger.model import Balance, Grant, Holder, Lot, Origin, Owed, Portion, Unit
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Action, Path
from chalicelib.dynamo.rows import Key, Row
from chalicelib.kernel.errors import Defect
from chalicelib.kernel.periods import utc

LOT = "lot_"
OWED = "owed_"
OWES = "owes"
TURNS = "turns"
FROZEN = "frozen_"
HEAD = "head_"
DUE = "BALANCE"


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
        owed=tuple(_read_owed(name, value) for name, value in sorted(row.values.items()) if name.startswith(OWED)),
        turns=int(str(row.values.get(TURNS, 0))),
        disputed=tuple(int(str(value)) for name, value in row.values.items() if name.startswith(FROZEN)),
        look_at=_end(int(str(row.values.get("due_at", 0)))),
        heads=tuple(sorted(name.removeprefix(HEAD) for name in row.values if name.startswith(HEAD))),
    )


def read_recorded(row: Row) -> chain.Recorded:
    """An entry out of its row, with the text that its hash covers."""
    entry = json.loads(row.doc)
    unit = Unit.model_validate(entry["unit"])
    hashed = row.values.get("hash")
    return chain.Recorded(
        id=entry["id"],
        account=unit.name,
        units=entry["units"],
        at=datetime.fromisoformat(entry["at"]),
        parents=tuple(entry.get("parents") or ()),
        hash=None if hashed is None else str(hashed),
        doc=row.doc,
    )


def lot_of_grant(grant: Grant, units: int, now: datetime) -> dict[str, Any]:
    """A new lot with so many units left."""
    return lot_map(
        Lot(
            id=grant.lot_id,
            remaining=units,
            granted=grant.how_many,
            expires_at=grant.expires_at,
            created_at=now,
            origin=grant.origin,
        )
    )


def lot_of_portion(portion: Portion, units: int, *, frozen: bool) -> dict[str, Any]:
    """A lot that was closed, with units of a portion that came from it."""
    if portion.created_at is None or portion.origin is None:
        raise Defect(f"the portion of lot {portion.lot_id} does not say what the lot was")
    return lot_map(
        Lot(
            id=portion.lot_id,
            remaining=0 if frozen else units,
            frozen=units if frozen else 0,
            granted=portion.granted,
            expires_at=portion.expires_at,
            created_at=portion.created_at,
            origin=portion.origin,
        )
    )


def lot_map(lot: Lot) -> dict[str, Any]:
    values = {
        "r": lot.remaining,
        "h": lot.held,
        "g": lot.granted,
        "e": seconds(lot.expires_at),
        "c": int(lot.created_at.timestamp() * 1000),
        "o": lot.origin.model_dump_json(exclude_none=True),
    }
    if lot.cut_short:
        values["u"] = seconds(lot.uncut_end)
    return values | {"z": lot.frozen} if lot.frozen else values


def seconds(end: datetime | None) -> int:
    """The end of a lot as it is stored: 0 is never."""
    return 0 if end is None else int(end.timestamp())


def due_first(key: Key, ends: Iterable[datetime | None], now: datetime) -> list[Action]:
    """Have a page looked at on whose lots these ends come, unless it is to be looked at already."""
    at = next_look(ends, now)
    if at is None:
        return []
    due_at = Path("due_at")
    return [Path("due_shard").set(_due_shard(key)), due_at.set(due_at | seconds(at))]


def due_sooner(key: Key, balance: Balance, ends: Iterable[datetime | None], now: datetime) -> list[Action]:
    """The same of a page that was read: it is looked at no later than these ends come."""
    ends = tuple(ends)
    at = next_look(ends, now)
    if at is None or (balance.look_at is not None and balance.look_at <= at):
        return due_first(key, ends, now)
    return due_next(key, at)


def due_next(key: Key, at: datetime | None) -> list[Action]:
    """Have a page looked at then and not before; None: not any more."""
    if at is None:
        return [Path("due_shard").remove(), Path("due_at").remove()]
    return [Path("due_shard").set(_due_shard(key)), Path("due_at").set(seconds(at))]


def _due_shard(key: Key) -> str:
    return keys.due_shard(DUE, f"{key.pk}/{key.sk}")


def _read_lot(ident: str, value: Any) -> Lot:
    return Lot(
        id=ident,
        remaining=value["r"],
        held=value["h"],
        frozen=value.get("z", 0),
        granted=value["g"],
        expires_at=_end(value["e"]),
        created_at=utc(value["c"] / 1000),
        origin=Origin.model_validate_json(value["o"]),
        cut_short="u" in value,
        uncut_end=_end(value.get("u", 0)),
    )


def _end(at: int) -> datetime | None:
    return utc(at) if at else None


def _read_owed(name: str, value: Any) -> Owed:
    return Owed(grant_id=name.removeprefix(OWED), invoice_id=value["i"], units=value["n"], collect=value["c"])


def owed_map(owed: Owed) -> dict[str, Any]:
    return {"n": owed.units, "c": owed.collect, "i": owed.invoice_id}
