"""People, credentials and requests with valid defaults; and a request served as the switchboard serves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.books.identity import operations
from chalicelib.books.identity.model import Academy, NewAcademy, NewUser, User
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints import _auth, _http
from chalicelib.entrypoints._http import Access, Answer, Call, Route
from chalicelib.entrypoints._wiring import Runtime
from chalicelib.settings import Settings

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
JWT_SECRET = "a-secret-of-the-tests-with-48-characters-or-so-.."
PASSWORD = "correct horse battery"


def settings() -> Settings:
    return Settings.model_validate(
        {
            "table": "purser-tests",
            "inbox_queue_url": "http://127.0.0.1/inbox",
            "outbox_queue_url": "http://127.0.0.1/outbox",
            "holdings_queue_url": "http://127.0.0.1/holdings",
            "files_bucket": "test-files",
            "mail_from": "billing@example.com",
            "stripe_secret_key": "sk_test_0123456789",
            "stripe_webhook_secrets": "whsec_0123456789",
            "jwt_secret": JWT_SECRET,
        }
    )


def a_runtime(table: Table) -> Runtime:
    made = Runtime(settings(), clock=lambda: NOW)
    made.__dict__["table"] = table  # where cached_property keeps what it built
    return made


def a_call(
    table: Table,
    *,
    caller: _auth.Caller | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    now: datetime = NOW,
) -> Call:
    sent = dict(headers or {})
    if body is not None:
        sent.setdefault("content-type", "application/json")
    return Call(
        runtime=a_runtime(table),
        request_id="request-1",
        now=now,
        caller=caller,
        method="POST",
        path="/",
        headers=sent,
        raw_query=dict(query or {}),
        raw_body=b"" if body is None else json.dumps(body).encode(),
    )


def a_route(access: Access, capability: str | None = None) -> Route:
    return Route(
        method="POST",
        path="/",
        access=access,
        capability=capability,
        handler=lambda call: Answer(204),
        body=None,
        query=None,
        variables={},
        answers={204: None},
        errors=(),
        keyed=False,
        body_bytes_max=_http.BODY_BYTES_MAX,
    )


def send(
    table: Table,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    now: datetime = NOW,
) -> Answer:
    """Who, may they, what: as `_dispatch` does it. Raises the refusal. The body of the answer is parsed JSON."""
    call = a_call(table, headers=headers, query=query, body=body, now=now)
    caller = _auth.identify(call.headers, table, call.runtime.settings, now)
    call = a_call(table, caller=caller, headers=headers, query=query, body=body, now=now)
    found, variables = _found(method, path)
    _auth.authorize(found, call)
    answer = found.handler(call, **_http.arguments(found, call, variables))
    model = found.answers[answer.status]
    if model is None:
        assert answer.body is None
        return answer
    assert type(answer.body) is model
    return Answer(answer.status, json.loads(_http.json_text(answer.body)), answer.headers)


def a_user(table: Table, email: str = "ada@example.com", *, is_operator: bool = False, password: str = "") -> User:
    new = NewUser(
        email=email, first_name="Ada", last_name="Lovelace", is_operator=is_operator, password=password or None
    )
    return operations.create_user(table, new, now=NOW)


def an_academy(table: Table, slug: str = "downtown", ident: int | None = None) -> Academy:
    return operations.create_academy(table, NewAcademy(name="Downtown", slug=slug, id=ident), now=NOW)


def a_token(table: Table, user: User, *, now: datetime = NOW, life: timedelta = timedelta(days=1)) -> str:
    return operations.issue_token(table, user, now=now, expires_at=now + life)


def with_token(secret: str) -> dict[str, str]:
    return {"authorization": f"Token {secret}"}


def _found(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a path; fixed parts win over variables."""
    parts = path.split("/")
    matching = []
    for route in _http.ROUTES:
        wanted = route.path.split("/")
        if route.method != method or len(wanted) != len(parts):
            continue
        if all(want == part or want.startswith("{") for want, part in zip(wanted, parts, strict=True)):
            matching.append((route.path.count("{"), route))
    assert matching, f"no route {method} {path}"
    route = min(matching, key=lambda found: found[0])[1]
    pairs = zip(route.path.split("/"), parts, strict=True)
    return route, {want[1:-1]: part for want, part in pairs if want.startswith("{")}
