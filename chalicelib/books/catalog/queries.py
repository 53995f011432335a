"""Reads of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from chalicelib.books.catalog import store
from chalicelib.books.catalog.academy_services import PricedWithSets
from chalicelib.books.catalog.definitions import may_see
from chalicelib.books.catalog.model import (
    Cohort,
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
from chalicelib.books.catalog.service_items import ItemNotFound, may_link, may_read
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.pages import Page


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
    return stored_plan(table, plan_key_of(table, ref)).at(now)


def stored_plan(table: Table, key: Key) -> Plan:
    """A plan with what is to come of it, as it is stored. Raises PlanNotFound."""
    row = table.get(key)
    if row is None:
        raise PlanNotFound
    return load(Plan, row)


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


def plan_ids(table: Table, academy_id: int, refs: Iterable[int | str]) -> dict[int | str, int]:
    """The ids of an academy's plans, each given by id or slug; unknown ones are left out."""
    claims = {ref: _plan_claim(ref) for ref in refs}
    rows = table.get_many(claims.values())
    found = {ref: store.claimed(rows[key]) for ref, key in claims.items() if key in rows}
    return {ref: ident for ref, (ident, owner) in found.items() if owner == academy_id}


def all_plans(table: Table, academy_id: int) -> list[Plan]:
    """Every plan of an academy, whatever its status: for staff's rare changes, never for a list."""
    return [plan for plan, _ in all_plans_and_versions(table, academy_id)]


def all_plans_and_versions(table: Table, academy_id: int) -> list[tuple[Plan, int]]:
    """As `all_plans`, each with the version of its row."""
    return [(load(Plan, row), row.version) for row in table.query_all(keys.academy(academy_id), prefix="PLAN#")]


def all_prices(table: Table, academy_id: int) -> list[ServicePrice]:
    """Every price of an academy: one for each service that it sells by the unit or the seat."""
    return [load(ServicePrice, row) for row in table.query_all(keys.academy(academy_id), prefix="PRICE#")]


def service_of(rows: Mapping[Key, Row], ident: int) -> Service:
    """A service out of rows that were read. Raises ServiceNotFound."""
    row = rows.get(store.service_key(ident))
    if row is None:
        raise ServiceNotFound(service=ident)
    return load(Service, row)


def plans_of(table: Table, academy_id: int, ids: Iterable[int], *, now: datetime) -> dict[int, Plan]:
    """The plans of an academy with these ids as they hold now, whatever their status; unknown ones are left out."""
    rows = table.get_many(store.plan_key(academy_id, ident) for ident in ids)
    return {found.id: found.at(now) for found in (load(Plan, row) for row in rows.values())}


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


def whole_offers(table: Table, found: Sequence[Plan]) -> list[Offer]:
    """As `offers`, each with every add-on that its plan has: what a customer may choose from."""
    rows = table.get_many([key for plan in found for key in _offer_keys(plan, plan.add_on_service_ids)])
    return [_offer(plan, plan.add_on_service_ids, rows) for plan in found]


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
    ident = known_service_id(table, ref)
    if ident is None:
        raise ServiceNotFound(service=ref)
    return ident


def known_service_id(table: Table, slug: str) -> int | None:
    """The id of the service with this slug, or None."""
    claim = table.get(store.slug_key("service", slug))
    return None if claim is None else store.claimed(claim)[0]


def service(table: Table, ref: int | str) -> Service:
    """A service by id or slug. Raises ServiceNotFound."""
    row = table.get(store.service_key(service_id(table, ref)))
    if row is None:
        raise ServiceNotFound(service=ref)
    return load(Service, row)


def visible_service(table: Table, academy_id: int, ref: int | str) -> Service:
    """A service that an academy's staff see: its own, everyone's or a public one. Raises ServiceNotFound."""
    found = service(table, ref)
    if not may_see(found, academy_id):
        raise ServiceNotFound(service=ref)
    return found


def services_by_id(table: Table, ids: Iterable[int]) -> dict[int, Service]:
    """The services with these ids, in one read a hundred."""
    found = [load(Service, row) for row in table.get_many(store.service_key(ident) for ident in ids).values()]
    return {one.id: one for one in found}


def services(table: Table, scope: str, *, limit: int, cursor: str | None = None) -> Page[Service]:
    """A page of services, newest first: `scope` is `public`, or `private#{academy}` (0: the private ones of nobody)."""
    page = table.query_ref(f"SERVICES#{scope}", limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(Service, row) for row in page.items), page.next_cursor)


def service_items(table: Table, found: Plan) -> tuple[PricedItem, ...]:
    """The items of a plan with their services, in the plan's order."""
    return offer(table, found).items


def items_of(
    table: Table, owner: int | None, *, reader: int, limit: int, cursor: str | None = None
) -> Page[tuple[ServiceItem, Service]]:
    """A page of the service items of an academy (None: everyone's) with their services, newest first.

    Everyone's items of a service that the academy `reader` does not see are left out, so a page may be short.
    """
    page = table.query_ref(store.items_ref(owner), limit=limit, newest_first=True, cursor=cursor)
    items = [load(ServiceItem, row) for row in page.items]
    services = services_by_id(table, (item.service_id for item in items))
    both = ((item, services[item.service_id]) for item in items)
    return Page(tuple((item, of) for item, of in both if may_read(item, of, reader)), page.next_cursor)


def item_and_service(table: Table, academy_id: int, item_id: int) -> tuple[ServiceItem, Service]:
    """A service item that an academy's staff see, and its service. Raises ItemNotFound."""
    row = table.get(store.item_key(item_id))
    if row is None:
        raise ItemNotFound(item=item_id)
    item = load(ServiceItem, row)
    of = service(table, item.service_id)
    if not may_read(item, of, academy_id):
        raise ItemNotFound(item=item_id)
    return item, of


