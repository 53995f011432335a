"""The simulation holds, is the same every time, and says what fails so that it can be played again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import usage
from chalicelib.kernel.meter import meter
from tests.simulation.__main__ import command, simulate
from tests.simulation.run import Result, run
from tests.simulation.shrink import shrunk

SEEDS, STEPS = 30, 100
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [run(seed, steps=STEPS) for seed in range(1, SEEDS + 1)]


class TestSeeds:
    def test_hold(self, results: list[Result]) -> None:
        assert {result.seed: result.wrong for result in results if result.wrong} == {}

    def test_meet_every_kind_of_fault(self, results: list[Result]) -> None:
        met = {name for result in results for name in result.counts}
        assert met >= {
            "another in between",
            "answer lost",
            "at Stripe itself",
            "broken",
            "busy",
            "conflict",
            "deployment",
            "dies after",
            "dies before",
            "nudge doubled",
            "nudge lost",
            "partial answer",
            "sent twice",
            "slow",
            "stale index",
            "stays processing",
            "throttled",
            "unreachable",
            "webhook lost for ever",
            "webhook twice",
        }

    def test_let_days_pass(self, results: list[Result]) -> None:
        assert sum(result.days for result in results) > SEEDS


class TestASeed:
    def test_leaves_nothing_of_a_request_that_died(self) -> None:
        usage.set(None)
        result = run(7, steps=STEPS)
        assert result.counts["dies before"]
        assert (usage.get(), meter.get()) == (None, None)

    def test_is_the_same_run_in_another_process_to_the_byte(self) -> None:
        digests = {self.digest(hash_seed) for hash_seed in ("0", "4711")}
        assert len(digests) == 1

    def test_is_another_run_than_its_neighbour(self) -> None:
        assert self.digest("0", seed=8) != self.digest("0")

    def digest(self, hash_seed: str, seed: int = 7) -> str:
        arguments = [sys.executable, "-m", "tests.simulation", "--seed", str(seed), "--steps", str(STEPS), "--digest"]
        done = subprocess.run(  # noqa: S603
            arguments, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, check=True
        )
        assert len(done.stdout) > 60
        return done.stdout.decode()


class TestAFailure:
    def test_has_a_trace_that_is_small_and_fails_again(self) -> None:
        with patch.object(subscriptions, "plan_claim_key", _no_claim):
            failed = next(result for seed in range(1, 50) if (result := run(seed, steps=STEPS)).wrong)
            cut = shrunk(failed, steps=STEPS, seconds_max=20)
            assert cut.only is not None and len(cut.only) <= 10
            assert run(failed.seed, steps=STEPS, cut=cut).wrong
        assert not run(failed.seed, steps=STEPS, cut=cut).wrong
        assert command(failed.seed, STEPS, cut).startswith(f"python -m tests.simulation --seed {failed.seed} ")

    def test_is_told_with_its_seed_and_ends_with_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        with patch.object(subscriptions, "plan_claim_key", _no_claim):
            assert simulate(range(1, 9), steps=STEPS, shrink_seconds=1) == 1
        told = capsys.readouterr().out
        assert "FAILED at step" in told and "--seed" in told and "seeds failed" in told

    def test_without_one_it_ends_with_0(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert simulate(range(1, 3), steps=20, shrink_seconds=1) == 0
        told = capsys.readouterr().out
        assert "Seeds 1-2, 20 steps each" in told and "2 schedules, 40 steps" in told and "simulated days" in told


def _no_claim(user_id: int, plan_id: int) -> Key:
    """A claim under a key that differs every time claims nothing."""
    _claims.append(plan_id)
    return subscriptions.subscription_key(user_id, len(_claims))


_claims: list[int] = []
