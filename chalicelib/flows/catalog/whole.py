"""The whole offer of an academy, read at once: for staff's rare changes and copies, never for a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from chalicelib.books.catalog import coupon_queries, queries, set_queries
from chalicelib.books.catalog.model import (
    Cohort,
    Coupon,
    FinancingOption,
    Plan,
    PlanOffer,
    ResourceSet,
    Service,
    ServiceItem,
    ServicePrice,
    SetKind,
)
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.model import Academy
from chalicelib.dynamo.table import Table
from chalicelib.flows.context import Context
from chalicelib.kernel.pages import PAGE_ITEMS_MAX, Page

T = TypeVar("T")


@dataclass(slots=True)
class Whole:
    """Rows by their ids: prices by their services, sets by kind and id, plan offers by the plan that each is for.

    `services` are those that another row names; `items` and `options` are the academy's, everyone's, and what a plan
    has besides; `plans` are as they hold now, deleted ones too. A plan's offer is the live one, else the newest.
    """

    academy: Academy
    services: dict[int, Service]
    cohorts: dict[int, Cohort]
    sets: dict[tuple[SetKind, int], ResourceSet]
    prices: dict[int, ServicePrice]
    items: dict[int, ServiceItem]
    options: dict[int, FinancingOption]
    plans: dict[int, Plan]
    offers: dict[int, PlanOffer]


def read_whole(context: Context, academy_id: int) -> Whole:
    """All but services and coupons that nothing names. Raises AcademyNotFound."""
    table, now = context.table, context.now
    plans = [plan.at(now) for plan in queries.all_plans(table, academy_id)]
    granted = [item for offer in queries.offers(table, plans) for item in offer.items]
    listed = [
        *_pages(lambda cursor: _items_page(table, academy_id, academy_id, cursor)),
        *_pages(lambda cursor: _items_page(table, None, academy_id, cursor)),
    ]
    items = [*(item for item, _ in listed), *(found.item for found in granted)]
    prices = queries.all_prices(table, academy_id)
    named = {item.service_id for item in items} | {price.service_id for price in prices}
    named |= {ident for plan in plans for ident in plan.add_on_service_ids}
    return Whole(
        academy=identity.academy(table, academy_id),
        services=queries.services_by_id(table, named),
        cohorts={
            cohort.id: cohort
            for cohort in _pages(
                lambda cursor: set_queries.cohorts_page(table, academy_id, limit=PAGE_ITEMS_MAX, cursor=cursor)
            )
        },
        sets={(kind, found.id): found for kind in SetKind for found in set_queries.all_sets(table, academy_id, kind)},
        prices={price.service_id: price for price in prices},
        items={item.id: item for item in items},
        options={option.id: option for owner in (None, academy_id) for option in _options(table, owner)},
        plans={plan.id: plan for plan in plans},
        offers=_offers(table, academy_id, now),
    )


def own_services(table: Table, academy_id: int) -> list[Service]:
    """Those that the academy made, private and public; one that was made this moment may be missing."""
    scopes = (f"private#{academy_id}", "public")
    return [
        service for scope in scopes for service in _pages(_services_of(table, scope)) if service.owner_id == academy_id
    ]


def coupons_for_all(table: Table, academy_id: int, now: datetime) -> list[Coupon]:
    """The academy's coupons that name no person and have not ended."""
    found = _pages(lambda cursor: coupon_queries.coupons(table, academy_id, limit=PAGE_ITEMS_MAX, cursor=cursor))
    coupons = (one.coupon for one in found)
    return [one for one in coupons if one.seller_user_id is None and not one.revoked and not _has_ended(one, now)]


def _has_ended(coupon: Coupon, now: datetime) -> bool:
    return coupon.expires_at is not None and coupon.expires_at <= now


def _services_of(table: Table, scope: str) -> Callable[[str | None], Page[Service]]:
    return lambda cursor: queries.services(table, scope, limit=PAGE_ITEMS_MAX, cursor=cursor)


def _items_page(table: Table, owner: int | None, reader: int, cursor: str | None) -> Page[tuple[ServiceItem, Service]]:
    return queries.items_of(table, owner, reader=reader, limit=PAGE_ITEMS_MAX, cursor=cursor)


def _options(table: Table, owner: int | None) -> Sequence[FinancingOption]:
    return list(_pages(lambda cursor: queries.financing_options(table, owner, limit=PAGE_ITEMS_MAX, cursor=cursor)))


def _offers(table: Table, academy_id: int, now: datetime) -> dict[int, PlanOffer]:
    found = _pages(lambda cursor: set_queries.plan_offers(table, academy_id, limit=PAGE_ITEMS_MAX, cursor=cursor))
    ordered: Iterable[PlanOffer] = sorted(found, key=lambda offer: (offer.is_live(now), offer.id))
    return {offer.original_plan_id: offer for offer in ordered}


def _pages(read: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """A list to its end."""
    cursor: str | None = None
    while True:
        page = read(cursor)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
