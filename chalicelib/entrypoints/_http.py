"""Requests in, answers out: parsing within limits, one error shape, and the list of routes.

A route is a function with annotated parameters: `call` (who, when, headers), `body` (an `Input` of `_bodies`, that or
a list of it, or one that may be YAML too), `query` (a `Query`), and the path's variables (int or str). The OpenAPI
document is generated from the same list (`_openapi`). Only this file knows which status number a kind of refusal has.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import Annotated, Any

import msgspec

from chalicelib.entrypoints._json import read_json
from chalicelib.kernel.documents import Frozen
from chalicelib.kernel.errors import DomainError, FieldProblem, InvalidRequest, Kind
from chalicelib.kernel.fields import UnreadableFields, read_fields

if typing.TYPE_CHECKING:
    from chalicelib.entrypoints._auth import Caller
    from chalicelib.entrypoints._bodies import Input
    from chalicelib.entrypoints._wiring import Runtime

BODY_BYTES_MAX = 256 * 1024
PATH_TEXT_MAX = 200
INTEGER_MAX = 2**53 - 1

STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.PAYMENT_REQUIRED: 402,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.METHOD_NOT_ALLOWED: 405,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED_MEDIA: 415,
    Kind.MISMATCH: 422,
    Kind.TOO_MANY: 429,
    Kind.LATER: 503,
}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Access(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    PERSON = "person"
    STAFF = "staff"
    OPERATOR = "operator"


class Query(Frozen):
    """A query string of any audience: flat, bounded fields, read out of text; unknown ones are ignored."""


class Output(Frozen, forbid_unknown_fields=True):
    """An answer of any audience. Its instants are `Instant`s, so that the document says how they are written."""


Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class BodyTooLarge(DomainError):
    kind = Kind.TOO_LARGE
    slug = "request-too-large"
    detail = "The body is larger than {limit} bytes."


class UnsupportedMediaType(DomainError):
    kind = Kind.UNSUPPORTED_MEDIA
    slug = "unsupported-media-type"
    detail = "The body must be application/json."


class RouteNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "route-not-found"
    detail = "There is nothing at this address."


class MethodNotAllowed(DomainError):
    kind = Kind.METHOD_NOT_ALLOWED
    slug = "method-not-allowed"
    detail = "This address does not answer {method}."


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: `body` is JSON-able, text or None."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who, when, with which headers (names in lower case), and what the process has at hand."""

    runtime: Runtime
    request_id: str
    now: datetime
    caller: Caller | None
    method: str
    path: str
    headers: Mapping[str, str]
    raw_query: Mapping[str, str]
    raw_body: bytes

    @property
    def person(self) -> Caller:
        """The signed-in caller; the route's access makes sure that there is one."""
        if self.caller is None:
            raise LookupError("this route let a caller in without credentials")
        return self.caller


Handler = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `answers` maps each success status to the model of its body (None: no body).

    `bodies_max`: its body may be a list too, of at most so many; 0: of one only. `body_types`: the media types that its
    body may have besides JSON's. `raw`: the handler itself reads the bytes that were sent.
    """

    method: str
    path: str
    access: Access
    capability: str | None
    handler: Handler
    body: type[Input] | None
    query: type[Query] | None
    variables: Mapping[str, type]
    answers: Mapping[int, Any]
    errors: tuple[type[DomainError], ...]
    keyed: bool
    body_bytes_max: int
    bodies_max: int = 0
    body_types: tuple[str, ...] = ()
    raw: bool = False

    @property
    def refuses_bodies(self) -> bool:
        """Whether a body is looked at though nobody reads it: of GET it means nothing (RFC 9110, section 9.3.1)."""
        return self.body is None and not self.raw and self.method != "GET"

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or "").strip().split("\n", 1)[0]


ROUTES: list[Route] = []


def route(
    method: str,
    path: str,
    *,
    access: Access,
    answers: Mapping[int, Any],
    capability: str | None = None,
    errors: tuple[type[DomainError], ...] = (),
    keyed: bool = False,
    body_bytes_max: int = BODY_BYTES_MAX,
    bodies_max: int = 0,
    raw: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a handler. `keyed` says that it honors Idempotency-Key, `raw` that it reads the body's bytes itself.

    A `body` that is annotated `Some | list[Some]` may be a list of `bodies_max` at most; one that is annotated
    `Annotated[Some, "application/yaml"]` may be YAML too.
    """

    def register(handler: Handler) -> Handler:
        hints = typing.get_type_hints(handler, globalns=_with_call(handler), include_extras=True)
        names = [name for name in inspect.signature(handler).parameters if name != "call"]
        ROUTES.append(
            Route(
                method=method,
                path=path,
                access=access,
                capability=capability,
                handler=handler,
                body=_one_body(hints.get("body")),
                query=hints.get("query"),
                variables={name: hints[name] for name in names if name not in ("body", "query")},
                answers=answers,
                errors=errors,
                keyed=keyed,
                body_bytes_max=body_bytes_max,
                bodies_max=bodies_max,
                body_types=getattr(hints.get("body"), "__metadata__", ()),
                raw=raw,
            )
        )
        return handler

    return register


