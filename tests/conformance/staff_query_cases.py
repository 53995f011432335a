"""What the queries for an academy's staff find, and what beside it they must not: what is other academies'."""

from __future__ import annotations

from typing import TypeVar

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing import store as billing_store
from chalicelib.books.consumption import queries as consumption
from chalicelib.books.consumption import store as consumption_store
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.model import LOTS_PER_PAGE_MAX
from chalicelib.books.ledger.rows import read_balance
from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.subscriptions import store as subscriptions_store
from chalicelib.books.subscriptions.model import Financing, Subscription
from chalicelib.books.timeline import queries as timeline
from chalicelib.books.timeline import store as timeline_store
from chalicelib.dynamo.rows import Row
from tests.conformance.cases import Rows, rows_of
from tests.conformance.ledger_cases import PAGE, lot, page
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import (
    ACADEMY,
    HOLDER,
    NOW,
    UNIT,
    USER,
    a_financing,
    a_session,
    a_subscription,
    an_activity,
    an_invoice,
    terms,
)

H = TypeVar("H", Subscription, Financing)
AT = (ACADEMY, ACADEMY, ACADEMY + 1, ACADEMY + 1, ACADEMY, ACADEMY + 1)
"""At which academy each of six things happened, the oldest first."""
SOLD = rows_of(
    *(billing_store.new_invoice(an_invoice(id=101 + number, academy_id=at), "{}") for number, at in enumerate(AT)),
    billing_store.new_invoice(
        an_invoice(id=110, buyer=an_invoice().buyer.model_copy(update={"user_id": USER + 1})), "{}"
    ),
)


def _terms(academy_id: int) -> object:
    return terms().model_copy(update={"academy_id": academy_id})


SUBSCRIBED = rows_of(
    *(
        subscriptions_store.new_subscription(a_subscription(id=101 + number, terms=_terms(at)))
        for number, at in enumerate(AT)
    ),
    subscriptions_store.new_subscription(a_subscription(id=110, user_id=USER + 1)),
)
FINANCED = rows_of(
    *(
        subscriptions_store.new_financing(a_financing(id=101 + number, terms=_terms(at)))
        for number, at in enumerate(AT)
    ),
    subscriptions_store.new_financing(a_financing(id=110, user_id=USER + 1)),
)
HELD: Rows = {**SUBSCRIBED, **FINANCED}
FULL = {**page(LOTS_PER_PAGE_MAX), **{f"lot_x{number}": lot(1) for number in range(LOTS_PER_PAGE_MAX)}}


def _holdings(kind: type[H], name: str) -> tuple[Asked, ...]:
    return (
        Asked(
            of=subscriptions.holdings_at,
            name=f"a person's {name} at one academy page by page",
            rows=HELD,
            ask=lambda table: by_page(
                lambda cursor: subscriptions.holdings_at(table, kind, USER, ACADEMY, limit=2, cursor=cursor)
            ),
            answer=[[105, 102], [101]],
        ),
        Asked(
            of=subscriptions.holdings_of_academy,
            name=f"{name} page by page, newest first, whoever holds them",
            rows=HELD,
            ask=lambda table: by_page(
                lambda cursor: subscriptions.holdings_of_academy(table, kind, ACADEMY, limit=3, cursor=cursor)
            ),
            answer=[[110, 105, 102], [101]],
        ),
        Asked(
            of=subscriptions.holding_of_academy,
            name=f"one of the {name}, whoever holds it",
            rows=HELD,
            ask=lambda table: subscriptions.holding_of_academy(table, kind, ACADEMY, 110).user_id,
            answer=USER + 1,
        ),
        Asked(
            of=subscriptions.holding_of_academy,
            name=f"one of the {name} of another academy",
            rows=HELD,
            ask=lambda table: subscriptions.holding_of_academy(table, kind, ACADEMY, 103),
            refused=subscriptions.SubscriptionNotFound if kind is Subscription else subscriptions.FinancingNotFound,
        ),
    )


ASKED: tuple[Asked, ...] = (
    Asked(
        of=billing.invoices_at,
        name="of one academy page by page, beside those of others",
        rows=SOLD,
        ask=lambda table: by_page(lambda cursor: billing.invoices_at(table, USER, ACADEMY, limit=2, cursor=cursor)),
        answer=[[105, 102], [101]],
    ),
    Asked(
        of=billing.invoices_of_academy,
        name="page by page, newest first, whoever bought",
        rows=SOLD,
        ask=lambda table: by_page(lambda cursor: billing.invoices_of_academy(table, ACADEMY, limit=3, cursor=cursor)),
        answer=[[110, 105, 102], [101]],
    ),
    Asked(
        of=billing.invoices_stored,
        name="those of the person that there are",
        rows=SOLD,
        ask=lambda table: [
            (stored.invoice.id, stored.version) for stored in billing.invoices_stored(table, USER, [101, 110, 999])
        ],
        answer=[(101, 1)],
    ),
    *_holdings(Subscription, "subscriptions"),
    *_holdings(Financing, "financings"),
    Asked(
        of=consumption.sessions_at,
        name="of one academy page by page, beside those of others",
        rows=rows_of(
            *(
                write
                for number, at in enumerate(AT)
                for write in consumption_store.new(a_session(id=101 + number, academy_id=at))
            )
        ),
        ask=lambda table: by_page(lambda cursor: consumption.sessions_at(table, USER, ACADEMY, limit=2, cursor=cursor)),
        answer=[[105, 102], [101]],
    ),
    Asked(
        of=timeline.activities_at,
        name="at one academy page by page, beside those at others and at none",
        rows=rows_of(
            *(
                timeline_store.new(an_activity(id=f"a{month}", academy_id=at, at=NOW.replace(year=2027, month=month)))
                for month, at in enumerate((*AT, None), 1)
            )
        ),
        ask=lambda table: by_page(lambda cursor: timeline.activities_at(table, USER, ACADEMY, limit=2, cursor=cursor)),
        answer=[["a5", "a2"], ["a1"]],
    ),
    Asked(
        of=ledger.place,
        name="on the page that has room, with what is there",
        rows={PAGE: page(a=lot(5))},
        ask=lambda table: ledger.place(table, HOLDER, UNIT, lots=LOTS_PER_PAGE_MAX - 1),
        answer=ledger.Place(0, read_balance(HOLDER, Row(PAGE, page(a=lot(5))))),
    ),
    Asked(
        of=ledger.place,
        name="on the next page where one has not enough room",
        rows={PAGE: page(a=lot(5))},
        ask=lambda table: ledger.place(table, HOLDER, UNIT, lots=LOTS_PER_PAGE_MAX),
        answer=ledger.Place(1, None),
    ),
    Asked(
        of=ledger.place,
        name="on the next page where one is full",
        rows={PAGE: FULL},
        ask=lambda table: ledger.place(table, HOLDER, UNIT, lots=1),
        answer=ledger.Place(1, None),
    ),
)
