"""`make admin`: what an operator types before there is an operator."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest

from chalicelib.books.identity import operations, queries
from chalicelib.books.identity.model import LoginAttempt
from chalicelib.dynamo.table import Table
from infra import admin
from tests.identity_calls import NOW, PASSWORD, a_token, a_user, an_academy
from tests.moto_table import REGION

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(table: Table, capsys: pytest.CaptureFixture[str]) -> Run:
    """Type a command and read its answer."""

    def typed(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        status = admin.main(["--table", table.name, "--region", REGION, *words], clock=lambda: NOW)
        out, err = capsys.readouterr()
        assert status == 0, err
        answer: dict[str, Any] = json.loads(out)
        return answer

    return typed


class TestOperators:
    def test_are_made_with_a_token_that_is_one(self, table: Table, run: Run) -> None:
        made = run("create-operator", "ops@example.com")
        found = queries.credential_of(table, made["token"], NOW)
        assert found is not None
        assert found.is_operator is True
        assert found.person.user_id == made["user_id"]

    def test_are_made_of_people_who_have_an_account(self, table: Table, run: Run) -> None:
        user = a_user(table)
        assert run("create-operator", "ADA@example.com")["user_id"] == user.id
        assert run("create-operator", "ada@example.com")["user_id"] == user.id
        assert queries.user(table, user.id).is_operator is True

    def test_that_are_removed_lose_every_token(self, table: Table, run: Run) -> None:
        token = run("create-operator", "ops@example.com")["token"]
        assert run("remove-operator", "ops@example.com")["is_operator"] is False
        assert queries.credential_of(table, token, NOW) is None


class TestTheRest:
    def test_makes_academies_staff_keys_and_tokens(self, table: Table, run: Run) -> None:
        academy = run("create-academy", "downtown", "Downtown", "--currency", "usd", "--id", "7")
        assert (academy["id"], academy["main_currency"]) == (7, "USD")
        staff = run("add-staff", "7", "ada@example.com", "--capability", "issue_refund", "--role", "support_staff")
        member = queries.membership(table, staff["user_id"], 7)
        assert member is not None
        assert "issue_refund" in member.capabilities
        assert queries.credential_of(table, staff["token"], NOW) is not None
        key = run("create-key", "till", "--scope", "studio", "--scope", "read_invoice", "--academy", "7")
        found = queries.credential_of(table, key["key"], NOW)
        assert found is not None
        assert (found.scopes, found.academy_id) == (("studio", "read_invoice"), 7)
        token = run("create-token", "ada@example.com", "--days", "1")
        assert queries.credential_of(table, token["token"], NOW) is not None

    def test_sets_a_password_that_is_read_and_never_typed_as_an_argument(
        self, table: Table, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = a_token(table, a_user(table))
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        run("set-password", "ada@example.com")
        assert queries.credential_of(table, token, NOW) is None
        assert operations.login(table, LoginAttempt(email="ada@example.com", password=PASSWORD), now=NOW)


class TestARefusal:
    @pytest.mark.parametrize(
        ("words", "slug"),
        [
            (("create-academy", "downtown", "Again"), "slug-already-exists"),
            (("create-token", "nobody@example.com"), "user-not-found"),
            (("add-staff", "99", "ada@example.com", "--role", "support_staff"), "academy-not-found"),
            (("add-staff", "7", "ada@example.com"), "role-or-capabilities-required"),
            (("create-operator", "no address"), "invalid-email"),
        ],
    )
    def test_is_one_line_on_standard_error(
        self, table: Table, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], slug: str
    ) -> None:
        an_academy(table, ident=7)
        assert admin.main(["--table", table.name, "--region", REGION, *words]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"{slug}: ")
        assert err.count("\n") == 1


class TestTheTable:
    def test_has_to_be_named(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PURSER_TABLE", raising=False)
        assert admin.main(["create-token", "ada@example.com"]) == 1
        assert capsys.readouterr().err.startswith("table-unnamed: ")

    def test_of_a_stage_is_the_one_that_its_stack_made(
        self, table: Table, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PURSER_TABLE", "another-one")
        stack = {
            "Resources": {"Any": {"Type": "AWS::SQS::Queue"}},
            "Outputs": {"TableName": {"Value": table.name}},
        }
        cloudformation = botocore.session.get_session().create_client("cloudformation", region_name=REGION)
        cloudformation.create_stack(StackName="purser-prod", TemplateBody=json.dumps(stack))
        words = ["--stage", "prod", "--region", REGION, "create-operator", "ops@example.com"]
        assert admin.main(words, clock=lambda: NOW) == 0
        assert queries.user_by_email(table, "ops@example.com") is not None
        assert json.loads(capsys.readouterr().out)["email"] == "ops@example.com"
