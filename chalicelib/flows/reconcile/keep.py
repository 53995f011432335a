"""Keep a difference: one row however often and by whoever it is found, open before anything is mended."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.gateway import PaymentServiceBusy, PaymentServiceDown, PaymentUnauthorized
from chalicelib.books.drift import queries as drift_queries
from chalicelib.books.drift import store as drift
from chalicelib.books.drift.model import Difference, Drift, DriftStatus, ended, first_seen, not_mended, seen_again
from chalicelib.books.drift.queries import StoredDrift
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import Defect, DomainError, TryLater

TRIES_MAX = 5
OUTAGES = (PaymentServiceDown, PaymentServiceBusy, PaymentUnauthorized, TryLater)
"""What says nothing about the difference: the run ends, and the next one goes on at the same page."""


def listed(context: Context, difference: Difference) -> StoredDrift:
    """Write the difference down as open."""
    for _ in range(TRIES_MAX):
        before = drift_queries.drift(context.table, difference.id)
        if before is None:
            now, version = first_seen(difference, context.now), 0
        else:
            now, version = seen_again(before.drift, difference, context.now), before.version
        try:
            commit(context.table, [drift.put_drift(now, version=version)])
        except drift.DriftMoved:
            continue
        return StoredDrift(now, version + 1)
    raise drift.DriftMoved


def mended(context: Context, differences: list[Difference], mend: Callable[[], bool]) -> list[Drift]:
    """Write the differences down, mend them by one act, and write down what came of it.

    A crash in between leaves them open; the next look mends them or finds them gone. What the act refuses stays open
    with its reason. Raises what is an outage.
    """
    rows = [listed(context, difference) for difference in differences]
    if not rows:
        return []
    error = None
    try:
        done = mend()
    except OUTAGES:
        raise
    except (DomainError, Defect, billing.InvoiceMoved, billing.BagMoved) as refusal:
        done, error = False, f"{type(refusal).__name__}: {refusal}"
    if done:
        return [_changed(context, row, ended(row.drift, DriftStatus.MENDED, context.now)) for row in rows]
    return [_changed(context, row, not_mended(row.drift, error or "It cannot be mended yet.")) for row in rows]


def close(context: Context, drift_id: str) -> bool:
    """An open difference is not there any more. False where somebody else has changed it meanwhile."""
    row = drift_queries.drift(context.table, drift_id)
    if row is None or row.drift.status is not DriftStatus.OPEN:
        return False
    gone = ended(row.drift, DriftStatus.CLOSED, context.now)
    return _changed(context, row, gone) is gone


def _changed(context: Context, row: StoredDrift, after: Drift) -> Drift:
    """The difference as it is then: another run, which found the same, may have been faster."""
    try:
        commit(context.table, [drift.put_drift(after, version=row.version)])
    except drift.DriftMoved:
        again = drift_queries.drift(context.table, after.id)
        return after if again is None else again.drift
    return after
