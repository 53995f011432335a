"""Sweep: the minute's two ticks."""

from __future__ import annotations

from tests.simulation.stage import Stage


def act(stage: Stage) -> None:
    stage.act("the sweep", stage.sweep)
    stage.act("the tick of holdings", stage.renew)
