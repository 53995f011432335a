"""The demonstration catalog: `catalog.yaml`, applied as every other file of an academy's offer."""

from __future__ import annotations

from pathlib import Path

from chalicelib.books.catalog import coupon_queries
from chalicelib.entrypoints._bodies import validated
from chalicelib.entrypoints._yaml import read_yaml
from chalicelib.entrypoints.staff.catalog_schemas import CatalogBody, entries_of
from chalicelib.flows.catalog.apply_file import apply, drafted
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.context import Context

FILE = Path(__file__).with_name("catalog.yaml")
BY = "demonstration"


def load_catalog(context: Context, *, academy_id: int, file: Path = FILE) -> int:
    """Apply the file, and answer how many rows that made or changed: none where all of it was applied before, so that
    what staff changed since then stays. Its last coupon tells, which comes after all else and is never taken away.

    Raises InvalidRequest on a malformed file, and EntryRefused.
    """
    body = validated(CatalogBody, read_yaml(file.read_bytes()))
    if coupon_queries.coupon(context.table, academy_id, body.coupons[-1].slug) is not None:
        return 0
    draft = drafted(context, Staff(academy_id=academy_id, by=BY), entries_of(body))
    apply(draft.differences)
    return len(draft.differences)
