"""Bags, invoices, customers and attempts: who moves first wins, and everybody else is told so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.books.billing import queries, store
from chalicelib.books.billing.attempts import AttemptKind, TooManyAttempts
from chalicelib.books.billing.model import (
    PENDING_SWEEP_AFTER,
    BagState,
    Customer,
    InvoiceStatus,
    PaymentRef,
    SavedCard,
)
from chalicelib.books.billing.store import AttemptsMoved, BagMoved, CustomerMoved, InvoiceMoved
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Unexpected, Update, commit
from chalicelib.kernel.pages import Page
from tests.billing_rows import ACADEMY, BAG, INVOICE, NOW, USER, a_bag, an_invoice
from tests.moto_table import Lost, all_rows, answering
from tests.refusals import assert_refused

OTHER = INVOICE + 1
pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.fixture
def bag(table: Table) -> Table:
    """A table with a bag that nobody pays yet."""
    commit(table, [store.new_bag(a_bag(), "content")])
    return table


def begins(invoice_id: int = INVOICE, state: BagState = BagState.PAYING) -> Update:
    return store.bag_begins(USER, BAG, invoice_id=invoice_id, state=state)


def paid(invoice_id: int = INVOICE) -> Update:
    return store.bag_paid(USER, BAG, invoice_id=invoice_id)


def reopens(invoice_id: int = INVOICE) -> Update:
    return store.bag_reopens(USER, BAG, invoice_id=invoice_id)


def state(table: Table) -> tuple[BagState, int | None]:
    found = queries.bag(table, USER, BAG)
    return found.state, found.invoice_id


def expires(table: Table) -> bool:
    row = table.get(store.bag_key(USER, BAG))
    return row is not None and "ttl" in row.values


class TestABag:
    def test_waits_for_its_payment_and_then_for_its_end(self, bag: Table) -> None:
        found = queries.bag(bag, USER, BAG)
        assert (found.bag, found.content, found.state, found.invoice_id) == (
            a_bag(),
            "content",
            BagState.CHECKING,
            None,
        )
        row = bag.get(store.bag_key(USER, BAG))
        assert row is not None
        assert row.values["ttl"] == int((a_bag().expires_at + timedelta(days=7)).timestamp())

    def test_is_nobody_elses(self, bag: Table) -> None:
        with pytest.raises(queries.BagNotFound):
            queries.bag(bag, USER + 1, BAG)

    def test_is_put_once(self, bag: Table) -> None:
        changed = store.new_bag(a_bag(token="another"), "content")
        assert_refused(bag, [changed], Unexpected, f"two bags with the id {BAG}")

    def test_is_put_once_where_the_answer_was_lost(self, table: Table) -> None:
        with answering(table, Lost()):
            commit(table, [store.new_bag(a_bag(), "content")])
        assert len(all_rows(table)) == 1

    def test_is_paid_by_one_invoice_at_a_time(self, bag: Table) -> None:
        commit(bag, [begins()])
        assert state(bag) == (BagState.PAYING, INVOICE)
        assert not expires(bag)
        for invoice_id in (INVOICE, OTHER):
            assert_refused(bag, [begins(invoice_id)], BagMoved)

    def test_may_be_paid_at_once(self, bag: Table) -> None:
        commit(bag, [begins(state=BagState.PAID)])
        assert state(bag) == (BagState.PAID, INVOICE)
        assert_refused(bag, [begins(OTHER)], BagMoved)

    def test_is_paid_once(self, bag: Table) -> None:
        commit(bag, [begins()])
        commit(bag, [paid()])
        assert state(bag) == (BagState.PAID, INVOICE)
        for write in (paid(), paid(OTHER), begins(OTHER), reopens()):
            assert_refused(bag, [write], BagMoved)

    def test_may_be_paid_late_after_it_was_reopened(self, bag: Table) -> None:
        commit(bag, [begins()])
        commit(bag, [reopens()])
        commit(bag, [paid()])
        assert state(bag) == (BagState.PAID, INVOICE)

    def test_is_reopened_by_the_invoice_that_was_paying_it(self, bag: Table) -> None:
        assert_refused(bag, [reopens()], BagMoved)
        commit(bag, [begins()])
        assert_refused(bag, [reopens(OTHER)], BagMoved)
        commit(bag, [reopens()])
        assert state(bag) == (BagState.CHECKING, None)
        commit(bag, [begins(OTHER)])
        assert state(bag) == (BagState.PAYING, OTHER)

    def test_that_is_not_there_is_not_made(self, table: Table) -> None:
        for write in (begins(), paid(), reopens()):
            assert_refused(table, [write], BagMoved)


def a_payment(at: datetime) -> PaymentRef:
    return PaymentRef(
        account="default",
        customer_id="cus_1",
        payment_method_id="pm_1",
        card_brand="visa",
        card_last4="4242",
        key="k",
        attempted_at=at,
    )


def due(table: Table, at: datetime) -> list[int]:
    return [int(key.sk.removeprefix("INVOICE#")) for key in queries.due_invoices(table, at)]


class TestAnInvoice:
    def test_is_put_once(self, table: Table) -> None:
        commit(table, [store.new_invoice(an_invoice(), "delivery")])
        found = queries.invoice(table, USER, INVOICE)
        assert (found.invoice, found.delivery, found.version) == (an_invoice(), "delivery", 1)
        again = store.new_invoice(an_invoice(), "delivery")
        assert_refused(table, [again], Unexpected, f"two invoices with the id {INVOICE}")

    def test_is_changed_by_whoever_read_it_last(self, table: Table) -> None:
        commit(table, [store.new_invoice(an_invoice(), "delivery")])
        fulfilled = an_invoice(status=InvoiceStatus.FULFILLED, paid_at=NOW)
        commit(table, [store.changed_invoice(fulfilled, version=1)])
        found = queries.invoice(table, USER, INVOICE)
        assert (found.invoice, found.delivery, found.version) == (fulfilled, "delivery", 2)
        for version in (0, 1, 3):
            assert_refused(table, [store.changed_invoice(an_invoice(), version=version)], InvoiceMoved)

    def test_that_is_not_there_is_not_made(self, table: Table) -> None:
        assert_refused(table, [store.changed_invoice(an_invoice(), version=1)], InvoiceMoved)

    def test_is_nobody_elses(self, table: Table) -> None:
        commit(table, [store.new_invoice(an_invoice(), "delivery")])
        with pytest.raises(queries.InvoiceNotFound):
            queries.invoice(table, USER + 1, INVOICE)

    @pytest.mark.parametrize(
        ("payment", "since"), [(None, NOW), (a_payment(NOW + timedelta(hours=1)), NOW + timedelta(hours=1))]
    )
    def test_is_due_while_it_is_pending_too_long(
        self, table: Table, payment: PaymentRef | None, since: datetime
    ) -> None:
        commit(table, [store.new_invoice(an_invoice(payment=payment), "delivery")])
        at = since + PENDING_SWEEP_AFTER
        assert due(table, at - timedelta(seconds=1)) == []
        assert due(table, at) == [INVOICE]

    @pytest.mark.parametrize("status", sorted(set(InvoiceStatus) - {InvoiceStatus.PENDING}))
    def test_is_due_no_more_once_it_is_decided(self, table: Table, status: InvoiceStatus) -> None:
        commit(table, [store.new_invoice(an_invoice(), "delivery")])
        commit(table, [store.changed_invoice(an_invoice(status=status), version=1)])
        assert due(table, NOW + timedelta(days=999)) == []

    def test_may_be_looked_at_again_later(self, table: Table) -> None:
        commit(table, [store.new_invoice(an_invoice(), "delivery")])
        later = NOW + timedelta(hours=5)
        commit(table, [store.changed_invoice(an_invoice(), version=1, due_at=later)])
        assert due(table, later - timedelta(seconds=1)) == []
        assert due(table, later) == [INVOICE]

    def test_is_listed_by_person_and_status_and_by_academy(self, table: Table) -> None:
        for number, status in enumerate((InvoiceStatus.PENDING, InvoiceStatus.FULFILLED, InvoiceStatus.REFUNDED)):
            commit(table, [store.new_invoice(an_invoice(id=INVOICE + number, status=status), "d")])
        wanted = frozenset({InvoiceStatus.PENDING, InvoiceStatus.REFUNDED})
        mine = queries.invoices(table, USER, statuses=wanted, limit=9)
        assert [one.id for one in mine.items] == [INVOICE + 2, INVOICE]
        assert queries.invoices(table, USER + 1, statuses=wanted, limit=9) == Page((), None)
        assert len(table.query_ref(store.invoices_ref(ACADEMY), limit=9).items) == 3


def a_customer(**changed: Any) -> Customer:
    return Customer.model_validate({"user_id": USER, "account": "default", "updated_at": NOW} | changed)


class TestACustomer:
    CARD = SavedCard(payment_method_id="pm_1", brand="visa", last4="4242", exp_month=1, exp_year=2030)

    def test_is_one_for_each_person_and_account(self, table: Table) -> None:
        assert queries.customer(table, USER, "default", NOW).version == 0
        known = a_customer(customer_id="cus_1", card=self.CARD)
        commit(table, [store.put_customer(known, version=0)])
        found = queries.customer(table, USER, "default", NOW)
        assert (found.customer, found.version) == (known, 1)
        assert queries.customer(table, USER, "other", NOW).version == 0
        assert_refused(table, [store.put_customer(a_customer(customer_id="cus_2"), version=0)], CustomerMoved)

    def test_is_changed_by_whoever_read_it_last(self, table: Table) -> None:
        commit(table, [store.put_customer(a_customer(customer_id="cus_1"), version=0)])
        commit(table, [store.put_customer(a_customer(customer_id="cus_1", setup_id="seti_1"), version=1)])
        for version in (0, 1, 3):
            assert_refused(table, [store.put_customer(a_customer(), version=version)], CustomerMoved)

    def test_is_found_by_its_id_at_the_processor_while_it_has_one(self, table: Table) -> None:
        commit(table, [store.put_customer(a_customer(customer_id="cus_1"), version=0)])
        assert queries.user_of_customer(table, "default", "cus_1") == USER
        assert queries.user_of_customer(table, "other", "cus_1") is None
        commit(table, [store.put_customer(a_customer(generation=1), version=1)])
        assert queries.user_of_customer(table, "default", "cus_1") is None


class TestAttempts:
    KEY = store.attempts_key(USER, AttemptKind.PAYMENT)

    def begin(self, table: Table, attempt_id: int, *, limit: int = 2, now: datetime = NOW) -> None:
        row = table.get(self.KEY)
        commit(
            table,
            [store.attempt_begins(USER, AttemptKind.PAYMENT, row, attempt_id=attempt_id, limit=limit, now=now)],
        )

    def test_up_to_the_limit_are_let_through(self, table: Table) -> None:
        self.begin(table, 1)
        self.begin(table, 2)
        before = all_rows(table)
        with pytest.raises(TooManyAttempts) as refused:
            self.begin(table, 3, now=NOW + timedelta(seconds=10))
        assert refused.value.retry_after_seconds == 3590
        assert all_rows(table) == before

    def test_of_two_at_once_are_counted_one_after_the_other(self, table: Table) -> None:
        for row in (None, table.get(self.KEY)):
            write = store.attempt_begins(USER, AttemptKind.PAYMENT, row, attempt_id=1, limit=9, now=NOW)
            if table.get(self.KEY) is None:
                commit(table, [write])
            else:
                assert_refused(table, [write], AttemptsMoved)
        read_before = table.get(self.KEY)
        self.begin(table, 2)
        write = store.attempt_begins(USER, AttemptKind.PAYMENT, read_before, attempt_id=3, limit=9, now=NOW)
        assert_refused(table, [write], AttemptsMoved)

    def test_that_succeed_count_no_more(self, table: Table) -> None:
        self.begin(table, 1)
        self.begin(table, 2)
        commit(table, [store.attempt_uncounted(USER, AttemptKind.PAYMENT, attempt_id=1)])
        commit(table, [store.attempt_uncounted(USER, AttemptKind.PAYMENT, attempt_id=1)])
        self.begin(table, 3)
        with pytest.raises(TooManyAttempts):
            self.begin(table, 4)

    def test_that_succeed_after_their_row_expired_stand_in_nobodys_way(self, table: Table) -> None:
        """The table forgets the row after two hours; a bank may take days, and its answer makes a row of no version."""
        commit(table, [store.attempt_uncounted(USER, AttemptKind.PAYMENT, attempt_id=1)])
        self.begin(table, 2)
        self.begin(table, 3)
        with pytest.raises(TooManyAttempts):
            self.begin(table, 4)

    def test_of_an_hour_ago_are_forgotten(self, table: Table) -> None:
        self.begin(table, 1)
        self.begin(table, 2, now=NOW + timedelta(minutes=30))
        later = NOW + timedelta(hours=1)
        self.begin(table, 3, now=later)
        row = table.get(self.KEY)
        assert row is not None
        assert {name for name in row.values if name.startswith("try_")} == {"try_2", "try_3"}
        assert row.values["ttl"] == int((later + timedelta(hours=2)).timestamp())

    def test_of_each_kind_are_counted_apart(self, table: Table) -> None:
        self.begin(table, 1, limit=1)
        cards = store.attempts_key(USER, AttemptKind.CARD)
        assert table.get(cards) is None
        commit(table, [store.attempt_begins(USER, AttemptKind.CARD, None, attempt_id=1, limit=1, now=NOW)])
        assert table.get(cards) is not None
