"""What a case of a query is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.dynamo.table import Table
from tests.conformance.cases import Rows


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`of` is the query; `ask` calls it on a table that has `rows`, and makes of its answer what `answer` is."""

    of: Callable[..., Any]
    name: str
    rows: Rows
    ask: Callable[[Table], Any]
    answer: Any = None
    refused: type[Exception] | None = None

    def __str__(self) -> str:
        return f"{self.of.__module__.split('.')[2]}.{self.of.__name__}: {self.name}"


def by_page(read: Callable[[str | None], Any]) -> list[list[int]]:
    """The ids of every page of a list. DynamoDB may end a list with an empty page, and its stand-ins differ there."""
    pages: list[list[int]] = []
    cursor: str | None = None
    while True:
        found = read(cursor)
        pages.append([item.id for item in found.items])
        cursor = found.next_cursor
        if cursor is None:
            return pages if pages[-1] else pages[:-1]
