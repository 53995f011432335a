"""Messages: put once, due until they are sent, and kept for a while after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.books.outbox import queries, store
from chalicelib.books.outbox.model import FIRST_SWEEP_AFTER, Message, MessageStatus, next_attempt
from chalicelib.books.outbox.store import AnotherSends
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Unexpected, commit
from tests.billing_rows import NOW
from tests.refusals import assert_refused

FAR = NOW + timedelta(days=99)


def a_message(**changed: Any) -> Message:
    values = {
        "id": "receipt_1",
        "to": "ada@example.com",
        "subject": "Receipt",
        "text": "t",
        "html": "h",
        "created_at": NOW,
    }
    return Message.model_validate(values | changed)


@pytest.fixture
def message(table: Table) -> Message:
    """A message that waits."""
    made = a_message()
    commit(table, [store.new(made)])
    return made


class TestAMessage:
    def test_is_put_once(self, table: Table, message: Message) -> None:
        assert queries.message(table, "receipt_1") == (message, 1)
        assert_refused(table, [store.new(message)], Unexpected, "receipt_1 follows from its cause")

    def test_that_was_never_put_is_not_found(self, table: Table) -> None:
        assert queries.message(table, "receipt_1") is None

    def test_is_changed_by_whoever_read_it_last(self, table: Table, message: Message) -> None:
        sent = a_message(status=MessageStatus.SENT, attempts=1)
        commit(table, [store.changed(sent, version=1, due_at=None, now=NOW)])
        assert queries.message(table, "receipt_1") == (sent, 2)
        for version in (0, 1, 3):
            assert_refused(table, [store.changed(message, version=version, due_at=FAR, now=NOW)], AnotherSends)

    def test_that_is_not_there_is_not_made(self, table: Table) -> None:
        assert_refused(table, [store.changed(a_message(), version=1, due_at=None, now=NOW)], AnotherSends)

    def test_is_due_a_minute_after_it_was_put(self, table: Table, message: Message) -> None:
        at = NOW + FIRST_SWEEP_AFTER
        assert queries.due(table, at - timedelta(seconds=1)) == []
        assert queries.due(table, at) == ["receipt_1"]

    def test_is_due_again_when_its_next_try_comes(self, table: Table, message: Message) -> None:
        later = NOW + timedelta(hours=2)
        commit(table, [store.changed(a_message(attempts=1), version=1, due_at=later, now=NOW)])
        assert queries.due(table, later - timedelta(seconds=1)) == []
        assert queries.due(table, later) == ["receipt_1"]
        row = table.get(store.message_key("receipt_1"))
        assert row is not None
        assert "ttl" not in row.values

    @pytest.mark.parametrize("status", [MessageStatus.SENT, MessageStatus.FAILED])
    def test_is_due_no_more_once_it_is_sent_or_given_up(
        self, table: Table, message: Message, status: MessageStatus
    ) -> None:
        commit(table, [store.changed(a_message(status=status), version=1, due_at=FAR, now=NOW)])
        assert queries.due(table, FAR + timedelta(days=1)) == []
        row = table.get(store.message_key("receipt_1"))
        assert row is not None
        assert row.values["ttl"] == int((NOW + timedelta(days=90)).timestamp())

    @pytest.mark.parametrize("status", MessageStatus)
    def test_that_is_confidential_keeps_its_text_only_while_it_waits(
        self, table: Table, message: Message, status: MessageStatus
    ) -> None:
        after = a_message(status=status, text="a link", html="<a>", confidential=True)
        commit(table, [store.changed(after, version=1, due_at=FAR, now=NOW)])
        found = queries.message(table, "receipt_1")
        assert found is not None
        waits = status is MessageStatus.PENDING
        assert (found[0].text, found[0].html) == (("a link", "<a>") if waits else ("", ""))
        assert (found[0].to, found[0].subject) == (after.to, after.subject)


class TestNextAttempt:
    @pytest.mark.parametrize(
        ("attempts", "minutes"), [(0, 1), (1, 1), (2, 2), (3, 4), (10, 512), (11, 720), (12, 720), (10**6, 720)]
    )
    def test_doubles_from_a_minute_to_twelve_hours(self, attempts: int, minutes: int) -> None:
        assert next_attempt(attempts, NOW) == NOW + timedelta(minutes=minutes)
