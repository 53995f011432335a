"""Reconcile: missed events are caught up with, or Stripe is compared with the books."""

from __future__ import annotations

from chalicelib.books.drift.model import Walk, WalkName
from chalicelib.books.drift.store import walk_key
from chalicelib.entrypoints import schedules
from chalicelib.flows.reconcile.windows import EVENTS_FIRST, lost_sight
from tests.simulation.stage import Stage


def act(stage: Stage) -> None:
    stage.rng.choice((catch_up, compare))(stage)


def catch_up(stage: Stage) -> None:
    stage.lost_sight |= _lost_sight(stage)
    stage.act("the reconciler: catch_up", lambda: schedules.catch_up({}))


def compare(stage: Stage) -> None:
    stage.act("the reconciler: compare", lambda: schedules.compare({}))


def walk(stage: Stage, name: WalkName) -> Walk | None:
    """A walk as its row is."""
    key = walk_key(name)
    item = stage.memory.get((key.pk, key.sk))
    return None if item is None else Walk.model_validate_json(item["doc"]["S"])


def _lost_sight(stage: Stage) -> bool:
    """Whether Stripe has dropped events from its list that nobody had read."""
    events = walk(stage, WalkName.EVENTS)
    if events is None:
        return stage.now - stage.began > EVENTS_FIRST
    return lost_sight(events, stage.now)
