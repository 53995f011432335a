"""What refunds and disputes write and read: lots reversed and frozen, debts, credit notes, reputations, holdings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import Standing
from chalicelib.books.consumption import queries as consumption_queries
from chalicelib.books.consumption import store as consumption
from chalicelib.books.ledger import store
from chalicelib.books.ledger.entries import grant_entry
from chalicelib.books.ledger.reversal import Target, reversal
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Holding, Status
from chalicelib.books.timeline import queries as timeline_queries
from chalicelib.books.timeline import store as timeline
from chalicelib.dynamo.rows import Values
from chalicelib.dynamo.writes import Put, Write
from chalicelib.kernel.periods import utc
from tests.conformance.cases import Case, rows_of
from tests.conformance.ledger_cases import PAGE, balance, given_back, headed, lot, page, passing, portion
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import (
    ACADEMY,
    HOLDER,
    NOW,
    UNIT,
    USER,
    a_financing,
    a_grant,
    a_session,
    a_subscription,
    an_activity,
    an_invoice,
)

ONE = "1" * 64
GRANT = grant_entry(UNIT, [a_grant("a")], page=0, now=NOW, cause="invoice:100")
SERIES, REPUTATION = billing.series_key(ACADEMY, "credit-note"), billing.reputation_key(USER)
SUBSCRIPTION, FINANCING = a_subscription(), a_financing()
OTHER = an_invoice().buyer.model_copy(update={"user_id": 8})


def frozen(units: int, **changed: Any) -> dict[str, Any]:
    return {**lot(0, **changed), "z": units}


def owing(values: Values, units: int, *, collect: bool, turns: int = 1) -> Values:
    """The page with units that its grant `a` owes."""
    owed = {"n": units, "c": collect, "i": 100}
    owes = {"owes": units} if collect else {}
    return {**values, "owed_a#grant": owed, "turns": turns, **owes}


def turned(values: Values, turns: int = 1) -> Values:
    return {**values, "turns": turns}


def disputed(values: Values, turns: int = 1) -> Values:
    """The page with its grant `a` frozen."""
    return {**values, "turns": turns, "frozen_a#grant": 100}


def reversed_(read: Values, target: Target, *, before: int = 0) -> Sequence[Write]:
    """The writes of somebody who read the page so."""
    one = reversal(GRANT, balance(read), target, invoice_id=100, reversed_before=before)
    return store.reversal_writes(HOLDER, [one], cause="invoice:100", version=3, now=NOW)


def collected(read: Values, *lots: tuple[str, int]) -> list[Write]:
    """A grant that pays what the page owes."""
    grants = [a_grant(name, units) for name, units in lots]
    return store.grant_writes(HOLDER, UNIT, grants, page=0, now=NOW, cause="invoice:101", owing=balance(read))


def _changed(held: Holding, put: Put) -> tuple[Case, ...]:
    ended = held.model_copy(update={"status": Status.CANCELLED})
    changed = subscriptions.changed_holding(ended, version=1)
    name = type(held).__name__
    return (
        Case(
            of=subscriptions.changed_holding,
            name=f"a {name} as it was read",
            writes=[changed],
            before=rows_of(put),
            after={put.key: changed.values},
        ),
        Case(
            of=subscriptions.changed_holding,
            name=f"a {name} that has changed since",
            writes=[subscriptions.changed_holding(ended, version=2)],
            before=rows_of(put),
            refused=subscriptions.HoldingMoved,
        ),
        *_put_off(name, put),
    )


def _put_off(name: str, put: Put) -> tuple[Case, Case, Case]:
    """From the second in which it is due."""
    due = int(str(put.values["due_at"]))
    later = utc(due + 3600)
    off, early = (subscriptions.put_off(put.key, now=utc(at), until=later) for at in (due, due - 1))
    return (
        Case(
            of=subscriptions.put_off,
            name=f"a {name} that is due",
            writes=[off],
            before=rows_of(put),
            after={put.key: {**put.values, "due_at": due + 3600}},
        ),
        Case(
            of=subscriptions.put_off,
            name=f"a {name} that is not due",
            writes=[early],
            before=rows_of(put),
            refused=subscriptions.NotDue,
        ),
        Case(of=subscriptions.put_off, name=f"no {name}", writes=[off], refused=subscriptions.NotDue),
    )


REVERSALS = (
    passing(
        store.reversal_writes,
        "part of a lot",
        reversed_(page(a=lot(5)), Target(due=2)),
        before=page(a=lot(5)),
        after=turned(page(a=lot(3))),
    ),
    passing(
        store.reversal_writes,
        "all of a lot, and a debt",
        reversed_(headed(page(a=lot(3)), ONE), Target(due=5, collect=True)),
        before=headed(page(a=lot(3)), ONE),
        after=owing(page(), 2, collect=True),
    ),
    passing(
        store.reversal_writes,
        "undone, with the debt",
        reversed_(owing(page(), 2, collect=True), Target(due=0), before=5),
        before=owing(page(), 2, collect=True),
        after=turned(page(a=lot(3)), 2),
    ),
    Case(
        of=store.reversal_writes,
        name="freezing moves nothing",
        writes=reversed_(headed(page(a=lot(5)), ONE), Target(due=0, frozen=True)),
        before={PAGE: headed(page(a=lot(5)), ONE)},
        after={PAGE: headed(disputed(page(a=frozen(5))), ONE)},
    ),
    Case(
        of=store.reversal_writes,
        name="thawing",
        writes=reversed_(disputed(page(a=frozen(5))), Target(due=0)),
        before={PAGE: disputed(page(a=frozen(5)))},
        after={PAGE: turned(page(a=lot(5)), 2)},
    ),
    *(
        Case(
            of=store.reversal_writes,
            name=f"of a lot that was {name} since",
            writes=reversed_(read, Target(due=2), before=before),
            before={PAGE: met},
            refused=store.Moved,
        )
        for name, read, met, before in (
            ("used", page(a=lot(5)), page(a=lot(4)), 0),
            ("closed", page(a=lot(5)), page(), 0),
            ("opened", page(), page(a=lot(1)), 0),
            ("frozen", page(a=lot(5)), turned(page(a=frozen(5))), 0),
            ("thawed", turned(page(a=frozen(5))), turned(page(a=lot(5)), 2), 0),
            ("retimed", page(a=lot(5)), turned(page(a=lot(5, expires_at=NOW))), 0),
            ("paid for", owing(page(), 2, collect=True), owing(page(), 1, collect=True), 5),
        )
    ),
    Case(
        of=store.grant_writes,
        name="to a page that owes",
        writes=store.grant_writes(HOLDER, UNIT, [a_grant("b")], page=0, now=NOW, cause="invoice:101"),
        before={PAGE: owing(page(), 2, collect=True)},
        refused=store.OwesUnits,
    ),
    passing(
        store.grant_writes,
        "that pays part of what the page owes, and nothing is left of it",
        collected(owing(page(), 7, collect=True), ("b", 5)),
        before=owing(page(), 7, collect=True),
        after=owing(page(), 2, collect=True),
    ),
    passing(
        store.grant_writes,
        "that pays all of what the page owes",
        collected(owing(page(), 2, collect=True), ("b", 5)),
        before=owing(page(), 2, collect=True),
        after=turned(page(b=lot(3))),
    ),
    passing(
        store.grant_writes,
        "to a page whose debt is not collected",
        collected(owing(page(), 2, collect=False), ("b", 5)),
        before=owing(page(), 2, collect=False),
        after=owing(page(b=lot(5)), 2, collect=False),
    ),
    Case(
        of=store.grant_writes,
        name="to a page whose debt has changed since",
        writes=collected(owing(page(), 2, collect=True), ("b", 5)),
        before={PAGE: owing(page(), 3, collect=True)},
        refused=store.OwesUnits,
    ),
    passing(
        store.give_back_writes,
        "what pays a debt first",
        given_back(owing(page(), 2, collect=True), portion("a", 3)),
        before=owing(page(), 2, collect=True),
        after=turned(page(a=lot(1))),
    ),
    passing(
        store.give_back_writes,
        "what pays a debt whole",
        given_back(owing(page(), 2, collect=False), portion("a", 1)),
        before=owing(page(), 2, collect=False),
        after=owing(page(), 1, collect=False),
    ),
    passing(
        store.give_back_writes,
        "what is disputed, to a lot that is frozen",
        given_back(disputed(page(a=frozen(5))), portion("a", 2)),
        before=disputed(page(a=frozen(5))),
        after=disputed(page(a=frozen(7))),
    ),
    passing(
        store.give_back_writes,
        "what is disputed, to a lot that was closed",
        given_back(disputed(page()), portion("a", 2)),
        before=disputed(page()),
        after=disputed(page(a=frozen(2))),
    ),
    Case(
        of=store.give_back_writes,
        name="to a page where a grant was reversed since",
        writes=given_back(page(), portion("a", 1)),
        before={PAGE: owing(page(), 2, collect=False)},
        refused=store.Moved,
    ),
)

BOOKS = (
    Case(
        of=billing.next_numbers,
        name="the first",
        writes=[billing.next_numbers(ACADEMY, "credit-note", first=1, count=2)],
        after={SERIES: {"following": 3}},
    ),
    Case(
        of=billing.next_numbers,
        name="the next",
        writes=[billing.next_numbers(ACADEMY, "credit-note", first=3, count=1)],
        before={SERIES: {"following": 3}},
        after={SERIES: {"following": 4}},
    ),
    *(
        Case(
            of=billing.next_numbers,
            name=f"{first}, which was taken since",
            writes=[billing.next_numbers(ACADEMY, "credit-note", first=first, count=1)],
            before={SERIES: {"following": 4}},
            refused=billing.SeriesMoved,
        )
        for first in (1, 3)
    ),
    Case(
        of=billing.marked,
        name="beside another mark",
        writes=[billing.marked(USER, {"du_2": Standing.BAD})],
        before={REPUTATION: {"mark_du_1": "FRAUD"}},
        after={REPUTATION: {"mark_du_1": "FRAUD", "mark_du_2": "BAD"}},
    ),
    Case(
        of=billing.marked,
        name="off for some causes, on for another",
        writes=[billing.marked(USER, {"du_1": None, "du_9": None, "du_3": Standing.BAD})],
        before={REPUTATION: {"mark_du_1": "FRAUD", "mark_du_2": "BAD"}},
        after={REPUTATION: {"mark_du_2": "BAD", "mark_du_3": "BAD"}},
    ),
    *_changed(SUBSCRIPTION, subscriptions.new_subscription(SUBSCRIPTION)),
    *_changed(FINANCING, subscriptions.new_financing(FINANCING)),
)

CASES = (*REVERSALS, *BOOKS)

INVOICES = rows_of(
    billing.new_invoice(an_invoice(), "{}"),
    billing.new_invoice(an_invoice(id=1000), "{}"),
    billing.new_invoice(an_invoice(academy_id=ACADEMY + 1, buyer=OTHER), "{}"),
)
SESSIONS = rows_of(
    *consumption.new(a_session()),
    *consumption.new(a_session(id=71, service_slug="chat")),
    *consumption.new(a_session(id=72, user_id=USER + 1)),
)


def _not_of(academy: int, ident: int) -> Asked:
    return Asked(
        of=billing_queries.academy_invoice,
        name=f"{ident} of academy {academy}",
        rows=INVOICES,
        ask=lambda table: billing_queries.academy_invoice(table, academy, ident),
        refused=billing_queries.InvoiceNotFound,
    )


ASKED = (
    Asked(
        of=billing_queries.academy_invoice,
        name="of one academy, whoever it is of",
        rows=INVOICES,
        ask=lambda table: [
            billing_queries.academy_invoice(table, academy, 100).invoice.buyer.user_id
            for academy in (ACADEMY, ACADEMY + 1)
        ],
        answer=[USER, 8],
    ),
    *(_not_of(academy, ident) for academy, ident in ((ACADEMY, 10), (ACADEMY + 1, 1000))),
    Asked(
        of=billing_queries.reputation,
        name="of who was marked and of who was not",
        rows={REPUTATION: {"mark_du_1": "FRAUD", "mark_operator": "BAD"}},
        ask=lambda table: [billing_queries.reputation(table, user) for user in (USER, USER + 1)],
        answer=[{"du_1": Standing.FRAUD, "operator": Standing.BAD}, {}],
    ),
    Asked(
        of=consumption_queries.sessions_of,
        name="of every service, newest first",
        rows=SESSIONS,
        ask=lambda table: by_page(lambda cursor: consumption_queries.sessions_of(table, USER, limit=1, cursor=cursor)),
        answer=[[71], [70]],
    ),
    Asked(
        of=timeline_queries.activities,
        name="newest first",
        rows=rows_of(timeline.new(an_activity()), timeline.new(an_activity(id="a2", at=NOW.replace(year=2027)))),
        ask=lambda table: [found.id for found in timeline_queries.activities(table, USER, limit=9).items],
        answer=["a2", "a1"],
    ),
)
