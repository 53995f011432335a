"""Single-book changes of the catalog: put whole rows, with their slugs claimed in the same transaction."""

from __future__ import annotations

from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import Coupon, Plan, Service
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Write, commit
from chalicelib.kernel.documents import Document


def create(table: Table, row: Document) -> None:
    """Put a new row of the catalog. Raises SlugTaken where another row has its slug."""
    commit(table, creation(row))


def creation(row: Document) -> list[Write]:
    """The writes that make a row: the row, and the claims of its slug and id where others look it up by them."""
    if isinstance(row, Plan):
        return [
            store.slug_claim("plan", row.slug, ident=row.id, academy_id=row.academy_id),
            store.slug_claim("plan-id", str(row.id), ident=row.id, academy_id=row.academy_id),
            store.new(row),
            store.links_moved(row.academy_id),
        ]
    if isinstance(row, Service):
        return [
            store.slug_claim("service", row.slug, ident=row.id, academy_id=row.owner_id),
            store.new(row),
        ]
    if isinstance(row, Coupon):
        made: list[Write] = [store.new(row)]
        return [*made, store.automatic(row)] if row.is_automatic else made
    return [store.new(row)]


def change(before: Document, after: Document, *, version: int) -> list[Write]:
    """The writes that change a row that was read at `version`: the row, and its places in lists."""
    writes: list[Write] = [store.changed(after, version=version)]
    if isinstance(before, Coupon) and isinstance(after, Coupon) and (before.is_automatic or after.is_automatic):
        writes.append(store.automatic(after))
    return writes
