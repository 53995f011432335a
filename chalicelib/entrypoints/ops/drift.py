"""Where the processor and we differ, for operators."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from chalicelib.books.drift import queries as drift_queries
from chalicelib.books.drift.model import Drift, DriftKind, DriftStatus
from chalicelib.dynamo.table import InvalidCursor
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, Query, route
from chalicelib.kernel.pages import PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX


class DriftOut(Output):
    """Amounts in `expected` and `found` are in minor units. `object_id`: the refund, dispute or customer at Stripe.

    `times`: how often it was found. `error`: why a difference that is mended by itself could not be, so far.
    """

    id: str
    kind: str
    status: str
    expected: str
    found: str
    academy_id: int | None
    user_id: int | None
    invoice_id: int | None
    payment_id: str | None
    object_id: str | None
    first_seen_at: Instant
    last_seen_at: Instant
    times: int
    ended_at: Instant | None
    error: str | None


class DriftsOut(Output):
    data: list[DriftOut]
    has_more: bool
    next_cursor: str | None


class DriftQuery(Query):
    """`closed`: it went away without us, by a webhook or by whoever looked into it."""

    status: DriftStatus = DriftStatus.OPEN
    kind: DriftKind | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_ITEMS_MAX)] = PAGE_ITEMS_DEFAULT
    cursor: Annotated[str, Meta(max_length=2000)] | None = None


@route("GET", "/ops/drift", access=Access.OPERATOR, answers={200: DriftsOut}, errors=(InvalidCursor,))
def list_drift(call: Call, query: DriftQuery) -> Answer:
    """Differences of one status between Stripe and us, by kind and the newest first within each."""
    page = drift_queries.drifts(
        call.runtime.table, query.status, kind=query.kind, limit=query.limit, cursor=query.cursor
    )
    data = [_drift_out(drift) for drift in page.items]
    return Answer(200, DriftsOut(data=data, has_more=page.next_cursor is not None, next_cursor=page.next_cursor))


def _drift_out(drift: Drift) -> DriftOut:
    return DriftOut(
        **asdict(drift.difference),
        id=drift.id,
        status=drift.status,
        first_seen_at=drift.first_seen_at,
        last_seen_at=drift.last_seen_at,
        times=drift.times,
        ended_at=drift.ended_at,
        error=drift.error,
    )
