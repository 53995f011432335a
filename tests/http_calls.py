"""Requests as API Gateway hands them over, for tests that call the application without a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalice.app import Request

from chalicelib.entrypoints import _dispatch, _http
from chalicelib.entrypoints._http import Answer, Route
from chalicelib.entrypoints._wiring import Runtime
from chalicelib.settings import Settings

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:1"


def some_settings(**changed: Any) -> Settings:
    """Settings that reach nothing."""
    values: dict[str, Any] = {
        "stage": "test",
        "table": "purser-tests",
        "dynamodb_url": NOWHERE,
        "sqs_url": NOWHERE,
        "inbox_queue_url": f"{NOWHERE}/inbox",
        "outbox_queue_url": f"{NOWHERE}/outbox",
        "holdings_queue_url": f"{NOWHERE}/holdings",
        "files_bucket": "test-files",
        "mail_from": "purser@example.com",
        "stripe_secret_key": "sk_test_0123456789",
        "stripe_webhook_secrets": "whsec_0123456789",
        "jwt_secret": "a secret of thirty-two characters",
    }
    return Settings.model_validate(values | changed)


def a_runtime(**changed: Any) -> Runtime:
    return Runtime(some_settings(**changed), clock=lambda: NOW)


def a_route(handler: Callable[..., Answer], **options: Any) -> Route:
    """A route as the decorator makes it, that the application does not serve."""
    given = {"method": "POST", "path": "/things", "access": _http.Access.PUBLIC, "answers": {200: None}} | options
    _http.route(given.pop("method"), given.pop("path"), **given)(handler)
    return _http.ROUTES.pop()


def an_event(
    method: str = "POST",
    path: str = "/things",
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, list[str]] | None = None,
    body: bytes | str | None = None,
    base64: bool = False,
    variables: Mapping[str, str] | None = None,
    request_id: str | None = "gateway-request",
) -> dict[str, Any]:
    """A Lambda proxy event of a REST API."""
    context = {"httpMethod": method, "resourcePath": path, "requestId": request_id}
    return {
        "requestContext": context if request_id else {name: context[name] for name in ("httpMethod", "resourcePath")},
        "headers": {"Content-Type": "application/json"} if headers is None else dict(headers),
        "multiValueQueryStringParameters": None if query is None else dict(query),
        "pathParameters": None if variables is None else dict(variables),
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": base64,
    }


@dataclass(frozen=True)
class Served:
    """What Lambda hands back to API Gateway."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def served(route: Route, event: Mapping[str, Any]) -> Served:
    """Dispatch one event and render the response the way Chalice does."""
    response = _dispatch.respond(route, Request(dict(event))).to_dict([])
    return Served(response["statusCode"], response["headers"], response["body"])
