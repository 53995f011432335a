"""Reads of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import (
    Coupon,
    FinancingOption,
    Offer,
    Plan,
    PlanStatus,
    PricedItem,
    ResourceSet,
    Service,
    ServiceItem,
    ServicePrice,
    ServiceType,
    SetKind,
)
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.table import Table, cursor_after
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import PAGE_ITEMS_MAX, Page

AUTOMATIC_COUPONS_READ_MAX = 100


class PlanNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "not-found"
    detail = "Plan not found"


class ServiceNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "service-not-found"
    detail = "There is no service {service}."


class PriceNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "academy-service-not-found"
    detail = "The academy does not sell the service {service}."


class CountedCoupon(NamedTuple):
    """A coupon with how often it was used, where that is limited."""

    coupon: Coupon
    used: int


def plan(table: Table, ref: int | str) -> Plan:
    """A plan in any status, by id or slug. Raises PlanNotFound."""
    row = table.get(store.plan_key(*_plan_place(table, ref)))
    if row is None:
        raise PlanNotFound
    return load(Plan, row)


def plan_and_coupons(
    table: Table, ref: int | str, slugs: Iterable[str], *, now: datetime
) -> tuple[Plan, tuple[CountedCoupon, ...]]:
    """A plan in any status, by id or slug, and of its academy's coupons the automatic ones and those with these slugs.

    Three reads, however many coupons there are. Raises PlanNotFound.
    """
    academy_id, ident = _plan_place(table, ref)
    key = store.plan_key(academy_id, ident)
    named = dict.fromkeys([*automatic_coupons(table, academy_id, now), *slugs])
    rows = table.get_many([key, *(store.coupon_key(academy_id, slug) for slug in named)])
    found = rows.pop(key, None)
    if found is None:
        raise PlanNotFound
    return load(Plan, found), tuple(_counted(row) for row in rows.values())


def plan_ids(table: Table, academy_id: int, refs: Iterable[int | str]) -> dict[int | str, int]:
    """The ids of an academy's plans, each given by id or slug; unknown ones are left out."""
    claims = {ref: _plan_claim(ref) for ref in refs}
    rows = table.get_many(claims.values())
    found = {ref: store.claimed(rows[key]) for ref, key in claims.items() if key in rows}
    return {ref: ident for ref, (ident, owner) in found.items() if owner == academy_id}


def plans(
    table: Table, academy_id: int, *, statuses: frozenset[PlanStatus], limit: int, cursor: str | None = None
) -> Page[Plan]:
    """A page of an academy's plans with one of these statuses, newest first."""
    found: list[Plan] = []
    while True:
        page = table.query(
            keys.academy(academy_id), prefix="PLAN#", limit=PAGE_ITEMS_MAX, newest_first=True, cursor=cursor
        )
        for number, row in enumerate(page.items):
            loaded = load(Plan, row)
            if loaded.status not in statuses:
                continue
            found.append(loaded)
            if len(found) == limit:
                exhausted = page.next_cursor is None and number == len(page.items) - 1
                return Page(tuple(found), None if exhausted else cursor_after(row.key))
        if page.next_cursor is None:
            return Page(tuple(found), None)
        cursor = page.next_cursor


def all_plans(table: Table, academy_id: int) -> list[Plan]:
    """Every plan of an academy, whatever its status: for staff's rare changes, never for a list."""
    return [load(Plan, row) for row in table.query_all(keys.academy(academy_id), prefix="PLAN#")]


def links_version(table: Table, academy_id: int) -> int:
    """To be read before the plans whose links are looked at; `store.links_as_read` takes it."""
    row = table.get(store.links_key(academy_id))
    return 0 if row is None else row.version


def financing_option(table: Table, academy_id: int, option_id: int) -> FinancingOption | None:
    """An academy's own option, or else everyone's."""
    found = table.get_many([store.option_key(owner, option_id) for owner in (academy_id, None)])
    return next((load(FinancingOption, row) for row in found.values()), None)


