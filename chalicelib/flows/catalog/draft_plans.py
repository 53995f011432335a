"""Into a draft: plans with all that they grant, coupons and plan offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from chalicelib.books.catalog import coupon_queries, store
from chalicelib.books.catalog.coupon_terms import CouponPlanNotFound, changed_coupon, new_coupon
from chalicelib.books.catalog.model import (
    Offer,
    Plan,
    PlanItem,
    PlanOffer,
    PlanStatus,
    PricedItem,
    ServicePrice,
    ServiceType,
)
from chalicelib.books.catalog.plan_offers import checked_offer
from chalicelib.books.catalog.plans import PlanDeleted, checked_plan, warnings, with_changes
from chalicelib.books.catalog.queries import PriceNotFound
from chalicelib.flows.catalog.coupons import change_coupon, make_coupon
from chalicelib.flows.catalog.draft import Draft, with_fields
from chalicelib.flows.catalog.file import Entry, content_of
from chalicelib.flows.catalog.link_items import TooManyServiceItems
from chalicelib.flows.catalog.save_plan import SETS, InvalidSeatService, change_plan, create_plan, new_plan
from chalicelib.flows.catalog.suggest import offer_changed, offer_made
from chalicelib.flows.checkout.quote import GRANTS_MAX


def put_plan(draft: Draft, entry: Entry) -> None:
    """A plan. What it grants is written with it, so that nobody can buy it without."""
    context, staff = draft.context, draft.staff
    before = draft.plan(entry.fields["slug"])
    if before is None and entry.fields.get("status") is PlanStatus.DELETED:
        return
    fields = _fields(draft, entry, before)
    values = _values(fields)
    if before is None:
        _check_seat(draft, values)
        ident = draft.new_ident(entry, lambda given: store.slug_key("plan-id", str(given)))
        after = new_plan(values, ident=ident, academy_id=staff.academy_id, now=context.now)
        write = partial(create_plan, context, staff, _sold_by(draft, fields), ident=ident)
        draft.put(entry, None, after, write)
    else:
        after = checked_plan(with_changes(before, values))
        if after != before:
            _check_seat(draft, values)
            if before.status is PlanStatus.DELETED:
                raise PlanDeleted
        draft.put(entry, before, after, partial(change_plan, context, staff, before.id, _sold_by(draft, fields)))
    draft.whole.plans[after.id] = after
    if after.status is not PlanStatus.DELETED:
        for warned in warnings(_offer(draft, after), trial_was_named="trial_duration" in fields):
            draft.warn(entry, warned)


def put_coupon(draft: Draft, entry: Entry) -> None:
    context, staff, fields = draft.context, draft.staff, dict(entry.fields)
    slug: str = fields["slug"]
    if "plan_ids" in fields:
        fields["plan_ids"] = tuple(_coupon_plan(draft, plan) for plan in dict.fromkeys(fields["plan_ids"]))
    found = coupon_queries.coupon(context.table, staff.academy_id, slug)
    currency = draft.whole.academy.main_currency
    if found is None:
        ident = draft.new_ident(entry)
        after = new_coupon(fields, ident=ident, academy_id=staff.academy_id, currency=currency, now=context.now)
        draft.put(entry, None, after, partial(make_coupon, context, staff, fields))
    else:
        before = found.coupon
        after = changed_coupon(before, fields, currency=currency, now=context.now)
        draft.put(entry, before, after, partial(change_coupon, context, staff, slug, fields))


def put_offer(draft: Draft, entry: Entry) -> None:
    """A plan offer: the one that its original plan has, or its first."""
    context, staff, fields = draft.context, draft.staff, dict(entry.fields)
    for name in ("original_plan", "suggested_plan"):
        fields[f"{name}_id"] = draft.named_plan(fields.pop(name)).id
    before = draft.whole.offers.get(fields["original_plan_id"])
    if before is None:
        after = checked_offer(PlanOffer(id=draft.new_ident(entry), academy_id=staff.academy_id, **fields))
        draft.put(entry, None, after, partial(offer_made, context, staff, after))
    else:
        after = checked_offer(before.model_copy(update=fields))
        rule = partial(with_fields, fields)
        draft.put(entry, before, after, partial(offer_changed, context, staff, before.id, rule))
    draft.whole.offers[after.original_plan_id] = after


def _fields(draft: Draft, entry: Entry, before: Plan | None) -> dict[str, Any]:
    """What the entry states of the plan, with ids for names; services stand for their prices."""
    fields = dict(entry.fields)
    for name, kind in SETS.items():
        if fields.get(name) is not None:
            fields[name] = draft.set_id(kind, fields[name])
    if "financing_options" in fields:
        fields["financing_options"] = _option_ids(draft, before, fields["financing_options"])
    if fields.get("seat_service_price") is not None:
        fields["seat_service_price"] = _price(draft, fields["seat_service_price"]).service_id
    if "add_ons" in fields:
        fields["add_ons"] = tuple(_price(draft, slug).service_id for slug in dict.fromkeys(fields["add_ons"]))
    if "service_items" in fields:
        fields["items"] = _links(draft, before, fields.pop("service_items"))
    return fields


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same by the names of the model."""
    names = {
        "financing_options": "financing_option_ids",
        "seat_service_price": "seat_service_id",
        "add_ons": "add_on_service_ids",
        **{name: f"{name}_id" for name in SETS},
    }
    return {names.get(name, name): value for name, value in fields.items()}


