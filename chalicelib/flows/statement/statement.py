"""What a statement says of each account, and in which order. Pure."""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.books.ledger.chain import Recorded, content
from chalicelib.books.ledger.model import Balance, Holder, Lot, Unit


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is shown: its content, its hash (None: unchained), and what the account has after it."""

    content: dict[str, Any]
    hash: str | None
    units: int
    balance: int
    invoice_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """`opening` is what the account had before the first line; `earlier` are the hashes of entries that are not shown
    but are named by one that is, or lead the chain. Both are empty where everything is shown.
    """

    unit: Unit
    opening: int
    earlier: tuple[str, ...]
    lines: tuple[Line, ...]
    lots: tuple[Lot, ...]
    heads: tuple[str, ...]

    @property
    def balance(self) -> int:
        """What is left of what can be counted: the last line's."""
        return self.lines[-1].balance if self.lines else self.opening


def accounts(
    holder: Holder, entries: Iterable[Recorded], pages: Iterable[Balance], *, since: datetime | None
) -> list[Account]:
    """Every account by name, with the lines since then."""
    by_name: dict[str, list[Recorded]] = defaultdict(list)
    for entry in entries:
        by_name[entry.account].append(entry)
    pages_of: dict[str, list[Balance]] = defaultdict(list)
    for page in pages:
        pages_of[page.unit.name].append(page)
    return [
        _account(holder, in_order(by_name[name]), pages_of[name], since=since) for name in sorted({*by_name, *pages_of})
    ]


def in_order(entries: Sequence[Recorded]) -> list[Recorded]:
    """Each entry after those that it names; among those that could be next, the oldest, then the first by its id."""
    present = {entry.hash for entry in entries if entry.hash is not None}
    later: dict[str, list[Recorded]] = defaultdict(list)
    missing: dict[str, int] = {}
    ready: list[tuple[datetime, str, Recorded]] = []
    for entry in entries:
        before = present.intersection(entry.parents)
        missing[entry.id] = len(before)
        for parent in before:
            later[parent].append(entry)
        if not before:
            heapq.heappush(ready, (entry.at, entry.id, entry))
    found: list[Recorded] = []
    while ready:
        _, _, entry = heapq.heappop(ready)
        found.append(entry)
        for following in later[entry.hash] if entry.hash is not None else ():
            missing[following.id] -= 1
            if missing[following.id] == 0:
                heapq.heappush(ready, (following.at, following.id, following))
    # Entries that name each other in a circle cannot have been written by us; a statement shows them all the same.
    placed = {entry.id for entry in found}
    return found + sorted((entry for entry in entries if entry.id not in placed), key=lambda one: (one.at, one.id))


def _account(
    holder: Holder, entries: Sequence[Recorded], pages: Sequence[Balance], *, since: datetime | None
) -> Account:
    shown = [entry for entry in entries if since is None or entry.at >= since]
    opening = sum(entry.units for entry in entries) - sum(entry.units for entry in shown)
    heads = sorted(head for page in pages for head in page.heads)
    named = {*heads, *(parent for entry in shown for parent in entry.parents)}
    hidden = {entry.hash for entry in entries if entry.hash is not None} - {entry.hash for entry in shown}
    unit = pages[0].unit if pages else Unit.model_validate(json.loads(entries[0].doc)["unit"])
    return Account(
        unit=unit,
        opening=opening,
        earlier=tuple(sorted(named & hidden)),
        lines=tuple(_lines(holder, shown, opening)),
        lots=tuple(lot for page in pages for lot in page.lots),
        heads=tuple(heads),
    )


def _lines(holder: Holder, entries: Iterable[Recorded], opening: int) -> Iterable[Line]:
    balance = opening
    for entry in entries:
        balance += entry.units
        found = content(holder, entry.doc)
        origins = [portion["origin"] for portion in found["portions"] if portion.get("origin") is not None]
        named = [origin["invoice_id"] for origin in origins if origin.get("invoice_id") is not None]
        invoice_ids = tuple(dict.fromkeys(map(int, named)))
        yield Line(found, entry.hash, entry.units, balance, invoice_ids)
