"""Sweep: the minute's tick."""

from __future__ import annotations

from tests.simulation.stage import Stage


def act(stage: Stage) -> None:
    stage.act("the sweep", stage.sweep)