def financing_options(
    table: Table, owner: int | None, *, limit: int, cursor: str | None = None
) -> Page[FinancingOption]:
    """A page of the options of an academy (None: of everyone's), newest first."""
    page = table.query(keys.academy(owner or 0), prefix="OPTION#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(FinancingOption, row) for row in page.items), page.next_cursor)


def offer(table: Table, found: Plan, *, add_ons: Iterable[int] = (), beside: Iterable[Key] = ()) -> Offer:
    """A plan with all that selling it needs, in one read. Raises PriceNotFound for an add-on without a price."""
    return offer_and_rows(table, found, add_ons=add_ons, beside=beside)[0]


def offer_and_rows(
    table: Table, found: Plan, *, add_ons: Iterable[int] = (), beside: Iterable[Key] = ()
) -> tuple[Offer, dict[Key, Row]]:
    """As `offer`, and the rows `beside` that the caller needs too, fetched in the same read."""
    wanted = tuple(add_ons)
    academy_id = found.academy_id
    sets = [(kind, found.set_id(kind)) for kind in SetKind]
    set_keys = [store.set_key(academy_id, kind, ident) for kind, ident in sets if ident is not None]
    option_keys = [
        store.option_key(owner, ident) for ident in found.financing_option_ids for owner in (academy_id, None)
    ]
    priced = [*wanted, *([found.seat_service_id] if found.seat_service_id is not None else [])]
    rows = table.get_many(
        [
            *(store.item_key(item.item_id) for item in found.items),
            *(store.service_key(item.service_id) for item in found.items),
            *(store.service_key(ident) for ident in wanted),
            *(store.price_key(academy_id, ident) for ident in priced),
            *option_keys,
            *set_keys,
            *beside,
        ]
    )
    items = tuple(
        PricedItem(
            link_id=item.link_id,
            item=load(ServiceItem, rows[store.item_key(item.item_id)]),
            service=load(Service, rows[store.service_key(item.service_id)]),
        )
        for item in found.items
    )
    for ident in wanted:
        if store.price_key(academy_id, ident) not in rows:
            raise PriceNotFound(service=ident)
    seat_row = rows.get(store.price_key(academy_id, found.seat_service_id or 0))
    complete = Offer(
        plan=found,
        items=items,
        financing_options=tuple(load(FinancingOption, rows[key]) for key in option_keys if key in rows),
        sets=tuple(load(ResourceSet, rows[key]) for key in set_keys if key in rows),
        seat_price=None if seat_row is None else load(ServicePrice, seat_row),
        add_on_prices=tuple(load(ServicePrice, rows[store.price_key(academy_id, ident)]) for ident in wanted),
        add_on_services=tuple(load(Service, rows[store.service_key(ident)]) for ident in wanted),
    )
    return complete, rows


def service_id(table: Table, ref: int | str) -> int:
    """The id of a service given by id or slug. Raises ServiceNotFound for an unknown slug."""
    if isinstance(ref, int):
        return ref
    claim = table.get(store.slug_key("service", ref))
    if claim is None:
        raise ServiceNotFound(service=ref)
    return store.claimed(claim)[0]


def service(table: Table, ref: int | str) -> Service:
    """A service by id or slug. Raises ServiceNotFound."""
    row = table.get(store.service_key(service_id(table, ref)))
    if row is None:
        raise ServiceNotFound(service=ref)
    return load(Service, row)


def services(table: Table, scope: str, *, limit: int, cursor: str | None = None) -> Page[Service]:
    """A page of services, newest first: `scope` is `public`, or `private#{academy}` (0: the private ones of nobody)."""
    page = table.query_ref(f"SERVICES#{scope}", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Service, row) for row in page.items), page.next_cursor)


def service_items(table: Table, found: Plan) -> tuple[PricedItem, ...]:
    """The items of a plan with their services, in the plan's order."""
    return offer(table, found).items


def service_and_price(table: Table, ref: int | str, academy_id: int) -> tuple[Service, ServicePrice]:
    """A service and its price at an academy. Raises ServiceNotFound, PriceNotFound."""
    ident = service_id(table, ref)
    rows = table.get_many([store.service_key(ident), store.price_key(academy_id, ident)])
    return priced_service(rows, ident, academy_id, ref)


def priced_service(rows: dict[Key, Row], ident: int, academy_id: int, ref: int | str) -> tuple[Service, ServicePrice]:
    """A service and its price out of rows that were read. Raises ServiceNotFound, PriceNotFound."""
    service_row = rows.get(store.service_key(ident))
    if service_row is None:
        raise ServiceNotFound(service=ref)
    found = load(Service, service_row)
    price_row = rows.get(store.price_key(academy_id, ident))
    if price_row is None or found.type is ServiceType.SEAT:
        raise PriceNotFound(service=ref)
    return found, load(ServicePrice, price_row)


def sets(table: Table, academy_id: int, kind: SetKind, ids: Sequence[int]) -> tuple[ResourceSet, ...]:
    """The sets of an academy with these ids; unknown ones are left out."""
    rows = table.get_many([store.set_key(academy_id, kind, ident) for ident in ids])
    return tuple(load(ResourceSet, row) for row in rows.values())


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


def _plan_place(table: Table, ref: int | str) -> tuple[int, int]:
    """The ids of a plan's academy and of the plan."""
    claim = table.get(_plan_claim(ref))
    if claim is None:
        raise PlanNotFound
    ident, academy_id = store.claimed(claim)
    return academy_id or 0, ident


def _plan_claim(ref: int | str) -> Key:
    return store.slug_key("plan-id", str(ref)) if isinstance(ref, int) else store.slug_key("plan", ref)
