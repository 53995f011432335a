"""The dynamo layer: what a refused write means, what is sent again, and where a list may be read on."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from chalicelib.dynamo import writes
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Values
from chalicelib.dynamo.table import READ_ATTEMPTS_MAX, InvalidCursor, Table, Usage, usage
from chalicelib.dynamo.writes import (
    ATTEMPTS_MAX,
    BACKOFF_FIRST_SECONDS,
    BACKOFF_MAX_SECONDS,
    TRANSACTION_ITEMS_MAX,
    Check,
    Delete,
    Put,
    Refused,
    Unexpected,
    Update,
    Write,
    absent,
    at_version,
    commit,
    never,
    present,
)
from chalicelib.kernel.errors import TryLater
from tests.moto_table import Lost, all_rows, answering, cancelled, refusal

HERE = Key("PLACE#1", "HERE")
GONE = Key("PLACE#1", "GONE")


class Refusal(Exception):
    """A write was refused: its name, and the row as it was."""

    def __init__(self, name: str, old: Values | None) -> None:
        self.name = name
        self.old = old
        super().__init__(name)


def refused(name: str) -> Refused:
    return lambda old: Refusal(name, old)


def a_put(key: Key = GONE, name: str = "put", **values: Any) -> Put:
    return Put(key=key, values={"doc": "{}", **values}, condition=absent, refused=refused(name))


def an_update(key: Key = HERE, name: str = "update") -> Update:
    return Update(key=key, actions=(Path("n").add(1),), condition=present, refused=refused(name))


def a_delete(key: Key = HERE, name: str = "delete") -> Delete:
    return Delete(key=key, condition=present, refused=refused(name))


def a_check(key: Key = HERE, name: str = "check") -> Check:
    return Check(key=key, condition=present, refused=refused(name))


def values_at(table: Table, key: Key) -> Values | None:
    row = table.get(key)
    return None if row is None else row.values


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, float]]]:
    """What the jitter was drawn from. Nothing sleeps."""
    drawn: list[tuple[float, float]] = []
    slept: list[float] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    monkeypatch.setattr(writes, "backoff", writes.Backoff(uniform=uniform, sleep=slept.append))
    yield drawn
    assert slept == [high for _, high in drawn]


@pytest.fixture
def here(table: Table) -> Table:
    commit(table, [a_put(HERE, n=1)])
    return table


class TestOneWrite:
    @pytest.mark.parametrize(
        ("write", "old"),
        [
            (a_put(HERE), {"doc": "{}", "n": 1}),
            (an_update(GONE), None),
            (a_delete(GONE), None),
            (a_check(GONE), None),
        ],
        ids=["put", "update", "delete", "check"],
    )
    def test_that_is_refused_raises_what_it_says_and_changes_nothing(
        self, here: Table, write: Write, old: Values | None
    ) -> None:
        before = all_rows(here)
        with pytest.raises(Refusal) as refusal_of:
            commit(here, [write])
        assert refusal_of.value.old == old
        assert all_rows(here) == before

    def test_that_is_no_check_is_a_plain_call_at_half_the_price(self, here: Table) -> None:
        with answering(here) as called:
            commit(here, [an_update()])
            commit(here, [a_check()])
        assert called == ["UpdateItem", "TransactWriteItems"]

    def test_of_each_kind_is_done_where_its_condition_holds(self, here: Table) -> None:
        commit(here, [an_update()])
        assert values_at(here, HERE) == {"doc": "{}", "n": 2}
        commit(here, [a_put(GONE)])
        assert values_at(here, GONE) == {"doc": "{}"}
        commit(here, [a_delete(GONE)])
        assert values_at(here, GONE) is None

    def test_at_a_version_is_refused_once_the_row_has_another(self, table: Table) -> None:
        def put(version: int) -> Put:
            return Put(
                key=HERE,
                values={"version": version + 1},
                condition=at_version(version),
                refused=refused(f"at {version}"),
            )

        commit(table, [put(0)])
        commit(table, [put(1)])
        for stale in (0, 1):
            with pytest.raises(Refusal, match=f"at {stale}"):
                commit(table, [put(stale)])

    def test_that_may_never_be_refused_is_a_defect_when_it_is(self, here: Table) -> None:
        write = Put(key=HERE, values={}, condition=absent, refused=never("two rows with one id"))
        with pytest.raises(Unexpected, match="two rows with one id"):
            commit(here, [write])


class TestSeveralWrites:
    PASSING: Sequence[Write] = (
        a_put(Key("PLACE#2", "A"), name="passing put"),
        an_update(Key("PLACE#2", "B"), name="passing update"),
        a_delete(Key("PLACE#2", "C"), name="passing delete"),
        a_check(Key("PLACE#2", "D"), name="passing check"),
    )

    @pytest.fixture
    def there(self, here: Table) -> Table:
        for sort in "BCD":
            commit(here, [a_put(Key("PLACE#2", sort), n=1)])
        return here

    @pytest.mark.parametrize("position", range(5))
    @pytest.mark.parametrize(
        "write", [a_put(HERE), an_update(GONE), a_delete(GONE), a_check(GONE)], ids=lambda write: type(write).__name__
    )
    def test_are_refused_with_the_meaning_of_the_one_that_failed_wherever_it_stands(
        self, there: Table, write: Write, position: int
    ) -> None:
        before = all_rows(there)
        together = [*self.PASSING[:position], write, *self.PASSING[position:]]
        with pytest.raises(Refusal) as refusal_of:
            commit(there, together)
        assert refusal_of.value.name == type(write).__name__.lower()
        assert all_rows(there) == before

    def test_are_refused_with_the_row_as_it_was(self, there: Table) -> None:
        with pytest.raises(Refusal) as refusal_of:
            commit(there, [*self.PASSING, a_put(HERE)])
        assert refusal_of.value.old == {"doc": "{}", "n": 1}

    def test_are_all_done_together(self, there: Table) -> None:
        commit(there, self.PASSING)
        assert {row.key.sk: row.values for row in all_rows(there) if row.key.pk == "PLACE#2"} == {
            "A": {"doc": "{}"},
            "B": {"doc": "{}", "n": 2},
            "D": {"doc": "{}", "n": 1},
        }

    def test_of_which_two_fail_are_refused_with_the_meaning_of_the_first(self, there: Table) -> None:
        with pytest.raises(Refusal, match="first"):
            commit(there, [a_check(GONE, name="first"), a_put(HERE, name="second")])

    def test_of_which_one_follows_from_another_that_fails_too_are_no_defect(self, there: Table) -> None:
        follows = Put(key=HERE, values={}, condition=absent, refused=never("follows"))
        with pytest.raises(Refusal, match="cause"):
            commit(there, [follows, a_check(GONE, name="cause")])

    def test_more_than_a_transaction_takes_are_refused_before_anything_is_sent(self, table: Table) -> None:
        too_many = [a_put(Key("PLACE#3", str(number))) for number in range(TRANSACTION_ITEMS_MAX + 1)]
        with answering(table) as called, pytest.raises(Unexpected):
            commit(table, too_many)
        assert called == []
        commit(table, too_many[:-1])
        assert len(all_rows(table)) == TRANSACTION_ITEMS_MAX


class TestCollisions:
    PAIR: Sequence[Write] = (an_update(), a_put())

    @pytest.mark.parametrize(
        "collision",
        [
            cancelled("TransactionConflict", "None"),
            cancelled("None", "TransactionConflict"),
            cancelled("ThrottlingError", "None"),
            cancelled("None", "ProvisionedThroughputExceeded"),
        ],
        ids=["first", "second", "throttled", "provisioned"],
    )
    def test_in_a_transaction_are_sent_again_after_a_random_pause(
        self, here: Table, pauses: list[tuple[float, float]], collision: ClientError
    ) -> None:
        with answering(here, collision, collision, None) as called:
            commit(here, self.PAIR)
        assert called == ["TransactWriteItems"] * 3
        assert pauses == [(0.0, BACKOFF_FIRST_SECONDS), (0.0, BACKOFF_FIRST_SECONDS * 2)]
        assert values_at(here, HERE) == {"doc": "{}", "n": 2}

    def test_of_a_plain_write_with_a_transaction_are_sent_again(
        self, here: Table, pauses: list[tuple[float, float]]
    ) -> None:
        with answering(here, refusal("TransactionConflictException", "UpdateItem"), None):
            commit(here, [an_update()])
        assert len(pauses) == 1
        assert values_at(here, HERE) == {"doc": "{}", "n": 2}

    def test_that_do_not_end_become_try_later_and_leave_nothing(
        self, here: Table, pauses: list[tuple[float, float]]
    ) -> None:
        before = all_rows(here)
        with answering(here, *[cancelled("TransactionConflict", "None")] * ATTEMPTS_MAX), pytest.raises(TryLater):
            commit(here, self.PAIR)
        assert max(high for _, high in pauses) == BACKOFF_MAX_SECONDS
        assert all_rows(here) == before

    def test_beside_a_refusal_are_not_sent_again(self, here: Table, pauses: list[tuple[float, float]]) -> None:
        both = cancelled("TransactionConflict", "ConditionalCheckFailed")
        with answering(here, both) as called, pytest.raises(Refusal, match="put"):
            commit(here, self.PAIR)
        assert (called, pauses) == (["TransactWriteItems"], [])


class TestABusyTable:
    def test_is_asked_three_times_and_then_means_try_later(
        self, here: Table, pauses: list[tuple[float, float]]
    ) -> None:
        throttled = refusal("ProvisionedThroughputExceededException", "UpdateItem")
        with answering(here, *[throttled] * 3) as called, pytest.raises(TryLater):
            commit(here, [an_update()])
        assert len(called) == 3
        assert len(pauses) == 2

    def test_that_recovers_is_written_to_once(self, here: Table, pauses: list[tuple[float, float]]) -> None:
        with answering(here, refusal("ThrottlingException"), None):
            commit(here, [an_update()])
        assert len(pauses) == 1
        assert values_at(here, HERE) == {"doc": "{}", "n": 2}

    @pytest.mark.parametrize(
        "error",
        [
            refusal("ThrottlingException", "GetItem"),
            refusal("InternalServerError", "GetItem"),
            ConnectTimeoutError(endpoint_url="https://dynamodb.invalid"),
        ],
        ids=["throttled", "failing", "away"],
    )
    def test_means_try_later_to_a_read(self, table: Table, error: Exception) -> None:
        with answering(table, error), pytest.raises(TryLater):
            table.get(HERE)

    @pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException", "ResourceNotFoundException"])
    def test_is_not_taken_for_a_mistake_of_ours(self, here: Table, code: str) -> None:
        with answering(here, refusal(code, "UpdateItem")), pytest.raises(ClientError, match=code):
            commit(here, [an_update()])

    def test_is_not_taken_for_a_mistake_of_ours_in_a_transaction(self, here: Table) -> None:
        with answering(here, cancelled("ValidationError", "None")) as called, pytest.raises(ClientError):
            commit(here, [an_update(), a_put()])
        assert len(called) == 1


class TestALostAnswer:
    def test_of_a_write_that_was_done_is_a_refusal_by_itself(
        self, table: Table, pauses: list[tuple[float, float]]
    ) -> None:
        with answering(table, Lost()), pytest.raises(Refusal) as refusal_of:
            commit(table, [a_put(GONE, mine="yes")])
        assert refusal_of.value.old == {"doc": "{}", "mine": "yes"}
        assert len(pauses) == 1


class TestGetMany:
    def test_reads_more_than_a_batch_takes_in_as_few_calls_as_it_can(self, table: Table) -> None:
        keys = [Key("MANY", f"{number:03}") for number in range(205)]
        for key in keys[:120]:
            commit(table, [a_put(key)])
        with answering(table) as called:
            found = table.get_many([*keys, *keys])
        assert sorted(key.sk for key in found) == [key.sk for key in keys[:120]]
        assert called == ["BatchGetItem"] * 3

    def test_asks_again_for_what_the_table_left_out(self, here: Table) -> None:
        keys = {"Keys": [HERE.encoded()], "ConsistentRead": True}
        left_out = {"Responses": {here.name: []}, "UnprocessedKeys": {here.name: keys}}
        with answering(here, left_out, None):
            assert set(here.get_many([HERE, GONE])) == {HERE}

    def test_means_try_later_where_the_table_keeps_leaving_out(self, here: Table) -> None:
        left_out = {"Responses": {}, "UnprocessedKeys": {here.name: {"Keys": [HERE.encoded()]}}}
        with answering(here, *[left_out] * READ_ATTEMPTS_MAX), pytest.raises(TryLater):
            here.get_many([HERE])

    def test_of_nothing_asks_nothing(self, table: Table) -> None:
        with answering(table) as called:
            assert table.get_many([]) == {}
        assert called == []


class TestLists:
    @pytest.fixture
    def filled(self, table: Table) -> Table:
        for tenant in (1, 2):
            for number in range(5):
                values: dict[str, Any] = {"ref": f"LIST#{tenant}", "ref_sk": str(number), "due_shard": f"d#{tenant}"}
                commit(table, [a_put(Key(f"TENANT#{tenant}", f"ROW#{number}"), due_at=number, **values)])
        return table

    def test_are_read_on_from_their_cursor_to_their_end(self, filled: Table) -> None:
        first = filled.query("TENANT#1", prefix="ROW#", limit=3, newest_first=True)
        second = filled.query("TENANT#1", prefix="ROW#", limit=3, newest_first=True, cursor=first.next_cursor)
        assert [row.key.sk for row in (*first.items, *second.items)] == [f"ROW#{n}" for n in (4, 3, 2, 1, 0)]
        assert second.next_cursor is None

    def test_by_reference_are_read_on_too(self, filled: Table) -> None:
        first = filled.query_ref("LIST#2", limit=4)
        second = filled.query_ref("LIST#2", limit=4, cursor=first.next_cursor)
        assert [row.key for row in (*first.items, *second.items)] == [Key("TENANT#2", f"ROW#{n}") for n in range(5)]

    def test_refuse_a_cursor_of_another_partition(self, filled: Table) -> None:
        foreign = filled.query("TENANT#2", limit=2).next_cursor
        with answering(filled) as called, pytest.raises(InvalidCursor):
            filled.query("TENANT#1", limit=2, cursor=foreign)
        assert called == []

    def test_refuse_a_cursor_of_another_reference(self, filled: Table) -> None:
        foreign = filled.query_ref("LIST#2", limit=2).next_cursor
        with pytest.raises(InvalidCursor):
            filled.query_ref("LIST#1", limit=2, cursor=foreign)

    @pytest.mark.parametrize(
        "key",
        [
            [],
            "pk",
            {"pk": {"S": "TENANT#1"}, "sk": {"B": "x"}},
            {"pk": {"S": "TENANT#1"}, "sk": "x"},
            {"pk": {"S": "TENANT#1"}},
            {"pk": {"S": "TENANT#1"}, "sk": {"N": "1"}},
            {"pk": {"S": "TENANT#1"}, "sk": {"S": "A"}},
        ],
    )
    def test_refuse_a_cursor_that_no_list_handed_out(self, filled: Table, key: Any) -> None:
        for cursor in (base64.urlsafe_b64encode(json.dumps(key).encode()).decode(), "", "nonsense", "ä"):
            with pytest.raises(InvalidCursor):
                filled.query("TENANT#1", prefix="ROW#", limit=2, cursor=cursor)

    def test_of_what_is_due_hold_what_is_due_by_then_the_oldest_first(self, filled: Table) -> None:
        due = filled.query_due("d#1", until=2, limit=10)
        assert [(one.key.sk, one.at.timestamp()) for one in due] == [(f"ROW#{n}", n) for n in (0, 1, 2)]


class TestUsage:
    def test_counts_calls_and_capacity_of_whoever_asks(self, table: Table) -> None:
        spent = Usage()
        token = usage.set(spent)
        try:
            commit(table, [a_put(HERE)])
            table.get(HERE)
        finally:
            usage.reset(token)
        table.get(HERE)
        assert (spent.calls, spent.operations) == (2, ["PutItem", "GetItem"])
        assert spent.units > 0
