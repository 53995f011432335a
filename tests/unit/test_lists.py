"""Filtered lists: every page whole, and what a filter that nothing matches may cost."""

from __future__ import annotations

import pytest

from chalicelib.entrypoints._pages import FILTERED_READS_MAX, filtered, read_page
from chalicelib.kernel.pages import Page


class Numbers:
    """A list of numbers from 0 on, that counts how often it is read."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.reads = 0

    def read(self, size: int, cursor: str | None) -> Page[int]:
        self.reads += 1
        first = int(cursor or 0)
        last = min(first + size, self.end)
        return Page(tuple(range(first, last)), str(last) if last < self.end else None)


@pytest.mark.parametrize("every", [1, 2, 7, 60])
@pytest.mark.parametrize("limit", [1, 3, 20])
def test_pages_have_each_wanted_item_once_and_in_order(every: int, limit: int) -> None:
    numbers = Numbers(500)
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = read_page(filtered(numbers.read, lambda one: one % every == 0), limit=limit, offset=0, cursor=cursor)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.items) == limit
    assert seen == list(range(0, 500, every))


def test_a_page_of_which_all_is_wanted_is_one_read() -> None:
    numbers = Numbers(500)
    assert len(read_page(filtered(numbers.read, lambda one: True), limit=20, offset=0, cursor=None).items) == 20
    assert numbers.reads == 1


def test_a_filter_that_nothing_matches_ends() -> None:
    numbers = Numbers(10**9)
    page = read_page(filtered(numbers.read, lambda one: False), limit=20, offset=0, cursor=None)
    assert page.items == () and page.next_cursor is not None
    assert numbers.reads <= 2 * FILTERED_READS_MAX
