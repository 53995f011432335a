"""When open lots end: the expressions that change it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.books.ledger import store
from chalicelib.dynamo.rows import Values
from chalicelib.dynamo.writes import Unexpected, Write
from tests.conformance.cases import Case, rows_of
from tests.conformance.ledger_cases import PAGE, SOON, balance, headed, lot, page, passing, taken
from tests.conformance.refund_cases import disputed, frozen, turned
from tests.conformance.things import HOLDER, NOW, SECOND

ONE, TWO = "1" * 64, "2" * 64
LATER = NOW + timedelta(days=30)
CUT = {**lot(5, expires_at=NOW), "u": SECOND + 3600}


def retimed(read: Values, **ends: datetime | None) -> Sequence[Write]:
    """The writes of somebody who read the page so."""
    return store.retime_writes(HOLDER, balance(read), ends, entry_id="r#retime", cause="subscription:100", now=NOW)


RETIMED = (
    passing(
        store.retime_writes,
        "two lots of three, in place of the heads that were read",
        retimed(headed(page(a=lot(5), b=lot(-1, -1), c=lot(2)), ONE), a=LATER, b=SOON),
        before=headed(page(a=lot(5), b=lot(-1, -1), c=lot(2)), ONE, TWO),
        after=turned(page(a=lot(5, expires_at=LATER), b=lot(-1, -1, expires_at=SOON), c=lot(2))),
        heads=[TWO],
    ),
    passing(
        store.retime_writes,
        "a lot that has expired and was used meanwhile, for ever",
        retimed(turned(page(a=lot(5, expires_at=NOW))), a=None),
        before=turned(page(a=lot(3, expires_at=NOW))),
        after=turned(page(a=lot(3)), 2),
    ),
    passing(
        store.retime_writes,
        "a lot that is frozen",
        retimed(disputed(page(a=frozen(5))), a=LATER),
        before=disputed(page(a=frozen(5))),
        after=disputed(page(a=frozen(5, expires_at=LATER)), 2),
    ),
    passing(
        store.retime_writes,
        "a lot that a refund cut short",
        retimed(turned(page(a=CUT)), a=LATER),
        before=turned(page(a=CUT)),
        after=turned(page(a=lot(5, expires_at=LATER)), 2),
    ),
    *(
        Case(
            of=store.retime_writes,
            name=f"a lot that was {name} since",
            writes=retimed(read, a=LATER),
            before={PAGE: met},
            refused=store.Moved,
        )
        for name, read, met in (
            ("retimed", page(a=lot(5)), page(a=lot(5, expires_at=SOON))),
            ("closed", page(a=lot(5)), page()),
            ("reversed", page(a=lot(5)), turned(page(a=lot(5)))),
            ("reversed again", turned(page(a=lot(5))), turned(page(a=lot(5)), 2)),
        )
    ),
    Case(
        of=store.retime_writes,
        name="for the same cause as before",
        writes=retimed(page(a=lot(5)), a=LATER),
        before={PAGE: page(a=lot(5))} | rows_of(*retimed(page(a=lot(5)), a=LATER)),
        refused=Unexpected,
    ),
    Case(
        of=store.take_writes,
        name="the whole lot, which was retimed",
        writes=taken(page(a=lot(2)), {"a": 2}),
        before={PAGE: page(a=lot(2, expires_at=LATER))},
        refused=store.Moved,
    ),
)

CASES = RETIMED
