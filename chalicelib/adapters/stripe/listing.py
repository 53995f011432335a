"""Stripe's lists of what was created in a window of time, page by page, the newest first.

https://docs.stripe.com/api/pagination: `starting_after` names the last object of the page before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from chalicelib.adapters.stripe.events import parse
from chalicelib.adapters.stripe.objects import Found
from chalicelib.books.billing.gateway import ListedEvent, Window
from chalicelib.kernel.pages import Page

T = TypeVar("T")
Ask = Callable[[str, str, Mapping[str, Any]], Found]
LISTED_MAX = 100


def listed(
    ask: Ask, path: str, shape: Callable[[Found], T], window: Window, cursor: str | None, **filters: Any
) -> Page[T]:
    """One page. Raises PaymentServiceDown and its kin, PaymentRefused where the cursor's object is gone."""
    created = {"gte": int(window.since.timestamp()), "lt": int(window.until.timestamp())}
    page = _page(ask, path, {"created": created, **filters}, cursor)
    return Page(tuple(shape(found) for found in page.items), page.next_cursor)


def listed_all(ask: Ask, path: str, filters: Found) -> Iterator[Found]:
    """All of a list that is known to be short: of one customer or one payment. Raises as `listed`."""
    cursor: str | None = None
    while True:
        page = _page(ask, path, filters, cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def _page(ask: Ask, path: str, filters: Found, cursor: str | None) -> Page[Found]:
    after = {} if cursor is None else {"starting_after": cursor}
    answer = ask("get", path, {"limit": LISTED_MAX, **filters, **after})
    found = answer["data"]
    return Page(tuple(found), found[-1]["id"] if answer["has_more"] and found else None)


def event_of(found: Found) -> ListedEvent:
    """An event as a webhook would have brought it. Raises NoEvent."""
    body = json.dumps(found, default=str)
    inbound = parse(body.encode())
    return ListedEvent(
        id=inbound.id,
        type=inbound.type,
        object_id=inbound.object_id,
        previous_customer=inbound.previous_customer,
        body=body,
    )
