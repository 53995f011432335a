"""Places of plans and who waits for one: every write and every query."""

from __future__ import annotations

from chalicelib.books.waiting import queries as waiting_queries
from chalicelib.books.waiting import store as waiting_store
from chalicelib.books.waiting.model import Places, PlanAtCapacity, Waiting
from chalicelib.dynamo.keys import due_shard
from chalicelib.dynamo.rows import Values
from chalicelib.dynamo.writes import Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import ACADEMY, NOW, SECOND, USER

PLACES = Places(plan_id=1, academy_id=ACADEMY, used=2, touched_at=NOW)
COUNTED = waiting_store.first_counted(PLACES)
PLACES_ROW = COUNTED.values
WAITS = Waiting(
    id=5, plan_id=1, academy_id=ACADEMY, user_id=USER, email="ada@example.com", first_name="Ada", joined_at=NOW
)
JOINED = waiting_store.joined(WAITS)
NEXT = waiting_store.joined(WAITS.model_copy(update={"id": 6, "user_id": USER + 1}))
LOOK: Values = {"due_shard": due_shard(waiting_store.DUE, "1"), "due_at": SECOND}

CASES = (
    Case(of=waiting_store.first_counted, name="the first", writes=[COUNTED]),
    Case(
        of=waiting_store.first_counted,
        name="counted by another",
        writes=[COUNTED],
        before=rows_of(COUNTED),
        refused=waiting_store.PlacesMoved,
    ),
    Case(
        of=waiting_store.counted,
        name="as it was read",
        writes=[waiting_store.counted(PLACES, used=1)],
        before=rows_of(COUNTED),
        after={COUNTED.key: {**PLACES_ROW, "used": 1}},
    ),
    Case(
        of=waiting_store.counted,
        name="taken since",
        writes=[waiting_store.counted(PLACES, used=1)],
        before={COUNTED.key: {**PLACES_ROW, "used": 3}},
        refused=waiting_store.PlacesMoved,
    ),
    Case(
        of=waiting_store.place_taken,
        name="the last",
        writes=[waiting_store.place_taken(1, capacity=3, now=NOW)],
        before=rows_of(COUNTED),
        after={COUNTED.key: {**PLACES_ROW, "used": 3}},
    ),
    Case(
        of=waiting_store.place_taken,
        name="none left",
        writes=[waiting_store.place_taken(1, capacity=2, now=NOW)],
        before=rows_of(COUNTED),
        refused=PlanAtCapacity,
    ),
    Case(
        of=waiting_store.place_taken,
        name="never counted",
        writes=[waiting_store.place_taken(1, capacity=2, now=NOW)],
        refused=PlanAtCapacity,
    ),
    Case(
        of=waiting_store.place_given,
        name="beyond the last",
        writes=[waiting_store.place_given(1, now=NOW)],
        before=rows_of(COUNTED),
        after={COUNTED.key: {**PLACES_ROW, "used": 3}},
    ),
    Case(
        of=waiting_store.place_given,
        name="that nobody counted",
        writes=[waiting_store.place_given(1, now=NOW)],
        refused=Unexpected,
    ),
    Case(
        of=waiting_store.looked_at_again,
        name="soon",
        writes=[waiting_store.looked_at_again(1, due_at=NOW)],
        before=rows_of(COUNTED),
        after={COUNTED.key: {**PLACES_ROW, **LOOK}},
    ),
    Case(
        of=waiting_store.looked_at_again,
        name="never",
        writes=[waiting_store.looked_at_again(1, due_at=None)],
        before={COUNTED.key: {**PLACES_ROW, **LOOK}},
        after={COUNTED.key: PLACES_ROW},
    ),
    Case(
        of=waiting_store.looked_at_again,
        name="never counted",
        writes=[waiting_store.looked_at_again(1, due_at=NOW)],
        refused=Unexpected,
    ),
    Case(of=waiting_store.joined, name="the list", writes=JOINED),
    Case(
        of=waiting_store.joined,
        name="twice",
        writes=waiting_store.joined(WAITS.model_copy(update={"id": 6})),
        before=rows_of(*JOINED),
        refused=waiting_store.WaitsAlready,
    ),
    Case(
        of=waiting_store.offered,
        name="while they wait",
        writes=[waiting_store.offered(WAITS.model_copy(update={"offered_until": NOW}))],
        before=rows_of(*JOINED),
    ),
    Case(
        of=waiting_store.offered,
        name="when they left",
        writes=[waiting_store.offered(WAITS)],
        refused=waiting_store.PlacesMoved,
    ),
    Case(of=waiting_store.left, name="once", writes=waiting_store.left(WAITS), before=rows_of(*JOINED)),
    Case(of=waiting_store.left, name="twice", writes=waiting_store.left(WAITS), refused=waiting_store.PlacesMoved),
)

ASKED = (
    Asked(
        of=waiting_queries.place,
        name="of somebody who waits, and of another",
        rows=rows_of(COUNTED, *JOINED),
        ask=lambda table: [waiting_queries.place(table, 1, user_id) for user_id in (USER, USER + 1)],
        answer=[waiting_queries.Place(PLACES, WAITS), waiting_queries.Place(PLACES, None)],
    ),
    Asked(
        of=waiting_queries.places,
        name="counted and not",
        rows=rows_of(COUNTED),
        ask=lambda table: [waiting_queries.places(table, plan_id) for plan_id in (1, 2)],
        answer=[PLACES, None],
    ),
    Asked(
        of=waiting_queries.waiting,
        name="who came first before the others",
        rows=rows_of(COUNTED, *JOINED, *NEXT),
        ask=lambda table: by_page(lambda cursor: waiting_queries.waiting(table, 1, limit=1, cursor=cursor)),
        answer=[[5], [6]],
    ),
    Asked(
        of=waiting_queries.due,
        name="while somebody waits",
        rows={COUNTED.key: {**PLACES_ROW, **LOOK}},
        ask=lambda table: waiting_queries.due(table, NOW),
        answer=[1],
    ),
)