def _with_call(handler: Handler) -> dict[str, Any]:
    return {**handler.__globals__, "Call": Call}


def _one_body(hint: Any) -> Any:
    """The model of a body, of which there may be several, or which may be written in several ways."""
    hint = hint.__origin__ if typing.get_origin(hint) is Annotated else hint
    return typing.get_args(hint)[0] if isinstance(hint, UnionType) else hint


def arguments(found: Route, call: Call, variables: Mapping[str, str]) -> dict[str, Any]:
    """The handler's arguments, read from the request. Raises DomainError kinds that say what cannot be read."""
    read: dict[str, Any] = {name: _variable(name, variables[name], kind) for name, kind in found.variables.items()}
    if found.query is not None:
        read["query"] = _read_query(found.query, call.raw_query)
    if found.body is not None:
        from chalicelib.entrypoints._bodies import validated, validated_list

        sent = _sent(found, call)
        several = found.bodies_max > 0 and isinstance(sent, list)
        read["body"] = validated_list(found.body, sent, found.bodies_max) if several else validated(found.body, sent)
    elif found.refuses_bodies:
        _check_unread(call)
    return read


def _check_unread(call: Call) -> None:
    """A body that nobody reads is a mistake unless it is an object, in which unknown fields are ignored everywhere."""
    json_or_unsaid = not media_type(call) or _is_json(media_type(call))
    if json_or_unsaid and call.raw_body.strip() and not isinstance(read_json(call.raw_body), dict):
        raise refusal_of([FieldProblem("body", "not an object")])


def _sent(found: Route, call: Call) -> Any:
    """The body as plain values, by its media type."""
    if media_type(call) not in found.body_types:
        return parse_json(call, found.body_bytes_max)
    from chalicelib.entrypoints._yaml import read_yaml

    return read_yaml(call.raw_body)


def media_type(call: Call) -> str:
    """The body's, as it was sent, without its parameters."""
    return call.headers.get("content-type", "").split(";")[0].strip().lower()


def parse_json(call: Call, limit: int = BODY_BYTES_MAX) -> Any:
    """The body as JSON; no body at all is an empty object. Raises BodyTooLarge, UnsupportedMediaType, MalformedJson."""
    if len(call.raw_body) > limit:
        raise BodyTooLarge(limit=limit)
    if not call.raw_body.strip():
        return {}
    if not _is_json(media_type(call)):
        raise UnsupportedMediaType
    return read_json(call.raw_body)


def _is_json(media: str) -> bool:
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def refusal_of(problems: list[FieldProblem], slug: str | None = None) -> InvalidRequest:
    """The refusal of fields that cannot be read, under the documented slug of one of them where there is one."""
    refusal = InvalidRequest(problems)
    if slug is not None:
        refusal.slug = slug  # type: ignore[misc]  # the documented slug of this field
    return refusal


def problem(error: DomainError) -> Answer:
    """The one error shape (RFC 9457), a superset of what the three dialects promise."""
    status = STATUS[error.kind]
    body: dict[str, Any] = {
        "type": f"/docs/errors#{error.slug}",
        "title": TITLES[status],
        "status": status,
        "detail": error.sentence,
        "slug": error.slug,
        "status_code": status,
    }
    if isinstance(error, InvalidRequest):
        body["errors"] = [{"field": p.field, "message": p.message} for p in error.problems]
    if error.silent_code is not None:
        body |= {"silent": True, "silent_code": error.silent_code}
    headers = {"Content-Type": "application/problem+json"}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return Answer(status, body, headers)


def internal_error(request_id: str) -> Answer:
    """What a caller sees of a defect of ours: where to find it, and nothing else."""
    body = {
        "type": "/docs/errors#internal-error",
        "title": TITLES[500],
        "status": 500,
        "detail": f"Something went wrong on our side; request {request_id}.",
        "slug": "internal-error",
        "status_code": 500,
    }
    return Answer(500, body, {"Content-Type": "application/problem+json"})


def json_text(body: Any) -> str:
    """The body of an answer as JSON. Raises ValueError for NaN and TypeError for what is no JSON: defects of ours."""
    return json.dumps(msgspec.to_builtins(body), separators=(",", ":"), allow_nan=False)


def _read_query(query: type[Query], sent: Mapping[str, str]) -> Query:
    try:
        return read_fields(query, sent)
    except UnreadableFields as error:
        raise refusal_of(error.problems) from error


def _variable(name: str, text: str, kind: type) -> Any:
    if len(text) > PATH_TEXT_MAX:
        raise InvalidRequest([FieldProblem(name, f"longer than {PATH_TEXT_MAX} characters")])
    if kind is not int:
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= INTEGER_MAX):
        raise InvalidRequest([FieldProblem(name, "not an id")])
    return int(text)
