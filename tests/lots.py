"""What must hold of lots: each has what its entries leave."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from chalicelib.books.ledger.model import LOTS_PER_PAGE_MAX, SIGNS, Entry, EntryKind
from chalicelib.books.ledger.rows import seconds
from chalicelib.dynamo.rows import Row

SWITCHES = {
    EntryKind.GRANT: 1,
    EntryKind.REVERSE: -1,
    EntryKind.RESTORE: 1,
    EntryKind.REVOKE: -1,
    EntryKind.MOVE: -1,
    EntryKind.EXPIRE: -1,
}
"""What opens an unlimited lot, and what closes it."""


def lots(rows: Iterable[Row], entries: Sequence[tuple[str, Entry]]) -> list[str]:
    """Each lot has what its entries leave and ends when one of them says; each page counts its lots."""
    left: Counter[tuple[str, str, str]] = Counter()
    switched: Counter[tuple[str, str, str]] = Counter()
    ends: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
    for pk, entry in entries:
        if entry.units != SIGNS[entry.kind] * sum(p.units for p in entry.portions if not p.unlimited):
            # A grant's units are all its portions; an unlimited one counts nothing.
            wrong_units = f"entry {entry.id} says {entry.units} units"
            return [wrong_units]
        for portion in entry.portions:
            lot = (pk, f"BAL#{entry.unit.name}#{portion.page}", portion.lot_id)
            ends[lot].add(seconds(portion.expires_at))
            if not portion.unlimited:
                left[lot] += SIGNS[entry.kind] * portion.units
            elif entry.kind in SWITCHES:
                switched[lot] += SWITCHES[entry.kind]
    unlimited = {lot for lot, times in switched.items() if times > 0}
    wrong, open_lots = [], set()
    for row in rows:
        if not (row.key.pk.startswith("LEDGER#") and row.key.sk.startswith("BAL#")):
            continue
        found: dict[str, Any] = {name: value for name, value in row.values.items() if name.startswith("lot_")}
        if row.values["lots"] != len(found) or len(found) > LOTS_PER_PAGE_MAX:
            wrong.append(f"{row.key} counts {row.values['lots']} lots and has {len(found)}")
        for name, value in found.items():
            lot = (row.key.pk, row.key.sk, name.removeprefix("lot_"))
            open_lots.add(lot)
            expected = -1 if lot in unlimited else left[lot]
            if value.get("u", value["e"]) not in ends[lot]:
                wrong.append(f"lot {lot} ends at {value['e']}, which no entry says")
            if value["r"] + value.get("z", 0) != expected or 0 not in (value["r"], value.get("z", 0)):
                wrong.append(f"lot {lot} has {value['r']} and {value.get('z', 0)}, its entries leave {expected}")
    wrong += [f"lot {lot} is gone with {units} units" for lot, units in left.items() if units and lot not in open_lots]
    return wrong + [f"lot {lot} is gone" for lot in unlimited - open_lots]
