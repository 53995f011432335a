"""Wait: time passes, from seconds to days."""

from __future__ import annotations

from tests.simulation.stage import Stage

SPANS = (30, 30, 90, 90, 20 * 60, 20 * 60, 3 * 3600, 25 * 3600, 25 * 3600, 4 * 86_400)
"""At most so many seconds: past a call's time, a minute, a pending invoice's first look, its last, an event's life."""


def act(stage: Stage) -> None:
    stage.pass_time(stage.rng.uniform(1, stage.rng.choice(SPANS)))
