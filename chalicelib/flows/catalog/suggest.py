"""Suggest: offer another plan to whoever looks at one. A plan has one live offer, and a claim says which."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.model import Plan, PlanOffer, PlanStatus
from chalicelib.books.catalog.plan_offers import PlanOfferNotFound, checked_offer
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.catalog.edit import Staff, audited, changed, made, until_written
from chalicelib.flows.context import Context


def plan_to_name(context: Context, staff: Staff, ref: int | str) -> Plan:
    """A plan of the academy that is not deleted. Raises PlanNotFound."""
    found = queries.plan(context.table, ref, now=context.now)
    if found.academy_id != staff.academy_id or found.status is PlanStatus.DELETED:
        raise PlanNotFound
    return found


def offer_made(context: Context, staff: Staff, new: PlanOffer) -> PlanOffer:
    """Make an offer. Raises ActiveOfferExists, and what `checked_offer` does."""
    offer = checked_offer(new)
    return made(context, staff, _subject(offer.id), offer, beside=_claims(context, None, offer))


def offer_changed(context: Context, staff: Staff, offer_id: int, rule: Callable[[PlanOffer], PlanOffer]) -> PlanOffer:
    """The offer as `rule` makes it. Raises PlanOfferNotFound, and what making one does."""
    return changed(
        context,
        staff,
        _subject(offer_id),
        PlanOffer,
        store.plan_offer_key(staff.academy_id, offer_id),
        lambda before: checked_offer(rule(before)),
        missing=PlanOfferNotFound,
        beside=lambda before, after: _claims(context, before, after),
    )


def offer_removed(context: Context, staff: Staff, offer_id: int) -> None:
    """Take an offer away. Raises PlanOfferNotFound."""

    def step() -> None:
        row = context.table.get(store.plan_offer_key(staff.academy_id, offer_id))
        if row is None:
            raise PlanOfferNotFound
        offer = load(PlanOffer, row)
        writes = [
            store.removed(offer, version=row.version),
            audited(context, staff, _subject(offer_id), offer, None),
            *_claims(context, offer, None),
        ]
        commit(context.table, writes)

    until_written(step)


def _claims(context: Context, before: PlanOffer | None, after: PlanOffer | None) -> list[Write]:
    """Claim the plan of an offer that is live after the change, give back that of one that was and is no longer."""
    was = before if before is not None and before.is_live(context.now) else None
    now = after if after is not None and after.is_live(context.now) else None
    writes: list[Write] = [] if now is None else [store.offer_claimed(now, now=context.now)]
    if was is not None and (now is None or now.original_plan_id != was.original_plan_id):
        writes.append(store.offer_released(was))
    return writes


def _subject(offer_id: int) -> str:
    return f"plan-offer:{offer_id}"
