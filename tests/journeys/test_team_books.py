"""Teams are broken one way at a time, so that each check of tests/team_books.py is known to be able to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.books.ledger.model import Entry
from chalicelib.books.teams.model import Seat, SeatStatus, Team
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Row, load
from chalicelib.dynamo.writes import Delete, Update, anyway, commit, never
from tests.books import what_is_wrong
from tests.moto_table import all_rows
from tests.teams import an_owner, seated
from tests.world import World


def _row(world: World, prefix: str, text: str = "") -> Row:
    found = (row for row in all_rows(world.table) if row.key.sk.startswith(prefix))
    return next(row for row in found if not text or text in row.doc)


def _set(world: World, row: Row, **values: Any) -> None:
    actions = tuple(Path(name).set(value) for name, value in values.items())
    commit(world.table, [Update(key=row.key, actions=actions, condition=anyway, refused=never("no condition"))])


def _remove(world: World, prefix: str) -> None:
    commit(world.table, [Delete(key=_row(world, prefix).key, condition=anyway, refused=never("no condition"))])


def _changed(world: World, kind: type[Any], prefix: str, **changes: Any) -> None:
    row = _row(world, prefix)
    _set(world, row, doc=load(kind, row).model_copy(update=changes).model_dump_json())


def _unpaid(world: World) -> None:
    row = _row(world, "SUB#")
    _set(world, row, doc=row.doc.replace('"seats":5', '"seats":1'))


def _given_twice(world: World) -> None:
    row = _row(world, "ENTRY#", '"seat_id":2')
    entry = load(Entry, row)
    portions = (*entry.portions, *entry.portions)
    _set(world, row, doc=entry.model_copy(update={"portions": portions}).model_dump_json())


BREAKING: dict[str, tuple[Callable[[World], None], str]] = {
    "more sit there than are paid for": (_unpaid, "2 sit in team"),
    "a count that is wrong": (lambda w: _changed(w, Team, "TEAM", seats=3), "which counts 3"),
    "an e-mail without its claim": (lambda w: _remove(w, "EMAIL#"), "has the claims {}"),
    "somebody who is no member": (lambda w: _remove(w, "MEMBER#"), "has the members {}"),
    "a free seat with units": (
        lambda w: _changed(w, Seat, "SEAT#", status=SeatStatus.REMOVED),
        "is usable, and its seat is free",
    ),
    "units of somebody else's seat": (lambda w: _changed(w, Seat, "SEAT#", user_id=1), "sits there"),
    "units that never came": (lambda w: _changed(w, Seat, "SEAT#", id=1), "was never given"),
    "a pool that is not open": (lambda w: _remove(w, "BAL_POOL#"), "is not open to"),
    "units that came twice": (_given_twice, "was given 2 times"),
}


class TestTheBooksOfTeams:
    @pytest.mark.parametrize("broken", BREAKING)
    def test_see(self, world: World, broken: str) -> None:
        owner = an_owner(world)
        seated(owner, world.person())
        assert what_is_wrong(world) == []
        breaking, told = BREAKING[broken]
        breaking(world)
        assert told in "\n".join(what_is_wrong(world))
