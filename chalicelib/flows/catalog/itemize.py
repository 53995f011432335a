"""Itemize: an academy makes so many units of a service an item for its plans, or changes how one is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.definitions import check_owner
from chalicelib.books.catalog.model import Service, ServiceItem
from chalicelib.books.catalog.service_items import ItemNotFound, check_updatable, checked_item
from chalicelib.flows.catalog.edit import Staff, changed, made
from chalicelib.flows.context import Context


def itemize(context: Context, staff: Staff, item: ServiceItem, service: Service) -> ServiceItem:
    """Put a new item of the service. Raises what checked_item raises."""
    return made(context, staff, _subject(item.id), checked_item(item, service))


def change_item(
    context: Context, staff: Staff, item_id: int, changes: Mapping[str, Any]
) -> tuple[ServiceItem, Service]:
    """Change what may change of an item; also its service, as it is.

    Raises ItemNotFound where the academy does not see it, NotTheOwner, NoUpdatableFields, ChangedMeanwhile, and what
    checked_item raises.
    """
    check_updatable(changes)
    _, service = queries.item_and_service(context.table, staff.academy_id, item_id)

    def rule(before: ServiceItem) -> ServiceItem:
        check_owner(before.owner_id, staff.academy_id, is_operator=staff.is_operator, thing=f"service item {item_id}")
        return checked_item(before.model_copy(update=dict(changes)), service)

    key = store.item_key(item_id)
    missing = ItemNotFound(item=item_id)
    return changed(context, staff, _subject(item_id), ServiceItem, key, rule, missing=lambda: missing), service


def _subject(item_id: int) -> str:
    return f"service-item:{item_id}"
