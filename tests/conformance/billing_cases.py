"""Bags, invoices, customers and attempts."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.books.billing import store
from chalicelib.books.billing.attempts import AttemptKind
from chalicelib.books.billing.model import BagState, InvoiceStatus
from chalicelib.dynamo.rows import Key, Row, Values
from chalicelib.dynamo.writes import Unexpected, Update
from tests.conformance.cases import Case, rows_of
from tests.conformance.things import NOW, SECOND, USER, a_bag, a_customer, an_invoice

BAG, INVOICE = store.bag_key(USER, 40), store.invoice_key(USER, 100)
CHECKING = store.new_bag(a_bag(), "{}")
PAYING: Values = {name: value for name, value in CHECKING.values.items() if name != "ttl"} | {
    "state": "PAYING",
    "invoice_id": 100,
}
PAID: Values = {**PAYING, "state": "PAID"}
PENDING = store.new_invoice(an_invoice(), "{}")
FULFILLED = an_invoice(status=InvoiceStatus.FULFILLED)
CUSTOMER = a_customer(customer_id="cus_1")
ATTEMPTS = store.attempts_key(USER, AttemptKind.PAYMENT)
ONE_ATTEMPT: Values = {"try_1": SECOND - 5, "version": 1, "ttl": SECOND + 7195}
OLD_ATTEMPT: Values = {"try_1": SECOND - 3600, "version": 1, "ttl": SECOND + 3600}


def _invoice_row(status: InvoiceStatus, version: int) -> Values:
    invoice = an_invoice(status=status)
    values = {**PENDING.values, "doc": invoice.model_dump_json(), "version": version}
    if status is InvoiceStatus.PENDING:
        return values
    return {name: value for name, value in values.items() if name not in ("due_shard", "due_at")}


def _begins(row: Values | None, key: Key = ATTEMPTS) -> Update:
    found = None if row is None else Row(key, row)
    return store.attempt_begins(USER, AttemptKind.PAYMENT, found, attempt_id=9, limit=5, now=NOW)


BAGS = (
    Case(of=store.new_bag, name="where there is none", writes=[CHECKING]),
    Case(of=store.new_bag, name="the same again", writes=[CHECKING], before=rows_of(CHECKING)),
    Case(
        of=store.new_bag,
        name="another one with its id",
        writes=[store.new_bag(a_bag(token="other"), "{}")],
        before=rows_of(CHECKING),
        refused=Unexpected,
    ),
    Case(
        of=store.bag_begins,
        name="from checking",
        writes=[store.bag_begins(USER, 40, invoice_id=100)],
        before=rows_of(CHECKING),
        after={BAG: PAYING},
    ),
    Case(
        of=store.bag_begins,
        name="at once to paid",
        writes=[store.bag_begins(USER, 40, invoice_id=100, state=BagState.PAID)],
        before=rows_of(CHECKING),
        after={BAG: PAID},
    ),
    Case(
        of=store.bag_begins,
        name="when another pays it",
        writes=[store.bag_begins(USER, 40, invoice_id=101)],
        before={BAG: PAYING},
        refused=store.BagMoved,
    ),
    Case(
        of=store.bag_begins,
        name="where there is none",
        writes=[store.bag_begins(USER, 40, invoice_id=100)],
        refused=store.BagMoved,
    ),
    Case(
        of=store.bag_paid,
        name="from paying",
        writes=[store.bag_paid(USER, 40, invoice_id=100)],
        before={BAG: PAYING},
        after={BAG: PAID},
    ),
    Case(
        of=store.bag_paid,
        name="paid before",
        writes=[store.bag_paid(USER, 40, invoice_id=100)],
        before={BAG: PAID},
        refused=store.BagMoved,
    ),
    Case(
        of=store.bag_paid,
        name="where there is none",
        writes=[store.bag_paid(USER, 40, invoice_id=100)],
        refused=store.BagMoved,
    ),
    Case(
        of=store.bag_reopens,
        name="from paying",
        writes=[store.bag_reopens(USER, 40, invoice_id=100)],
        before={BAG: PAYING},
        after={BAG: {name: value for name, value in PAYING.items() if name != "invoice_id"} | {"state": "CHECKING"}},
    ),
    Case(
        of=store.bag_reopens,
        name="another invoice's",
        writes=[store.bag_reopens(USER, 40, invoice_id=101)],
        before={BAG: PAYING},
        refused=store.BagMoved,
    ),
    Case(
        of=store.bag_reopens,
        name="a paid one",
        writes=[store.bag_reopens(USER, 40, invoice_id=100)],
        before={BAG: PAID},
        refused=store.BagMoved,
    ),
)

INVOICES = (
    Case(of=store.new_invoice, name="where there is none", writes=[PENDING]),
    Case(
        of=store.new_invoice,
        name="another one with its id",
        writes=[PENDING],
        before={INVOICE: _invoice_row(InvoiceStatus.FULFILLED, 2)},
        refused=Unexpected,
    ),
    Case(
        of=store.changed_invoice,
        name="that leaves the due index",
        writes=[store.changed_invoice(FULFILLED, version=1)],
        before=rows_of(PENDING),
        after={INVOICE: _invoice_row(InvoiceStatus.FULFILLED, 2)},
    ),
    Case(
        of=store.changed_invoice,
        name="that is due later",
        writes=[store.changed_invoice(an_invoice(), version=1, due_at=NOW + timedelta(hours=2))],
        before=rows_of(PENDING),
        after={INVOICE: {**_invoice_row(InvoiceStatus.PENDING, 2), "due_at": SECOND + 7200}},
    ),
    Case(
        of=store.changed_invoice,
        name="moved since it was read",
        writes=[store.changed_invoice(FULFILLED, version=1)],
        before={INVOICE: _invoice_row(InvoiceStatus.FULFILLED, 2)},
        refused=store.InvoiceMoved,
    ),
    Case(
        of=store.changed_invoice,
        name="where there is none",
        writes=[store.changed_invoice(FULFILLED, version=1)],
        refused=store.InvoiceMoved,
    ),
    Case(
        of=store.put_customer,
        name="the first",
        writes=[store.put_customer(CUSTOMER, version=0)],
    ),
    Case(
        of=store.put_customer,
        name="over the one that was read",
        writes=[store.put_customer(a_customer(), version=1)],
        before=rows_of(store.put_customer(CUSTOMER, version=0)),
    ),
    Case(
        of=store.put_customer,
        name="a second first",
        writes=[store.put_customer(CUSTOMER, version=0)],
        before=rows_of(store.put_customer(CUSTOMER, version=0)),
        refused=store.CustomerMoved,
    ),
    Case(
        of=store.put_customer,
        name="moved since it was read",
        writes=[store.put_customer(CUSTOMER, version=1)],
        before=rows_of(store.put_customer(CUSTOMER, version=1)),
        refused=store.CustomerMoved,
    ),
)

ATTEMPTS_CASES = (
    Case(
        of=store.attempt_begins,
        name="the first",
        writes=[_begins(None)],
        after={ATTEMPTS: {"try_9": SECOND, "version": 1, "ttl": SECOND + 7200}},
    ),
    Case(
        of=store.attempt_begins,
        name="beside one of this hour",
        writes=[_begins(ONE_ATTEMPT)],
        before={ATTEMPTS: ONE_ATTEMPT},
        after={ATTEMPTS: {"try_1": SECOND - 5, "try_9": SECOND, "version": 2, "ttl": SECOND + 7200}},
    ),
    Case(
        of=store.attempt_begins,
        name="that drops one of another hour",
        writes=[_begins(OLD_ATTEMPT)],
        before={ATTEMPTS: OLD_ATTEMPT},
        after={ATTEMPTS: {"try_9": SECOND, "version": 2, "ttl": SECOND + 7200}},
    ),
    Case(
        of=store.attempt_begins,
        name="another began meanwhile",
        writes=[_begins(ONE_ATTEMPT)],
        before={ATTEMPTS: {**ONE_ATTEMPT, "version": 2}},
        refused=store.AttemptsMoved,
    ),
    Case(
        of=store.attempt_begins,
        name="another was the first",
        writes=[_begins(None)],
        before={ATTEMPTS: ONE_ATTEMPT},
        refused=store.AttemptsMoved,
    ),
    Case(
        of=store.attempt_begins,
        name="on what a late success left of an expired row",
        writes=[_begins({})],
        before={ATTEMPTS: {}},
        after={ATTEMPTS: {"try_9": SECOND, "version": 1, "ttl": SECOND + 7200}},
    ),
    Case(
        of=store.attempt_uncounted,
        name="after its row expired",
        writes=[store.attempt_uncounted(USER, AttemptKind.PAYMENT, attempt_id=1)],
        after={ATTEMPTS: {}},
    ),
    Case(
        of=store.attempt_uncounted,
        name="is taken off",
        writes=[store.attempt_uncounted(USER, AttemptKind.PAYMENT, attempt_id=1)],
        before={ATTEMPTS: ONE_ATTEMPT},
        after={ATTEMPTS: {"version": 1, "ttl": SECOND + 7195}},
    ),
    Case(
        of=store.attempt_uncounted,
        name="was not counted",
        writes=[store.attempt_uncounted(USER, AttemptKind.PAYMENT, attempt_id=2)],
        before={ATTEMPTS: ONE_ATTEMPT},
        after={ATTEMPTS: ONE_ATTEMPT},
    ),
    Case(
        of=store.attempt_declined,
        name="counts from now on, beside another",
        writes=[store.attempt_declined(USER, AttemptKind.PAYMENT, attempt_id=2, now=NOW)],
        before={ATTEMPTS: ONE_ATTEMPT},
        after={ATTEMPTS: {**ONE_ATTEMPT, "try_2": SECOND, "ttl": SECOND + 7200}},
    ),
    Case(
        of=store.attempt_declined,
        name="after its row expired",
        writes=[store.attempt_declined(USER, AttemptKind.PAYMENT, attempt_id=2, now=NOW)],
        after={ATTEMPTS: {"try_2": SECOND, "ttl": SECOND + 7200}},
    ),
)

CASES = (*BAGS, *INVOICES, *ATTEMPTS_CASES)
