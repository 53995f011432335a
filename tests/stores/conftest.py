"""What tests of stores are given: an empty table, and what would only cost them time taken out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.dynamo import writes
from chalicelib.dynamo.table import Table
from tests.moto_table import moto_table


@pytest.fixture
def table() -> Iterator[Table]:
    with moto_table() as made:
        yield made


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes that collided are sent again at once."""
    monkeypatch.setattr(writes, "backoff", writes.Backoff(sleep=lambda seconds: None))


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Passwords are compared as they are; answers the stored ones that were compared."""
    compared: list[str | None] = []

    def matches(stored: str | None, password: str) -> bool:
        compared.append(stored)
        return stored == f"hash of {password}"

    monkeypatch.setattr("chalicelib.books.identity.credentials.password_hash", lambda password: f"hash of {password}")
    monkeypatch.setattr("chalicelib.books.identity.credentials.password_matches", matches)
    return compared
