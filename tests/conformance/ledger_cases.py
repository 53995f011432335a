"""Lots, entries and pools: the expressions that move units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.books.ledger import pool_store, store
from chalicelib.books.ledger.burn import Take
from chalicelib.books.ledger.chain import PARENTS_MAX, seal
from chalicelib.books.ledger.model import LOTS_PER_PAGE_MAX, Balance, Entry, EntryKind, Grant, Portion
from chalicelib.books.ledger.rows import DUE, read_balance
from chalicelib.dynamo.keys import due_shard
from chalicelib.dynamo.rows import Row, Values
from chalicelib.dynamo.writes import Put, Unexpected, Write
from chalicelib.kernel.errors import Defect
from tests.conformance.cases import Case, rows_of
from tests.conformance.things import HOLDER, NOW, SECOND, TEAM, UNIT, a_grant

PAGE = store.balance_key(HOLDER, UNIT, 0)
ORIGIN = a_grant().origin.model_dump_json(exclude_none=True)
SOON = NOW + timedelta(hours=1)


def lot(remaining: int, granted: int = 5, *, expires_at: datetime | None = None) -> dict[str, Any]:
    expiry = 0 if expires_at is None else int(expires_at.timestamp())
    return {"r": remaining, "h": 0, "g": granted, "e": expiry, "c": SECOND * 1000, "o": ORIGIN}


def page(count: int | None = None, **lots: dict[str, Any]) -> Values:
    """A page with lots by their ids; `count` where it is not how many are given."""
    named = {f"lot_{name}": value for name, value in lots.items()}
    return {"doc": UNIT.model_dump_json(), "lots": len(named) if count is None else count, **named}


def due(values: Values, at: datetime) -> Values:
    """The page, to be looked at for expired lots."""
    return {**values, "due_shard": due_shard(DUE, f"{PAGE.pk}/{PAGE.sk}"), "due_at": int(at.timestamp())}


def granted(*grants: Grant) -> list[Write]:
    return store.grant_writes(HOLDER, UNIT, grants, page=0, now=NOW, cause="invoice:100")


def an_entry(units: int = -1, portions: tuple[Portion, ...] = ()) -> Entry:
    return Entry(
        id="70_0#consume", kind=EntryKind.CONSUME, unit=UNIT, units=units, portions=portions, cause="session:70", at=NOW
    )


def balance(values: Values) -> Balance:
    return read_balance(HOLDER, Row(PAGE, values))


def taken(read: Values, units: dict[str, int], *, now: datetime = NOW) -> list[Write]:
    """The writes of somebody who read the page so, and takes these units of its lots."""
    found = balance(read)
    takes = [Take(found, one, units[one.id]) for one in found.lots if one.id in units]
    return store.take_writes(HOLDER, found, takes, entry=an_entry(), now=now)


def portion(lot_id: str, units: int) -> Portion:
    return Portion(
        lot_id=lot_id, units=units, page=0, granted=5, expires_at=None, created_at=NOW, origin=a_grant().origin
    )


def given_back(read: Values | None, *portions: Portion) -> Sequence[Write]:
    entry = an_entry(sum(one.units for one in portions if not one.unlimited), portions)
    return store.give_back_writes(HOLDER, None if read is None else balance(read), entry=entry)


def headed(values: Values, *heads: str) -> Values:
    """The page with these heads."""
    return {**values, **{f"head_{head}": 1 for head in heads}}


def passing(
    of: Callable[..., Any],
    name: str,
    writes: Sequence[Write],
    *,
    after: Values,
    before: Values | None = None,
    heads: Sequence[str] = (),
) -> Case:
    """A case that leaves the page `after`, led by the entry that these writes put, and by `heads` beside it."""
    own = [str(put.values["hash"]) for put in writes if isinstance(put, Put)][-1:]
    met = {} if before is None else {PAGE: before}
    return Case(of=of, name=name, writes=writes, before=met, after={PAGE: headed(after, *own, *heads)})


FULL = page(LOTS_PER_PAGE_MAX, a=lot(5))
POOL = pool_store.pool_write(HOLDER, TEAM)
ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)
MANY = tuple(f"{number:064x}" for number in range(PARENTS_MAX + 2))

GRANTS = (
    passing(
        store.grant_writes,
        "beside heads that it did not read",
        granted(a_grant("b", 7)),
        before=headed(page(a=lot(5)), ONE),
        after=page(a=lot(5), b=lot(7, 7)),
        heads=[ONE],
    ),
    passing(
        store.grant_writes,
        "the first of an account",
        granted(a_grant("a"), a_grant("b", -1, expires_at=SOON)),
        after=due(page(a=lot(5), b=lot(-1, -1, expires_at=SOON)), SOON),
    ),
    passing(
        store.grant_writes,
        "that ends, on a page that is looked at before or after",
        granted(a_grant("b", 7, expires_at=SOON)),
        before=due(page(a=lot(5)), NOW + timedelta(days=9)),
        after=due(page(a=lot(5), b=lot(7, 7, expires_at=SOON)), NOW + timedelta(days=9)),
    ),
    passing(
        store.grant_writes,
        "that ends after more than a month",
        granted(a_grant("b", 7, expires_at=NOW + timedelta(days=300))),
        after=due(page(b=lot(7, 7, expires_at=NOW + timedelta(days=300))), NOW + timedelta(days=30)),
    ),
    passing(
        store.grant_writes,
        "beside others",
        granted(a_grant("b", 7)),
        before=page(a=lot(5)),
        after=page(a=lot(5), b=lot(7, 7)),
    ),
    passing(
        store.grant_writes,
        "the last that has room",
        granted(a_grant("b")),
        before=page(LOTS_PER_PAGE_MAX - 1, a=lot(5)),
        after=page(LOTS_PER_PAGE_MAX, a=lot(5), b=lot(5)),
    ),
    Case(
        of=store.grant_writes,
        name="no room",
        writes=granted(a_grant("b")),
        before={PAGE: FULL},
        refused=store.PageFull,
    ),
    Case(
        of=store.grant_writes,
        name="granted before",
        writes=granted(a_grant("a")),
        before={PAGE: page(a=lot(5))},
        refused=Defect,
    ),
    Case(
        of=store.grant_writes,
        name="its entry was written before",
        writes=granted(a_grant("a")),
        before=rows_of(*granted(a_grant("a"))),
        refused=Unexpected,
    ),
)

TAKES = (
    passing(
        store.take_writes,
        "part of a lot",
        taken(page(a=lot(5)), {"a": 2}),
        before=page(a=lot(5)),
        after=page(a=lot(3)),
    ),
    passing(
        store.take_writes,
        "part of a lot that others used meanwhile",
        taken(page(a=lot(5)), {"a": 2}),
        before=page(a=lot(2)),
        after=page(a=lot(0)),
    ),
    passing(
        store.take_writes,
        "a whole lot and part of another",
        taken(page(a=lot(1), b=lot(5)), {"a": 1, "b": 2}),
        before=page(a=lot(1), b=lot(5)),
        after=page(b=lot(3)),
    ),
    passing(
        store.take_writes,
        "beside a lot that others emptied",
        taken(page(a=lot(0), b=lot(5)), {"b": 2}),
        before=page(a=lot(0), b=lot(5)),
        after=page(b=lot(3)),
    ),
    passing(
        store.take_writes,
        "an unlimited lot",
        taken(page(a=lot(-1, -1)), {"a": 3}),
        before=page(a=lot(-1, -1)),
        after=page(a=lot(-1, -1)),
    ),
    passing(
        store.take_writes,
        "an unlimited lot, which ends",
        taken(page(a=lot(-1, -1), b=lot(5)), {"a": -1}),
        before=page(a=lot(-1, -1), b=lot(4)),
        after=page(b=lot(4)),
    ),
    Case(
        of=store.take_writes,
        name="an unlimited lot, which ended before",
        writes=taken(page(a=lot(-1, -1)), {"a": -1}),
        before={PAGE: page()},
        refused=store.Moved,
    ),
    passing(
        store.take_writes,
        "in place of the heads that were read, beside one that came since",
        taken(headed(page(a=lot(5)), ONE, TWO), {"a": 2}),
        before=headed(page(a=lot(5)), ONE, TWO, THREE),
        after=page(a=lot(3)),
        heads=[THREE],
    ),
    passing(
        store.take_writes,
        "in place of heads that another entry has named meanwhile",
        taken(headed(page(a=lot(5)), ONE, TWO), {"a": 2}),
        before=headed(page(a=lot(4)), THREE),
        after=page(a=lot(2)),
        heads=[THREE],
    ),
    passing(
        store.take_writes,
        "the last unit of a page, which keeps its heads",
        taken(headed(page(a=lot(2)), *MANY), {"a": 2}),
        before=headed(page(a=lot(2)), *MANY),
        after=page(),
        heads=sorted({*MANY} - {*seal(HOLDER, MANY, an_entry()).parents}),
    ),
    passing(
        store.take_writes,
        "before it expires",
        taken(page(a=lot(5, expires_at=SOON)), {"a": 1}, now=SOON - timedelta(seconds=1)),
        before=page(a=lot(5, expires_at=SOON)),
        after=page(a=lot(4, expires_at=SOON)),
    ),
    Case(
        of=store.take_writes,
        name="when it has expired",
        writes=taken(page(a=lot(5, expires_at=SOON)), {"a": 1}, now=SOON),
        before={PAGE: page(a=lot(5, expires_at=SOON))},
        refused=store.Moved,
    ),
    Case(
        of=store.take_writes,
        name="too few are left",
        writes=taken(page(a=lot(5)), {"a": 2}),
        before={PAGE: page(a=lot(1))},
        refused=store.Moved,
    ),
    Case(
        of=store.take_writes,
        name="the whole lot, which changed",
        writes=taken(page(a=lot(2)), {"a": 2}),
        before={PAGE: page(a=lot(3))},
        refused=store.Moved,
    ),
    Case(
        of=store.take_writes,
        name="a lot that is gone",
        writes=taken(page(a=lot(5)), {"a": 2}),
        before={PAGE: page(b=lot(5))},
        refused=store.Moved,
    ),
    Case(
        of=store.take_writes,
        name="an unlimited lot that is gone",
        writes=taken(page(a=lot(-1, -1)), {"a": 1}),
        before={PAGE: page()},
        refused=store.Moved,
    ),
    Case(
        of=store.take_writes,
        name="its entry was written before",
        writes=taken(page(a=lot(5)), {"a": 1}),
        before={PAGE: page(a=lot(5))} | rows_of(*taken(page(a=lot(5)), {"a": 1})),
        refused=Unexpected,
    ),
)

RETURNS = (
    passing(
        store.give_back_writes,
        "to an open lot",
        given_back(page(a=lot(3)), portion("a", 2)),
        before=page(a=lot(1)),
        after=page(a=lot(3)),
    ),
    passing(
        store.give_back_writes,
        "to a lot that was closed",
        given_back(page(b=lot(5)), portion("a", 2), portion("b", 1)),
        before=page(b=lot(4)),
        after=page(a=lot(2), b=lot(5)),
    ),
    passing(
        store.give_back_writes,
        "to a lot that was closed and ends",
        given_back(page(), portion("a", 2).model_copy(update={"expires_at": SOON})),
        before=page(),
        after=due(page(a=lot(2, expires_at=SOON)), SOON),
    ),
    passing(
        store.give_back_writes,
        "to a page that is gone",
        given_back(None, portion("a", 2)),
        after=page(a=lot(2)),
    ),
    Case(
        of=store.give_back_writes,
        name="to a lot that was closed since",
        writes=given_back(page(a=lot(3)), portion("a", 2)),
        before={PAGE: page()},
        refused=store.Moved,
    ),
    Case(
        of=store.give_back_writes,
        name="to a lot that was opened since",
        writes=given_back(page(), portion("a", 2)),
        before={PAGE: page(a=lot(1))},
        refused=store.Moved,
    ),
    Case(of=pool_store.pool_write, name="the first", writes=[POOL]),
    Case(of=pool_store.pool_write, name="again", writes=[POOL], before=rows_of(POOL), refused=Unexpected),
    passing(
        store.give_back_writes,
        "what was taken of an unlimited lot, in place of the heads that were read",
        given_back(headed(page(a=lot(-1, -1)), ONE), portion("a", 2).model_copy(update={"unlimited": True})),
        before=headed(page(a=lot(-1, -1)), ONE, TWO),
        after=page(a=lot(-1, -1)),
        heads=[TWO],
    ),
    Case(
        of=store.give_back_writes,
        name="and its entry was written before",
        writes=given_back(page(a=lot(3)), portion("a", 2)),
        before={PAGE: page(a=lot(3))} | rows_of(*given_back(page(a=lot(3)), portion("a", 2))),
        refused=Unexpected,
    ),
)

CASES = (*GRANTS, *TAKES, *RETURNS)
