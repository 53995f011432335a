"""How entries are linked, so that none can be changed, left out or put in unseen (decision 0007). Pure.

The entries of an account are a graph like a version control's commits. An entry names its parents: the hashes of those
that nothing named yet when its writer read the page, the page's heads. Its own hash covers its content, parents
included, and makes it a head in the same update that moves its units. So every entry is a head or is named by a later
one. Two that are written at once may share a parent; the next one names both.

The hash is SHA-256 over the content as canonical JSON: names in order, no space, UTF-8 (what RFC 8785 says of texts,
whole numbers, booleans and lists; there is nothing else in it). It is taken of the text that is stored, never of a
model read from it: a field that a later release adds cannot change an old entry's hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from chalicelib.books.ledger.model import Entry, Holder

PARENTS_MAX = 16


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry ready to be stored: its text, the parents in it, and its hash."""

    doc: str
    parents: tuple[str, ...]
    hash: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """An entry as it is stored. `hash` None: it was written before there were hashes, and nothing protects it."""

    id: str
    account: str
    units: int
    at: datetime
    parents: tuple[str, ...]
    hash: str | None
    doc: str


def seal(holder: Holder, heads: Collection[str], entry: Entry) -> Sealed:
    """Link an entry to the heads that its writer read. More than sixteen heads: the rest stay heads.

    Which ones depends on the entry, so that writers who read the same heads do not all choose the same.
    """
    chosen = sorted(heads, key=lambda head: hashlib.sha256(f"{entry.id} {head}".encode()).digest())[:PARENTS_MAX]
    parents = tuple(sorted(chosen))
    doc = entry.model_copy(update={"parents": parents}).model_dump_json(exclude_none=True)
    return Sealed(doc, parents, digest(content(holder, doc)))


def content(holder: Holder, doc: str) -> dict[str, Any]:
    """What an entry's hash covers: the text as it is stored, and whose it is."""
    return {**msgspec.json.decode(doc), "holder": f"{holder.kind}#{holder.id}"}


def digest(value: Mapping[str, Any]) -> str:
    """SHA-256 of a value that was read from JSON, as canonical JSON, in hex."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def reached(entries: Iterable[Recorded], heads: Iterable[str]) -> set[str]:
    """The hashes of the heads and of every entry before them, as far as the entries are there."""
    parents = {entry.hash: entry.parents for entry in entries if entry.hash is not None}
    found: set[str] = set()
    waiting = list(heads)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += parents.get(one, ())
    return found


def unlinked(entries: Sequence[Recorded], heads: Iterable[str]) -> list[Recorded]:
    """The entries with a hash that the heads do not lead to."""
    known = reached(entries, heads)
    return [entry for entry in entries if entry.hash is not None and entry.hash not in known]
