"""Records of keyed requests: opened once, answered by whoever opened them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.books.idempotency import store
from chalicelib.books.idempotency.model import KEPT_FOR, Keyed, Record, RequestInFlight, StoredAnswer, input_hash
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import commit
from tests.billing_rows import NOW
from tests.moto_table import all_rows
from tests.refusals import assert_refused

ANSWER = StoredAnswer(status=200, body='{"status":"FULFILLED"}')


def a_keyed(**changed: Any) -> Keyed:
    values: dict[str, Any] = {"caller": "7", "route": "POST /pay", "key": "k1", "input_hash": "h1"}
    return Keyed(render=lambda result: ANSWER, **(values | changed))


def the_record(table: Table, keyed: Keyed) -> Record:
    row = table.get(store.key_of(keyed))
    assert row is not None
    assert row.values["ttl"] == int((NOW + KEPT_FOR).timestamp())
    return store.read(row)


class TestARecord:
    def test_is_opened_once(self, table: Table) -> None:
        keyed = a_keyed()
        commit(table, [store.opened(keyed, subject=3001, now=NOW)])
        assert the_record(table, keyed) == Record(input_hash="h1", subject=3001, created_at=NOW)
        assert_refused(table, [store.opened(keyed, subject=3002, now=NOW)], RequestInFlight)
        assert_refused(table, [store.opened(a_keyed(input_hash="h2"), subject=1, now=NOW)], RequestInFlight)

    def test_keeps_its_answer(self, table: Table) -> None:
        keyed = a_keyed()
        commit(table, [store.opened(keyed, subject=3001, now=NOW - timedelta(hours=1))])
        commit(table, [store.answered(keyed, ANSWER, subject=3001, now=NOW)])
        assert the_record(table, keyed).answer == ANSWER
        assert_refused(table, [store.opened(keyed, subject=3002, now=NOW)], RequestInFlight)

    def test_that_was_not_opened_is_not_answered(self, table: Table) -> None:
        assert_refused(table, [store.answered(a_keyed(), ANSWER, subject=3001, now=NOW)], RequestInFlight)

    def test_may_be_opened_and_answered_at_once(self, table: Table) -> None:
        keyed = a_keyed()
        commit(table, [store.answered_at_once(keyed, ANSWER, subject=3001, now=NOW)])
        assert the_record(table, keyed).answer == ANSWER
        assert_refused(table, [store.answered_at_once(keyed, ANSWER, subject=3002, now=NOW)], RequestInFlight)
        assert_refused(table, [store.opened(keyed, subject=3002, now=NOW)], RequestInFlight)

    def test_that_is_released_may_be_opened_again(self, table: Table) -> None:
        keyed = a_keyed()
        assert_refused(table, [store.released(keyed)], RequestInFlight)
        commit(table, [store.opened(keyed, subject=3001, now=NOW)])
        commit(table, [store.released(keyed)])
        assert all_rows(table) == []
        commit(table, [store.opened(keyed, subject=3002, now=NOW)])

    @pytest.mark.parametrize("changed", [{"caller": "8"}, {"route": "POST /refund"}, {"key": "K1"}])
    def test_is_each_callers_routes_and_keys(self, table: Table, changed: dict[str, Any]) -> None:
        commit(table, [store.opened(one, subject=1, now=NOW) for one in (a_keyed(), a_keyed(**changed))])
        assert len(all_rows(table)) == 2


class TestInputHash:
    @pytest.mark.parametrize("pair", [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([1], [1]), (None, None)])
    def test_is_the_same_for_the_same_json(self, pair: Sequence[Any]) -> None:
        assert input_hash(pair[0]) == input_hash(pair[1])

    @pytest.mark.parametrize("pair", [({"a": 1}, {"a": "1"}), ([1, 2], [2, 1]), ({}, None), ({"a": None}, {})])
    def test_is_another_for_other_json(self, pair: Sequence[Any]) -> None:
        assert input_hash(pair[0]) != input_hash(pair[1])
