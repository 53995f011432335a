"""Whose rows a request may name: its own person's, those of the academy where that one is, and so much of a team.

Who sits, or sat, in a team may name the team's own rows and the one row of its owner that says what is paid, and using
its pool, the prices at which that is filled up. Its owner
may name, where the request is about its seats, of whoever is or was on one, or is named to be: who they are, that they
sit there, and their units.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chalicelib.kernel.ids import sortable
from tests.simulation.shops import SELLERS

if TYPE_CHECKING:
    from tests.simulation.faults import Act
    from tests.simulation.stage import Stage

GUARDED = ("USER#", "LEDGER#", "IDEMPOTENCY#", "TEAM#", "ACADEMY#")
OF_TEAM, USING = "/billing-team", "/consumptionsession"
UNITS = ("BAL#", "ENTRY#")


def foreign(stage: Stage, act: Act) -> Iterator[str]:
    """The rows that the request of an act named, and that are neither of its person nor of a team of theirs."""
    user_id = act.who.user_id
    own = {f"USER#{user_id}", f"LEDGER#USER#{user_id}", f"IDEMPOTENCY#user:{user_id}"}
    own |= {f"ACADEMY#{act.who.academy_id}", "ACADEMY#0"}
    if act.sent.path == "/v2/payments/pay":  # whoever earned by it is told, at the address that their account has
        own |= {f"USER#{seller}" for seller in SELLERS}
    for pk, sk in sorted(act.touched):
        if pk in own or not pk.startswith(GUARDED):
            continue
        if not (_of_own_team(stage, user_id, pk) or _of_shared(stage, act, pk, sk) or _of_seats(stage, act, pk, sk)):
            yield f"{act.name} touched {pk} {sk}"


def _of_own_team(stage: Stage, user_id: int, pk: str) -> bool:
    kind, _, ident = pk.removeprefix("LEDGER#").partition("#")
    return kind == "TEAM" and _is_owner(stage, user_id, int(ident))


def _of_shared(stage: Stage, act: Act, pk: str, sk: str) -> bool:
    """Of a team in which somebody sits, or sat: its rows, and what its owner holds."""
    kind, _, ident = pk.removeprefix("LEDGER#").partition("#")
    if kind == "TEAM":
        return act.who.email in _people(stage, int(ident))
    if pk.startswith("ACADEMY#") and sk.startswith("PRICE#"):
        return USING in act.sent.path and any(_is_at(stage, team, pk) for team, row in act.touched if row == "TEAM")
    holding, _, team = sk.partition("#")
    shared = pk.startswith("USER#") and holding in ("SUB", "FIN") and team.isdigit()
    return shared and _is_owner(stage, int(ident), int(team)) and act.who.email in _people(stage, int(team))


def _is_at(stage: Stage, team: str, academy: str) -> bool:
    row = stage.memory.get((team, "TEAM"))
    return row is not None and f"ACADEMY#{json.loads(row['doc']['S'])['academy_id']}" == academy


def _of_seats(stage: Stage, act: Act, pk: str, sk: str) -> bool:
    """What an owner's request about seats names of those who sit, sat, or are to sit there."""
    before, found, _ = act.sent.path.partition(OF_TEAM)
    team = int(before.rpartition("/")[2]) if found else 0
    if not found or not _is_owner(stage, act.who.user_id, team):
        return False
    kind, _, ident = pk.removeprefix("LEDGER#").partition("#")
    if kind == "SEAT":
        return stage.memory.get((f"TEAM#{team}", f"SEAT#{sortable(int(ident))}")) is not None and sk.startswith(UNITS)
    people = _people(stage, team) | _named(act.sent.body or {})
    if kind != "USER" or not any(person.user_id == int(ident) and person.email in people for person in stage.people):
        return False
    if pk.startswith("LEDGER#"):
        return sk.startswith(UNITS) or sk == f"BAL_POOL#{team}"
    return sk in ("USER", f"MEMBER#{sortable(team)}")


def _is_owner(stage: Stage, user_id: int, team: int) -> bool:
    return stage.memory.get((f"USER#{user_id}", f"INVOICE#{sortable(team)}")) is not None


def _people(stage: Stage, team: int) -> set[str]:
    """The e-mails of all who have, or had, a seat."""
    seats = [json.loads(row["doc"]["S"]) for row in stage.memory.beginning(f"TEAM#{team}", "SEAT#")]
    return {event["email"] for seat in seats for event in seat["log"]}


def _named(body: dict[str, Any]) -> set[str]:
    adding = {one["email"] for one in body.get("add_seats", ())}
    return adding | {one["to_email"] for one in body.get("replace_seats", ())}
