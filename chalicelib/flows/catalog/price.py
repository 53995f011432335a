"""Price: an academy sets, or changes, what it sells a service for.

The sets that it names are held to be there by the write itself, and naming one moves the academy's links, so that no
set is taken away that was named meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.books.catalog import store
from chalicelib.books.catalog.academy_services import changed_price, checked_price_of_service
from chalicelib.books.catalog.model import ServicePrice, SetKind
from chalicelib.books.catalog.queries import PriceNotFound
from chalicelib.dynamo.writes import Write
from chalicelib.flows.catalog.edit import Staff, changed, made
from chalicelib.flows.context import Context


def set_price(context: Context, staff: Staff, price: ServicePrice) -> ServicePrice:
    """Put the academy's first price of a service.

    Raises AcademyServiceExists, SetNotFound, and what checked_price_of_service raises.
    """
    checked = checked_price_of_service(price)
    return made(context, staff, _subject(price.service_id), checked, beside=_there(None, checked))


def change_price(context: Context, staff: Staff, service_id: int, changes: Mapping[str, Any]) -> ServicePrice:
    """Change the price for whoever buys from now on. `set_ids` are given by kind; a kind that is left out stays.

    Raises PriceNotFound, SetNotFound, ChangedMeanwhile, and what changed_price raises.
    """
    return changed(
        context,
        staff,
        _subject(service_id),
        ServicePrice,
        store.price_key(staff.academy_id, service_id),
        lambda before: repriced(before, changes),
        missing=lambda: PriceNotFound(service=service_id),
        beside=_named,
    )


def repriced(before: ServicePrice, changes: Mapping[str, Any]) -> ServicePrice:
    """The price with these changes, as `change_price` has them. Raises what changed_price raises."""
    sets = {**before.set_ids, **changes.get("set_ids", {})}
    return changed_price(before, {**changes, "set_ids": {kind: ids for kind, ids in sets.items() if ids}})


def _named(before: ServicePrice, after: ServicePrice) -> list[Write]:
    """What is written with a price that names other sets now; a new price moves the academy's links by itself."""
    moved: list[Write] = [store.links_moved(after.academy_id)] if _sets(before) != _sets(after) else []
    return [*_there(before, after), *moved]


def _there(before: ServicePrice | None, after: ServicePrice) -> list[Write]:
    """What has to hold of the sets that a price names now and did not before."""
    fresh = sorted(_sets(after) - _sets(before))
    return [store.set_is_there(after.academy_id, kind, ident) for kind, ident in fresh]


def _sets(price: ServicePrice | None) -> set[tuple[SetKind, int]]:
    return set() if price is None else {(kind, ident) for kind, ids in price.set_ids.items() for ident in ids}


def _subject(service_id: int) -> str:
    return f"academy-service:{service_id}"
