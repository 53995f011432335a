"""The simulation can fail: a guard that is removed is missed. `make mutations` tries all of them, this a few."""

from __future__ import annotations

import pytest

from tests.simulation.elsewhere import ELSEWHERE
from tests.simulation.guards import Guard
from tests.simulation.mutations import EVERY, caught
from tests.simulation.run import run

GUARDS_MIN = 25
SEEDS_MAX = 30
MISSED_SOON = (
    "a balance names its holder",
    "what a refund takes back is taken",
    "a claim is given back",
    "a paid invoice is no declined attempt",
    "pending events are swept",
    "a plan is held once (its claim is written)",
    "what is due is nudged",
    "a refill is marked",
)


class TestGuards:
    def test_are_many_and_have_names_of_their_own(self) -> None:
        assert len(EVERY) >= GUARDS_MIN
        names = {guard.name for guard in EVERY}
        assert len(names) == len(EVERY)
        assert names >= set(ELSEWHERE)

    def test_are_all_there_again_after_they_were_removed(self) -> None:
        for guard in EVERY:
            with guard.removed():
                assert guard.name
        assert run(1, steps=40).wrong == []

    @pytest.mark.parametrize("guard", [one for one in EVERY if one.name in MISSED_SOON], ids=lambda one: one.name)
    def test_are_missed_within_a_few_seeds(self, guard: Guard) -> None:
        assert caught(guard, seeds_max=SEEDS_MAX).seeds is not None
