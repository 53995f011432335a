"""The logs of whole simulated runs, faults and all, say nothing that must stay unsaid."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from chalicelib.entrypoints import _observe
from tests.security.leaks import leaks
from tests.simulation.defects import Defects
from tests.simulation.run import run
from tests.simulation.stage import SETTINGS
from tests.world import STRIPE_KEY, WEBHOOK_SECRET

SEEDS = range(1, 6)
LINES_MIN = 2000


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a deployed stage would log; elsewhere the simulation hears errors only."""
    monkeypatch.setattr(Defects, "heard", lambda defects: nullcontext())
    written = io.StringIO()
    _observe.start_logging(stream=written)
    yield written
    _observe.start_logging()


def test_have_no_card_credential_secret_or_e_mail(logged: io.StringIO) -> None:
    for seed in SEEDS:
        assert run(seed).wrong == []
    text = logged.getvalue()
    assert text.count("\n") > LINES_MIN and '"message":"request"' in text
    assert leaks(text, [STRIPE_KEY, WEBHOOK_SECRET, str(SETTINGS["jwt_secret"])]) == []
