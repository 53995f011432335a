"""Pages of a list: a bounded size, and a cursor that the table understands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

PAGE_ITEMS_DEFAULT = 20
PAGE_ITEMS_MAX = 100
OFFSET_MAX = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many rows, after how many skipped ones or after which cursor."""

    limit: int = PAGE_ITEMS_DEFAULT
    offset: int = 0
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    next_cursor: str | None
