"""What every test may ask for."""

from __future__ import annotations

import pytest

from tests.services import dynamodb_local, engine, ministack, missing_engines, real_table

__all__ = ["dynamodb_local", "engine", "ministack", "real_table"]

SLOW = (
    "tests/concurrency/",
    "tests/unit/test_bench_scripts.py",
    "tests/simulation/",
    "tests/contract/test_package",
    "tests/journeys/test_local_",
    "tests/journeys/test_crash",
    "tests/conformance/",
)
"""Files whose tests take seconds each: first, so that no worker is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = missing_engines()
    if missing is not None:
        terminalreporter.write_line(missing)
