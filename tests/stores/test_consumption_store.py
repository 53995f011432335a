"""Sessions: one for each person, service and hash, for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.books.consumption import queries, store
from chalicelib.books.consumption.model import Session, SessionStatus
from chalicelib.books.consumption.store import HashTaken, SessionChanged
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import commit
from tests.billing_rows import ACADEMY, NOW, USER
from tests.moto_table import all_rows
from tests.refusals import assert_refused
from tests.shop import CHAT

ETA = NOW + timedelta(seconds=60)


def a_session(**changed: Any) -> Session:
    values = {
        "id": 4001,
        "user_id": USER,
        "academy_id": ACADEMY,
        "service_id": CHAT,
        "service_slug": "ai-chat",
        "hash": "abc",
        "how_many": 1,
        "takings": (("USER", USER, "4001_0#consume"),),
        "created_at": NOW,
        "eta": ETA,
    }
    return Session.model_validate(values | changed)


class TestNew:
    def test_is_found_by_id_and_by_hash(self, table: Table) -> None:
        session = a_session()
        commit(table, store.new(session))
        assert queries.session(table, USER, session.id) == (session, 1)
        assert queries.session_of_hash(table, USER, "ai-chat", "abc") == session
        assert queries.session_of_hash(table, USER, "ai-chat", "abd") is None

    def test_is_refused_for_a_hash_that_is_taken(self, table: Table) -> None:
        commit(table, store.new(a_session()))
        assert_refused(table, store.new(a_session(id=4002)), HashTaken)

    @pytest.mark.parametrize("changed", [{"user_id": USER + 1}, {"service_slug": "events"}, {"hash": "ABC"}])
    def test_of_another_person_service_or_hash_is_another(self, table: Table, changed: dict[str, Any]) -> None:
        commit(table, store.new(a_session()))
        commit(table, store.new(a_session(id=4002, **changed)))
        assert len(all_rows(table)) == 4

    def test_without_a_hash_claims_none(self, table: Table) -> None:
        commit(table, store.new(a_session(hash=None)))
        commit(table, store.new(a_session(id=4002, hash=None)))
        assert len(all_rows(table)) == 2

    def test_with_an_id_that_is_taken_is_told_so(self, table: Table) -> None:
        commit(table, store.new(a_session()))
        assert_refused(table, store.new(a_session(hash="other")), store.SessionIdTaken)

    def test_that_is_sent_again_is_told_that_it_was_made(self, table: Table) -> None:
        commit(table, store.new(a_session(hash=None)))
        assert_refused(table, store.new(a_session(hash=None)), store.SessionMade)

    def test_is_nobody_elses(self, table: Table) -> None:
        commit(table, store.new(a_session()))
        with pytest.raises(queries.SessionNotFound):
            queries.session(table, USER + 1, 4001)


class TestChanged:
    def test_is_refused_where_somebody_changed_it_first(self, table: Table) -> None:
        session = a_session()
        commit(table, store.new(session))
        cancelled = session.model_copy(update={"cancelled_at": NOW})
        commit(table, [store.changed(cancelled, version=1)])
        assert queries.session(table, USER, session.id) == (cancelled, 2)
        assert_refused(table, [store.changed(cancelled, version=1)], SessionChanged)

    def test_is_refused_where_there_is_none(self, table: Table) -> None:
        assert_refused(table, [store.changed(a_session(), version=1)], SessionChanged)


class TestSessions:
    def test_of_a_service_are_listed_newest_first(self, table: Table) -> None:
        for number in range(4):
            slug = "events" if number == 1 else "ai-chat"
            commit(table, store.new(a_session(id=4001 + number, hash=str(number), service_slug=slug)))
        page = queries.sessions(table, USER, "ai-chat", limit=2)
        assert [session.id for session in page.items] == [4004, 4003]


class TestStatus:
    @pytest.mark.parametrize(
        ("seconds", "cancelled", "expected"),
        [
            (59, False, SessionStatus.PENDING),
            (60, False, SessionStatus.DONE),
            (59, True, SessionStatus.CANCELLED),
            (61, True, SessionStatus.CANCELLED),
        ],
    )
    def test_follows_from_the_time(self, seconds: int, cancelled: bool, expected: SessionStatus) -> None:
        session = a_session(cancelled_at=NOW if cancelled else None)
        assert session.status(NOW + timedelta(seconds=seconds)) is expected
