"""Places and waiting people as rows. A plan's places wait in the due index while somebody waits for one."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.waiting.model import Places, PlanAtCapacity, Waiting
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Action, Path
from chalicelib.dynamo.rows import Key, Row
from chalicelib.dynamo.writes import Delete, Put, Update, absent, anyway, never, present

DUE = "PLACES"


class WaitsAlready(Exception):
    """The person is in the list."""


class PlacesMoved(Exception):
    """Somebody took a place, or was offered one, since it was looked at."""


def places_key(plan_id: int) -> Key:
    return Key(keys.waiting(plan_id), "PLACES")


def waiting_key(plan_id: int, waiting_id: int) -> Key:
    return Key(keys.waiting(plan_id), keys.ordered("WAITING", waiting_id))


def person_key(user_id: int, plan_id: int) -> Key:
    """Says that a person waits for a plan, and as which."""
    return Key(keys.user(user_id), f"CLAIM#WAITING#{plan_id}")


def read_places(row: Row) -> Places:
    values = row.values
    return Places(
        plan_id=int(str(values["plan_id"])),
        academy_id=int(str(values["academy_id"])),
        used=int(str(values["used"])),
        touched_at=datetime.fromisoformat(str(values["touched_at"])),
    )


def first_counted(places: Places) -> Put:
    """Begin to count the places of a plan. Raises PlacesMoved where somebody else did."""
    return Put(
        key=places_key(places.plan_id),
        values={
            "plan_id": places.plan_id,
            "academy_id": places.academy_id,
            "used": places.used,
            "touched_at": places.touched_at.isoformat(),
        },
        condition=absent,
        refused=lambda old: PlacesMoved(),
    )


def counted(places: Places, *, used: int) -> Update:
    """So many are taken or kept, unless that changed since it was read. Raises PlacesMoved."""
    return Update(
        key=places_key(places.plan_id),
        actions=(Path("used").set(used),),
        condition=(Path("used") == places.used) & (Path("touched_at") == places.touched_at.isoformat()),
        refused=lambda old: PlacesMoved(),
    )


def place_taken(plan_id: int, *, capacity: int, now: datetime) -> Update:
    """One place less. Raises PlanAtCapacity where none is left."""
    return Update(
        key=places_key(plan_id),
        actions=(Path("used").add(1), Path("touched_at").set(now.isoformat())),
        condition=Path("used") < capacity,
        refused=lambda old: PlanAtCapacity(then=""),
    )


def place_given(plan_id: int, *, now: datetime) -> Update:
    """One place less, and one too many where none was left. The places are counted before."""
    return Update(
        key=places_key(plan_id),
        actions=(Path("used").add(1), Path("touched_at").set(now.isoformat())),
        condition=present,
        refused=never("places are counted before"),
    )


def looked_at_again(plan_id: int, *, due_at: datetime | None) -> Update:
    """When to see next whether there is a place for whoever waits; None: nobody does."""
    actions: tuple[Action, ...] = (Path("due_shard").remove(), Path("due_at").remove())
    if due_at is not None:
        shard = keys.due_shard(DUE, str(plan_id))
        actions = (Path("due_shard").set(shard), Path("due_at").set(int(due_at.timestamp())))
    return Update(
        key=places_key(plan_id), actions=actions, condition=present, refused=never("places are counted before")
    )


def joined(waiting: Waiting) -> list[Put]:
    """Somebody waits from now on, once. Raises WaitsAlready."""
    return [
        Put(
            key=waiting_key(waiting.plan_id, waiting.id),
            values={"doc": waiting.model_dump_json()},
            condition=absent,
            refused=never("two who wait with one id"),
        ),
        Put(
            key=person_key(waiting.user_id, waiting.plan_id),
            values={"waiting_id": waiting.id},
            condition=absent,
            refused=lambda old: WaitsAlready(),
        ),
    ]


def offered(waiting: Waiting) -> Put:
    """A place is kept for them, unless they left meanwhile. Raises PlacesMoved."""
    return Put(
        key=waiting_key(waiting.plan_id, waiting.id),
        values={"doc": waiting.model_dump_json()},
        condition=present,
        refused=lambda old: PlacesMoved(),
    )


def left(waiting: Waiting) -> list[Delete]:
    """They wait no more: they bought it, or did not in time. Raises PlacesMoved where that was so before."""
    return [
        Delete(
            key=waiting_key(waiting.plan_id, waiting.id),
            condition=present,
            refused=lambda old: PlacesMoved(),
        ),
        Delete(
            key=person_key(waiting.user_id, waiting.plan_id),
            condition=anyway,
            refused=never("this write has no condition"),
        ),
    ]
