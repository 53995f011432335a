"""Lists over HTTP: a plain array, newest first, with the next page's address in the header Link."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlencode

from chalicelib.dynamo.table import InvalidCursor
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


def chained(*reads: Callable[[int, str | None], Page[T]]) -> Callable[[int, str | None], Page[T]]:
    """Several lists as one, each after the one before it is at its end. Its cursors say in which list they are."""

    def read(size: int, cursor: str | None) -> Page[T]:
        number, _, inner = (cursor or "0.").partition(".")
        if not (number.isascii() and number.isdigit() and len(number) == 1 and int(number) < len(reads)):
            raise InvalidCursor
        place = int(number)
        page = reads[place](size, inner or None)
        if page.next_cursor is not None:
            return Page(page.items, f"{place}.{page.next_cursor}")
        return Page(page.items, f"{place + 1}." if place + 1 < len(reads) else None)

    return read


def filtered(
    read: Callable[[int, str | None], Page[T]], wanted: Callable[[T], bool]
) -> Callable[[int, str | None], Page[T]]:
    """A list without what is not wanted.

    Its first read is as large as what is asked for, so that a page of which all is wanted costs no more; what is
    missing then is looked for in one large read, cut where its last wanted item is. `read_page` bounds how often: a
    filter that nothing matches costs a hundred reads at most.
    """

    def some(size: int, cursor: str | None) -> Page[T]:
        page = read(size, cursor)
        found = [item for item in page.items if wanted(item)]
        if len(found) < size and page.next_cursor is not None:
            cursor = page.next_cursor
            page = read(PAGE_ITEMS_MAX, cursor)
            places = [number for number, item in enumerate(page.items) if wanted(item)]
            if len(places) > size - len(found):
                page = read(places[size - len(found) - 1] + 1, cursor)
            found += [item for item in page.items if wanted(item)]
        return Page(tuple(found), page.next_cursor)

    return some


def link_headers(call: Call, cursor: str | None) -> dict[str, str]:
    """Where the next page is (RFC 8288)."""
    if cursor is None:
        return {}
    query = {name: value for name, value in call.raw_query.items() if name not in ("cursor", "offset")}
    return {"Link": f'<{call.path}?{urlencode(query | {"cursor": cursor})}>; rel="next"'}
