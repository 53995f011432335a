"""Room: whether a plan has a place for somebody, and the writes that take it with their purchase."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from chalicelib.books.billing.model import Buyer
from chalicelib.books.catalog.model import Plan
from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.waiting import queries, store
from chalicelib.books.waiting.model import COUNT_SETTLES_AFTER, LOOKED_AT_EVERY, Places, PlanAtCapacity, Waiting
from chalicelib.books.waiting.queries import Place
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import TryLater
from chalicelib.kernel.ids import new_id

TRIES_MAX = 3
OFFERS_COUNTED_MAX = 1000


@dataclass(frozen=True, slots=True)
class _Counted:
    place: Place
    places: Places


def check_room(context: Context, plan: Plan, buyer: Buyer) -> None:
    """Raises PlanAtCapacity where every place is taken or kept for others; the person is put on the list then, where
    the plan has one.
    """
    if plan.capacity is None:
        return
    found = _counted(context, plan, buyer.user_id)
    if _has_room(context, plan, found):
        return
    if not plan.has_waiting_list:
        raise PlanAtCapacity(then="")
    if found.place.waiting is None:
        waiting = Waiting(
            id=new_id(context.now, context.random_bits),
            plan_id=plan.id,
            academy_id=plan.academy_id,
            user_id=buyer.user_id,
            email=buyer.email,
            first_name=buyer.first_name,
            joined_at=context.now,
        )
        due = store.looked_at_again(plan.id, due_at=context.now + LOOKED_AT_EVERY)
        with suppress(store.WaitsAlready):  # the same call twice at once
            commit(context.table, [*store.joined(waiting), due])
    raise PlanAtCapacity(then=" You are on its waiting list: we write to you when one is free.")


def room_writes(context: Context, plan: Plan, buyer: Buyer) -> list[Write]:
    """Take a place, in the transaction of the purchase: the one that is kept for the person, or a free one.

    The writes raise PlanAtCapacity, or PlacesMoved where what was read of the person's own place is not so any more.
    """
    if plan.capacity is None:
        return []
    found = _counted(context, plan, buyer.user_id)
    waiting = found.place.waiting
    gone: list[Write] = [] if waiting is None else [*store.left(waiting)]
    if waiting is not None and waiting.has_place(context.now):
        return gone  # it is among the used ones already
    return [*gone, store.place_taken(plan.id, capacity=plan.capacity, now=context.now)]


def given_writes(context: Context, plan: Plan, user_id: int) -> list[Write]:
    """Count the place of somebody who is given the plan: no capacity keeps an academy from what it promised, but what
    it gives is not sold any more.
    """
    if plan.capacity is None:
        return []
    _counted(context, plan, user_id)
    return [store.place_given(plan.id, now=context.now)]


def recounted(context: Context, places: Places) -> Places:
    """Places as they are when everybody who has the plan, and every place that is kept, is counted anew.

    Left as they are within a minute of the last change: the index may not have it yet.
    """
    if context.now < places.touched_at + COUNT_SETTLES_AFTER:
        return places
    used = _used(context, places.plan_id)
    if used == places.used:
        return places
    try:
        commit(context.table, [store.counted(places, used=used)])
    except store.PlacesMoved:
        return queries.places(context.table, places.plan_id) or places
    return places.model_copy(update={"used": used})


def _counted(context: Context, plan: Plan, user_id: int) -> _Counted:
    """The places, counted for the first time where nobody has, and anew where none seems to be left."""
    for _ in range(TRIES_MAX):
        place = queries.place(context.table, plan.id, user_id)
        if place.places is None:
            used = _used(context, plan.id)
            begun = Places(plan_id=plan.id, academy_id=plan.academy_id, used=used, touched_at=context.now)
            with suppress(store.PlacesMoved):
                commit(context.table, [store.first_counted(begun)])
            continue
        full = plan.capacity is not None and place.places.used >= plan.capacity
        return _Counted(place, recounted(context, place.places) if full else place.places)
    raise TryLater


def _used(context: Context, plan_id: int) -> int:
    waiting = queries.waiting(context.table, plan_id, limit=OFFERS_COUNTED_MAX)
    kept = sum(one.has_place(context.now) for one in waiting.items)
    return subscriptions.holders(context.table, plan_id) + kept


def _has_room(context: Context, plan: Plan, found: _Counted) -> bool:
    waiting = found.place.waiting
    own = waiting is not None and waiting.has_place(context.now)
    return own or plan.capacity is None or found.places.used < plan.capacity
