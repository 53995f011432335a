"""Save a plan: make it, change it from now or later on, delete it. What it names is the academy's own, or everyone's.

Invariants: a plan names only what is there (each thing that it begins to name is checked in its own transaction); every
version that something could be sold under stays readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.model import Plan, PlanStatus, ResourceSet, ServicePrice, ServiceType, SetKind
from chalicelib.books.catalog.plans import (
    DEFAULT_LIFE,
    DEFAULT_TRIAL,
    PlanHasSubscriptions,
    checked_plan,
    revised,
    superseded,
)
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.catalog.store import SetNotFound
from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.writes import Write
from chalicelib.flows.catalog.edit import Staff, changed, made
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import new_id

NAMED_MAX = 20
SETS = {
    "cohort_set": SetKind.COHORT,
    "mentorship_service_set": SetKind.MENTORSHIP_SERVICE,
    "event_type_set": SetKind.EVENT_TYPE,
}
LINKS = frozenset(
    {
        "financing_option_ids",
        "seat_service_id",
        "add_on_service_ids",
        *(f"{name}_id" for name in SETS),
    }
)
"""The fields of a plan by which it names something that may be taken away."""


class FinancingOptionNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "financing-option-not-found"
    detail = "Financing options not found: {ids}"


class AcademyServiceNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "academy-service-not-found"
    detail = "Academy services not found: {ids}"


class InvalidSeatService(DomainError):
    slug = "invalid-seat-service-price"
    detail = "The price of a seat is an academy service of a SEAT service, and nothing else is."


def create_plan(context: Context, staff: Staff, fields: Mapping[str, Any], *, ident: int | None = None) -> Plan:
    """Make a plan of the academy. `fields` as `change_plan` has them; those that are left out have the defaults of
    document 3. Raises SlugTaken, what `change_plan` raises of what is named, and what a plan may not be.
    """
    values, rows = _named(context, staff, fields)
    plan_id = new_id(context.now, context.random_bits) if ident is None else ident
    plan = new_plan(values, ident=plan_id, academy_id=staff.academy_id, now=context.now)
    return made(context, staff, _subject(plan), plan, beside=[store.still_there(key) for key in rows])


def new_plan(fields: Mapping[str, Any], *, ident: int, academy_id: int, now: datetime) -> Plan:
    """A plan of these fields of `Plan`, and of the defaults of document 3. Raises what a plan may not be."""
    life = (
        {}
        if "time_of_life" in fields or "time_of_life_unit" in fields
        else {
            "time_of_life": DEFAULT_LIFE.every,
            "time_of_life_unit": DEFAULT_LIFE.unit,
        }
    )
    trial = {"trial_duration": DEFAULT_TRIAL.every, "trial_duration_unit": DEFAULT_TRIAL.unit}
    own = {"id": ident, "academy_id": academy_id, "created_at": now, "applies_from": now}
    prices = {period: price for period, price in fields.get("prices", {}).items() if price is not None}
    return checked_plan(Plan(**{**life, **trial, **fields, **own, "prices": prices}))


def change_plan(
    context: Context, staff: Staff, ref: int | str, fields: Mapping[str, Any], *, applies_from: datetime | None = None
) -> Plan:
    """Change a plan, by id or slug, for whoever buys from `applies_from` on (None: from now on).

    `fields` are those of `Plan`, but for what it names: `financing_options` (ids), `cohort_set`,
    `mentorship_service_set`, `event_type_set` (ids or None), `seat_service_price` and `add_ons` (ids of academy
    services). Raises PlanNotFound, PlanDeleted, SlugTaken, FinancingOptionNotFound, SetNotFound,
    AcademyServiceNotFound, InvalidSeatService, PlanHasSubscriptions, ChangedMeanwhile, and what a plan may not be.
    """
    key = own_plan_key(context, staff, ref)
    if fields.get("status") is PlanStatus.DELETED and subscriptions.is_had(context.table, store.plan_id_of(key)):
        raise PlanHasSubscriptions
    values, rows = _named(context, staff, fields)
    links_move = not LINKS.isdisjoint(values)

    def beside(before: Plan, after: Plan) -> Sequence[Write]:
        writes: list[Write] = [store.past_version(version) for version in superseded(before, after)]
        writes += [store.still_there(named) for named in rows]
        if links_move:
            writes.append(store.links_moved(staff.academy_id))
        if after.slug != before.slug:
            writes.append(store.slug_claim("plan", after.slug, ident=after.id, academy_id=after.academy_id))
            writes.append(store.slug_given_up("plan", before.slug, ident=before.id))
        return writes

    return changed(
        context,
        staff,
        f"plan:{store.plan_id_of(key)}",
        Plan,
        key,
        lambda before: revised(before, dict(values), applies_from=applies_from, now=context.now),
        missing=PlanNotFound,
        beside=beside,
    )


def delete_plan(context: Context, staff: Staff, ref: int | str) -> None:
    """Make a plan DELETED, for ever; it stays readable. Raises PlanNotFound, PlanHasSubscriptions, ChangedMeanwhile.

    Whoever is paying it at this moment still gets it, as they were quoted.
    """
    key = own_plan_key(context, staff, ref)
    if subscriptions.is_had(context.table, store.plan_id_of(key)):
        raise PlanHasSubscriptions

    def deleted(before: Plan) -> Plan:
        held = before.at(context.now)
        if held.status is PlanStatus.DELETED:
            return before
        gone = {"status": PlanStatus.DELETED, "version": held.version + 1, "applies_from": context.now, "upcoming": ()}
        return held.model_copy(update=gone)

    changed(
        context,
        staff,
        f"plan:{store.plan_id_of(key)}",
        Plan,
        key,
        deleted,
        missing=PlanNotFound,
        beside=lambda before, after: [store.past_version(version) for version in superseded(before, after)],
    )


def own_plan_key(context: Context, staff: Staff, ref: int | str) -> Key:
    """Where a plan of the academy is. Raises PlanNotFound for another's."""
    key = queries.plan_key_of(context.table, ref)
    if key != store.plan_key(staff.academy_id, store.plan_id_of(key)):
        raise PlanNotFound
    return key


