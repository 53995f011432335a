"""What is kept of units that staff gave a person or took: for the academy in its audit, for support in the timeline."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.idempotency import store as idempotency
from chalicelib.books.idempotency.model import Keyed, StoredAnswer
from chalicelib.books.ledger.model import SetRef
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.writes import Write
from chalicelib.flows.catalog.edit import Staff, audited
from chalicelib.flows.context import Context
from chalicelib.kernel.documents import Document
from chalicelib.kernel.ids import derived

TRIES_MAX = 10
REASON_CHARACTERS_MAX = 1000


class Adjustment(Document):
    """Units of a service (-1: unlimited ones). `lots`: those that were given or taken, and how many of each."""

    id: int
    user_id: int
    kind: str
    service_id: int
    service_slug: str
    set: SetRef | None = None
    how_many: int
    reason: str
    expires_at: datetime | None = None
    lots: tuple[tuple[str, int], ...]


def cause_of(adjustment_id: int) -> str:
    """What the ledger's entries of an adjustment name."""
    return f"staff:{adjustment_id}"


def kept_answer(context: Context, keyed: Keyed | None) -> StoredAnswer | None:
    """What was answered to this key before. Raises KeyReused, RequestInFlight."""
    if keyed is None:
        return None
    return idempotency.answer_of(context.table.get(idempotency.key_of(keyed)), keyed)


def recorded(context: Context, staff: Staff, made: Adjustment, *, keyed: Keyed | None, result: object) -> list[Write]:
    """The key's answer first, so that a repeat is told as one; the audit's row; the timeline's.

    The reason is in the audit only: it may say something personal, and the timeline holds ids and amounts.
    """
    activity = Activity(
        id=derived(made.kind, made.id),
        user_id=made.user_id,
        academy_id=staff.academy_id,
        kind=made.kind,
        at=context.now,
        facts={"adjustment": made.id, "service": made.service_slug, "how_many": made.how_many},
    )
    answered = (
        [idempotency.answered_at_once(keyed, keyed.render(result), subject=None, now=context.now)] if keyed else []
    )
    return [*answered, audited(context, staff, f"user:{made.user_id}", None, made), timeline.new(activity)]
