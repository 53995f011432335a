"""From a route and Chalice's request to Chalice's response, the same way for every route.

Whatever a caller sends, the answer has the one shape: expected refusals keep their slug, a defect of ours is logged
with its traceback and answered with the request's id and nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from types import ModuleType
from urllib.parse import unquote

from chalice.app import APIGateway, Request, Response

import chalicelib.entrypoints
from chalicelib.entrypoints import _auth, _cors, _http, _observe
from chalicelib.entrypoints._http import Answer, Call, Route
from chalicelib.entrypoints._json import MalformedJson
from chalicelib.entrypoints._scrub import scrubbed
from chalicelib.entrypoints._served import SERVED
from chalicelib.entrypoints._wiring import runtime
from chalicelib.kernel.errors import DomainError, FieldProblem, InvalidRequest

IDEMPOTENCY_KEY_MAX = 255
GATEWAY_BODY_BYTES_MAX = 10 * 1024 * 1024  # API Gateway's limit for a payload
TEXT_PLAIN = "text/plain; charset=utf-8"
CHALLENGE = 'Token realm="purser", Bearer realm="purser"'  # a 401 must name one (RFC 9110, section 11.6.1)
SINGLE_HEADERS = frozenset(
    {"academy", "authorization", "content-type", "idempotency-key", "stripe-signature", "x-api-key"}
)
EVENT_MODULES = frozenset({"workers", "schedules"})

_COMMON_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
BINARY_TYPES = (*APIGateway().default_binary_types, "application/pdf")
_HALF_A_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")


class RepeatedParameter(DomainError):
    """A query parameter that is given more than once: which one counts would be a guess."""

    slug = "repeated-parameter"
    detail = "The parameter {name} is given more than once."


class RepeatedHeader(DomainError):
    """A header that decides something and is given more than once: another program might have read the other."""

    slug = "repeated-header"
    detail = "The header {name} is given more than once."


class InvalidIdempotencyKey(DomainError):
    slug = "invalid-idempotency-key"
    detail = "An Idempotency-Key is 1 to 255 printable ASCII characters."


Methods = Mapping[str, Route]


@cache
def paths() -> Mapping[str, Methods]:
    """Every route by path and method, after importing each module of this package that can register one.

    Raises ValueError where two handlers claim one method of one path.
    """
    _import_routes(chalicelib.entrypoints)
    found: dict[str, dict[str, Route]] = {}
    for route in _http.ROUTES:
        methods = found.setdefault(route.path, {})
        if route.method in methods:
            raise ValueError(f"{route.method} {route.path} is registered twice")
        methods[route.method] = route
    return found


def route_of(path: str, method: str) -> Route:
    """The route that serves a method of a path; its module is imported now if nobody needed it before."""
    if not any(route.path == path for route in _http.ROUTES):
        importlib.import_module(SERVED[path][0])
    return next(route for route in _http.ROUTES if route.path == path and route.method == method)


def respond(route: Route, request: Request) -> Response:
    """Serve one request. Never raises: whatever goes wrong is an answer."""
    observed = _observe.begin(_request_id(request), route.method, route.path)
    origin = request.headers.get("origin")
    try:
        answer = _served(route, request, observed)
        body = _text(answer)
    except DomainError as error:
        answer = _http.problem(error)
        observed.slug = error.slug
        body = _text(answer)
    except Exception:  # noqa: BLE001  # the edge: a defect of ours must still answer, and be seen
        answer = _http.internal_error(observed.request_id)
        observed.slug = "internal-error"
        observed.failed()
        body = _text(answer)
    headers = _headers(answer, observed.request_id, origin)
    observed.end(answer.status)
    return Response(body=body, headers={**headers}, status_code=answer.status)


def preflight(methods: Collection[str], request: Request) -> Response:
    """Answer a browser that asks what it may send to a path."""
    try:
        granted = _cors.preflight_headers(request.headers.get("origin"), methods, runtime().settings)
    except Exception:  # noqa: BLE001  # a process that cannot start allows nothing
        _observe.log_failure("preflight")
        granted = {"Vary": "Origin"}
    headers = _COMMON_HEADERS | granted | {"X-Request-Id": _request_id(request)}
    return Response(body="", headers={**headers}, status_code=204)


def outside(method: str, path: str, *, origin: str | None = None, body_bytes: int = 0) -> Answer | None:
    """What API Gateway would answer itself, ready to be written: text and all headers. None if it would pass it on.

    The local server asks before it calls the app: unknown addresses, wrong methods, and bodies above 10 MB never reach
    a function in a deployed stage (infra/edge.yaml answers them there).
    """
    refusal: DomainError
    extra: dict[str, str] = {}
    template = template_of(path.partition("?")[0])
    methods = () if template is None else SERVED[template][1]
    if template is None:
        refusal = _http.RouteNotFound()
    elif method != "OPTIONS" and method not in methods:
        refusal = _http.MethodNotAllowed(method=method)
        extra["Allow"] = ", ".join(sorted({*methods, "OPTIONS"}))
    elif body_bytes > GATEWAY_BODY_BYTES_MAX:
        refusal = _http.BodyTooLarge(limit=GATEWAY_BODY_BYTES_MAX)
    else:
        return None
    answer = _http.problem(refusal)
    headers = {**_headers(answer, secrets.token_hex(16), origin), **extra}
    return Answer(answer.status, _text(answer), headers)


def check_single_headers(sent: Iterable[tuple[str, object]]) -> None:
    """Raises RepeatedHeader where one of those that decide something is there twice, in any case of its letters."""
    seen: set[str] = set()
    for name, _ in sent:
        lower = name.lower()
        if lower in seen and lower in SINGLE_HEADERS:
            raise RepeatedHeader(name=lower)
        seen.add(lower)


def _served(route: Route, request: Request, observed: _observe.Observed) -> Answer:
    """Size first, then form, then who, then what."""
    raw_body = _raw_body(request)
    if len(raw_body) > route.body_bytes_max:
        raise _http.BodyTooLarge(limit=route.body_bytes_max)
    if route.body is not None:
        _check_characters(raw_body)
    check_single_headers(_sent_headers(request))
    headers = {name.lower(): value for name, value in request.headers.items()}
    if route.keyed:
        _check_idempotency_key(headers.get("idempotency-key"))
    query = _query(request)
    process = runtime()
    now = process.clock()
    caller = _auth.identify(headers, process.table, process.settings, now)
    call = Call(
        runtime=process,
        request_id=observed.request_id,
        now=now,
        caller=caller,
        method=route.method,
        path=request.context.get("path") or route.path,  # as the caller sent it, stage included
        headers=headers,
        raw_query=query,
        raw_body=raw_body,
    )
    observed.caller = caller
    observed.academy_id = _named_academy(call)
    _auth.authorize(route, call)
    sent = request.uri_params or {}
    variables = {name: _unquoted(name, sent[name]) for name in route.variables}
    return route.handler(call, **_http.arguments(route, call, variables))


def _request_id(request: Request) -> str:
    """API Gateway's own id, which is in its access log too; a new one where there is no gateway."""
    return str(request.context.get("requestId") or secrets.token_hex(16))