def _named(context: Context, staff: Staff, fields: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Key, ...]]:
    """The fields as a plan has them, and the keys of the rows that they name."""
    values = dict(fields)
    keys: list[Key] = []
    if "financing_options" in values:
        ids = tuple(dict.fromkeys(values.pop("financing_options")))
        keys += _options(context, staff, ids)
        values["financing_option_ids"] = ids
    for name, kind in SETS.items():
        if name in values:
            ident = values[f"{name}_id"] = values.pop(name)
            if ident is not None:
                keys.append(_set_key(context, staff, kind, ident))
    if "seat_service_price" in values or "add_ons" in values:
        values, priced = _priced(context, staff, values)
        keys += priced
    return values, tuple(dict.fromkeys(keys))


def _options(context: Context, staff: Staff, ids: Sequence[int]) -> Iterable[Key]:
    wanted = {ident: [store.option_key(owner, ident) for owner in (staff.academy_id, None)] for ident in ids}
    rows = context.table.get_many(key for keys in wanted.values() for key in keys)
    found = {ident: next((key for key in keys if key in rows), None) for ident, keys in wanted.items()}
    missing = [ident for ident, key in found.items() if key is None]
    if missing:
        raise FinancingOptionNotFound(ids=missing)
    return [key for key in found.values() if key is not None]


def _set_key(context: Context, staff: Staff, kind: SetKind, ident: int) -> Key:
    key = store.set_key(staff.academy_id, kind, ident)
    row = context.table.get(key)
    if row is None or load(ResourceSet, row).kind is not kind:
        raise SetNotFound(kind=kind, ident=ident)
    return key


def _priced(context: Context, staff: Staff, values: dict[str, Any]) -> tuple[dict[str, Any], list[Key]]:
    """Academy services by the services that they price."""
    prices = {price.id: price for price in queries.all_prices(context.table, staff.academy_id)}
    named = [*values.get("add_ons", ()), *([seat] if (seat := values.get("seat_service_price")) is not None else [])]
    missing = [ident for ident in named if ident not in prices]
    if missing:
        raise AcademyServiceNotFound(ids=missing)
    keys = [store.price_key(staff.academy_id, prices[ident].service_id) for ident in named]
    services = context.table.get_many(store.service_key(prices[ident].service_id) for ident in named)
    if "seat_service_price" in values:
        seat = values.pop("seat_service_price")
        if seat is not None and not _is_seat(prices[seat], services):
            raise InvalidSeatService
        values["seat_service_id"] = None if seat is None else prices[seat].service_id
    if "add_ons" in values:
        add_ons = [prices[ident] for ident in dict.fromkeys(values.pop("add_ons"))]
        if any(_is_seat(price, services) for price in add_ons):
            raise InvalidSeatService
        values["add_on_service_ids"] = tuple(price.service_id for price in add_ons)
    return values, keys


def _is_seat(price: ServicePrice, services: Mapping[Key, Row]) -> bool:
    return queries.service_of(services, price.service_id).type is ServiceType.SEAT


def _subject(plan: Plan) -> str:
    return f"plan:{plan.id}"
