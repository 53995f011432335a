"""Reads of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import (
    Cohort,
    Coupon,
    FinancingOption,
    Offer,
    Plan,
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
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import Page

COUPONS_READ_MAX = 200


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


def plan(table: Table, ref: int | str, *, now: datetime) -> Plan:
    """A plan in any status as it holds now, by id or slug. Raises PlanNotFound."""
    row = table.get(plan_key_of(table, ref))
    if row is None:
        raise PlanNotFound
    return load(Plan, row).at(now)


def plan_key_of(table: Table, ref: int | str) -> Key:
    """Where a plan is, by id or slug. Raises PlanNotFound."""
    claim = table.get(_plan_claim(ref))
    if claim is None:
        raise PlanNotFound
    ident, academy_id = store.claimed(claim)
    return store.plan_key(academy_id or 0, ident)


def plan_version(table: Table, found: Plan, version: int) -> Plan:
    """A plan as it held under a version, or will hold. `found` is the plan as it is stored. Raises PlanNotFound."""
    for known in found.versions():
        if known.version == version:
            return known
    row = table.get(store.plan_version_key(found, version))
    if row is None:
        raise PlanNotFound
    return load(Plan, row)


def plans(table: Table, academy_id: int, *, limit: int, now: datetime, cursor: str | None = None) -> Page[Plan]:
    """A page of an academy's plans as they hold now, whatever their status, newest first: one read of that page."""
    page = table.query(keys.academy(academy_id), prefix="PLAN#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Plan, row).at(now) for row in page.items), page.next_cursor)


def all_plans(table: Table, academy_id: int) -> list[Plan]:
    """Every plan of an academy, whatever its status: for staff's rare changes, never for a list."""
    return [load(Plan, row) for row in table.query_all(keys.academy(academy_id), prefix="PLAN#")]


def plans_by_id(table: Table, academy_id: int, ids: Iterable[int], *, now: datetime) -> list[Plan]:
    """The plans of an academy with these ids, as they hold now; unknown ones are left out."""
    rows = table.get_many([store.plan_key(academy_id, ident) for ident in ids])
    return [load(Plan, row).at(now) for row in rows.values()]


def cohorts_by_id(table: Table, academy_id: int, ids: Iterable[int]) -> list[Cohort]:
    """The cohorts of an academy with these ids; unknown ones are left out."""
    rows = table.get_many([store.cohort_key(academy_id, ident) for ident in ids])
    return [load(Cohort, row) for row in rows.values()]


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
    rows = table.get_many([*_offer_keys(found, wanted), *beside])
    return _offer(found, wanted, rows), rows


def offers(table: Table, found: Sequence[Plan]) -> list[Offer]:
    """Plans with all that selling them needs, in one read for a hundred rows."""
    rows = table.get_many([key for plan in found for key in _offer_keys(plan, ())])
    return [_offer(plan, (), rows) for plan in found]


def _offer_keys(found: Plan, add_ons: tuple[int, ...]) -> list[Key]:
    academy_id = found.academy_id
    sets = [(kind, found.set_id(kind)) for kind in SetKind]
    priced = [*add_ons, *([found.seat_service_id] if found.seat_service_id is not None else [])]
    return [
        *(store.item_key(item.item_id) for item in found.items),
        *(store.service_key(item.service_id) for item in found.items),
        *(store.service_key(ident) for ident in add_ons),
        *(store.price_key(academy_id, ident) for ident in priced),
        *_option_keys(found),
        *(store.set_key(academy_id, kind, ident) for kind, ident in sets if ident is not None),
    ]


def _option_keys(found: Plan) -> list[Key]:
    owners = (found.academy_id, None)
    return [store.option_key(owner, ident) for ident in found.financing_option_ids for owner in owners]


def _offer(found: Plan, add_ons: tuple[int, ...], rows: dict[Key, Row]) -> Offer:
    academy_id = found.academy_id
    for ident in add_ons:
        if store.price_key(academy_id, ident) not in rows:
            raise PriceNotFound(service=ident)
    seat_row = rows.get(store.price_key(academy_id, found.seat_service_id or 0))
    set_ids = [(kind, found.set_id(kind)) for kind in SetKind]
    set_keys = [store.set_key(academy_id, kind, ident) for kind, ident in set_ids if ident is not None]
    return Offer(
        plan=found,
        items=tuple(
            PricedItem(
                link_id=item.link_id,
                item=load(ServiceItem, rows[store.item_key(item.item_id)]),
                service=load(Service, rows[store.service_key(item.service_id)]),
            )
            for item in found.items
        ),
        financing_options=tuple(load(FinancingOption, rows[key]) for key in _option_keys(found) if key in rows),
        sets=tuple(load(ResourceSet, rows[key]) for key in set_keys if key in rows),
        seat_price=None if seat_row is None else load(ServicePrice, seat_row),
        add_on_prices=tuple(load(ServicePrice, rows[store.price_key(academy_id, ident)]) for ident in add_ons),
        add_on_services=tuple(load(Service, rows[store.service_key(ident)]) for ident in add_ons),
    )


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


def coupons(table: Table, academy_id: int) -> list[tuple[Coupon, int]]:
    """An academy's coupons and how often each was used. At most 200 are looked at."""
    page = table.query(keys.academy(academy_id), prefix="COUPON#", limit=COUPONS_READ_MAX)
    return [(load(Coupon, row), used_of(row)) for row in page.items]


def used_of(row: Row) -> int:
    used = row.values.get("used", 0)
    return used if isinstance(used, int) else 0


def _plan_claim(ref: int | str) -> Key:
    return store.slug_key("plan-id", str(ref)) if isinstance(ref, int) else store.slug_key("plan", ref)
