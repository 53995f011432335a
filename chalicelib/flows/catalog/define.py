"""Define: an academy makes a service, or changes one of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.definitions import changed_service, check_owner, checked_service, may_see
from chalicelib.books.catalog.model import Service
from chalicelib.books.catalog.queries import ServiceNotFound
from chalicelib.flows.catalog.edit import Staff, changed, made
from chalicelib.flows.context import Context


def define(context: Context, staff: Staff, service: Service) -> Service:
    """Put a new service. Raises SlugTaken, and what checked_service raises."""
    return made(context, staff, _subject(service.id), checked_service(service))


def redefine(context: Context, staff: Staff, ref: int | str, changes: Mapping[str, Any]) -> Service:
    """Change a service, given by id or slug, with its place in the lists.

    Raises ServiceNotFound where the academy does not see it, NotTheOwner, ChangedMeanwhile, and what changed_service
    raises.
    """
    ident = queries.service_id(context.table, ref)

    def rule(before: Service) -> Service:
        if not may_see(before, staff.academy_id):
            raise ServiceNotFound(service=ref)
        check_owner(before.owner_id, staff.academy_id, is_operator=staff.is_operator, thing=f"service {before.slug}")
        return changed_service(before, changes)

    key = store.service_key(ident)
    missing = ServiceNotFound(service=ref)
    return changed(context, staff, _subject(ident), Service, key, rule, missing=lambda: missing)


def _subject(service_id: int) -> str:
    return f"service:{service_id}"