def _sent_headers(request: Request) -> Iterator[tuple[str, object]]:
    """Every header as often as it was sent, as far as API Gateway says so."""
    several = request.to_original_event().get("multiValueHeaders") or {}
    return ((name, value) for name, values in several.items() for value in values)


def _raw_body(request: Request) -> bytes:
    """The bytes as they were sent; API Gateway hands some of them over in base64."""
    body = request.raw_body
    return body.encode() if isinstance(body, str) else body


def _check_characters(raw_body: bytes) -> None:
    """JSON can spell half of a surrogate pair (RFC 8259, section 8.2): no text, so nothing that could be stored."""
    if any(_HALF_A_CHARACTER.fullmatch(escape) for escape in _ESCAPE.findall(raw_body)):
        raise MalformedJson(why="half of a surrogate pair stands alone")


def _query(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    sent = request.query_params
    if sent is None:
        return found
    for name in sent:
        values = sent.getlist(name)
        if len(values) != 1:
            raise RepeatedParameter(name=name)
        found[name] = values[0]
    return found


def _check_idempotency_key(key: str | None) -> None:
    if key is not None and not (0 < len(key) <= IDEMPOTENCY_KEY_MAX and key.isascii() and key.isprintable()):
        raise InvalidIdempotencyKey


def _named_academy(call: Call) -> int | None:
    """The academy for the log line, as far as it is known without reading anything: never a slug, nor a card number."""
    named = [call.headers.get("academy"), *(call.raw_query.get(name) for name in _auth.ACADEMY_NAMES)]
    for value in named:
        if value is not None and value.isascii() and value.isdigit() and len(value) <= 16:
            return int(value) if scrubbed(value) == value else None
    return None if call.caller is None else call.caller.academy_id


def _unquoted(name: str, text: str) -> str:
    """REST APIs hand path variables over as they were sent, percent signs and all."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequest([FieldProblem(name, "not UTF-8")]) from error


def _headers(answer: Answer, request_id: str, origin: str | None) -> dict[str, str]:
    found = dict(_COMMON_HEADERS)
    if answer.status == HTTPStatus.UNAUTHORIZED:
        found["WWW-Authenticate"] = CHALLENGE
    if answer.body is not None:
        found["Content-Type"] = TEXT_PLAIN if isinstance(answer.body, (str, bytes)) else "application/json"
    found |= answer.headers
    try:
        granted = _cors.headers(origin, runtime().settings)
    except Exception:  # noqa: BLE001  # a process that cannot start has no settings, and says so in its log
        granted = {"Vary": "Origin"}
    return {**found, **granted, "X-Request-Id": request_id}


def _text(answer: Answer) -> str | bytes:
    """The body as Chalice takes it: text, or bytes of a type that API Gateway knows to be binary."""
    body = answer.body
    if body is None:
        return ""
    if isinstance(body, str):
        return body
    if isinstance(body, bytes):
        media = answer.headers.get("Content-Type", TEXT_PLAIN).split(";")[0]
        return body if media in BINARY_TYPES else body.decode()
    return _http.json_text(body)


def template_of(path: str) -> str | None:
    """The served path that API Gateway would choose: fixed parts win over variables, from the left."""
    parts = path.removesuffix("/").split("/") if path != "/" else ["", ""]
    best: tuple[list[bool], str] | None = None
    for template in SERVED:
        wanted = template.split("/")
        if len(wanted) != len(parts):
            continue
        variable = [part.startswith("{") for part in wanted]
        if all((part if free else part == want) for part, want, free in zip(parts, wanted, variable, strict=True)) and (
            best is None or variable < best[0]
        ):
            best = (variable, template)
    return None if best is None else best[1]


def _import_routes(package: ModuleType) -> None:
    """Import every public module below `package`. Handlers of events are imported by who is called with one."""
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("_") or module.name in EVENT_MODULES:
            continue
        imported = importlib.import_module(f"{package.__name__}.{module.name}")
        if module.ispkg:
            _import_routes(imported)
