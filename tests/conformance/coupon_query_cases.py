"""Coupons as they are found: by slug, by list, by expiry, and beside the plan that they are for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.books.catalog import coupon_queries, store
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog.operations import creation
from chalicelib.books.catalog.referrals import own_coupon
from tests.conformance.cases import Rows, rows_of
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import ACADEMY, NOW, USER
from tests.shop import BASIC, a_coupon, a_plan

DAY = timedelta(days=1)
HALF = a_coupon(NOW, ACADEMY)
OWN = own_coupon(ident=506, academy_id=ACADEMY, user_id=USER, now=NOW)
COUPONS = rows_of(
    *creation(HALF),
    *creation(a_coupon(NOW, ACADEMY, id=501, slug="past", auto=True, expires_at=NOW - DAY)),
    *creation(a_coupon(NOW, ACADEMY, id=502, slug="soon", auto=True, expires_at=NOW + DAY)),
    *creation(a_coupon(NOW, ACADEMY, id=503, slug="always", auto=True)),
    *creation(a_coupon(NOW, ACADEMY, id=504, slug="gift", allowed_user_id=USER, auto=True)),
    *creation(a_coupon(NOW, ACADEMY, id=505, slug="second", allowed_user_id=USER)),
    *creation(OWN),
    *creation(a_coupon(NOW, ACADEMY + 1, id=507, slug="elsewhere", auto=True)),
    *creation(a_plan(NOW, ACADEMY, items=())),
    *creation(a_plan(NOW, ACADEMY + 1, id=9, slug="theirs", items=())),
)
USED: Rows = {
    **COUPONS,
    store.coupon_key(ACADEMY, "half"): {**COUPONS[store.coupon_key(ACADEMY, "half")], "used": 3},
    store.person_coupon_key(USER, HALF.id): {"used": 2},
}


def slugs(found: Any) -> list[str]:
    return sorted(one.coupon.slug for one in found)


class _Numbered:
    """A page of coupons as `by_page` looks at one."""

    def __init__(self, page: Any) -> None:
        self.items = [found.coupon for found in page.items]
        self.next_cursor = page.next_cursor


COUPON_QUERIES = (
    Asked(
        of=coupon_queries.coupon,
        name="by slug, with its uses",
        rows=USED,
        ask=lambda table: [coupon_queries.coupon(table, ACADEMY, slug) for slug in ("half", "elsewhere")],
        answer=[(HALF, 3), None],
    ),
    Asked(
        of=coupon_queries.automatic_coupons,
        name="those that have not expired",
        rows=COUPONS,
        ask=lambda table: coupon_queries.automatic_coupons(table, ACADEMY, NOW),
        answer=("soon", "always"),
    ),
    Asked(
        of=coupon_queries.coupons,
        name="page by page, newest first",
        rows=COUPONS,
        ask=lambda table: by_page(
            lambda cursor: _Numbered(coupon_queries.coupons(table, ACADEMY, limit=2, cursor=cursor))
        ),
        answer=[[503, 502], [501, 500]],
    ),
    Asked(
        of=coupon_queries.other_coupons,
        name="those of single persons",
        rows=COUPONS,
        ask=lambda table: slugs(coupon_queries.other_coupons(table, ACADEMY, limit=9).items),
        answer=["gift", OWN.slug, "second"],
    ),
    Asked(
        of=coupon_queries.persons_coupons,
        name="page by page, newest first",
        rows=COUPONS,
        ask=lambda table: by_page(
            lambda cursor: _Numbered(coupon_queries.persons_coupons(table, USER, limit=1, cursor=cursor))
        ),
        answer=[[505], [504]],
    ),
    Asked(
        of=coupon_queries.person_uses,
        name="of one that was used and one that was not",
        rows=USED,
        ask=lambda table: coupon_queries.person_uses(table, USER, [HALF, OWN]),
        answer={HALF.id: 2},
    ),
    Asked(
        of=coupon_queries.plan_and_coupons,
        name="the automatic ones and those given",
        rows=USED,
        ask=lambda table: (
            (found := coupon_queries.plan_and_coupons(table, "basic", ["half", "elsewhere"], now=NOW))[0].id,
            slugs(found[1]),
        ),
        answer=(BASIC, ["always", "half", "soon"]),
    ),
    Asked(
        of=coupon_queries.plan_and_coupons,
        name="of an unknown plan",
        rows=COUPONS,
        ask=lambda table: coupon_queries.plan_and_coupons(table, "nothing", [], now=NOW),
        refused=catalog.PlanNotFound,
    ),
    Asked(
        of=coupon_queries.plan_and_coupons,
        name="of a plan that is gone",
        rows={key: values for key, values in COUPONS.items() if key != store.plan_key(ACADEMY, BASIC)},
        ask=lambda table: coupon_queries.plan_and_coupons(table, BASIC, [], now=NOW),
        refused=catalog.PlanNotFound,
    ),
    Asked(
        of=catalog.plan_ids,
        name="of the academy only",
        rows=COUPONS,
        ask=lambda table: catalog.plan_ids(table, ACADEMY, ["basic", BASIC, "theirs", 9, "nothing"]),
        answer={"basic": BASIC, BASIC: BASIC},
    ),
)
