"""Signing in: what it answers, what it never tells, and how often it may be tried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.books.identity import operations, queries, store
from chalicelib.books.identity.model import (
    LoginAttempt,
)
from chalicelib.books.identity.operations import (
    LOGINS_PER_EMAIL_MAX,
    LOGINS_PER_SOURCE_MAX,
    TOKEN_LIFE,
    TooManyLogins,
    WrongLogin,
)
from chalicelib.books.identity.store import (
    TTL_MARGIN_SECONDS,
    email_key,
)
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Put, commit
from tests.identity_calls import NOW, PASSWORD, a_user
from tests.moto_table import all_rows, answering, cancelled

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.usefixtures("no_pauses")


class TestLogin:
    ATTEMPT = LoginAttempt(email="ada@example.com", password=PASSWORD)
    WRONG = LoginAttempt(email="ada@example.com", password="wrong password")

    def test_with_the_right_password_answers_a_token(self, table: Table) -> None:
        user = a_user(table, password=PASSWORD)
        attempt = LoginAttempt(email="ADA@example.com", password=PASSWORD)
        signed_in = operations.login(table, attempt, now=NOW)
        found = queries.credential_of(table, signed_in.secret, NOW)
        assert found is not None
        assert found.person == user.person
        assert found.expires_at == signed_in.expires_at == NOW + TOKEN_LIFE

    def test_compares_a_password_even_where_there_is_none(
        self, table: Table, cheap_passwords: list[str | None]
    ) -> None:
        a_user(table)
        for email in ("ada@example.com", "nobody@example.com"):
            with pytest.raises(WrongLogin) as refusal:
                operations.login(table, LoginAttempt(email=email, password=PASSWORD), now=NOW)
            assert refusal.value.sentence == WrongLogin().sentence
        assert cheap_passwords == [None, None]

    def test_asks_the_table_as_much_where_nobody_has_the_email(
        self, table: Table, cheap_passwords: list[str | None]
    ) -> None:
        a_user(table, password=PASSWORD)
        asked = []
        for email in ("ada@example.com", "nobody@example.com"):
            with answering(table) as called, pytest.raises(WrongLogin):
                operations.login(table, LoginAttempt(email=email, password="wrong password"), now=NOW)
            asked.append(called)
        assert asked[0] == asked[1]

    @pytest.mark.parametrize("known", [True, False], ids=["of a user", "of nobody"])
    def test_is_shut_after_ten_wrong_passwords_for_an_email_even_to_the_right_one(
        self, table: Table, cheap_passwords: list[str | None], known: bool
    ) -> None:
        if known:
            a_user(table, password=PASSWORD)
        for _ in range(LOGINS_PER_EMAIL_MAX):
            with pytest.raises(WrongLogin):
                operations.login(table, self.WRONG, now=NOW)
        assert len(cheap_passwords) == LOGINS_PER_EMAIL_MAX
        for attempt in (self.WRONG, self.ATTEMPT, LoginAttempt(email="ADA@example.com", password=PASSWORD)):
            with pytest.raises(TooManyLogins) as refusal:
                operations.login(table, attempt, now=NOW + timedelta(minutes=20))
            assert refusal.value.retry_after_seconds == 40 * 60
        assert len(cheap_passwords) == LOGINS_PER_EMAIL_MAX

    def test_is_open_again_an_hour_after_the_first_of_them(
        self, table: Table, cheap_passwords: list[str | None]
    ) -> None:
        a_user(table, password=PASSWORD)
        for minute in range(LOGINS_PER_EMAIL_MAX):
            with pytest.raises(WrongLogin):
                operations.login(table, self.WRONG, now=NOW + timedelta(minutes=minute))
        with pytest.raises(TooManyLogins) as refusal:
            operations.login(table, self.ATTEMPT, now=NOW + HOUR - SECOND)
        assert refusal.value.retry_after_seconds == 1
        assert operations.login(table, self.ATTEMPT, now=NOW + HOUR)

    def test_that_is_right_counts_for_nothing(self, table: Table, cheap_passwords: list[str | None]) -> None:
        a_user(table, password=PASSWORD)
        for _ in range(LOGINS_PER_EMAIL_MAX - 1):
            with pytest.raises(WrongLogin):
                operations.login(table, self.WRONG, now=NOW)
        for _ in range(3):
            operations.login(table, self.ATTEMPT, now=NOW)
        with pytest.raises(WrongLogin):
            operations.login(table, self.WRONG, now=NOW)
        with pytest.raises(TooManyLogins):
            operations.login(table, self.ATTEMPT, now=NOW)

    def test_of_one_email_does_not_count_for_another(self, table: Table, cheap_passwords: list[str | None]) -> None:
        a_user(table, "eve@example.com", password=PASSWORD)
        for _ in range(LOGINS_PER_EMAIL_MAX):
            with pytest.raises(WrongLogin):
                operations.login(table, self.WRONG, now=NOW)
        assert operations.login(table, LoginAttempt(email="eve@example.com", password=PASSWORD), now=NOW)

    def test_from_one_address_is_shut_for_all_emails_and_uses_up_nobodys_tries(
        self, table: Table, cheap_passwords: list[str | None]
    ) -> None:
        a_user(table, password=PASSWORD)
        source = "203.0.113.9"
        for number in range(LOGINS_PER_SOURCE_MAX):
            attempt = LoginAttempt(email=f"{number}@example.com", password=PASSWORD, source=source)
            with pytest.raises(WrongLogin):
                operations.login(table, attempt, now=NOW)
        for _ in range(LOGINS_PER_EMAIL_MAX):
            with pytest.raises(TooManyLogins):
                operations.login(
                    table, LoginAttempt(email="ada@example.com", password=PASSWORD, source=source), now=NOW
                )
        elsewhere = LoginAttempt(email="ada@example.com", password=PASSWORD, source="203.0.113.10")
        assert operations.login(table, elsewhere, now=NOW)

    def test_is_counted_before_the_password_is_tried(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        """Eleven at once, all past the count and before their password was tried: the eleventh is shut out."""
        depth = 0

        def in_the_middle(stored: str | None, password: str) -> bool:
            nonlocal depth
            depth += 1
            with pytest.raises((WrongLogin, TooManyLogins)):
                operations.login(table, self.WRONG, now=NOW)
            return False

        monkeypatch.setattr("chalicelib.books.identity.credentials.password_matches", in_the_middle)
        with pytest.raises(WrongLogin):
            operations.login(table, self.WRONG, now=NOW)
        assert depth == LOGINS_PER_EMAIL_MAX

    def test_that_loses_the_race_for_a_new_hour_counts_in_it(
        self, table: Table, cheap_passwords: list[str | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun = store.first_counted

        def begun_by_somebody_else(key: Key, **hour: Any) -> Put:
            write = begun(key, **hour)
            commit(table, [write])
            return write

        monkeypatch.setattr(store, "first_counted", begun_by_somebody_else)
        with pytest.raises(WrongLogin):
            operations.login(table, self.WRONG, now=NOW)
        assert [row.values["tries"] for row in all_rows(table) if row.key.sk == "LOGIN"] == [2]

    def test_is_refused_where_the_password_changes_before_the_token_is_made(
        self, table: Table, cheap_passwords: list[str | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = a_user(table, password=PASSWORD)
        as_read = queries.user_and_version(table, user.id)
        monkeypatch.setattr(queries, "user_by_email", lambda table, email: user)
        operations.set_password(table, user.id, "another password")
        with pytest.raises(WrongLogin):
            operations.login(table, self.ATTEMPT, now=NOW)
        monkeypatch.setattr(queries, "user_and_version", lambda table, user_id: as_read)
        with pytest.raises(WrongLogin):
            operations.login(table, self.ATTEMPT, now=NOW)
        assert queries.tokens_of(table, user.id, NOW) == ()

    def test_keeps_its_count_where_the_table_collides(self, table: Table, cheap_passwords: list[str | None]) -> None:
        a_user(table, password=PASSWORD)
        with pytest.raises(WrongLogin):
            operations.login(table, self.WRONG, now=NOW)
        with answering(table, cancelled("TransactionConflict"), None), pytest.raises(WrongLogin):
            operations.login(table, self.WRONG, now=NOW)
        row = table.get(Key(email_key("ada@example.com").pk, "LOGIN"))
        assert row is not None
        assert row.values["tries"] == 2
        assert row.values["ttl"] == int((NOW + HOUR).timestamp()) + TTL_MARGIN_SECONDS
