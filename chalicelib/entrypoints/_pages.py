"""Lists over HTTP: a plain array, newest first, with the next page's address in the header Link."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlencode

from chalicelib.entrypoints._http import Call
from chalicelib.kernel.pages import PAGE_ITEMS_MAX, Page

T = TypeVar("T")
FILTERED_READS_MAX = 50


def read_page(read: Callable[[int, str | None], Page[T]], *, limit: int, offset: int, cursor: str | None) -> Page[T]:
    """A full page out of reads that may be short or filtered; `offset` rows are read and skipped.

    `read` takes a size and a cursor. The page it answers for a full list ends exactly where its cursor goes on.
    """
    wanted = min(limit, PAGE_ITEMS_MAX)
    skip = offset
    found: list[T] = []
    for _ in range(FILTERED_READS_MAX):
        size = min(max(skip, wanted - len(found)), PAGE_ITEMS_MAX) if skip else wanted - len(found)
        page = read(size, cursor)
        skipped = min(skip, len(page.items))
        found += page.items[skipped:]
        skip -= skipped
        cursor = page.next_cursor
        if cursor is None or len(found) >= wanted:
            break
    return Page(tuple(found), cursor)


def link_headers(call: Call, cursor: str | None) -> dict[str, str]:
    """Where the next page is (RFC 8288)."""
    if cursor is None:
        return {}
    query = {name: value for name, value in call.raw_query.items() if name not in ("cursor", "offset")}
    return {"Link": f'<{call.path}?{urlencode(query | {"cursor": cursor})}>; rel="next"'}
