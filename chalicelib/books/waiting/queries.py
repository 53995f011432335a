"""Reads of places and of those who wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.waiting import store
from chalicelib.books.waiting.model import Places, Waiting
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table
from chalicelib.kernel.pages import Page


@dataclass(frozen=True, slots=True)
class Place:
    """The places of a plan, None before they were counted, and as what the person waits for one, if so."""

    places: Places | None
    waiting: Waiting | None


def place(table: Table, plan_id: int, user_id: int) -> Place:
    """What is known of a plan's places, and of this person's."""
    rows = table.get_many([store.places_key(plan_id), store.person_key(user_id, plan_id)])
    counted, claim = rows.get(store.places_key(plan_id)), rows.get(store.person_key(user_id, plan_id))
    row = None
    if claim is not None:
        row = table.get(store.waiting_key(plan_id, int(str(claim.values["waiting_id"]))))
    return Place(
        places=None if counted is None else store.read_places(counted),
        waiting=None if row is None else load(Waiting, row),
    )


def places(table: Table, plan_id: int) -> Places | None:
    row = table.get(store.places_key(plan_id))
    return None if row is None else store.read_places(row)


def waiting(table: Table, plan_id: int, *, limit: int, cursor: str | None = None) -> Page[Waiting]:
    """A page of those who wait for a plan, who came first before the others."""
    page = table.query(keys.waiting(plan_id), prefix="WAITING#", limit=limit, cursor=cursor)
    return Page(tuple(load(Waiting, row) for row in page.items), page.next_cursor)


def due(table: Table, now: datetime) -> list[int]:
    """Plans whose places are to be looked at, at most a hundred a shard."""
    return [int(one.key.pk.rpartition("#")[2]) for one in table.due(store.DUE, now)]
