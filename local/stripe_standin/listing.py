"""Stripe's lists: the newest first, by page, after or before an id, created within bounds."""

from collections.abc import Callable, Iterable
from itertools import islice, takewhile
from typing import Any

from local.stripe_standin.call import Call
from local.stripe_standin.errors import Refusal, missing_resource
from local.stripe_standin.forms import INT, RANGE, STR

Json = dict[str, Any]

PAGE_ITEMS = 10
PAGE_ITEMS_MAX = 100
PAGING: Json = {"limit": INT, "starting_after": STR, "ending_before": STR, "created": RANGE, "expand": [STR]}


def page_of(call: Call, kind: str, **match: str | None) -> Json:
    """One page of a kind, of those whose fields equal `match` (None: any)."""
    wanted = {field: value for field, value in match.items() if value is not None}
    things = call.store.newest_first(kind, wanted)
    known = call.store.objects[kind]
    for cursor in ("starting_after", "ending_before"):
        ident = call.params.get(cursor)
        if ident and ident not in known:
            raise missing_resource(kind, ident, param=cursor, status=400)
    return page(call, (thing for thing in things if not thing.get("deleted")), place=call.store.place)


def page(call: Call, things: Iterable[Json], *, place: Callable[[str], int]) -> Json:
    """One page of `things`. A cursor is a place in time, also where it no longer matches the filters itself."""
    params = call.params
    limit = params.get("limit") or PAGE_ITEMS
    if not 1 <= limit <= PAGE_ITEMS_MAX:
        message = f"Invalid integer: limit must be between 1 and {PAGE_ITEMS_MAX}"
        raise Refusal(400, message, code="parameter_invalid_integer", param="limit")
    bounds = params.get("created")
    if bounds:
        things = (thing for thing in things if within(thing["created"], bounds))
    after, before = params.get("starting_after"), params.get("ending_before")
    if before:
        newer = list(takewhile(lambda thing: place(thing["id"]) > place(before), things))
        return _shown(call, newer[-limit:], has_more=len(newer) > limit)
    if after:
        things = (thing for thing in things if place(thing["id"]) < place(after))
    found = list(islice(things, limit + 1))
    return _shown(call, found[:limit], has_more=len(found) > limit)


def within(created: int, bounds: dict[str, int]) -> bool:
    return (
        ("gt" not in bounds or created > bounds["gt"])
        and ("gte" not in bounds or created >= bounds["gte"])
        and ("lt" not in bounds or created < bounds["lt"])
        and ("lte" not in bounds or created <= bounds["lte"])
    )


def _shown(call: Call, things: list[Json], *, has_more: bool) -> Json:
    return {"object": "list", "data": things, "has_more": has_more, "url": call.path}
