"""Set up: change what an academy is called and counts in."""

from __future__ import annotations

from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.books.identity import store as identity
from chalicelib.books.identity.model import Academy, AcademyChange
from chalicelib.books.identity.store import AcademyNotFound
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import commit
from chalicelib.flows.catalog.edit import Staff, audited, until_written
from chalicelib.flows.context import Context


def academy_changed(context: Context, staff: Staff, change: AcademyChange) -> Academy:
    """The academy with the change. What was bought, and the prices of plans, keep their currency.

    Raises AcademyNotFound.
    """

    def step() -> Academy:
        row = context.table.get(identity.academy_key(staff.academy_id))
        if row is None:
            raise AcademyNotFound(academy=staff.academy_id)
        before = load(Academy, row)
        after = change.made_of(before)
        if after == before:
            return before
        over = identity.changed_academy(after, was=row.doc, refused=lambda old: ChangedMeanwhile())
        commit(context.table, [over, audited(context, staff, f"academy:{after.id}", before, after)])
        return after

    return until_written(step)
