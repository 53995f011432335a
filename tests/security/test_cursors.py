"""Cursors that no list handed out: refused, whatever they are made of, and never another's list."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.dynamo.table import InvalidCursor
from tests.moto_table import answering, refusal
from tests.security.tenants import Tenants

LISTS = (
    "/v1/payments/me/invoice",
    "/v1/payments/me/service/mentorship-service/consumptionsession",
    "/v1/payments/plan?academy=4geeks",
    "/v1/payments/service",
    "/v1/payments/academy/service?academy=4geeks",
    "/v1/payments/academy/serviceitem?academy=4geeks",
    "/v1/payments/academy/academyservice?academy=4geeks",
    "/ops/academies",
    "/ops/academies/1/staff",
    "/ops/api-keys",
    "/ops/inbox",
)


def a_cursor(key: Any) -> str:
    text = key if isinstance(key, str) else json.dumps(key)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


class TestAForgedCursor:
    @pytest.mark.parametrize("path", LISTS)
    @pytest.mark.parametrize(
        "cursor",
        [a_cursor("[" * 700), a_cursor("NaN"), a_cursor([]), a_cursor({"pk": {"S": "USER#1"}}), "%00", "=", "x" * 900],
    )
    def test_is_refused(self, tenants: Tenants, path: str, cursor: str) -> None:
        person = tenants.owner
        if path.startswith(("/ops", "/v1/payments/academy")):
            person = tenants.operator
        answer = person.get(f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
        assert (answer.status, answer.json["slug"]) == (400, "invalid-cursor")

    def test_that_is_nested_too_deeply_is_refused(self, tenants: Tenants) -> None:
        answer = tenants.owner.get(f"/v1/payments/me/invoice?cursor={a_cursor('[' * 1400)}")
        assert (answer.status, answer.json["slug"]) == (400, "invalid-cursor")

    def test_of_another_person_is_refused(self, tenants: Tenants) -> None:
        link = tenants.owner.get("/v1/payments/me/invoice?limit=1").headers["Link"]
        cursor = link.partition("cursor=")[2].partition(">")[0]
        assert tenants.owner.get(f"/v1/payments/me/invoice?cursor={cursor}").status == 200
        for asker in (tenants.neighbour, tenants.staff, tenants.operator):
            answer = asker.get(f"/v1/payments/me/invoice?cursor={cursor}")
            assert (answer.status, answer.json["slug"]) == (400, "invalid-cursor")


class TestACursorThatTheTableRefuses:
    @pytest.mark.parametrize("code", ["ValidationException", "SerializationException"])
    def test_is_the_callers(self, tenants: Tenants, code: str) -> None:
        table = tenants.world.table
        with answering(table, refusal(code, "Query")), pytest.raises(InvalidCursor):
            table.query("USER#1", limit=2, cursor=a_cursor({"pk": {"S": "USER#1"}, "sk": {"S": "INVOICE#1"}}))

    def test_is_ours_where_there_was_none(self, tenants: Tenants) -> None:
        table = tenants.world.table
        with answering(table, refusal("ValidationException", "Query")), pytest.raises(ClientError):
            table.query("USER#1", limit=2)
