"""Tokens, operators, passwords and API keys: made once, ended once, and never good after their end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chalicelib.books.identity import operations, queries
from chalicelib.books.identity.credentials import API_KEY_PREFIX, TOKEN_PREFIX, secret_digest, token_id
from chalicelib.books.identity.model import (
    LoginAttempt,
    NewApiKey,
)
from chalicelib.books.identity.operations import (
    WrongLogin,
)
from chalicelib.books.identity.queries import ApiKeyNotFound, TokenNotFound
from chalicelib.books.identity.store import (
    TTL_MARGIN_SECONDS,
    AcademyNotFound,
    UserChanged,
    entry_key,
)
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Delete, Write, commit, never, present
from chalicelib.kernel.pages import PageRequest
from tests.identity_calls import NOW, PASSWORD, a_token, a_user, an_academy
from tests.moto_table import Lost, all_rows, answering

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.usefixtures("no_pauses")


class TestTokens:
    def test_find_their_person_in_one_read_and_are_stored_hashed(self, table: Table) -> None:
        user = a_user(table)
        secret = a_token(table, user)
        assert secret.startswith(TOKEN_PREFIX)
        assert secret not in str(all_rows(table))
        with answering(table) as called:
            found = queries.credential_of(table, secret, NOW)
        assert called == ["GetItem"]
        assert found is not None
        assert (found.kind, found.person, found.is_operator) == ("token", user.person, False)

    def test_are_refused_at_and_after_their_end_though_the_row_is_there(self, table: Table) -> None:
        secret = a_token(table, a_user(table), life=HOUR)
        assert queries.credential_of(table, secret, NOW + HOUR - SECOND) is not None
        assert queries.credential_of(table, secret, NOW + HOUR) is None
        assert queries.credential_of(table, secret, NOW + HOUR * 9999) is None

    def test_are_cleaned_up_after_their_end_and_not_before(self, table: Table) -> None:
        a_token(table, a_user(table), life=HOUR)
        ends = {row.values["ttl"] for row in all_rows(table) if "TOKEN" in row.key.pk + row.key.sk}
        assert ends == {int((NOW + HOUR).timestamp()) + TTL_MARGIN_SECONDS}

    @pytest.mark.parametrize("secret", ["", "x", "x" * 101, "\ud800", "purser_token_"])
    def test_that_are_unknown_find_nobody(self, table: Table, secret: str) -> None:
        a_token(table, a_user(table))
        assert queries.credential_of(table, secret, NOW) is None

    def test_cannot_be_found_by_their_hash(self, table: Table) -> None:
        secret = a_token(table, a_user(table))
        assert queries.credential_of(table, secret_digest(secret), NOW) is None

    def test_that_are_ended_find_nobody_and_end_once(self, table: Table) -> None:
        user = a_user(table)
        ended, other = a_token(table, user), a_token(table, user)
        assert operations.revoke_token(table, ended) is True
        assert queries.credential_of(table, ended, NOW) is None
        assert queries.credential_of(table, other, NOW) is not None
        assert operations.revoke_token(table, ended) is False
        assert operations.revoke_token(table, "unknown") is False

    def test_ended_by_two_at_once_are_ended_by_one(self, table: Table) -> None:
        user = a_user(table)
        digest = secret_digest(a_token(table, user))
        assert [operations.end_token(table, user.id, digest=digest) for _ in range(2)] == [True, False]

    def test_that_the_table_cleaned_up_by_half_are_ended_all_the_same(self, table: Table) -> None:
        user = a_user(table)
        cleaned = a_token(table, user)
        a_token(table, user)
        gone: Write = Delete(
            key=Key(f"TOKEN#{secret_digest(cleaned)}", "TOKEN"), condition=present, refused=never("there")
        )
        commit(table, [gone])
        assert operations.end_tokens(table, user.id) == 1
        assert queries.tokens_of(table, user.id, NOW) == ()
        assert table.get(entry_key(user.id, token_id(secret_digest(cleaned)))) is None

    def test_of_a_person_are_ended_together_however_many(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(operations, "TOKENS_ENDED_AT_ONCE_MAX", 2)
        ada, eve = a_user(table), a_user(table, "eve@example.com")
        secrets, others = [a_token(table, ada) for _ in range(5)], a_token(table, eve)
        assert operations.end_tokens(table, ada.id) == 5
        assert [queries.credential_of(table, secret, NOW) for secret in secrets] == [None] * 5
        assert queries.credential_of(table, others, NOW) is not None

    def test_are_listed_newest_first_while_they_are_valid(self, table: Table) -> None:
        user = a_user(table)
        a_token(table, user, life=HOUR)
        old, new = (a_token(table, user, now=NOW + HOUR * n) for n in (1, 2))
        listed = queries.tokens_of(table, user.id, NOW + HOUR)
        assert [entry.id for entry in listed] == [token_id(secret_digest(secret)) for secret in (new, old)]
        with pytest.raises(TokenNotFound):
            queries.token(table, user.id, "unknown")

    def test_for_somebody_who_is_gone_or_changing_are_refused(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = a_user(table)
        monkeypatch.setattr(queries, "user_and_version", lambda table, user_id: (user, 99))
        with pytest.raises(UserChanged):
            a_token(table, user)
        assert queries.tokens_of(table, user.id, NOW) == ()

    def test_carry_what_their_person_is_now(self, table: Table) -> None:
        """A user read before the change must not make an operator's token after it."""
        stale = a_user(table, is_operator=True)
        operations.set_operator(table, stale.id, is_operator=False)
        found = queries.credential_of(table, a_token(table, stale), NOW)
        assert found is not None
        assert found.is_operator is False

    def test_make_one_only_where_the_answer_was_lost(self, table: Table) -> None:
        user = a_user(table)
        with answering(table, None, Lost()):
            secret = a_token(table, user)
        assert queries.credential_of(table, secret, NOW) is not None
        assert len(queries.tokens_of(table, user.id, NOW)) == 1


