"""When open lots end: the expressions that change it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from chalicelib.books.ledger import queries, store
from chalicelib.books.ledger.expiry import look
from chalicelib.dynamo.rows import Values
from chalicelib.dynamo.writes import Unexpected, Write
from tests.conformance.cases import Case, rows_of
from tests.conformance.ledger_cases import PAGE, SOON, balance, due, headed, lot, page, passing, taken
from tests.conformance.queries import Asked
from tests.conformance.refund_cases import disputed, frozen, turned
from tests.conformance.things import HOLDER, NOW, SECOND, UNIT

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
        after=due(turned(page(a=lot(5, expires_at=LATER), b=lot(-1, -1, expires_at=SOON), c=lot(2))), SOON),
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
        "a lot, to end before its page is looked at",
        retimed(due(page(a=lot(5)), LATER), a=SOON),
        before=due(page(a=lot(5)), LATER),
        after=due(turned(page(a=lot(5, expires_at=SOON))), SOON),
    ),
    passing(
        store.retime_writes,
        "a lot, to end after its page is looked at, which it is no more",
        retimed(due(page(a=lot(5)), SOON), a=LATER),
        before=page(a=lot(5)),
        after=due(turned(page(a=lot(5, expires_at=LATER))), LATER),
    ),
    passing(
        store.retime_writes,
        "a lot that is frozen",
        retimed(disputed(page(a=frozen(5))), a=LATER),
        before=disputed(page(a=frozen(5))),
        after=due(disputed(page(a=frozen(5, expires_at=LATER)), 2), LATER),
    ),
    passing(
        store.retime_writes,
        "a lot that a refund cut short",
        retimed(turned(page(a=CUT)), a=LATER),
        before=turned(page(a=CUT)),
        after=due(turned(page(a=lot(5, expires_at=LATER)), 2), LATER),
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


def expired(read: Values, *kept: str) -> Sequence[Write]:
    """The writes of a look at the page as it was read, a minute after these lots expired."""
    later = NOW + timedelta(minutes=1)
    found = look(balance(read), later, kept=kept)
    return store.expire_writes(HOLDER, balance(read), found, now=later)


OVER = lot(5, expires_at=NOW)
EXPIRED = (
    passing(
        store.expire_writes,
        "two lots of four; one that is kept is looked at in a week",
        expired(headed(due(page(a=OVER, c=lot(2), d=lot(0, expires_at=NOW), e=OVER), NOW), ONE), "e"),
        before=headed(due(page(a=OVER, c=lot(1), d=lot(0, expires_at=NOW), e=OVER), NOW), ONE, TWO),
        after=due(page(c=lot(1), e=OVER), NOW + timedelta(days=7, minutes=1)),
        heads=[TWO],
    ),
    passing(
        store.expire_writes,
        "the last that ends: the page is not looked at any more",
        expired(due(page(a=OVER, c=lot(2)), NOW)),
        before=due(page(a=OVER, c=lot(2)), NOW),
        after=page(c=lot(2)),
    ),
    Case(
        of=store.expire_writes,
        name="nothing yet",
        writes=expired(due(page(d=lot(3, expires_at=LATER)), NOW)),
        before={PAGE: due(page(d=lot(3, expires_at=LATER)), NOW)},
        after={PAGE: due(page(d=lot(3, expires_at=LATER)), LATER)},
    ),
    Case(
        of=store.expire_writes,
        name="nothing any more",
        writes=expired(due(page(c=lot(2)), NOW)),
        before={PAGE: due(page(c=lot(2)), NOW)},
        after={PAGE: page(c=lot(2))},
    ),
    *(
        Case(
            of=store.expire_writes,
            name=f"a lot that was {name} since",
            writes=expired(due(page(a=OVER, d=lot(3, expires_at=LATER)), NOW)),
            before={PAGE: due(page(None, d=lot(3, expires_at=LATER), **met), NOW)},
            refused=store.Moved,
        )
        for name, met in (
            ("given units back", {"a": lot(6, expires_at=NOW)}),
            ("retimed", {"a": lot(5, expires_at=LATER)}),
            ("frozen", {"a": {**frozen(5, expires_at=NOW), "r": 5}}),
            ("held", {"a": {**OVER, "h": 1}}),
            ("cleared away", {}),
        )
    ),
    *(
        Case(
            of=store.expire_writes,
            name=f"the last that ends, where another was {name} since",
            writes=expired(due(page(a=OVER, c=lot(2)), NOW)),
            before={PAGE: due(page(None, a=OVER, **met), NOW)},
            refused=store.Moved,
        )
        for name, met in (
            ("granted", {"c": lot(2), "d": lot(3, expires_at=LATER)}),
            ("granted and one closed", {"d": lot(3, expires_at=LATER)}),
            ("retimed", {"c": lot(2, expires_at=LATER)}),
        )
    ),
    Case(
        of=store.expire_writes,
        name="of a page that is not there",
        writes=expired(due(page(), NOW)),
        refused=store.Moved,
    ),
    Case(
        of=store.expire_writes,
        name="nothing yet, of a page that is not there",
        writes=expired(due(page(d=lot(3, expires_at=LATER)), NOW)),
        refused=store.Moved,
    ),
)

CASES = (*RETIMED, *EXPIRED)

DUE_PAGES = {
    PAGE: due(page(a=OVER), NOW),
    store.balance_key(HOLDER, UNIT, 1): {**due(page(a=OVER), NOW + timedelta(seconds=1))},
    store.balance_key(HOLDER, UNIT, 2): page(a=lot(5)),
}
ASKED = (
    Asked(
        of=queries.due_pages,
        name="those whose time has come",
        rows=DUE_PAGES,
        ask=lambda table: queries.due_pages(table, NOW),
        answer=[PAGE],
    ),
    Asked(
        of=queries.page_at,
        name="one that is there and one that is not",
        rows=DUE_PAGES,
        ask=lambda table: [queries.page_at(table, key) for key in (PAGE, store.balance_key(HOLDER, UNIT, 9))],
        answer=[balance(DUE_PAGES[PAGE]), None],
    ),
)
