"""Reconcile: missed events are caught up with, or Stripe is compared with the books."""

from __future__ import annotations

from chalicelib.entrypoints import schedules
from tests.simulation.stage import Stage


def act(stage: Stage) -> None:
    run = stage.rng.choice((schedules.catch_up, schedules.compare))
    stage.act(f"the reconciler: {run.__name__}", lambda: run({}))
