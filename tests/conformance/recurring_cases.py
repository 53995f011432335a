"""What recurs: what is due of subscriptions and financings, and which entries an invoice paid for."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.books.ledger import queries as ledger_queries
from chalicelib.books.ledger import store as ledger
from chalicelib.books.subscriptions import queries, store
from chalicelib.books.subscriptions.model import Dunning, Status
from chalicelib.dynamo.writes import Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.queries import Asked
from tests.conformance.things import HOLDER, NOW, SECOND, USER, a_financing, a_subscription

DUE = NOW + timedelta(days=30)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
KEYS = (store.subscription_key(USER, 101), store.financing_key(USER, 103), store.financing_key(USER, 101))
PAID_BY = ledger.paid_by(HOLDER, 100, ["a#grant", "b#grant"], at=NOW, until=DUE)
FOR_EVER = ledger.paid_by(HOLDER, 100, ["c#grant"], at=NOW + DAY, until=None)
OF_ANOTHER = ledger.paid_by(HOLDER, 1001, ["d#grant"], at=NOW, until=None)
DUNNING = Dunning(
    since=NOW, failures=1, payment_method_id="pm_1", code="card_declined", hard=False, next_attempt_at=NOW + DAY
)
REFUSED = a_subscription(id=101, status=Status.PAYMENT_ISSUE, dunning=DUNNING, lots_until=NOW + timedelta(days=30))
ENDED = a_subscription(id=102, ended_at=NOW, lots_until=NOW, next_payment_at=None)
HOLDINGS = rows_of(
    store.new_subscription(a_subscription(lots_until=DUE, next_payment_at=DUE - 2 * HOUR)),
    store.new_subscription(REFUSED),
    store.new_subscription(ENDED),
    store.new_subscription(a_subscription(id=104, user_id=USER + 1, lots_until=DUE + DAY, paid_until=DUE + DAY)),
    store.new_financing(a_financing(id=103, lots_until=NOW + timedelta(days=365), next_payment_at=DUE - HOUR)),
)

CASES = (
    Case(
        of=ledger.paid_by,
        name="entries until they end",
        writes=[PAID_BY],
        after={PAID_BY.key: {"entries": "a#grant b#grant", "ttl": SECOND + (30 + 200) * 86_400}},
    ),
    Case(
        of=ledger.paid_by,
        name="entries for ever",
        writes=[FOR_EVER],
        after={FOR_EVER.key: {"entries": "c#grant"}},
    ),
    Case(of=ledger.paid_by, name="twice", writes=[PAID_BY], before=rows_of(PAID_BY), refused=Unexpected),
)

ASKED = (
    Asked(
        of=ledger_queries.entries_paid_by,
        name="of one invoice",
        rows=rows_of(PAID_BY, FOR_EVER, OF_ANOTHER),
        ask=lambda table: [ledger_queries.entries_paid_by(table, HOLDER, ident) for ident in (100, 10, 1001)],
        answer=[["a#grant", "b#grant", "c#grant"], [], ["d#grant"]],
    ),
    Asked(
        of=queries.held,
        name="by its key",
        rows=HOLDINGS,
        ask=lambda table: [
            None if (found := queries.held(table, key)) is None else (found.holding.id, found.version) for key in KEYS
        ],
        answer=[(101, 1), (103, 1), None],
    ),
    Asked(
        of=queries.due_holdings,
        name="the oldest first, of everybody",
        rows=HOLDINGS,
        ask=lambda table: [
            [int(due.key.sk[4:]) for due in queries.due_holdings(table, at)]
            for at in (NOW + DAY - timedelta(seconds=1), NOW + DAY, DUE)
        ],
        answer=[[], [101], [101, 100, 103, 104]],
    ),
    Asked(
        of=queries.refused_holdings,
        name="a person's own",
        rows=HOLDINGS,
        ask=lambda table: [
            [held.holding.id for held in queries.refused_holdings(table, who)] for who in (USER, USER + 1)
        ],
        answer=[[101], []],
    ),
)
