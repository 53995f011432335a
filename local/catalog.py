"""The demonstration catalog: `catalog.yaml` into rows of the catalog's book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import (
    Cohort,
    Coupon,
    FinancingOption,
    Plan,
    ResourceSet,
    Service,
    ServiceItem,
    ServicePrice,
)
from chalicelib.books.catalog.operations import create
from chalicelib.dynamo.table import Table
from chalicelib.kernel.documents import Document

FILE = Path(__file__).with_name("catalog.yaml")
CURRENCY = "USD"
LINKS_PER_PLAN_MAX = 100

Rows = Mapping[str, list[dict[str, Any]]]


def load_catalog(table: Table, *, academy_id: int, now: datetime, file: Path = FILE) -> int:
    """Put the rows that are not there yet, and answer how many those were. What staff changed stays.

    Raises SlugTaken where somebody else's row has a slug of these, and msgspec.ValidationError on a malformed file.
    """
    made = 0
    for row in catalog_rows(yaml.safe_load(file.read_text()), academy_id=academy_id, now=now):
        if table.get(store.key_of(row)) is None:
            create(table, row)
            made += 1
    return made


def catalog_rows(content: Rows, *, academy_id: int, now: datetime) -> Iterator[Document]:
    """The rows of the file as they belong to an academy, each after those that it names."""
    own = {"academy_id": academy_id}
    for row in content["services"]:
        yield Service.model_validate({"owner_id": academy_id, **row})
    for row in content["cohorts"]:
        yield Cohort.model_validate({**own, **row})
    for row in content["sets"]:
        yield ResourceSet.model_validate({**own, **row})
    for row in content["service_prices"]:
        yield ServicePrice.model_validate({**own, **row})
    for row in content["service_items"]:
        yield ServiceItem.model_validate({"owner_id": academy_id, "is_renewable": True, **row})
    for row in content["financing_options"]:
        yield FinancingOption.model_validate({**own, **row})
    service_of = {row["id"]: row["service_id"] for row in content["service_items"]}
    for row in content["plans"]:
        yield _plan(row, service_of, academy_id=academy_id, now=now)
    for row in content["coupons"]:
        yield Coupon.model_validate({**own, **row})


def _plan(row: Mapping[str, Any], service_of: Mapping[int, int], *, academy_id: int, now: datetime) -> Plan:
    """A plan with its links, which have ids that no other plan's links have."""
    fields = {name: value for name, value in row.items() if name != "service_items"}
    links = [
        {"link_id": row["id"] * LINKS_PER_PLAN_MAX + number, "item_id": item_id, "service_id": service_of[item_id]}
        for number, item_id in enumerate(row["service_items"], 1)
    ]
    return Plan.model_validate(
        {"currency": CURRENCY, "academy_id": academy_id, "items": links, "created_at": now, **fields}
    )
