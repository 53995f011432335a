"""Claims: one live holding of a plan for each person, one trial, and both belong to their invoice."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.books.subscriptions import queries, store
from chalicelib.books.subscriptions.model import Financing, Status, Subscription
from chalicelib.books.subscriptions.store import PlanAlreadyBought, PlanAlreadyFinanced, TrialAlreadyTaken
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Delete, Put, Unexpected, commit
from tests.billing_rows import NOW, USER, some_terms
from tests.moto_table import all_rows
from tests.refusals import assert_refused
from tests.shop import BASIC, BOOTCAMP

FIRST, SECOND = 3001, 3002


def a_subscription(**changed: Any) -> Subscription:
    values = {
        "id": FIRST,
        "user_id": USER,
        "status": Status.ACTIVE,
        "terms": some_terms(),
        "origin": NOW,
        "periods_paid": 1,
        "paid_at": NOW,
        "paid_until": NOW,
        "next_payment_at": NOW,
        "invoice_ids": (FIRST,),
        "created_at": NOW,
    }
    return Subscription.model_validate(values | changed)


def a_financing(**changed: Any) -> Financing:
    values = {
        "id": FIRST,
        "user_id": USER,
        "status": Status.ACTIVE,
        "terms": some_terms(),
        "origin": NOW,
        "how_many_installments": 12,
        "installments_paid": 1,
        "monthly_amount": 29_900,
        "paid_at": NOW,
        "next_payment_at": NOW,
        "plan_expires_at": NOW,
        "invoice_ids": (FIRST,),
        "created_at": NOW,
    }
    return Financing.model_validate(values | changed)


def claim(invoice_id: int, *, user_id: int = USER, plan_id: int = BASIC, financed: bool = False) -> Put:
    return store.claim_plan(user_id, plan_id, invoice_id=invoice_id, financed=financed)


def give_back(invoice_id: int) -> Delete:
    return store.give_back_plan(USER, BASIC, invoice_id=invoice_id)


class TestSubscriptions:
    def test_are_listed_newest_first(self, table: Table) -> None:
        made = [a_subscription(id=ident) for ident in (FIRST, SECOND)]
        commit(table, [store.new_subscription(one) for one in made])
        assert queries.subscriptions(table, USER) == made[::-1]
        assert queries.subscriptions(table, USER + 1) == []

    def test_are_put_once(self, table: Table) -> None:
        commit(table, [store.new_subscription(a_subscription())])
        again = store.new_subscription(a_subscription(status=Status.ERROR))
        assert_refused(table, [again], Unexpected, f"the subscription {FIRST} follows from its invoice")


class TestFinancings:
    def test_are_listed_newest_first(self, table: Table) -> None:
        made = [a_financing(id=ident) for ident in (FIRST, SECOND)]
        commit(table, [store.new_financing(one) for one in made])
        assert queries.financings(table, USER) == made[::-1]

    def test_are_put_once(self, table: Table) -> None:
        commit(table, [store.new_financing(a_financing())])
        assert_refused(table, [store.new_financing(a_financing())], Unexpected, f"the financing {FIRST} follows")


class TestAPlansClaim:
    @pytest.mark.parametrize(("financed", "error"), [(False, PlanAlreadyBought), (True, PlanAlreadyFinanced)])
    def test_is_refused_to_another_invoice_in_the_words_of_the_first(
        self, table: Table, financed: bool, error: type[Exception]
    ) -> None:
        commit(table, [claim(FIRST, financed=financed)])
        for second in (True, False):
            assert_refused(table, [claim(SECOND, financed=second)], error)
        row = table.get(store.plan_claim_key(USER, BASIC))
        assert row is not None
        assert store.is_financed(row) is financed

    def test_may_be_made_again_by_its_own_invoice(self, table: Table) -> None:
        commit(table, [claim(FIRST)])
        before = all_rows(table)
        commit(table, [claim(FIRST)])
        assert all_rows(table) == before

    def test_is_each_persons_and_each_plans(self, table: Table) -> None:
        commit(table, [claim(FIRST), claim(SECOND, user_id=USER + 1), claim(SECOND, plan_id=BOOTCAMP)])
        assert len(all_rows(table)) == 3

    def test_is_given_back_by_its_own_invoice_only(self, table: Table) -> None:
        commit(table, [claim(FIRST)])
        assert_refused(table, [give_back(SECOND)], Unexpected, "given back by the invoice that holds it")
        commit(table, [give_back(FIRST)])
        assert all_rows(table) == []
        commit(table, [claim(SECOND)])

    def test_may_be_given_back_twice(self, table: Table) -> None:
        commit(table, [give_back(FIRST)])
        assert all_rows(table) == []


class TestATrialsClaim:
    @pytest.mark.parametrize(
        "key", [store.trial_claim_key(USER, BASIC), store.card_trial_claim_key("fingerprint", BASIC)], ids=str
    )
    def test_is_refused_to_another_invoice(self, table: Table, key: Any) -> None:
        commit(table, [store.claim_trial(key, invoice_id=FIRST)])
        commit(table, [store.claim_trial(key, invoice_id=FIRST)])
        assert_refused(table, [store.claim_trial(key, invoice_id=SECOND)], TrialAlreadyTaken)

    def test_is_each_plans(self, table: Table) -> None:
        commit(table, [store.claim_trial(store.trial_claim_key(USER, BASIC), invoice_id=FIRST)])
        commit(table, [store.claim_trial(store.trial_claim_key(USER, BOOTCAMP), invoice_id=SECOND)])
        commit(table, [store.claim_trial(store.card_trial_claim_key("fingerprint", BOOTCAMP), invoice_id=SECOND)])
        assert len(all_rows(table)) == 3
