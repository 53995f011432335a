"""Reads of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import (
    Cohort,
    Coupon,
    FinancingOption,
    Offer,
    Plan,
    PlanOffer,
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
from chalicelib.dynamo.table import InvalidCursor, Table, cursor_after
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import PAGE_ITEMS_MAX, Page

COUPONS_READ_MAX = 200
COHORTS_NAMED_MAX = 5
ID_DIGITS_MAX = 16


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


class SetNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "not-found"
    detail = "There is no set {ref} of this kind."


class CohortNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "cohort-not-found"
    detail = "The academy has no cohort {cohort}."


def plan(table: Table, ref: int | str) -> Plan:
    """A plan in any status, by id or slug. Raises PlanNotFound."""
    claim = table.get(_plan_claim(ref))
    if claim is None:
        raise PlanNotFound
    ident, academy_id = store.claimed(claim)
    row = table.get(store.plan_key(academy_id or 0, ident))
    if row is None:
        raise PlanNotFound
    return load(Plan, row)


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


def plans_of(table: Table, academy_id: int, ids: Iterable[int]) -> dict[int, Plan]:
    """The plans of an academy with these ids, whatever their status; unknown ones are left out."""
    rows = table.get_many([store.plan_key(academy_id, ident) for ident in ids])
    return {found.id: found for found in (load(Plan, row) for row in rows.values())}


def all_prices(table: Table, academy_id: int) -> list[ServicePrice]:
    """Every price of an academy: for staff's rare changes, never for a list."""
    return [load(ServicePrice, row) for row in table.query_all(keys.academy(academy_id), prefix="PRICE#")]


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


def set_id(table: Table, academy_id: int, kind: SetKind, ref: int | str) -> int:
    """The id of a set given by id or slug. Raises SetNotFound for an unknown slug."""
    if isinstance(ref, int):
        return ref
    claim = table.get(store.set_slug_key(academy_id, kind, ref))
    if claim is None:
        raise SetNotFound(ref=ref)
    return store.claimed(claim)[0]


def resource_set(table: Table, academy_id: int, kind: SetKind, ref: int | str) -> ResourceSet:
    """A set of an academy, by id or slug. Raises SetNotFound."""
    row = table.get(store.set_key(academy_id, kind, set_id(table, academy_id, kind, ref)))
    if row is None:
        raise SetNotFound(ref=ref)
    return load(ResourceSet, row)


def sets_page(
    table: Table, academy_id: int, kind: SetKind, *, limit: int, cursor: str | None = None
) -> Page[ResourceSet]:
    """A page of an academy's sets of a kind, newest first."""
    page = table.query(keys.academy(academy_id), prefix=f"SET#{kind}#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(ResourceSet, row) for row in page.items), page.next_cursor)


def all_sets(table: Table, academy_id: int, kind: SetKind) -> list[ResourceSet]:
    """Every set of a kind: for staff's rare changes, never for a list."""
    return [load(ResourceSet, row) for row in table.query_all(keys.academy(academy_id), prefix=f"SET#{kind}#")]


def cohort_ids(table: Table, academy_id: int, refs: Sequence[int | str]) -> tuple[int, ...]:
    """The ids of cohorts given by id or slug, each once, in order. Raises CohortNotFound for unknown slugs."""
    slugs = {ref: store.cohort_slug_key(academy_id, ref) for ref in refs if isinstance(ref, str)}
    rows = table.get_many(slugs.values())
    unknown = [slug for slug, key in slugs.items() if key not in rows]
    if unknown:
        raise CohortNotFound(cohort=", ".join(unknown[:COHORTS_NAMED_MAX]))
    found = (ref if isinstance(ref, int) else store.claimed(rows[slugs[ref]])[0] for ref in refs)
    return tuple(dict.fromkeys(found))


def cohort(table: Table, academy_id: int, ref: int | str) -> Cohort:
    """A cohort of an academy, by id or slug. Raises CohortNotFound."""
    return cohorts(table, academy_id, cohort_ids(table, academy_id, [ref]))[0]


def cohorts(table: Table, academy_id: int, ids: Sequence[int]) -> tuple[Cohort, ...]:
    """The cohorts of an academy with these ids, in this order. Raises CohortNotFound where one is not there."""
    wanted = {ident: store.cohort_key(academy_id, ident) for ident in ids}
    rows = table.get_many(wanted.values())
    unknown = [str(ident) for ident, key in wanted.items() if key not in rows]
    if unknown:
        raise CohortNotFound(cohort=", ".join(unknown[:COHORTS_NAMED_MAX]))
    return tuple(load(Cohort, rows[wanted[ident]]) for ident in ids)


def cohorts_page(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[Cohort]:
    """A page of an academy's cohorts, newest first."""
    page = table.query(keys.academy(academy_id), prefix="COHORT#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Cohort, row) for row in page.items), page.next_cursor)


def members_page(table: Table, found: ResourceSet, *, limit: int, cursor: str | None = None) -> Page[Cohort]:
    """A page of the cohorts of a set, newest first. Its cursor is the last id. Raises InvalidCursor."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= ID_DIGITS_MAX):
        raise InvalidCursor
    after = [ident for ident in sorted(found.member_ids, reverse=True) if cursor is None or ident < int(cursor)]
    ids = after[:limit]
    more = str(ids[-1]) if len(after) > limit else None
    return Page(cohorts(table, found.academy_id, ids), more)


def plan_offer(table: Table, academy_id: int, offer_id: int) -> PlanOffer | None:
    row = table.get(store.plan_offer_key(academy_id, offer_id))
    return None if row is None else load(PlanOffer, row)


def plan_offers(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[PlanOffer]:
    """A page of an academy's plan offers, expired ones too, newest first."""
    page = table.query(keys.academy(academy_id), prefix="PLANOFFER#", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(PlanOffer, row) for row in page.items), page.next_cursor)


def claimed_offer(table: Table, found: Plan) -> PlanOffer | None:
    """The only offer of this plan that may be live."""
    claim = table.get(store.live_offer_key(found.academy_id, found.id))
    return None if claim is None else plan_offer(table, found.academy_id, store.claimed(claim)[0])


def coupons(table: Table, academy_id: int) -> list[tuple[Coupon, int]]:
    """An academy's coupons and how often each was used. At most 200 are looked at."""
    page = table.query(keys.academy(academy_id), prefix="COUPON#", limit=COUPONS_READ_MAX)
    return [(load(Coupon, row), used_of(row)) for row in page.items]


def used_of(row: Row) -> int:
    used = row.values.get("used", 0)
    return used if isinstance(used, int) else 0


def _plan_claim(ref: int | str) -> Key:
    return store.slug_key("plan-id", str(ref)) if isinstance(ref, int) else store.slug_key("plan", ref)
