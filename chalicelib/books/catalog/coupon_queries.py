"""Reads of coupons, and of a plan with those that may serve it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.model import Coupon, Plan
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Row, load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.pages import Page

AUTOMATIC_COUPONS_READ_MAX = 100


class CountedCoupon(NamedTuple):
    """A coupon with how often it was used, where that is limited."""

    coupon: Coupon
    used: int


def plan_and_coupons(
    table: Table, ref: int | str, slugs: Iterable[str], *, now: datetime
) -> tuple[Plan, tuple[CountedCoupon, ...]]:
    """A plan in any status, by id or slug, and of its academy's coupons the automatic ones and those with these slugs.

    Three reads, however many coupons there are. Raises PlanNotFound.
    """
    key = queries.plan_key_of(table, ref)
    academy_id = store.academy_id_of(key)
    named = dict.fromkeys([*automatic_coupons(table, academy_id, now), *slugs])
    rows = table.get_many([key, *(store.coupon_key(academy_id, slug) for slug in named)])
    found = rows.pop(key, None)
    if found is None:
        raise queries.PlanNotFound
    return load(Plan, found).at(now), tuple(_counted(row) for row in rows.values())


def automatic_coupons(table: Table, academy_id: int, now: datetime) -> tuple[str, ...]:
    """The slugs of an academy's automatic coupons that have not expired, at most a hundred."""
    page = table.query_ref_between(
        store.automatic_ref(academy_id),
        store.until(now),
        f"{store.NEVER}~",
        limit=AUTOMATIC_COUPONS_READ_MAX,
        cursor=None,
    )
    return tuple(row.key.sk.removeprefix(store.AUTOMATIC) for row in page.items)


def coupon(table: Table, academy_id: int, slug: str) -> CountedCoupon | None:
    row = table.get(store.coupon_key(academy_id, slug))
    return None if row is None else _counted(row)


def coupons(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[CountedCoupon]:
    """A page of the coupons that an academy made for everybody, newest first."""
    return _listed(table, store.academy_coupons_ref(academy_id), limit, cursor)


def other_coupons(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[CountedCoupon]:
    """Those of its coupons that are for one person or one person's to give, by slug, backwards. Pages may be short."""
    page = table.query(keys.academy(academy_id), prefix="COUPON#", limit=limit, newest_first=True, cursor=cursor)
    found = (_counted(row) for row in page.items)
    listed = store.academy_coupons_ref(academy_id)
    return Page(tuple(one for one in found if store.coupons_ref(one.coupon) != listed), page.next_cursor)


def persons_coupons(table: Table, user_id: int, *, limit: int, cursor: str | None = None) -> Page[CountedCoupon]:
    """A page of the coupons that are for one person only, at every academy, newest first."""
    return _listed(table, store.persons_coupons_ref(user_id), limit, cursor)


def person_uses(table: Table, user_id: int, found: Iterable[Coupon]) -> Mapping[int, int]:
    """How often a person used these coupons, by the coupon's id."""
    wanted = {one.id: store.person_coupon_key(user_id, one.id) for one in found}
    rows = table.get_many(wanted.values())
    return {ident: used_of(rows[key]) for ident, key in wanted.items() if key in rows}


def used_of(row: Row) -> int:
    used = row.values.get("used", 0)
    return used if isinstance(used, int) else 0


def _listed(table: Table, ref: str, limit: int, cursor: str | None) -> Page[CountedCoupon]:
    """The index has no uses, so that a use is no write to it: the rows are read after their keys."""
    page = table.query_ref(ref, limit=limit, newest_first=True, cursor=cursor)
    rows = table.get_many(row.key for row in page.items)
    return Page(tuple(_counted(rows[row.key]) for row in page.items), page.next_cursor)


def _counted(row: Row) -> CountedCoupon:
    return CountedCoupon(load(Coupon, row), used_of(row))
