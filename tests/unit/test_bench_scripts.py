"""The bench's scripts run, and say what they should. What they measure in a few rounds is nothing to go by."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.services import LITTLE_COMPILED

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 120


@cache
def run(script: str) -> str:
    """What it printed. Fails where it broke."""
    command = [sys.executable, "-m", script, "--quick"]
    environment = {**os.environ, "JAVA_TOOL_OPTIONS": " ".join(LITTLE_COMPILED)}
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TestBench:
    @pytest.mark.parametrize(
        ("script", "figures"),
        [
            ("bench.calls", ("| balance ", "| pay ", "| consume ", "| webhook received ")),
            ("bench.cpu", ("| checking ", "| webhook received and fulfilled ", "| one bare GetItem ", "dj-stripe")),
            ("bench.lean", ("| a nudge ", "| ask Stripe ", "| webhook received ")),
            ("bench.growth", ("| balance ", "| consume ", "consume units 1.00 met")),
            ("bench.cold", ("| the libraries alone ", "| a webhook refused ", "| a webhook accepted ")),
        ],
    )
    def test_runs_and_prints_its_figures(self, script: str, figures: tuple[str, ...]) -> None:
        printed = run(script)
        assert [figure for figure in figures if figure not in printed] == []

    def test_a_figure_stands_beside_its_limit(self) -> None:
        row = next(line for line in run("bench.calls").splitlines() if line.startswith("| consume "))
        assert [cell.strip() for cell in row.split("|")][2:5] == ["2", "2", "met"]

    def test_webhooks_import_no_stripe(self) -> None:
        rows = [line for line in run("bench.cold").splitlines() if line.startswith("| a webhook ")]
        assert [row.split("|")[-2].strip() for row in rows] == ["no", "no"]
