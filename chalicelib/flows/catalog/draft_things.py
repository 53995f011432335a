"""Into a draft: the academy's settings, services, what groups and prices them, and what plans are made of."""

from __future__ import annotations

from functools import partial
from typing import Any

from chalicelib.books.catalog import store
from chalicelib.books.catalog.academy_services import checked_price_of_service, surprises
from chalicelib.books.catalog.definitions import changed_service, check_owner, checked_service
from chalicelib.books.catalog.financing import checked_option
from chalicelib.books.catalog.model import (
    Cohort,
    FinancingOption,
    ResourceSet,
    Service,
    ServiceItem,
    ServicePrice,
    SetKind,
)
from chalicelib.books.catalog.service_items import check_updatable, checked_item
from chalicelib.books.catalog.sets import check_sellable, checked_cohort, checked_set
from chalicelib.books.identity.model import AcademyChange
from chalicelib.flows.catalog.define import define, redefine
from chalicelib.flows.catalog.draft import Draft, with_fields
from chalicelib.flows.catalog.file import Entry, IdTaken
from chalicelib.flows.catalog.finance import option_changed, option_made
from chalicelib.flows.catalog.group import cohort_changed, cohort_made, set_changed, set_made
from chalicelib.flows.catalog.itemize import change_item, itemize
from chalicelib.flows.catalog.price import change_price, repriced, set_price
from chalicelib.flows.catalog.set_up import academy_changed


def put_settings(draft: Draft, entry: Entry) -> None:
    change = AcademyChange(**entry.fields)
    before = draft.whole.academy
    draft.whole.academy = change.made_of(before)
    draft.put(entry, before, draft.whole.academy, partial(academy_changed, draft.context, draft.staff, change))


def put_service(draft: Draft, entry: Entry) -> None:
    """A service of the academy. One of another's, or everyone's, may stand in a file as it is."""
    context, staff, fields = draft.context, draft.staff, entry.fields
    before = draft.service(fields["slug"])
    if before is None:
        ident = draft.new_ident(entry, store.service_key)
        after = checked_service(Service(id=ident, owner_id=staff.academy_id, **fields))
        draft.put(entry, None, after, partial(define, context, staff, after))
    else:
        after = changed_service(before, fields)
        if after != before:
            thing = f"service {before.slug}"
            check_owner(before.owner_id, staff.academy_id, is_operator=staff.is_operator, thing=thing)
        draft.put(entry, before, after, partial(redefine, context, staff, before.id, fields))
    draft.keep_service(after)


def put_cohort(draft: Draft, entry: Entry) -> None:
    context, staff, fields = draft.context, draft.staff, dict(entry.fields)
    before = draft.cohort(fields["slug"])
    if before is None:
        ident = draft.new_ident(entry, partial(store.cohort_key, staff.academy_id))
        after = checked_cohort(Cohort(id=ident, academy_id=staff.academy_id, **fields))
        draft.put(entry, None, after, partial(cohort_made, context, staff, after))
    else:
        after = checked_cohort(before.model_copy(update=fields))
        rule = partial(with_fields, fields)
        draft.put(entry, before, after, partial(cohort_changed, context, staff, before.id, rule))
    draft.whole.cohorts[after.id] = after


def put_set(draft: Draft, entry: Entry) -> None:
    context, staff, fields = draft.context, draft.staff, dict(entry.fields)
    kind: SetKind = fields["kind"]
    if "members" in fields:
        fields["member_ids"] = tuple(draft.member_id(ref) for ref in fields.pop("members"))
    before = draft.set_of(kind, fields["slug"])
    if before is None:
        ident = draft.new_ident(entry, partial(store.set_key, staff.academy_id, kind))
        after = checked_set(ResourceSet(id=ident, academy_id=staff.academy_id, **fields))
        draft.put(entry, None, after, partial(set_made, context, staff, after))
    else:
        after = checked_set(before.model_copy(update=fields))
        rule = partial(with_fields, fields)
        draft.put(entry, before, after, partial(set_changed, context, staff, kind, before.id, rule))
    if kind is SetKind.COHORT:
        new = set(after.member_ids) - set(() if before is None else before.member_ids)
        check_sellable(draft.whole.cohorts[ident] for ident in sorted(new))
    draft.whole.sets[kind, after.id] = after


def put_price(draft: Draft, entry: Entry) -> None:
    """What the academy sells a service for (an academy service)."""
    context, staff, fields = draft.context, draft.staff, dict(entry.fields)
    service = draft.named_service(fields.pop("service"))
    sets = {
        kind: tuple(draft.set_id(kind, slug) for slug in slugs) for kind, slugs in fields.pop("set_ids", {}).items()
    }
    if sets:
        fields["set_ids"] = sets
    before = draft.whole.prices.get(service.id)
    if before is None:
        draft.check_seen(service)
        ident = draft.new_ident(entry)
        if any(price.id == ident for price in draft.whole.prices.values()):
            raise IdTaken(ident=ident)
        fields["set_ids"] = {kind: ids for kind, ids in sets.items() if ids}
        new = ServicePrice(id=ident, academy_id=staff.academy_id, service_id=service.id, **fields)
        after = checked_price_of_service(new)
        draft.put(entry, None, after, partial(set_price, context, staff, after))
    else:
        after = repriced(before, fields)
        draft.put(entry, before, after, partial(change_price, context, staff, service.id, fields))
    draft.whole.prices[service.id] = after
    for warned in surprises(after):
        draft.warn(entry, warned)


def put_item(draft: Draft, entry: Entry) -> None:
    """A service item, which has no slug: the one that says the same, else the academy's own with the entry's id."""
    context, staff, fields = draft.context, draft.staff, dict(entry.fields)
    service = draft.named_service(fields.pop("service"))
    new = ServiceItem(id=0, owner_id=staff.academy_id, service_id=service.id, **fields)
    new = checked_item(new, service)
    found = draft.matching(draft.whole.items, new)
    own = draft.with_id(draft.whole.items, entry.ident)
    if found is None and own is not None:
        found = new.model_copy(update={"id": own.id})
        changes = _changed_fields(own, found)
        check_updatable(changes)
        draft.put(entry, own, found, partial(change_item, context, staff, own.id, changes))
    elif found is None:
        draft.check_seen(service)
        found = new.model_copy(update={"id": draft.new_ident(entry, store.item_key)})
        draft.put(entry, None, found, partial(itemize, context, staff, found, service))
    draft.keep_item(entry.ref, found)


def put_option(draft: Draft, entry: Entry) -> None:
    """A financing option, which has no slug either."""
    context, staff = draft.context, draft.staff
    new = checked_option(FinancingOption(id=0, academy_id=staff.academy_id, **entry.fields))
    found = draft.matching(draft.whole.options, new)
    own = draft.with_id(draft.whole.options, entry.ident)
    if found is None and own is not None:
        found = new.model_copy(update={"id": own.id})
        changes = _changed_fields(own, found)
        draft.put(entry, own, found, partial(option_changed, context, staff, own.id, changes))
    elif found is None:
        key_of = partial(store.option_key, staff.academy_id)
        found = new.model_copy(update={"id": draft.new_ident(entry, key_of)})
        draft.put(entry, None, found, partial(option_made, context, staff, found))
    draft.keep_option(entry.ref, found)


def _changed_fields(before: Any, after: Any) -> dict[str, Any]:
    return {
        name: getattr(after, name) for name in before.__struct_fields__ if getattr(after, name) != getattr(before, name)
    }
