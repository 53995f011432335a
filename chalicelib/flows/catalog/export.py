"""Export: the whole offer of an academy as the rows that a file of it states, in an order that follows from what they
say alone, so that the file of a copy is the same file.

What is over is left out: deleted plans, coupons and plan offers that have ended. So is what names a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.books.catalog.model import FinancingOption, PlanStatus, ServiceItem
from chalicelib.flows.catalog.file import Names, content_of, distinct, item_key, option_key
from chalicelib.flows.catalog.whole import Whole, coupons_for_all, own_services, read_whole
from chalicelib.flows.context import Context


@dataclass(frozen=True, slots=True)
class Exported:
    """Rows by section, and what stands for the ids in them."""

    sections: Mapping[str, Sequence[Any]]
    names: Names


def export(context: Context, academy_id: int) -> Exported:
    """Raises AcademyNotFound."""
    whole = read_whole(context, academy_id)
    own = own_services(context.table, academy_id)
    whole.services.update((service.id, service) for service in own)
    plans = {ident: plan for ident, plan in whole.plans.items() if plan.status is not PlanStatus.DELETED}
    items = _items(whole, {link.item_id for plan in plans.values() for link in plan.items}, academy_id)
    options = _options(whole, {one for plan in plans.values() for one in plan.financing_option_ids}, academy_id)
    names = Names(
        services={ident: service.slug for ident, service in whole.services.items()},
        cohorts={ident: cohort.slug for ident, cohort in whole.cohorts.items()},
        sets={ident: found.slug for ident, found in whole.sets.items()},
        items=_keyed(items, [item_key(item, whole.services[item.service_id]) for item in items]),
        options=_keyed(options, [option_key(option) for option in options]),
        plans={ident: plan.slug for ident, plan in plans.items()},
    )
    offers = [
        offer
        for offer in whole.offers.values()
        if offer.is_live(context.now) and {offer.original_plan_id, offer.suggested_plan_id} <= plans.keys()
    ]
    sections: dict[str, Sequence[Any]] = {
        "settings": [whole.academy],
        "services": sorted(own, key=lambda service: service.slug),
        "cohorts": sorted(whole.cohorts.values(), key=lambda cohort: cohort.slug),
        "sets": sorted(whole.sets.values(), key=lambda found: (found.kind, found.slug)),
        "academy_services": sorted(whole.prices.values(), key=lambda price: names.services[price.service_id]),
        "service_items": items,
        "financing_options": options,
        "plans": sorted(plans.values(), key=lambda plan: plan.slug),
        "coupons": sorted(coupons_for_all(context.table, academy_id, context.now), key=lambda coupon: coupon.slug),
        "plan_offers": sorted(offers, key=lambda offer: names.plans[offer.original_plan_id]),
    }
    return Exported(sections, names)


def _items(whole: Whole, linked: set[int], academy_id: int) -> list[ServiceItem]:
    """The academy's own, and everyone's that a plan has."""
    found = [item for item in whole.items.values() if item.owner_id == academy_id or item.id in linked]
    return sorted(
        found,
        key=lambda item: (
            whole.services[item.service_id].slug,
            (item.how_many < 0, item.how_many),
            content_of(item).model_copy(update={"service_id": 0}).model_dump_json(),
            item.id,
        ),
    )


def _options(whole: Whole, named: set[int], academy_id: int) -> list[FinancingOption]:
    found = [option for option in whole.options.values() if option.academy_id == academy_id or option.id in named]
    return sorted(
        found,
        key=lambda option: (
            option.how_many_months,
            option.monthly_price,
            content_of(option).model_dump_json(),
            option.id,
        ),
    )


def _keyed(rows: Sequence[ServiceItem | FinancingOption], keys: Sequence[str]) -> dict[int, str]:
    return {row.id: key for row, key in zip(rows, distinct(keys), strict=True)}
