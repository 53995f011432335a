"""A transaction that is sent again says that it is the same one."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Put, absent, commit, never
from chalicelib.kernel.errors import TryLater


def _puts() -> list[Put]:
    keys = (Key("A", "1"), Key("A", "2"))
    return [Put(key=key, values={"doc": "{}"}, condition=absent, refused=never("a test")) for key in keys]


def _watched(table: Table, monkeypatch: pytest.MonkeyPatch, *, lost: int) -> list[Any]:
    """The tokens that are sent; the first `lost` calls time out before they reach the table."""
    real = table.call
    seen: list[Any] = []

    def call(operation: str, request: Any) -> Any:
        seen.append(request.get("ClientRequestToken"))
        if len(seen) <= lost:
            raise TryLater
        return real(operation, request)

    monkeypatch.setattr(table, "call", call)
    return seen


class TestTokens:
    def test_all_attempts_of_one_commit_share_one(
        self, table: Table, monkeypatch: pytest.MonkeyPatch, no_pauses: object
    ) -> None:
        seen = _watched(table, monkeypatch, lost=2)
        commit(table, _puts())
        assert len(seen) == 3 and len(set(seen)) == 1 and seen[0]

    def test_two_commits_have_two(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = _watched(table, monkeypatch, lost=0)
        commit(table, _puts())
        with pytest.raises(Exception, match="a test"):
            commit(table, _puts())
        assert len(set(seen)) == 2
