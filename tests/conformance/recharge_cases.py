"""Recharges of pools, and what a month of them came to. Every write and every query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.books.teams import queries
from chalicelib.books.teams import recharge_store as store
from chalicelib.books.teams.model import Recharge
from chalicelib.dynamo.rows import Values
from chalicelib.dynamo.table import Due
from chalicelib.dynamo.writes import Put, Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.queries import Asked
from tests.conformance.team_cases import OTHER, TEAM_ID
from tests.conformance.things import NOW, USER

UNIT, MORE, INVOICE = "4#52#-", "4#53#-", 77
LATER = NOW + timedelta(hours=1)
SINCE = int(NOW.timestamp())


def a_recharge(unit: str = UNIT, *, team_id: int = TEAM_ID, begun_at: datetime = NOW) -> Recharge:
    return Recharge(team_id=team_id, owner_id=USER, unit=unit, begun_at=begun_at)


def new(unit: str = UNIT, **changed: Any) -> Put:
    return store.new_recharge(a_recharge(unit, **changed))


KEY = store.recharge_key(TEAM_ID, UNIT)
SPEND = store.spend_key(TEAM_ID, SINCE)
WAITS, BOUND = new().values, {**new().values, "version": 2, "invoice": INVOICE}
DUE_LATER = int(LATER.timestamp())
PAYING = store.changed_recharge(KEY, version=1, due_at=LATER, invoice_id=INVOICE)
PUT_OFF = store.changed_recharge(KEY, version=1, due_at=LATER)
LOOKED = store.changed_recharge(KEY, version=2, due_at=LATER)
WOKEN = store.wake_recharge(KEY, LATER)
GONE = store.gone_recharge(KEY, version=1)
ENDED = store.ended_recharge(KEY, invoice_id=INVOICE)
UNPAID = store.unpaid_recharge(KEY, invoice_id=INVOICE, due_at=LATER)
BACK = store.spend_back(TEAM_ID, SINCE, amount=30)
WITHIN = store.reserve_spend(TEAM_ID, SINCE, amount=30, most=100)
ANY = store.reserve_spend(TEAM_ID, SINCE, amount=30, most=None)
ROWS = {
    **rows_of(new(MORE), new(team_id=OTHER, begun_at=NOW - timedelta(hours=1)), new("4#54#-", begun_at=LATER)),
    KEY: BOUND,
    SPEND: {"spent": 90},
}


def later(values: Values, version: int) -> Values:
    return {**values, "version": version, "due_at": DUE_LATER}


CASES = (
    Case(of=store.new_recharge, name="the first", writes=[new()]),
    Case(
        of=store.new_recharge, name="while one waits", writes=[new()], before={KEY: WAITS}, refused=store.RechargeMoved
    ),
    Case(of=store.wake_recharge, name="that waits", writes=[WOKEN], before={KEY: WAITS}, after={KEY: later(WAITS, 2)}),
    Case(
        of=store.wake_recharge,
        name="that is being paid",
        writes=[WOKEN],
        before={KEY: BOUND},
        refused=store.RechargeMoved,
    ),
    Case(of=store.wake_recharge, name="that is gone", writes=[WOKEN], refused=store.RechargeMoved),
    Case(
        of=store.changed_recharge,
        name="as it was read, to be paid",
        writes=[PAYING],
        before={KEY: WAITS},
        after={KEY: later(BOUND, 2)},
    ),
    Case(
        of=store.changed_recharge,
        name="as it was read, to wait",
        writes=[PUT_OFF],
        before={KEY: WAITS},
        after={KEY: later(WAITS, 2)},
    ),
    Case(
        of=store.changed_recharge,
        name="that is being paid, to be looked at again",
        writes=[LOOKED],
        before={KEY: BOUND},
        after={KEY: later(BOUND, 3)},
    ),
    Case(
        of=store.changed_recharge,
        name="changed since it was read",
        writes=[PAYING],
        before={KEY: BOUND},
        refused=store.RechargeMoved,
    ),
    Case(of=store.changed_recharge, name="that is gone", writes=[PAYING], refused=store.RechargeMoved),
    Case(of=store.gone_recharge, name="as it was read", writes=[GONE], before={KEY: WAITS}),
    Case(
        of=store.gone_recharge,
        name="changed since it was read",
        writes=[GONE],
        before={KEY: BOUND},
        refused=store.RechargeMoved,
    ),
    Case(of=store.gone_recharge, name="that is gone", writes=[GONE], refused=store.RechargeMoved),
    Case(of=store.ended_recharge, name="of its invoice", writes=[ENDED], before={KEY: BOUND}),
    Case(of=store.ended_recharge, name="that waits", writes=[ENDED], before={KEY: WAITS}, refused=Unexpected),
    Case(of=store.ended_recharge, name="that is gone", writes=[ENDED], refused=Unexpected),
    Case(
        of=store.unpaid_recharge,
        name="of its invoice",
        writes=[UNPAID],
        before={KEY: BOUND},
        after={KEY: later(WAITS, 3)},
    ),
    Case(of=store.unpaid_recharge, name="that waits", writes=[UNPAID], before={KEY: WAITS}, refused=Unexpected),
    Case(of=store.reserve_spend, name="the first", writes=[WITHIN], after={SPEND: {"spent": 30}}),
    Case(
        of=store.reserve_spend,
        name="up to the limit",
        writes=[WITHIN],
        before={SPEND: {"spent": 70}},
        after={SPEND: {"spent": 100}},
    ),
    Case(
        of=store.reserve_spend,
        name="beyond the limit",
        writes=[WITHIN],
        before={SPEND: {"spent": 71}},
        refused=store.SpendLimitReached,
    ),
    Case(
        of=store.reserve_spend,
        name="beyond the limit at once",
        writes=[store.reserve_spend(TEAM_ID, SINCE, amount=101, most=100)],
        refused=store.SpendLimitReached,
    ),
    Case(
        of=store.reserve_spend,
        name="without a limit",
        writes=[ANY],
        before={SPEND: {"spent": 71}},
        after={SPEND: {"spent": 101}},
    ),
    Case(
        of=store.spend_back,
        name="of what was reserved",
        writes=[BACK],
        before={SPEND: {"spent": 71}},
        after={SPEND: {"spent": 41}},
    ),
    Case(of=store.spend_back, name="of nothing", writes=[BACK], refused=Unexpected),
)

ASKED = (
    Asked(
        of=queries.recharge_of,
        name="by its key, and none",
        rows=ROWS,
        ask=lambda table: [queries.recharge_of(table, key) for key in (KEY, store.recharge_key(OTHER, MORE))],
        answer=[queries.StoredRecharge(a_recharge(), 2, NOW, INVOICE), None],
    ),
    Asked(
        of=queries.recharges,
        name="all of a team",
        rows=ROWS,
        ask=lambda table: [(one.recharge.unit, one.invoice_id) for one in queries.recharges(table, TEAM_ID)],
        answer=[(UNIT, INVOICE), (MORE, None), ("4#54#-", None)],
    ),
    Asked(
        of=queries.spent,
        name="in a month, and in another",
        rows=ROWS,
        ask=lambda table: [queries.spent(table, TEAM_ID, since) for since in (SINCE, SINCE + 1)],
        answer=[90, 0],
    ),
    Asked(
        of=queries.due_recharges,
        name="of every team, the oldest first",
        rows=ROWS,
        ask=lambda table: sorted(queries.due_recharges(table, NOW), key=lambda due: (due.at, due.key.sk)),
        answer=[
            Due(store.recharge_key(OTHER, UNIT), (NOW - timedelta(hours=1)).astimezone(UTC)),
            Due(KEY, NOW),
            Due(store.recharge_key(TEAM_ID, MORE), NOW),
        ],
    ),
)
