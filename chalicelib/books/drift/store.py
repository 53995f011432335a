"""Differences as rows, by their derived id and listed by status and kind; walks as rows of one partition."""

from __future__ import annotations

from chalicelib.books.drift.model import Drift, DriftKind, DriftStatus, Walk, WalkName
from chalicelib.dynamo.rows import Key, Value
from chalicelib.dynamo.writes import Put, at_version

WALKS = "WALKS"


class DriftMoved(Exception):
    """Somebody else has changed the difference since it was read."""


class WalkMoved(Exception):
    """Another run has gone on with this walk since it was read."""


def drift_key(drift_id: str) -> Key:
    return Key(f"DRIFT#{drift_id}", "DRIFT")


def walk_key(name: WalkName) -> Key:
    return Key(WALKS, f"WALK#{name}")


def status_ref(status: DriftStatus) -> str:
    return f"DRIFT#{status}"


def kind_prefix(kind: DriftKind | None) -> str:
    return "" if kind is None else f"{kind}#"


def put_drift(drift: Drift, *, version: int) -> Put:
    """The difference over the one read at `version` (0: none). Raises DriftMoved."""
    first_seen = f"{int(drift.first_seen_at.timestamp()):012d}"
    values: dict[str, Value] = {
        "doc": drift.model_dump_json(),
        "version": version + 1,
        "ref": status_ref(drift.status),
        "ref_sk": f"{kind_prefix(drift.difference.kind)}{first_seen}#{drift.id}",
    }
    return Put(key=drift_key(drift.id), values=values, condition=at_version(version), refused=lambda old: DriftMoved())


def put_walk(walk: Walk, *, version: int) -> Put:
    """The walk over the one read at `version` (0: none). Raises WalkMoved."""
    return Put(
        key=walk_key(walk.name),
        values={"doc": walk.model_dump_json(), "version": version + 1},
        condition=at_version(version),
        refused=lambda old: WalkMoved(),
    )
