"""What every test may ask for."""

from __future__ import annotations

import pytest

from tests.services import dynamodb_local, engine, ministack, missing_engines, real_table

__all__ = ["dynamodb_local", "engine", "ministack", "real_table"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = missing_engines()
    if missing is not None:
        terminalreporter.write_line(missing)
