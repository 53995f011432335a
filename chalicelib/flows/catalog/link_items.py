"""Link service items to a plan, and unlink them: what whoever buys it from now on is granted.

What was bought before keeps its own items. Each change is a version of the plan, as every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.model import Plan, PlanItem, ServiceItem
from chalicelib.books.catalog.plans import revised, superseded
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.catalog.edit import TRIES_MAX, Staff, audited, changed
from chalicelib.flows.catalog.save_plan import own_plan_key
from chalicelib.flows.checkout.quote import GRANTS_MAX
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import new_id


class ServiceItemNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "service-item-not-found"
    detail = "Service items not found: {ids}"


class LinkNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "plan-service-item-not-found"
    detail = "Plan service items not found: {ids}"


class TooManyServiceItems(DomainError):
    slug = "too-many-service-items"
    detail = "A plan has at most {most} service items."


@dataclass(frozen=True, slots=True)
class Linked:
    """A link of the plan. `created`: by this call; it was there already otherwise."""

    link_id: int
    item_id: int
    created: bool


def link_items(context: Context, staff: Staff, plan_ref: int | str, item_ids: Sequence[int]) -> list[Linked]:
    """Link items to a plan of the academy, each once; answers the link of each, in the order that was asked for.

    Raises PlanNotFound, ServiceItemNotFound (then nothing is linked), TooManyServiceItems, PlanDeleted.
    """
    key = own_plan_key(context, staff, plan_ref)
    wanted = tuple(dict.fromkeys(item_ids))
    items = _items(context, staff, wanted)
    fresh = {ident: new_id(context.now, context.random_bits) for ident in wanted}

    def linked(before: Plan) -> Plan:
        held = before.at(context.now)
        there = {link.item_id for link in held.items}
        added = [
            PlanItem(link_id=fresh[ident], item_id=ident, service_id=items[ident].service_id)
            for ident in wanted
            if ident not in there
        ]
        if len(held.items) + len(added) > GRANTS_MAX:
            raise TooManyServiceItems(most=GRANTS_MAX)
        return revised(before, {"items": (*held.items, *added)}, applies_from=None, now=context.now)

    plan = changed(
        context,
        staff,
        f"plan:{store.plan_id_of(key)}",
        Plan,
        key,
        linked,
        missing=PlanNotFound,
        beside=lambda before, after: [store.past_version(version) for version in superseded(before, after)],
    ).at(context.now)
    links = {link.item_id: link.link_id for link in plan.items}
    return [Linked(link_id=links[ident], item_id=ident, created=links[ident] == fresh[ident]) for ident in wanted]


def unlink_items(context: Context, staff: Staff, link_ids: Sequence[int]) -> list[int]:
    """Take links away from the academy's plans, all of them or none; answers their ids.

    Raises LinkNotFound, PlanDeleted, ChangedMeanwhile.
    """
    wanted = frozenset(link_ids)
    for attempt in range(TRIES_MAX):
        plans = queries.all_plans_and_versions(context.table, staff.academy_id)
        with_some = [(plan, version) for plan, version in plans if wanted & _links(plan.at(context.now))]
        missing = wanted.difference(*(_links(plan.at(context.now)) for plan, _ in with_some))
        if missing:
            raise LinkNotFound(ids=sorted(missing))
        writes = [write for plan, version in with_some for write in _without(context, staff, plan, version, wanted)]
        try:
            commit(context.table, writes)
        except ChangedMeanwhile:
            backoff.wait(attempt)
            continue
        return sorted(wanted)
    raise ChangedMeanwhile


def _without(context: Context, staff: Staff, plan: Plan, version: int, gone: frozenset[int]) -> list[Write]:
    kept = tuple(link for link in plan.at(context.now).items if link.link_id not in gone)
    after = revised(plan, {"items": kept}, applies_from=None, now=context.now)
    return [
        store.changed(after, version=version),
        audited(context, staff, f"plan:{plan.id}", plan, after),
        *(store.past_version(past) for past in superseded(plan, after)),
    ]


def _items(context: Context, staff: Staff, ids: Sequence[int]) -> dict[int, ServiceItem]:
    """The academy's own items and everyone's: another academy's is none."""
    found = {item.id: item for item in queries.service_items_by_id(context.table, staff.academy_id, ids)}
    missing = [ident for ident in ids if ident not in found]
    if missing:
        raise ServiceItemNotFound(ids=missing)
    return found


def _links(plan: Plan) -> frozenset[int]:
    return frozenset(link.link_id for link in plan.items)