class TestSetOperator:
    def test_counts_from_the_next_token(self, table: Table) -> None:
        user = a_user(table)
        before = a_token(table, user)
        operations.set_operator(table, user.id, is_operator=True)
        after = a_token(table, user)
        found = [queries.credential_of(table, secret, NOW) for secret in (before, after)]
        assert [credential and credential.is_operator for credential in found] == [False, True]

    def test_ends_every_token_of_whoever_no_longer_is_one(self, table: Table) -> None:
        user = a_user(table, is_operator=True)
        secret = a_token(table, user)
        operations.set_operator(table, user.id, is_operator=False)
        assert queries.credential_of(table, secret, NOW) is None


class TestSetPassword:
    def test_ends_every_token_and_lets_the_new_one_in(self, table: Table, cheap_passwords: list[str | None]) -> None:
        user = a_user(table, password=PASSWORD)
        secret = a_token(table, user)
        operations.set_password(table, user.id, "another password")
        assert queries.credential_of(table, secret, NOW) is None
        with pytest.raises(WrongLogin):
            operations.login(table, LoginAttempt(email=user.email, password=PASSWORD), now=NOW)
        assert operations.login(table, LoginAttempt(email=user.email, password="another password"), now=NOW)

    def test_by_two_at_once_is_refused_to_the_second(
        self, table: Table, cheap_passwords: list[str | None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        user = a_user(table)
        as_read = queries.user_and_version(table, user.id)
        operations.set_password(table, user.id, "first password")
        monkeypatch.setattr(queries, "user_and_version", lambda table, user_id: as_read)
        with pytest.raises(UserChanged):
            operations.set_password(table, user.id, "second password")

    def test_is_done_once_where_its_answer_was_lost(self, table: Table, cheap_passwords: list[str | None]) -> None:
        user = a_user(table)
        with answering(table, None, Lost()):
            operations.set_password(table, user.id, PASSWORD)
        assert queries.user(table, user.id).password_hash == f"hash of {PASSWORD}"


class TestApiKeys:
    def test_find_their_holder_with_its_scopes_and_academy(self, table: Table) -> None:
        academy = an_academy(table)
        issued = operations.issue_api_key(
            table, NewApiKey(name="till", scopes=("studio",), academy_id=academy.id), now=NOW
        )
        found = queries.credential_of(table, issued.secret, NOW + HOUR * 24 * 3650)
        assert found is not None
        assert issued.secret.startswith(API_KEY_PREFIX)
        assert issued.secret not in str(all_rows(table))
        assert (found.kind, found.scopes, found.academy_id) == ("api_key", ("studio",), academy.id)
        assert (found.person.user_id, found.person.email, found.person.first_name) == (issued.id, "", "till")

    def test_of_an_academy_that_there_is_not_are_refused(self, table: Table) -> None:
        with pytest.raises(AcademyNotFound):
            operations.issue_api_key(table, NewApiKey(name="till", scopes=("studio",), academy_id=1), now=NOW)
        assert all_rows(table) == []

    def test_that_are_ended_find_nobody_and_end_once(self, table: Table) -> None:
        issued = operations.issue_api_key(table, NewApiKey(name="till", scopes=("studio",)), now=NOW)
        operations.end_api_key(table, issued.id)
        assert queries.credential_of(table, issued.secret, NOW) is None
        with pytest.raises(ApiKeyNotFound):
            operations.end_api_key(table, issued.id)
        assert all_rows(table) == []

    def test_ended_by_two_at_once_are_ended_by_one(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        issued = operations.issue_api_key(table, NewApiKey(name="till", scopes=("studio",)), now=NOW)
        as_read = queries.api_key(table, issued.id)
        operations.end_api_key(table, issued.id)
        monkeypatch.setattr(queries, "api_key", lambda table, key_id: as_read)
        with pytest.raises(ApiKeyNotFound):
            operations.end_api_key(table, issued.id)

    def test_take_another_id_where_two_met(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = iter([7, 7, 8])
        monkeypatch.setattr(operations, "new_id", lambda now: next(ids))
        new = NewApiKey(name="till", scopes=("studio",))
        issued = [operations.issue_api_key(table, new, now=NOW) for _ in range(2)]
        assert [key.id for key in issued] == [7, 8]
        assert all(queries.credential_of(table, key.secret, NOW) for key in issued)

    def test_are_listed_for_their_academy_or_all(self, table: Table) -> None:
        an_academy(table, ident=1)
        an_academy(table, "uptown", ident=11)
        for academy_id in (None, 1, 11):
            operations.issue_api_key(
                table, NewApiKey(name=f"of {academy_id}", scopes=("studio",), academy_id=academy_id), now=NOW
            )
        assert [key.name for key in queries.api_keys(table, 1, PageRequest()).items] == ["of 1"]
        assert len(queries.api_keys(table, None, PageRequest()).items) == 3
