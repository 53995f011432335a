"""What must hold of invitations: what was promised came once, to whoever accepted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from chalicelib.books.enrollment.model import Invitation, InvitationStatus
from chalicelib.dynamo.rows import Row, load
from chalicelib.kernel.ids import sortable


def invitations(rows: Sequence[Row], holdings: Iterable[Row]) -> list[str]:
    """Who accepted an invitation has an account with each of its plans once; an open one has made nothing."""
    wrong = []
    users = {row.key.pk for row in _of(rows, "USER")}
    held = Counter((row.key.pk, json.loads(row.doc)["terms"]["plan_id"]) for row in holdings)
    for invitation in (load(Invitation, row) for row in _of(rows, "INVITATION#")):
        accepted = invitation.status is InvitationStatus.ACCEPTED
        person = f"USER#{invitation.user_id}"
        if accepted != (person in users):
            wrong.append(f"invitation {invitation.id} is {invitation.status}; is there {person}? {person in users}")
        for plan_id in invitation.plan_ids if accepted else ():
            if held[person, plan_id] != 1:
                wrong.append(f"{person} was promised plan {plan_id} and has it {held[person, plan_id]} times")
        if invitation.owed:
            wrong.append(f"invitation {invitation.id} owes {len(invitation.owed)} plans")
    open_ones = {row.key.sk for row in _of(rows, "INVITATION#") if "ref" in row.values}
    claimed = {f"INVITATION#{sortable(int(str(row.values['id'])))}" for row in _of(rows, "INVITED#")}
    return wrong + [f"{one} is open or claimed, and not both" for one in sorted(open_ones ^ claimed)]


def _of(rows: Sequence[Row], prefix: str) -> list[Row]:
    return [row for row in rows if row.key.sk.startswith(prefix)]