def _sold_by(draft: Draft, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same as plans are made and changed: by ids of prices."""
    found = dict(fields)
    prices = draft.whole.prices
    if found.get("seat_service_price") is not None:
        found["seat_service_price"] = prices[found["seat_service_price"]].id
    if "add_ons" in found:
        found["add_ons"] = [prices[ident].id for ident in found["add_ons"]]
    return found


def _price(draft: Draft, slug: str) -> ServicePrice:
    service = draft.named_service(slug)
    if service.id not in draft.whole.prices:
        raise PriceNotFound(service=slug)
    return draft.whole.prices[service.id]


def _check_seat(draft: Draft, values: Mapping[str, Any]) -> None:
    services = draft.whole.services
    seat = values.get("seat_service_id")
    is_none = seat is not None and services[seat].type is not ServiceType.SEAT
    if is_none or any(services[one].type is ServiceType.SEAT for one in values.get("add_on_service_ids", ())):
        raise InvalidSeatService


def _option_ids(draft: Draft, before: Plan | None, keys: Sequence[str]) -> tuple[int, ...]:
    """The options that the keys stand for; one that the plan has and that says the same stays."""
    options = draft.whole.options
    there = [options[ident] for ident in (before.financing_option_ids if before else ()) if ident in options]
    wanted = [draft.option(key) for key in dict.fromkeys(keys)]
    same = {one.id: next((own.id for own in there if content_of(own) == content_of(one)), one.id) for one in wanted}
    return tuple(dict.fromkeys(same[one.id] for one in wanted))


def _links(draft: Draft, before: Plan | None, keys: Sequence[str]) -> tuple[PlanItem, ...]:
    """The links to the items that the keys stand for. One to an item that says the same stays; their order says nothing
    where they are the same. Raises TooManyServiceItems.
    """
    wanted = [draft.item(key) for key in dict.fromkeys(keys)]
    if len(wanted) > GRANTS_MAX:
        raise TooManyServiceItems(most=GRANTS_MAX)
    left = list(before.items) if before else []
    links = []
    for item in wanted:
        content = content_of(item)
        kept = next((one for one in left if content_of(draft.whole.items[one.item_id]) == content), None)
        if kept is not None:
            left.remove(kept)
        links.append(kept or PlanItem(link_id=next(draft.idents), item_id=item.id, service_id=item.service_id))
    same = before is not None and {link.link_id for link in links} == {link.link_id for link in before.items}
    return before.items if before is not None and same else tuple(links)


def _coupon_plan(draft: Draft, slug: str) -> int:
    found = next((plan for plan in draft.whole.plans.values() if plan.slug == slug), None)
    if found is None:
        raise CouponPlanNotFound(plan=slug)
    return found.id


def _offer(draft: Draft, plan: Plan) -> Offer:
    whole = draft.whole
    items = [(link, whole.items[link.item_id]) for link in plan.items]
    return Offer(
        plan=plan,
        items=tuple(
            PricedItem(link_id=link.link_id, item=item, service=whole.services[item.service_id]) for link, item in items
        ),
        financing_options=tuple(whole.options[ident] for ident in plan.financing_option_ids),
        sets=tuple(whole.sets[kind, ident] for kind in SETS.values() if (ident := plan.set_id(kind)) is not None),
    )
