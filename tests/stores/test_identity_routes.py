"""Signing in and out, and what operators make and end, as requests and answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import chalicelib.entrypoints.academy.identity
import chalicelib.entrypoints.ops.identity
from chalicelib.books.identity import operations, queries
from chalicelib.books.identity.model import Position
from chalicelib.books.identity.operations import LOGINS_PER_EMAIL_MAX, TooManyLogins, UserExists, WrongLogin
from chalicelib.books.identity.queries import ApiKeyNotFound, TokenNotFound
from chalicelib.books.identity.store import AcademyIdTaken, AcademyNotFound, AcademySlugTaken, UserNotFound
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints._auth import (
    AcademyMismatch,
    NotAuthenticated,
    OperatorOnly,
    PermissionDenied,
    Unauthenticated,
    mint_jwt,
)
from chalicelib.entrypoints._http import ROUTES, Access, Answer, problem
from chalicelib.entrypoints._json import MalformedJson
from chalicelib.entrypoints.academy.identity import NoToken
from chalicelib.kernel.errors import InvalidRequest
from tests.identity_calls import NOW, PASSWORD, a_token, a_user, an_academy, send, settings, with_token
from tests.moto_table import all_rows

OURS = (chalicelib.entrypoints.academy.identity.__name__, chalicelib.entrypoints.ops.identity.__name__)
LOGIN = {"email": "ada@example.com", "password": PASSWORD}

Ops = Callable[..., Answer]


@pytest.fixture
def ops(table: Table) -> Ops:
    """Send a request as an operator."""
    headers = with_token(a_token(table, a_user(table, "ops@example.com", is_operator=True)))

    def call(method: str, path: str, **request: Any) -> Answer:
        return send(table, method, f"/ops/{path}", headers={**headers, **request.pop("headers", {})}, **request)

    return call


class TestLogin:
    def test_answers_a_token_that_lets_its_person_in(self, table: Table) -> None:
        user = a_user(table, password=PASSWORD)
        answer = send(table, "POST", "/v1/auth/login", body=LOGIN)
        assert answer.status == 200
        assert set(answer.body) == {"token", "expires_at", "user_id", "email"}
        assert (answer.body["user_id"], answer.body["email"]) == (user.id, "ada@example.com")
        assert answer.body["expires_at"] == "2026-12-21T12:00:00Z"
        assert queries.credential_of(table, answer.body["token"], NOW) is not None

    @pytest.mark.parametrize(
        "wrong",
        [{"password": "wrong password"}, {"email": "eve@example.com"}, {"email": "no address"}, {"password": "short"}],
        ids=repr,
    )
    def test_that_is_wrong_is_not_told_why(self, table: Table, wrong: dict[str, str]) -> None:
        a_user(table, password=PASSWORD)
        with pytest.raises(WrongLogin) as refusal:
            send(table, "POST", "/v1/auth/login", body={**LOGIN, **wrong})
        answer = problem(refusal.value)
        assert (answer.status, answer.body["slug"]) == (401, "wrong-login")

    @pytest.mark.parametrize(
        "malformed",
        [
            {"email": "", "password": PASSWORD},
            {"email": "a" * 255, "password": PASSWORD},
            {"email": "ada@example.com"},
            {"email": "ada@example.com", "password": "x" * 201},
            {"email": ["ada@example.com"], "password": PASSWORD},
            {"email": "ada@example.com", "password": None},
            {"email": "\ud800", "password": PASSWORD},
        ],
        ids=repr,
    )
    def test_that_is_malformed_is_refused_before_it_counts(self, table: Table, malformed: dict[str, Any]) -> None:
        with pytest.raises((InvalidRequest, MalformedJson)):
            send(table, "POST", "/v1/auth/login", body=malformed)
        assert all_rows(table) == []

    def test_that_failed_too_often_says_when_to_come_back(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chalicelib.books.identity.credentials.password_matches", lambda stored, password: False)
        for _ in range(LOGINS_PER_EMAIL_MAX):
            with pytest.raises(WrongLogin):
                send(table, "POST", "/v1/auth/login", body=LOGIN)
        with pytest.raises(TooManyLogins) as refusal:
            send(table, "POST", "/v1/auth/login", body=LOGIN)
        answer = problem(refusal.value)
        assert (answer.status, answer.body["slug"], answer.headers["Retry-After"]) == (429, "too-many-logins", "3600")

    def test_counts_by_the_address_that_the_gateway_saw(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(operations, "LOGINS_PER_SOURCE_MAX", 2)
        monkeypatch.setattr("chalicelib.books.identity.credentials.password_matches", lambda stored, password: False)
        for number in (1, 2):
            with pytest.raises(WrongLogin):
                _login_from(table, f"10.0.0.{number}, 203.0.113.9", f"{number}@example.com")
        with pytest.raises(TooManyLogins):
            _login_from(table, "10.0.0.3, 203.0.113.9", "3@example.com")
        with pytest.raises(WrongLogin):
            _login_from(table, "203.0.113.9, 203.0.113.10", "4@example.com")

    def test_with_a_bad_credential_is_refused_though_anybody_may_log_in(self, table: Table) -> None:
        a_user(table, password=PASSWORD)
        with pytest.raises(Unauthenticated):
            send(table, "POST", "/v1/auth/login", headers=with_token("unknown"), body=LOGIN)


class TestLogout:
    def test_ends_the_presented_token_and_no_other(self, table: Table) -> None:
        user = a_user(table)
        ended, other = with_token(a_token(table, user)), with_token(a_token(table, user))
        assert send(table, "POST", "/v1/auth/logout", headers=ended) == Answer(204)
        with pytest.raises(Unauthenticated):
            send(table, "POST", "/v1/auth/logout", headers=ended)
        assert send(table, "POST", "/v1/auth/logout", headers=other).status == 204

    def test_without_credentials_is_refused(self, table: Table) -> None:
        with pytest.raises(NotAuthenticated):
            send(table, "POST", "/v1/auth/logout")

    def test_of_a_signed_token_says_that_it_ends_by_itself(self, table: Table) -> None:
        person = a_user(table).person
        token = mint_jwt(person, settings=settings(), now=NOW, expires_at=NOW + timedelta(hours=1))
        with pytest.raises(NoToken):
            send(table, "POST", "/v1/auth/logout", headers={"authorization": f"Bearer {token}"})

    def test_is_not_for_programs(self, table: Table, ops: Ops) -> None:
        key = ops("POST", "api-keys", body={"name": "till", "scopes": ["studio"]}).body["key"]
        with pytest.raises(PermissionDenied):
            send(table, "POST", "/v1/auth/logout", headers={"x-api-key": key})


class TestAcademies:
    BODY: dict[str, Any] = {"name": "Downtown", "slug": "downtown", "main_currency": "usd"}  # noqa: RUF012

    def test_are_made_shown_and_listed(self, ops: Ops) -> None:
        made = ops("POST", "academies", body={**self.BODY, "id": 7})
        assert (made.status, made.body["id"], made.body["main_currency"]) == (201, 7, "USD")
        assert ops("GET", "academies/7").body == made.body
        ops("POST", "academies", body={**self.BODY, "slug": "uptown", "id": 8})
        first = ops("GET", "academies", query={"limit": "1"}).body
        assert (first["data"][0]["id"], first["has_more"]) == (8, True)
        second = ops("GET", "academies", query={"cursor": first["next_cursor"]}).body
        assert second == {"data": [made.body], "has_more": False, "next_cursor": None}

    def test_get_an_id_where_none_is_given(self, ops: Ops) -> None:
        assert ops("POST", "academies", body=self.BODY).body["id"] > 10**6

    def test_are_refused_where_slug_or_id_is_taken(self, ops: Ops) -> None:
        ops("POST", "academies", body={**self.BODY, "id": 7})
        with pytest.raises(AcademySlugTaken) as slug_refusal:
            ops("POST", "academies", body=self.BODY)
        assert problem(slug_refusal.value).status == 400
        with pytest.raises(AcademyIdTaken) as id_refusal:
            ops("POST", "academies", body={**self.BODY, "slug": "uptown", "id": 7})
        assert problem(id_refusal.value).status == 409

    def test_that_there_are_not_are_not_found(self, ops: Ops) -> None:
        with pytest.raises(AcademyNotFound) as refusal:
            ops("GET", "academies/1")
        assert problem(refusal.value).status == 404


class TestStaff:
    BODY: dict[str, Any] = {  # noqa: RUF012
        "email": "ada@example.com",
        "first_name": "Ada",
        "role": "support_staff",
        "capabilities": ["issue_refund"],
    }

    @pytest.fixture(autouse=True)
    def academy(self, table: Table) -> None:
        an_academy(table, ident=1)

    def test_are_hired_listed_and_dismissed(self, table: Table, ops: Ops) -> None:
        hired = ops("POST", "academies/1/staff", body={**self.BODY, "password": PASSWORD})
        assert hired.status == 201
        member, token = hired.body["member"], hired.body["token"]
        assert member["capabilities"] == ["read_subscription", "read_invoice", "issue_refund", "read_consumable"]
        found = queries.credential_of(table, token["token"], NOW)
        assert found is not None
        assert found.person.user_id == token["user_id"] == member["user_id"]
        assert ops("GET", "academies/1/staff").body["data"] == [member]
        assert ops("DELETE", f"academies/1/staff/{member['user_id']}") == Answer(204)
        assert queries.membership(table, member["user_id"], 1) is None
        with pytest.raises(UserNotFound):
            ops("DELETE", f"academies/1/staff/{member['user_id']}")
        assert send(table, "POST", "/v1/auth/login", body=LOGIN).status == 200

    def test_who_have_an_account_keep_it_and_their_password(self, table: Table, ops: Ops) -> None:
        user = a_user(table)
        assert ops("POST", "academies/1/staff", body=self.BODY).body["member"]["user_id"] == user.id
        with pytest.raises(UserExists) as refusal:
            ops("POST", "academies/1/staff", body={**self.BODY, "password": PASSWORD})
        assert problem(refusal.value).status == 409

    def test_of_an_academy_that_there_is_not_are_refused(self, ops: Ops) -> None:
        with pytest.raises(AcademyNotFound):
            ops("POST", "academies/2/staff", body=self.BODY)

    @pytest.mark.parametrize("capabilities", [[1], ["x" * 61], "issue_refund", ["issue_refund"] * 16])
    def test_with_malformed_capabilities_are_refused(self, ops: Ops, capabilities: Any) -> None:
        with pytest.raises(InvalidRequest):
            ops("POST", "academies/1/staff", body={**self.BODY, "capabilities": capabilities})


class TestUsersAndTheirTokens:
    def test_are_found_by_email_and_shown_without_their_password(self, table: Table, ops: Ops) -> None:
        user = a_user(table, password=PASSWORD)
        (found,) = ops("GET", "users", query={"email": "ADA@example.com"}).body["data"]
        assert found == ops("GET", f"users/{user.id}").body
        assert (found["id"], found["has_password"]) == (user.id, True)
        assert "argon2" not in str(found)
        assert ops("GET", "users", query={"email": "eve@example.com"}).body["data"] == []

    def test_are_made_listed_and_ended_one_by_one_or_all(self, table: Table, ops: Ops) -> None:
        user = a_user(table)
        path = f"users/{user.id}/tokens"
        one, two, three = (ops("POST", path, body={"days": 7}).body for _ in range(3))
        assert one["expires_at"] == "2026-11-28T12:00:00Z"
        listed = ops("GET", path).body["data"]
        assert {token["id"] for token in listed} == {one["id"], two["id"], three["id"]}
        assert all(token["token"] not in str(listed) for token in (one, two, three))
        assert ops("DELETE", f"{path}/{one['id']}") == Answer(204)
        assert [_valid(table, token) for token in (one, two, three)] == [False, True, True]
        with pytest.raises(TokenNotFound):
            ops("DELETE", f"{path}/{one['id']}")
        assert ops("DELETE", path) == Answer(204)
        assert [_valid(table, token) for token in (one, two, three)] == [False, False, False]

    def test_of_one_user_cannot_be_ended_as_anothers(self, table: Table, ops: Ops) -> None:
        ada, eve = a_user(table), a_user(table, "eve@example.com")
        token = ops("POST", f"users/{ada.id}/tokens", body={}).body
        with pytest.raises(TokenNotFound):
            ops("DELETE", f"users/{eve.id}/tokens/{token['id']}")
        assert _valid(table, token)

    def test_of_nobody_are_not_found(self, ops: Ops) -> None:
        for method in ("GET", "POST"):
            with pytest.raises(UserNotFound):
                ops(method, "users/1/tokens")


class TestApiKeys:
    def test_are_made_listed_and_ended(self, table: Table, ops: Ops) -> None:
        an_academy(table, ident=1)
        body = {"name": "till", "scopes": ["studio", "read_invoice"], "academy": "downtown"}
        made = ops("POST", "api-keys", body=body)
        assert (made.status, made.body["academy_id"]) == (201, 1)
        found = queries.credential_of(table, made.body["key"], NOW)
        assert found is not None
        assert found.scopes == ("studio", "read_invoice")
        for query in ({}, {"academy": "1"}, {"academy": "downtown"}):
            listed = ops("GET", "api-keys", query=query).body["data"]
            assert [key["id"] for key in listed] == [made.body["id"]]
            assert made.body["key"] not in str(listed)
        assert ops("DELETE", f"api-keys/{made.body['id']}") == Answer(204)
        assert queries.credential_of(table, made.body["key"], NOW) is None
        with pytest.raises(ApiKeyNotFound):
            ops("DELETE", f"api-keys/{made.body['id']}")

    def test_are_refused_where_header_and_body_disagree(self, table: Table, ops: Ops) -> None:
        an_academy(table, ident=1)
        with pytest.raises(AcademyMismatch):
            ops("POST", "api-keys", headers={"academy": "2"}, body={"name": "t", "scopes": ["studio"], "academy": 1})


class TestEveryOperatorsRoute:
    ROUTES_OF_OPERATORS = tuple(
        route for route in ROUTES if route.handler.__module__ == chalicelib.entrypoints.ops.identity.__name__
    )

    @pytest.mark.parametrize("route", ROUTES_OF_OPERATORS, ids=lambda route: f"{route.method} {route.path}")
    def test_is_for_operators_only(self, table: Table, route: Any) -> None:
        path = route.path.replace("{academy_id}", "1").replace("{user_id}", "1").replace("{key_id}", "1")
        an_academy(table, ident=1)
        user = a_user(table)
        position = Position(role="academy_admin")
        operations.add_member(table, position, user_id=user.id, academy_id=1)
        with pytest.raises(OperatorOnly):
            send(table, route.method, path, headers=with_token(a_token(table, user)))
        with pytest.raises(NotAuthenticated):
            send(table, route.method, path)

    def test_and_every_other_says_what_it_answers_and_bounds_what_it_reads(self) -> None:
        ours = [route for route in ROUTES if route.handler.__module__ in OURS]
        assert len(ours) == 19
        for route in ours:
            assert route.summary, route.path
            assert route.path.startswith("/ops/") == (route.access is Access.OPERATOR)


def _login_from(table: Table, forwarded: str, email: str) -> Answer:
    body = {"email": email, "password": PASSWORD}
    return send(table, "POST", "/v1/auth/login", headers={"x-forwarded-for": forwarded}, body=body)


def _valid(table: Table, token: dict[str, Any]) -> bool:
    return queries.credential_of(table, token["token"], NOW) is not None
