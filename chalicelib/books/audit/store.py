"""Changes as rows, in order within an academy and within their subject."""

from __future__ import annotations

from chalicelib.books.audit.model import Change
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Put, absent, never
from chalicelib.kernel.ids import sortable


def subject_ref(academy_id: int, subject: str) -> str:
    return f"AUDIT#{academy_id}#{subject}"


def new(change: Change) -> Put:
    return Put(
        key=Key(keys.academy(change.academy_id), keys.ordered("AUDIT", change.id)),
        values={
            "doc": change.model_dump_json(),
            "ref": subject_ref(change.academy_id, change.subject),
            "ref_sk": sortable(change.id),
        },
        condition=absent,
        refused=never("two changes with one id"),
    )
