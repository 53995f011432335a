"""Requests as API Gateway hands them over."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib.entrypoints._served import SERVED


def gateway_event(method: str, path: str, headers: dict[str, str], raw: bytes | None) -> dict[str, Any] | None:
    """The event of a REST API for the route that serves this path, or None where there is none.

    A word in a path goes before a variable there, whatever methods the two have.
    """
    parts = urlsplit(path)
    found = {template: variables for template in SERVED if (variables := _match(template, parts.path)) is not None}
    template = min(found, key=lambda one: one.replace("{", "\x7f"), default=None)
    if template is None or method not in SERVED[template][1]:
        return None
    return {
        "requestContext": {
            "httpMethod": method,
            "resourcePath": template,
            "path": parts.path,
            "requestId": "a-request",
        },
        "headers": headers,
        "multiValueQueryStringParameters": parse_qs(parts.query, keep_blank_values=True) or None,
        "pathParameters": found[template] or None,
        "stageVariables": None,
        "body": None if raw is None else base64.b64encode(raw).decode(),
        "isBase64Encoded": raw is not None,
    }


def _match(template: str, path: str) -> dict[str, str] | None:
    wanted, given = template.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    pairs = list(zip(wanted, given, strict=True))
    if any(pattern != part for pattern, part in pairs if not pattern.startswith("{")):
        return None
    return {pattern[1:-1]: part for pattern, part in pairs if pattern.startswith("{")}
