"""The API's documentation of itself, and whether it is up.

The page at /docs is our own (`_static/`: 25 KB, no dependency, nothing from other hosts). The script of swagger-ui 5.35
alone is 1.7 MB, half a megabyte zipped, of the 15 MB that may ship, and its examples of refusals are picked one by one,
where this page lists every slug of a route at once.
"""

from __future__ import annotations

import hashlib
import html
import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from botocore.exceptions import ClientError

from chalicelib.dynamo.rows import Key
from chalicelib.entrypoints import _observe
from chalicelib.entrypoints._http import Access, Answer, Call, Output, RouteNotFound, route
from chalicelib.kernel.errors import TryLater

STATIC = Path(__file__).with_name("_static")
ASSETS = {"docs.css": "text/css; charset=utf-8", "docs.js": "text/javascript; charset=utf-8"}
CACHE_SECONDS = 300
HEALTH_ROW = Key("HEALTH", "HEALTH")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

Html = Annotated[str, "text/html"]
Asset = Annotated[str, "text/css", "text/javascript"]


class Health(Output):
    status: str


@route("GET", "/health", access=Access.PUBLIC, answers={200: Health}, errors=(TryLater,))
def health(call: Call) -> Answer:
    """Whether the API is up and reaches its table."""
    try:
        call.runtime.table.get(HEALTH_ROW)
    except ClientError as error:
        _observe.log_failure("health check")
        raise TryLater from error
    return Answer(200, Health(status="ok"))


@route("GET", "/openapi.json", access=Access.PUBLIC, answers={200: dict[str, Any], 304: None})
def openapi(call: Call) -> Answer:
    """This API as an OpenAPI 3.1 document.

    Has an `ETag`; sent back as `If-None-Match` it saves the download.
    """
    return _cached(call, _document(), "application/json")


@route("GET", "/docs", access=Access.PUBLIC, answers={200: Html, 304: None})
def page(call: Call) -> Answer:
    """The documentation as a page, where requests can be tried."""
    return _cached(call, _static("docs.html"), "text/html; charset=utf-8")


@route("GET", "/docs/errors", access=Access.PUBLIC, answers={200: Html, 304: None})
def errors(call: Call) -> Answer:
    """Every refusal: its slug, status and sentence, and the routes that name it."""
    return _cached(call, _errors_page(), "text/html; charset=utf-8")


@route("GET", "/docs/{asset}", access=Access.PUBLIC, answers={200: Asset, 304: None}, errors=(RouteNotFound,))
def static_file(call: Call, asset: str) -> Answer:
    """A style sheet or script of the page."""
    if asset not in ASSETS:
        raise RouteNotFound
    return _cached(call, _static(asset), ASSETS[asset])


def _cached(call: Call, text: str, content_type: str) -> Answer:
    """The text, or 304 where the caller has it already (RFC 9110, section 13.1.2)."""
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={CACHE_SECONDS}"}
    known = [tag.strip().removeprefix("W/") for tag in call.headers.get("if-none-match", "").split(",")]
    if etag in known or "*" in known:
        return Answer(304, None, headers)
    if content_type.startswith("text/html"):
        headers |= {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
    return Answer(200, text, {**headers, "Content-Type": content_type})


@cache
def _document() -> str:
    """Of every route, whichever of their modules this process has needed so far."""
    from chalicelib.entrypoints._openapi import document
    from chalicelib.entrypoints._refusals import routes

    return json.dumps(document(routes()), separators=(",", ":"))


@cache
def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


@cache
def _errors_page() -> str:
    from chalicelib.entrypoints._refusals import refusals

    rows = []
    anchors: set[str] = set()
    for refusal in refusals():
        named = "<br>".join(f"<code>{html.escape(name)}</code>" for name in refusal.routes)
        anchor = "" if refusal.slug in anchors else f' id="{refusal.slug}"'
        anchors.add(refusal.slug)
        rows.append(
            f'<tr{anchor}><th scope="row"><a href="#{refusal.slug}">{refusal.slug}</a></th>'
            f"<td>{refusal.status}</td><td>{html.escape(refusal.sentence)}</td><td>{named}</td></tr>"
        )
    return _static("errors.html").replace("<!-- rows -->", "\n".join(rows))
