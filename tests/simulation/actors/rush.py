"""Rush: Stripe's webhooks arrive at once and workers take them up at once, while whoever caused them is still at it."""

from __future__ import annotations

from tests.simulation.actors import deliver, work
from tests.simulation.stage import Stage


def act(stage: Stage) -> None:
    deliver.act(stage)
    work.work(stage, most=6)
