"""Reads of the differences and of the walks."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.drift import store
from chalicelib.books.drift.model import Drift, DriftKind, DriftStatus, Walk, WalkName
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.pages import Page


@dataclass(frozen=True, slots=True)
class StoredDrift:
    drift: Drift
    version: int


@dataclass(frozen=True, slots=True)
class StoredWalk:
    """`walk` is None where nobody has set out yet."""

    walk: Walk | None
    version: int


def drift(table: Table, drift_id: str) -> StoredDrift | None:
    """A difference that was found before, or None."""
    row = table.get(store.drift_key(drift_id))
    return None if row is None else StoredDrift(load(Drift, row), row.version)


def drifts(
    table: Table, status: DriftStatus, *, kind: DriftKind | None = None, limit: int, cursor: str | None = None
) -> Page[Drift]:
    """A page of the differences of one status: by kind, and the newest first within each."""
    page = table.query_ref(
        store.status_ref(status), prefix=store.kind_prefix(kind), limit=limit, newest_first=True, cursor=cursor
    )
    return Page(tuple(load(Drift, row) for row in page.items), page.next_cursor)


def walk(table: Table, name: WalkName) -> StoredWalk:
    row = table.get(store.walk_key(name))
    return StoredWalk(None, 0) if row is None else StoredWalk(load(Walk, row), row.version)
