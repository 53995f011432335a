"""A world whose requests go to the routes themselves, past Chalice.

A Chalice object holds one current request, so it is no thing to share between threads, nor between a call and another
that comes in its midst (Lambda never does either, and the local server gives each thread its own).
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from chalice.app import Request

from chalicelib.entrypoints import _dispatch
from tests.world import Reply, World


class DirectWorld(World):
    """A world without Chalice between the request and its route."""

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        plain, _, query = path.partition("?")
        template = _template_of(plain)
        if template is None:
            raise LookupError(f"nothing serves {path}")
        sent = {name.replace("_", "-").lower(): value for name, value in (headers or {}).items()}
        if token is not None:
            sent["authorization"] = f"Token {token}"
        if raw is None and body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("content-type", "application/json")
        event = {
            "requestContext": {"httpMethod": method, "resourcePath": template, "requestId": "a-request"},
            "headers": sent,
            "multiValueQueryStringParameters": _parameters(query),
            "pathParameters": _variables(template, plain),
            "stageVariables": None,
            "body": None if raw is None else raw.decode(),
            "isBase64Encoded": False,
        }
        response = _dispatch.respond(_route_of(template, method), Request(event)).to_dict([])
        return Reply(response["statusCode"], dict(response["headers"]), response["body"])


_template_of = lru_cache(maxsize=1024)(_dispatch.template_of)
"""The served path of an address: a world asks for the same few again and again."""
_route_of = lru_cache(maxsize=1024)(_dispatch.route_of)


def _variables(template: str, path: str) -> dict[str, str] | None:
    pairs = zip(template.split("/"), path.split("/"), strict=True)
    return {wanted[1:-1]: given for wanted, given in pairs if wanted.startswith("{")} or None


def _parameters(query: str) -> dict[str, list[str]] | None:
    return {name: [value] for name, _, value in (part.partition("=") for part in query.split("&") if part)} or None
