"""What stands before the app in a deployed stage: chalice's own local server, answering as API Gateway does.

Nagle's algorithm is off and writes are buffered: a request over a kept connection takes 44 ms otherwise.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import ChaliceRequestHandler, CustomLocalChalice, LocalChalice, LocalDevServer, ThreadedHTTPServer

from chalicelib.entrypoints import _dispatch, _http
from chalicelib.entrypoints._http import Answer
from chalicelib.kernel.errors import DomainError, FieldProblem, InvalidRequest
from local.ports import HOST

CONNECTIONS_WAITING_MAX = 128
IDLE_CONNECTION_SECONDS = 75
LENGTH_DIGITS_MAX = 15
DRAINED_BYTES_MAX = 64 * 1024 * 1024
DRAIN_CHUNK_BYTES = 64 * 1024
FINISH_SECONDS_MAX = 10.0
POLL_SECONDS = 0.02
LOCAL_PREFIX = "/_local/"
WITHOUT_BODY = frozenset({204, 304})

Event = dict[str, Any]
LocalRoutes = Callable[[Event], Mapping[str, Any]]
"""From a proxy event below `/_local/` to Lambda's response."""


class PortTaken(RuntimeError):
    """Somebody else listens there, or this user may not."""


class Gateway:
    """`serve()` blocks until `stop()` is called by another thread. Port 0 takes a free one."""

    def __init__(self, app: Chalice, *, port: int, local_routes: LocalRoutes) -> None:
        """Raises PortTaken."""
        _make_local(app)
        try:
            server = LocalDevServer(app, Config(), HOST, port, handler_cls=_Handler, server_cls=_Server)
        except OSError as error:
            raise PortTaken(f"port {port} cannot be used ({error.strerror}); choose another with PORT=...") from error
        self._http: _Server = server.server
        self._http.local_routes = local_routes

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._http.server_address[1]}"

    def serve(self) -> None:
        self._http.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """Take no more connections and let the requests at hand finish."""
        self._http.shutdown()
        deadline = time.monotonic() + FINISH_SECONDS_MAX
        while self._http.requests_at_hand and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Give the port back."""
        self._http.server_close()


class _Server(ThreadedHTTPServer):
    request_queue_size = CONNECTIONS_WAITING_MAX
    local_routes: LocalRoutes

    def __init__(self, *arguments: Any) -> None:
        self.requests_at_hand = 0
        self.guard = threading.Lock()
        super().__init__(*arguments)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hangs up is no error; anything else is shown."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(ChaliceRequestHandler):
    disable_nagle_algorithm = True
    wbufsize = -1
    default_request_version = "HTTP/1.1"  # what is no request at all is answered with a status line too
    timeout = IDLE_CONNECTION_SECONDS
    server: _Server

    def _generic_handle(self) -> None:
        with self.server.guard:
            self.server.requests_at_hand += 1
        try:
            self._answer()
        finally:
            with self.server.guard:
                self.server.requests_at_hand -= 1

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _generic_handle  # noqa: N815

    def _answer(self) -> None:
        size = self._body_bytes()
        if size is None:
            self.close_connection = True
            return self._refuse(InvalidRequest([FieldProblem("Content-Length", "a body needs its length")]))
        if ";" in self.path.partition("?")[0]:  # chalice's local server would cut the path there
            self._drain(size)
            return self._refuse(_http.RouteNotFound())
        own = self.path.startswith(LOCAL_PREFIX)
        if own and size > _http.BODY_BYTES_MAX:
            self._drain(size)
            return self._refuse(_http.BodyTooLarge(limit=_http.BODY_BYTES_MAX))
        origin = self.headers.get("Origin")
        outside = None if own else _dispatch.outside(self.command, self.path, origin=origin, body_bytes=size)
        if outside is not None:
            self._drain(size)
            return self._write(outside.status, outside.headers, outside.body)
        body = self.rfile.read(size) if size else None
        try:
            _dispatch.check_single_headers(self.headers.items())
        except DomainError as refusal:
            return self._refuse(refusal)
        headers = dict(self.headers)
        if own:
            response = self.server.local_routes(_event(self.command, self.path, headers, body))
        else:
            response = self.local_gateway.handle_request(self.command, self.path, headers, body)
        found = self._handle_binary(dict(response))
        return self._write(found["statusCode"], {**found["headers"], **found["multiValueHeaders"]}, found["body"])

    def _body_bytes(self) -> int | None:
        """How long the body is; None where that is not said, as with chunks, or said twice."""
        lengths = self.headers.get_all("Content-Length", ["0"])
        if self.headers.get("Transfer-Encoding") is not None or len(lengths) != 1:
            return None
        text = lengths[0]
        return int(text) if text.isascii() and text.isdigit() and len(text) <= LENGTH_DIGITS_MAX else None

    def _drain(self, size: int) -> None:
        """Read what will not be looked at: a caller who is still sending would not see the answer."""
        if size > DRAINED_BYTES_MAX:
            self.close_connection = True
            return
        while size > 0:
            chunk = self.rfile.read(min(size, DRAIN_CHUNK_BYTES))
            if not chunk:
                return
            size -= len(chunk)

    def _refuse(self, refusal: DomainError) -> None:
        answer = _http.problem(refusal)
        self._write(answer.status, answer.headers, _http.json_text(answer.body))

    def _write(self, status: int, headers: Mapping[str, Any], body: str | bytes | None) -> None:
        payload = body.encode() if isinstance(body, str) else body or b""
        self.send_response(status)
        for name, values in headers.items():
            for value in values if isinstance(values, list) else [values]:
                self.send_header(name, value)
        if status not in WITHOUT_BODY:
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD" and status not in WITHOUT_BODY:
            self.wfile.write(payload)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the HTTP library refuses itself, such as a method that nobody knows, in the one shape."""
        self.close_connection = True
        command, path = getattr(self, "command", None), getattr(self, "path", None)
        answer: Answer | None = None
        if code == 501 and command and path:
            answer = _dispatch.outside(command, path)
        if answer is None:
            answer = _http.problem(InvalidRequest([FieldProblem("request", message or "cannot be read")]))
            answer = Answer(answer.status, _http.json_text(answer.body), answer.headers)
        self.command = command or "GET"
        self._write(answer.status, answer.headers, answer.body)

    def log_message(self, *_arguments: Any) -> None:
        """Silent: the app logs a line for each request."""


def _make_local(app: Chalice) -> None:
    """Give the app chalice's local class, whose current request is each thread's own."""
    if not isinstance(app, LocalChalice):
        CustomLocalChalice.__bases__ = (LocalChalice, app.__class__)
        app.__class__ = CustomLocalChalice


def _event(method: str, path: str, headers: dict[str, str], body: bytes | None) -> Event:
    """A proxy event of a path without variables."""
    plain, _, query = path.partition("?")
    return {
        "requestContext": {"httpMethod": method, "resourcePath": plain},
        "headers": {name.lower(): value for name, value in headers.items()},
        "multiValueQueryStringParameters": parse_qs(query, keep_blank_values=True) or None,
        "pathParameters": None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": False,
    }
