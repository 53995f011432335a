"""Who calls, and whether a route is for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.books.identity import operations
from chalicelib.books.identity.model import InvalidAcademyId, NewApiKey, Position, User
from chalicelib.books.identity.store import AcademyNotFound
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints import _auth
from chalicelib.entrypoints._auth import (
    AcademyMismatch,
    AcademyRequired,
    Caller,
    NotAuthenticated,
    OperatorOnly,
    PermissionDenied,
    Unauthenticated,
    academy_id_of,
    authorize,
    identify,
    mint_jwt,
    presented_token,
    source_of,
)
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Call, problem
from chalicelib.entrypoints._json import MalformedJson
from tests.identity_calls import NOW, a_call, a_route, a_token, a_user, an_academy, settings, with_token
from tests.moto_table import answering

LATER = NOW + timedelta(days=1)


class AcademyInput(Input):
    academy: int | str | None = None


@pytest.fixture
def ada(table: Table) -> User:
    return a_user(table)


def who(table: Table, headers: Mapping[str, str]) -> Caller | None:
    return identify(headers, table, settings(), NOW)


def a_caller(user_id: int = 42, **changes: Any) -> Caller:
    valid: dict[str, Any] = {
        "user_id": user_id,
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "scopes": (),
        "is_operator": False,
        "kind": "token",
    }
    return Caller(**{**valid, **changes})


def a_key(table: Table, *scopes: str, academy_id: int | None = None) -> str:
    new = NewApiKey(name="till", scopes=scopes or ("studio",), academy_id=academy_id)
    return operations.issue_api_key(table, new, now=NOW).secret


def a_member(table: Table, academy_id: int, *capabilities: str) -> Caller:
    user = a_user(table, f"staff-{academy_id}@example.com")
    position = Position(capabilities=capabilities or ("read_invoice",))
    operations.add_member(table, position, user_id=user.id, academy_id=academy_id)
    return a_caller(user.id)


class TestIdentify:
    def test_knows_nobody_without_credentials_and_asks_nothing(self, table: Table) -> None:
        with answering(table) as called:
            assert who(table, {"academy": "1"}) is None
        assert called == []

    @pytest.mark.parametrize("scheme", ["Token", "token", "TOKEN"])
    def test_knows_a_person_by_their_token_in_one_read(self, table: Table, ada: User, scheme: str) -> None:
        secret = a_token(table, ada)
        with answering(table) as called:
            caller = who(table, {"authorization": f"{scheme} {secret}"})
        assert caller == a_caller(ada.id)
        assert called == ["GetItem"]

    def test_knows_a_person_by_their_signed_token_in_no_read(self, table: Table, ada: User) -> None:
        token = mint_jwt(ada.person, settings=settings(), now=NOW, expires_at=LATER, scopes=("platform",))
        with answering(table) as called:
            caller = who(table, {"authorization": f"Bearer {token}"})
        assert caller == a_caller(ada.id, kind="jwt", scopes=("platform",))
        assert called == []

    def test_knows_a_program_by_its_key(self, table: Table) -> None:
        academy = an_academy(table)
        caller = who(table, {"x-api-key": a_key(table, "studio", academy_id=academy.id)})
        assert caller is not None
        assert (caller.kind, caller.scopes, caller.academy_id, caller.email) == ("api_key", ("studio",), academy.id, "")

    def test_knows_an_operator_by_their_token_only(self, table: Table) -> None:
        operator = a_user(table, is_operator=True)
        by_token = who(table, with_token(a_token(table, operator)))
        signed = mint_jwt(operator.person, settings=settings(), now=NOW, expires_at=LATER)
        by_signed = who(table, {"authorization": f"Bearer {signed}"})
        assert by_token is not None
        assert by_token.is_operator is True
        assert by_signed is not None
        assert by_signed.is_operator is False

    @pytest.mark.parametrize(
        "headers",
        [
            {"authorization": ""},
            {"authorization": "Token"},
            {"authorization": "Token "},
            {"authorization": "Token unknown"},
            {"authorization": "Bearer"},
            {"authorization": "Bearer unknown"},
            {"authorization": "Basic YWRhOnNlY3JldA=="},
            {"authorization": "unknown"},
            {"x-api-key": ""},
            {"x-api-key": "unknown"},
            {"x-api-key": "x" * 10_000},
            {"authorization": "Token \ud800"},
        ],
        ids=repr,
    )
    def test_refuses_what_is_no_credential_of_ours(self, table: Table, headers: dict[str, str]) -> None:
        with pytest.raises(Unauthenticated):
            who(table, headers)

    def test_refuses_a_token_at_its_end(self, table: Table, ada: User) -> None:
        headers = with_token(a_token(table, ada, life=timedelta(hours=1)))
        assert identify(headers, table, settings(), NOW + timedelta(minutes=59, seconds=59))
        with pytest.raises(Unauthenticated):
            identify(headers, table, settings(), NOW + timedelta(hours=1))

    def test_refuses_a_signed_token_of_another_deployment(self, table: Table, ada: User) -> None:
        other = settings().model_copy(update={"jwt_secret": type(settings().jwt_secret)("x" * 64)})
        token = mint_jwt(ada.person, settings=other, now=NOW, expires_at=LATER)
        with pytest.raises(Unauthenticated):
            who(table, {"authorization": f"Bearer {token}"})

    def test_refuses_an_unsigned_token(self, table: Table, ada: User) -> None:
        token = mint_jwt(ada.person, settings=settings(), now=NOW, expires_at=LATER)
        none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
        for forged in (f"{none}.{token.split('.')[1]}.", f"{none}.{token.split('.')[1]}.{token.split('.')[2]}"):
            with pytest.raises(Unauthenticated):
                who(table, {"authorization": f"Bearer {forged}"})

    def test_refuses_a_credential_where_another_kind_belongs(self, table: Table, ada: User) -> None:
        secret, key = a_token(table, ada), a_key(table)
        for headers in (
            {"x-api-key": secret},
            {"authorization": f"Token {key}"},
            {"authorization": f"Bearer {secret}"},
            {"authorization": f"Token {mint_jwt(ada.person, settings=settings(), now=NOW, expires_at=LATER)}"},
        ):
            with pytest.raises(Unauthenticated):
                who(table, headers)

    def test_refuses_two_credentials_at_once(self, table: Table, ada: User) -> None:
        with pytest.raises(Unauthenticated):
            who(table, {**with_token(a_token(table, ada)), "x-api-key": a_key(table)})


class TestCallerKey:
    def test_is_a_persons_whichever_token_they_come_with(self) -> None:
        assert a_caller(kind="token").caller_key == a_caller(kind="jwt").caller_key

    def test_of_a_program_is_no_persons(self) -> None:
        assert a_caller(kind="api_key").caller_key != a_caller(kind="token").caller_key


class TestHeaders:
    def test_carry_a_token_to_be_ended(self) -> None:
        assert presented_token({"authorization": "token  abc "}) == "abc"
        assert presented_token({"authorization": "Bearer abc"}) is None
        assert presented_token({}) is None

    def test_say_where_a_call_comes_from_by_what_the_gateway_added(self, table: Table) -> None:
        spoofed = a_call(table, headers={"x-forwarded-for": "10.0.0.1, 203.0.113.9"})
        assert source_of(spoofed) == "203.0.113.9"
        assert source_of(a_call(table, headers={"x-forwarded-for": "2001:db8::1"})) == "2001:db8::1"
        assert source_of(a_call(table)) is None


class TestAuthorize:
    ACCESS_BUT_PUBLIC = tuple(access for access in Access if access is not Access.PUBLIC)

    def test_lets_everybody_into_a_public_route(self, table: Table) -> None:
        authorize(a_route(Access.PUBLIC), a_call(table))

    @pytest.mark.parametrize("access", ACCESS_BUT_PUBLIC)
    def test_refuses_nobody_on_every_other_route(self, table: Table, access: Access) -> None:
        with pytest.raises(NotAuthenticated) as refusal:
            authorize(a_route(access, "read_invoice"), a_call(table))
        assert problem(refusal.value).status == 401

    def test_lets_a_person_into_a_persons_route(self, table: Table) -> None:
        authorize(a_route(Access.PERSON), a_call(table, caller=a_caller()))

    def test_lets_operators_only_into_their_routes(self, table: Table) -> None:
        authorize(a_route(Access.OPERATOR), a_call(table, caller=a_caller(is_operator=True)))
        with pytest.raises(OperatorOnly) as refusal:
            authorize(a_route(Access.OPERATOR), a_call(table, caller=a_caller()))
        assert problem(refusal.value).body["slug"] == "operator-only"
        assert problem(refusal.value).status == 403


class TestScopes:
    def test_that_a_route_names_are_needed_by_everybody(self, table: Table) -> None:
        route = a_route(Access.PERSON, "studio")
        for kind in ("token", "jwt", "api_key"):
            authorize(route, a_call(table, caller=a_caller(kind=kind, scopes=("studio",))))
            with pytest.raises(PermissionDenied):
                authorize(route, a_call(table, caller=a_caller(kind=kind, scopes=("platform",))))

    def test_of_a_key_are_all_that_it_is_good_for(self, table: Table) -> None:
        with pytest.raises(PermissionDenied):
            authorize(a_route(Access.PERSON), a_call(table, caller=a_caller(kind="api_key", scopes=("studio",))))

    def test_of_a_key_hold_in_its_academy_only(self, table: Table) -> None:
        key = a_caller(kind="api_key", scopes=("studio",), academy_id=1)
        route = a_route(Access.PERSON, "studio")
        authorize(route, a_call(table, caller=key))
        authorize(route, a_call(table, caller=key, headers={"academy": "1"}))
        for named in ({"headers": {"academy": "2"}}, {"query": {"academy": "2"}}, {"body": {"academy": 2}}):
            with pytest.raises(PermissionDenied):
                authorize(route, a_call(table, caller=key, **named))


class TestStaff:
    ROUTE = a_route(Access.STAFF, "read_invoice")

    @pytest.fixture(autouse=True)
    def academies(self, table: Table) -> None:
        an_academy(table, ident=1)
        an_academy(table, "uptown", ident=2)

    @pytest.mark.parametrize(
        "named",
        [
            {"headers": {"academy": "1"}},
            {"headers": {"academy": "downtown"}},
            {"query": {"academy": "1"}},
            {"query": {"academy_id": "downtown"}},
            {"body": {"academy": 1}},
            {"body": {"academy_id": "1"}},
            {"body": {"academy": "downtown"}, "headers": {"academy": "1"}, "query": {"academy_id": "1"}},
            {"body": [{"academy": 1}, {"email": "a@b.c"}]},
        ],
        ids=repr,
    )
    def test_of_the_academy_with_the_capability_get_in_however_it_is_named(
        self, table: Table, named: dict[str, Any]
    ) -> None:
        authorize(self.ROUTE, a_call(table, caller=a_member(table, 1), **named))

    def test_without_the_capability_are_told_which_and_where(self, table: Table) -> None:
        member = a_member(table, 1, "read_service")
        with pytest.raises(PermissionDenied) as refusal:
            authorize(self.ROUTE, a_call(table, caller=member, headers={"academy": "1"}))
        answer = problem(refusal.value)
        assert (answer.status, answer.body["slug"]) == (403, "permission-denied")
        assert "read_invoice" in answer.body["detail"]
        assert "academy 1" in answer.body["detail"]

    def test_of_another_academy_are_refused(self, table: Table) -> None:
        member = a_member(table, 2)
        authorize(self.ROUTE, a_call(table, caller=member, headers={"academy": "2"}))
        for named in ({"academy": "1"}, {"academy": "downtown"}, {"academy": "987654321"}):
            with pytest.raises(PermissionDenied):
                authorize(self.ROUTE, a_call(table, caller=member, headers=named))

    def test_cannot_name_their_own_academy_in_one_place_and_another_in_another(self, table: Table) -> None:
        member = a_member(table, 1)
        for body in ({"academy": 2}, {"academy_id": "uptown"}, [{"academy": 1}, {"academy": 2}]):
            with pytest.raises(AcademyMismatch) as refusal:
                authorize(self.ROUTE, a_call(table, caller=member, headers={"academy": "1"}, body=body))
            assert problem(refusal.value).status == 400

    def test_that_left_are_refused_with_the_token_they_have(self, table: Table) -> None:
        member = a_member(table, 1)
        operations.remove_member(table, user_id=member.user_id, academy_id=1)
        with pytest.raises(PermissionDenied):
            authorize(self.ROUTE, a_call(table, caller=member, headers={"academy": "1"}))

    def test_have_to_say_which_academy(self, table: Table) -> None:
        with pytest.raises(AcademyRequired):
            authorize(self.ROUTE, a_call(table, caller=a_member(table, 1)))

    def test_may_name_it_in_a_header_where_the_body_is_no_json(self, table: Table) -> None:
        headers = {"academy": "1", "content-type": "application/yaml"}
        call = a_call(table, caller=a_member(table, 1), headers=headers)
        authorize(self.ROUTE, _with_body(call, b"academy: 2"))
        as_json = a_call(table, caller=call.caller, headers={**headers, "content-type": "application/json"})
        with pytest.raises(MalformedJson):
            authorize(self.ROUTE, _with_body(as_json, b"{"))

    def test_are_joined_by_operators_at_academies_that_there_are(self, table: Table) -> None:
        operator = a_caller(is_operator=True)
        authorize(self.ROUTE, a_call(table, caller=operator, headers={"academy": "2"}))
        with pytest.raises(AcademyNotFound):
            authorize(self.ROUTE, a_call(table, caller=operator, headers={"academy": "3"}))

    def test_are_joined_by_keys_of_the_academy_with_that_scope(self, table: Table) -> None:
        key = a_caller(kind="api_key", scopes=("read_invoice",), academy_id=1)
        authorize(self.ROUTE, a_call(table, caller=key))
        for other in (
            a_caller(kind="api_key", scopes=("read_service",), academy_id=1),
            a_caller(kind="api_key", scopes=("read_invoice",), academy_id=2),
            a_caller(kind="api_key", scopes=("read_invoice",), academy_id=None),
        ):
            with pytest.raises(PermissionDenied):
                authorize(self.ROUTE, a_call(table, caller=other, headers={"academy": "1"}))

    def test_are_not_joined_by_people_whose_scope_sounds_like_it(self, table: Table) -> None:
        for kind in ("token", "jwt"):
            with pytest.raises(PermissionDenied):
                caller = a_caller(kind=kind, scopes=("read_invoice",))
                authorize(self.ROUTE, a_call(table, caller=caller, headers={"academy": "1"}))


class TestAcademyIdOf:
    @pytest.fixture(autouse=True)
    def academies(self, table: Table) -> None:
        an_academy(table, ident=1)
        an_academy(table, "uptown", ident=2)

    def test_is_none_where_none_is_named(self, table: Table) -> None:
        bodies: tuple[Any, ...] = (None, {}, [], {"academy": None}, AcademyInput(), "academy")
        for body in bodies:
            assert academy_id_of(a_call(table, caller=a_caller()), body) is None

    def test_reads_a_validated_body_too(self, table: Table) -> None:
        assert academy_id_of(a_call(table), AcademyInput(academy=2)) == 2
        assert academy_id_of(a_call(table), AcademyInput(academy="uptown")) == 2

    def test_is_a_keys_own_where_none_is_named(self, table: Table) -> None:
        key = a_caller(kind="api_key", academy_id=2)
        assert academy_id_of(a_call(table, caller=key), None) == 2
        assert academy_id_of(a_call(table, caller=key, query={"academy": "1"}), None) == 1

    def test_asks_the_table_for_slugs_only_and_once(self, table: Table) -> None:
        with answering(table) as called:
            assert academy_id_of(a_call(table, query={"academy": "1"}), {"academy_id": 1}) == 1
        assert called == []
        with answering(table) as called:
            call = a_call(table, query={"academy": "uptown"}, headers={"academy": "uptown"})
            assert academy_id_of(call, {"academy_id": 2}) == 2
        assert called == ["GetItem"]

    @pytest.mark.parametrize(
        "body",
        [
            {"academy": 1, "academy_id": 2},
            {"academy": "1", "academy_id": "uptown"},
            {"academy": "downtown", "academy_id": "uptown"},
            {"academy": "unknown", "academy_id": "uptown"},
        ],
        ids=repr,
    )
    def test_refuses_names_that_disagree(self, table: Table, body: dict[str, Any]) -> None:
        with pytest.raises(AcademyMismatch):
            academy_id_of(a_call(table), body)

    @pytest.mark.parametrize(
        "value",
        [0, -1, "0", "-1", "", " ", "1.0", 1.0, True, "Downtown", "down town", 2**53, "9" * 16, "9" * 40, [1], {}, "²"],
        ids=repr,
    )
    def test_refuses_what_is_neither_id_nor_slug(self, table: Table, value: Any) -> None:
        with pytest.raises(InvalidAcademyId) as refusal:
            academy_id_of(a_call(table), {"academy": value})
        assert problem(refusal.value).status == 400

    def test_refuses_a_slug_that_nobody_has(self, table: Table) -> None:
        with pytest.raises(AcademyNotFound):
            academy_id_of(a_call(table), {"academy": "unknown"})


def _with_body(call: Call, raw: bytes) -> Call:
    return Call(**{name: getattr(call, name) for name in Call.__slots__} | {"raw_body": raw})


def test_every_refusal_of_a_caller_says_401_or_403() -> None:
    assert problem(_auth.Unauthenticated()).status == 401
    assert problem(_auth.OtherAcademy(own=1, academy=2)).body["slug"] == "permission-denied"
    assert problem(_auth.ScopeMissing(scope="studio")).status == 403
