"""Stripe's lists of what was created in a window of time, page by page, the newest first.

https://docs.stripe.com/api/pagination: `starting_after` names the last object of the page before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from chalicelib.adapters.stripe.errors import translated
from chalicelib.adapters.stripe.events import parse
from chalicelib.adapters.stripe.objects import Found
from chalicelib.books.billing.gateway import ListedEvent, Window
from chalicelib.kernel.meter import count_stripe_call
from chalicelib.kernel.pages import Page

T = TypeVar("T")
LISTED_MAX = 100


def listed(
    ask: Callable[[Any], Any], shape: Callable[[Found], T], window: Window, cursor: str | None, **filters: Any
) -> Page[T]:
    """One page. Raises PaymentServiceDown and its kin, PaymentRefused where the cursor's object is gone."""
    params: dict[str, Any] = {
        "created": {"gte": int(window.since.timestamp()), "lt": int(window.until.timestamp())},
        "limit": LISTED_MAX,
        **filters,
    }
    if cursor is not None:
        params["starting_after"] = cursor
    count_stripe_call()
    with translated():
        page = ask(params)
    items = tuple(shape(found.to_dict()) for found in page.data)
    return Page(items, page.data[-1].id if page.has_more and page.data else None)


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
