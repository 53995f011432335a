"""Differences and walks: every write and every query."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.books.drift import queries, store
from chalicelib.books.drift.model import (
    Difference,
    Drift,
    DriftKind,
    DriftStatus,
    Source,
    Walk,
    WalkName,
    ended,
    first_seen,
    seen_again,
)
from tests.conformance.cases import Case, rows_of
from tests.conformance.queries import Asked
from tests.conformance.things import ACADEMY, NOW, USER

LATER = NOW + timedelta(hours=1)


def a_difference(**changed: Any) -> Difference:
    values = {
        "kind": DriftKind.AMOUNT,
        "expected": "5999 USD",
        "found": "6000 USD",
        "academy_id": ACADEMY,
        "user_id": USER,
        "invoice_id": 100,
        "payment_id": "pi_1",
    }
    return Difference.model_validate(values | changed)


def a_walk(**changed: Any) -> Walk:
    values = {"name": WalkName.NEW, "since": NOW, "until": LATER, "source": Source.PAYMENTS}
    return Walk.model_validate(values | changed)


DRIFT = first_seen(a_difference(), NOW)
PUT = store.put_drift(DRIFT, version=0)
AGAIN = store.put_drift(seen_again(DRIFT, a_difference(), LATER), version=1)
SET_OUT = store.put_walk(a_walk(), version=0)
WENT_ON = store.put_walk(a_walk(after="pi_9"), version=1)

CASES = (
    Case(of=store.put_drift, name="the first", writes=[PUT]),
    Case(of=store.put_drift, name="as it was read", writes=[AGAIN], before=rows_of(PUT)),
    Case(of=store.put_drift, name="found by another", writes=[PUT], before=rows_of(PUT), refused=store.DriftMoved),
    Case(
        of=store.put_drift,
        name="changed since it was read",
        writes=[store.put_drift(ended(DRIFT, DriftStatus.MENDED, LATER), version=1)],
        before=rows_of(AGAIN),
        refused=store.DriftMoved,
    ),
    Case(of=store.put_walk, name="the first", writes=[SET_OUT]),
    Case(of=store.put_walk, name="as it was read", writes=[WENT_ON], before=rows_of(SET_OUT)),
    Case(
        of=store.put_walk, name="begun by another", writes=[SET_OUT], before=rows_of(SET_OUT), refused=store.WalkMoved
    ),
    Case(
        of=store.put_walk,
        name="moved since it was read",
        writes=[WENT_ON],
        before=rows_of(WENT_ON),
        refused=store.WalkMoved,
    ),
)


def _found(number: int, kind: DriftKind, *, status: DriftStatus = DriftStatus.OPEN) -> Drift:
    drift = first_seen(a_difference(kind=kind, invoice_id=number), NOW + timedelta(seconds=number))
    return drift if status is DriftStatus.OPEN else ended(drift, status, LATER)


LISTED = rows_of(
    *(
        store.put_drift(drift, version=0)
        for drift in (
            _found(1, DriftKind.AMOUNT),
            _found(2, DriftKind.REFUND_MISSING),
            _found(3, DriftKind.AMOUNT),
            _found(4, DriftKind.AMOUNT, status=DriftStatus.MENDED),
        )
    )
)


def _pages(table: Any, kind: DriftKind | None, limit: int) -> list[list[int | None]]:
    pages: list[list[int | None]] = []
    cursor: str | None = None
    while True:
        page = queries.drifts(table, DriftStatus.OPEN, kind=kind, limit=limit, cursor=cursor)
        pages.append([drift.difference.invoice_id for drift in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages if pages[-1] else pages[:-1]


ASKED = (
    Asked(
        of=queries.drift,
        name="found before and not",
        rows=rows_of(AGAIN),
        ask=lambda table: [
            queries.drift(table, DRIFT.id),
            queries.drift(table, a_difference(payment_id="pi_2").id),
        ],
        answer=[queries.StoredDrift(seen_again(DRIFT, a_difference(), LATER), 2), None],
    ),
    Asked(
        of=queries.drifts,
        name="of one status by kind, and the newest first within each",
        rows=LISTED,
        ask=lambda table: _pages(table, None, 2),
        answer=[[2, 3], [1]],
    ),
    Asked(
        of=queries.drifts,
        name="of one kind",
        rows=LISTED,
        ask=lambda table: _pages(table, DriftKind.AMOUNT, 1),
        answer=[[3], [1]],
    ),
    Asked(
        of=queries.walk,
        name="begun and not",
        rows=rows_of(SET_OUT),
        ask=lambda table: [queries.walk(table, name) for name in (WalkName.NEW, WalkName.AGAIN)],
        answer=[queries.StoredWalk(a_walk(), 1), queries.StoredWalk(None, 0)],
    ),
)
