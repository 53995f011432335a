"""Join: somebody new comes to one of the academies."""

from __future__ import annotations

from tests.simulation.shops import ACADEMIES
from tests.simulation.stage import Stage

PEOPLE_MAX = 12


def act(stage: Stage) -> None:
    if len(stage.people) < PEOPLE_MAX:
        stage.join(stage.rng.choice(ACADEMIES))
