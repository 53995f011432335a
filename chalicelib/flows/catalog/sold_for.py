"""Which services an academy sells for a cohort, or for a set of mentorship services. Reads, for filters of lists."""

from __future__ import annotations

from collections.abc import Collection

from chalicelib.books.catalog import queries
from chalicelib.books.catalog.model import SET_KIND_OF, PlanStatus, SetKind
from chalicelib.flows.context import Context


def services_sold_for(
    context: Context, academy_id: int, *, kind: SetKind, slug: str, statuses: Collection[PlanStatus]
) -> frozenset[int]:
    """Those whose price names such a set, and those whose units a plan in one of these statuses grants for it.

    Reads all sets, prices and plans of the academy.
    """
    table = context.table
    wanted = queries.set_ids_for(table, academy_id, kind=kind, slug=slug)
    if not wanted:
        return frozenset()
    prices = queries.all_prices(table, academy_id)
    sold = {price.service_id for price in prices if wanted & set(price.set_ids.get(kind, ()))}
    plans = [stored.at(context.now) for stored in queries.all_plans(table, academy_id)]
    selling = [plan for plan in plans if plan.status in statuses and plan.set_id(kind) in wanted]
    granted = queries.services_by_id(table, {item.service_id for plan in selling for item in plan.items})
    return frozenset(sold | {ident for ident, service in granted.items() if SET_KIND_OF.get(service.type) is kind})
