"""Offer: keep each free place for whoever waits longest, and tell them; take back what was not used in time."""

from __future__ import annotations

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.catalog import store as catalog_store
from chalicelib.books.catalog.model import Plan
from chalicelib.books.catalog.plans import FOR_SALE
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.books.waiting import queries, store
from chalicelib.books.waiting.model import LOOKED_AT_EVERY, PLACE_KEPT_FOR, Places, PlanAtCapacity, Waiting
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.notices import mail
from chalicelib.flows.waiting.room import recounted
from chalicelib.kernel.ids import derived

WAITING_READ_MAX = 100


def offer_places(context: Context, plan_id: int) -> int:
    """Offer what is free of a plan's places; answers how many were. May run twice, or at once with a purchase."""
    places = queries.places(context.table, plan_id)
    if places is None:
        return 0
    plan = catalog.stored_plan(context.table, catalog_store.plan_key(places.academy_id, plan_id)).at(context.now)
    _end_offers(context, plan_id)
    waiting = queries.waiting(context.table, plan_id, limit=WAITING_READ_MAX).items
    done = 0
    if plan.capacity is not None and plan.has_waiting_list and plan.status in FOR_SALE:
        done = _offer(context, plan, recounted(context, places), [one for one in waiting if one.offered_until is None])
    due_at = context.now + LOOKED_AT_EVERY if waiting else None
    commit(context.table, [store.looked_at_again(plan_id, due_at=due_at)])
    return done


def _offer(context: Context, plan: Plan, places: Places, waiting: list[Waiting]) -> int:
    done = 0
    for one in waiting[: max(0, (plan.capacity or 0) - places.used)]:
        offered = one.model_copy(update={"offered_until": context.now + PLACE_KEPT_FOR})
        message = _free_place(plan, offered, context)
        writes: list[Write] = [
            store.place_taken(plan.id, capacity=plan.capacity or 0, now=context.now),
            store.offered(offered),
            outbox.new(message),
        ]
        try:
            commit(context.table, writes)
        except (PlanAtCapacity, store.PlacesMoved):
            break  # somebody bought meanwhile: the next look sees what is left
        context.queue.nudge_outbox(message.id)
        done += 1
    return done


def _end_offers(context: Context, plan_id: int) -> None:
    """Whoever did not buy in time waits no more; their place is free with the next count."""
    for one in queries.waiting(context.table, plan_id, limit=WAITING_READ_MAX).items:
        if one.offered_until is not None and not one.has_place(context.now):
            try:
                commit(context.table, store.left(one))
            except store.PlacesMoved:
                continue  # they bought it at the last moment


def _free_place(plan: Plan, waiting: Waiting, context: Context) -> Message:
    until = f"{waiting.offered_until:%Y-%m-%d %H:%M UTC}"
    title = plan.title or plan.slug
    return mail(
        derived("place", waiting.id),
        waiting,
        f"There is a place for you: {title}",
        f"You were waiting for {title}. A place is free now, and we keep it for you until {until}.",
        [("Plan", plan.slug), ("Kept until", until)],
        context.now,
    )