def service_items_by_id(table: Table, academy_id: int, ids: Sequence[int]) -> tuple[ServiceItem, ...]:
    """Those of these service items that the academy may link to a plan, in the order of `ids`: two batched reads.

    They are its own ones and everyone's, of services that it sees; all others are left out.
    """
    rows = table.get_many(store.item_key(ident) for ident in ids)
    items = {item.id: item for item in (load(ServiceItem, row) for row in rows.values())}
    services = services_by_id(table, (item.service_id for item in items.values()))
    found = (items[ident] for ident in dict.fromkeys(ids) if ident in items)
    return tuple(item for item in found if may_link(item, services[item.service_id], academy_id))


def prices(table: Table, academy_id: int, *, limit: int, cursor: str | None = None) -> Page[ServicePrice]:
    """A page of an academy's prices of services, newest first."""
    page = table.query_ref(store.prices_ref(academy_id), limit=limit, newest_first=True, cursor=cursor)
    return Page(tuple(load(ServicePrice, row) for row in page.items), page.next_cursor)


def priced_with_sets(table: Table, found: Sequence[ServicePrice]) -> tuple[PricedWithSets, ...]:
    """Prices together with their services and sets, all fetched in one read a hundred."""
    sets_of = [
        [store.set_key(price.academy_id, kind, ident) for kind in SetKind for ident in price.set_ids.get(kind, ())]
        for price in found
    ]
    services = (store.service_key(price.service_id) for price in found)
    rows = table.get_many([*services, *(key for keys_of_one in sets_of for key in keys_of_one)])
    return tuple(
        PricedWithSets(
            price=price,
            service=load(Service, rows[store.service_key(price.service_id)]),
            sets=tuple(load(ResourceSet, rows[key]) for key in keys_of_one if key in rows),
        )
        for price, keys_of_one in zip(found, sets_of, strict=True)
    )


def set_ids_for(table: Table, academy_id: int, *, kind: SetKind, slug: str) -> frozenset[int]:
    """The sets of a kind that are for what has this slug: of cohorts, those with that cohort; of others, that set."""
    partition = keys.academy(academy_id)
    sets = [load(ResourceSet, row) for row in table.query_all(partition, prefix=f"SET#{kind}#")]
    if kind is not SetKind.COHORT:
        return frozenset(found.id for found in sets if found.slug == slug)
    cohorts = (load(Cohort, row) for row in table.query_all(partition, prefix="COHORT#"))
    members = {cohort.id for cohort in cohorts if cohort.slug == slug}
    return frozenset(found.id for found in sets if members & set(found.member_ids))


def service_and_price(table: Table, ref: int | str, academy_id: int) -> tuple[Service, ServicePrice]:
    """A service and its price at an academy. Raises ServiceNotFound, PriceNotFound."""
    ident = service_id(table, ref)
    rows = table.get_many([store.service_key(ident), store.price_key(academy_id, ident)])
    return _service_and_price(rows, ident, academy_id, ref)


def priced_service(rows: dict[Key, Row], ident: int, academy_id: int, ref: int | str) -> tuple[Service, ServicePrice]:
    """A service whose units are sold by themselves, and its price, out of rows that were read.

    Raises ServiceNotFound, PriceNotFound: also for seats, which are sold with a plan.
    """
    found, price = _service_and_price(rows, ident, academy_id, ref)
    if found.type is ServiceType.SEAT:
        raise PriceNotFound(service=ref)
    return found, price


def sets(table: Table, academy_id: int, kind: SetKind, ids: Sequence[int]) -> tuple[ResourceSet, ...]:
    """The sets of an academy with these ids; unknown ones are left out."""
    rows = table.get_many([store.set_key(academy_id, kind, ident) for ident in ids])
    return tuple(load(ResourceSet, row) for row in rows.values())


def cohorts(table: Table, academy_id: int, ids: Iterable[int]) -> dict[int, Cohort]:
    """The cohorts of an academy with these ids; unknown ones are left out."""
    rows = table.get_many(store.cohort_key(academy_id, ident) for ident in ids)
    return {found.id: found for found in (load(Cohort, row) for row in rows.values())}


def cohort_set_ids(table: Table, academy_id: int, *, cohort_id: int | None, syllabus: str | None) -> frozenset[int]:
    """The sets of an academy with this cohort, or one of this syllabus, by which the plans with them are found."""
    partition = keys.academy(academy_id)
    wanted = {cohort_id} if cohort_id is not None else set()
    if syllabus is not None:
        every = [load(Cohort, row) for row in table.query_all(partition, prefix="COHORT#")]
        of_it = {cohort.id for cohort in every if cohort.syllabus == syllabus}
        wanted = of_it if cohort_id is None else wanted & of_it
    sets = [load(ResourceSet, row) for row in table.query_all(partition, prefix=f"SET#{SetKind.COHORT}#")]
    return frozenset(found.id for found in sets if wanted & set(found.member_ids))


def _service_and_price(
    rows: dict[Key, Row], ident: int, academy_id: int, ref: int | str
) -> tuple[Service, ServicePrice]:
    service_row = rows.get(store.service_key(ident))
    if service_row is None:
        raise ServiceNotFound(service=ref)
    price_row = rows.get(store.price_key(academy_id, ident))
    if price_row is None:
        raise PriceNotFound(service=ref)
    return load(Service, service_row), load(ServicePrice, price_row)


def _plan_claim(ref: int | str) -> Key:
    return store.slug_key("plan-id", str(ref)) if isinstance(ref, int) else store.slug_key("plan", ref)
