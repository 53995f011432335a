"""The stand-in behind a loopback HTTP server, with webhooks that really arrive."""

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.stripe_standin.courier import Courier
from local.stripe_standin.machine import Answer, Standin

HOST = "127.0.0.1"
BODY_BYTES_MAX = 1_000_000
SETTLE_SECONDS_DEFAULT = 30.0
STOP_SECONDS_MAX = 5.0


class StandinServer:
    """`start()` it, point the library at `url`, and `stop()` it. `clock` tells unix seconds and may jump ahead.

    Every event is posted to `webhook_url`, which may be set later; before that nobody listens.
    """

    def __init__(
        self,
        standin: Standin,
        *,
        port: int = 0,
        clock: Callable[[], int],
        webhook_url: str | None = None,
        webhook_secret: str = "whsec_standin",  # noqa: S107  # a test secret guards nothing
    ) -> None:
        self.standin = standin
        self.clock = clock
        self.courier = Courier(standin, clock)
        self._webhook_secret = webhook_secret
        self._http = _Server((HOST, port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="standin", daemon=True)
        self.webhook_url = webhook_url

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._http.server_address[1]}"

    @property
    def webhook_url(self) -> str | None:
        return self.courier.own_url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.courier.own_url = url
        if url is not None:
            self.standin.listen(self._webhook_secret)

    def start(self) -> None:
        self._thread.start()
        self.courier.start()

    def stop(self) -> None:
        """Close the port and every open connection; webhooks that wait stay in the state."""
        self.courier.stop()
        self._http.shutdown()
        self._thread.join()
        self._http.close_connections()
        self._http.server_close()

    def settle(self, timeout_seconds: float = SETTLE_SECONDS_DEFAULT) -> bool:
        """Wait until no webhook is due by the clock and none is on its way; False after the timeout (real time)."""
        return self.courier.settle(timeout_seconds)


class _Server(ThreadingHTTPServer):
    """Knows its open connections, so that it can close them."""

    daemon_threads = True
    request_queue_size = 128
    owner: StandinServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._guard:
            self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hangs up is no error; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while time.monotonic() < deadline:
            with self._guard:
                still_open = list(self._open)
            if not still_open:
                return
            for connection in still_open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            time.sleep(0.005)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "standin"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_args: Any) -> None:
        """Silent: the log of requests is at `/_control/requests`."""

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if size > BODY_BYTES_MAX:
            self.close_connection = True
            return self._send(Answer(413, "{}"))
        body = self.rfile.read(size).decode(errors="replace") if size else ""
        owner = self.server.owner
        if self.path == "/_control" or self.path.startswith("/_control/"):
            return self._send(self._control(owner, body))
        answer = owner.standin.exchange(self.command, self.path, body, dict(self.headers), owner.clock())
        owner.courier.wake()
        if answer.dropped:
            self.close_connection = True
            return None
        return self._send(answer)

    def _control(self, owner: StandinServer, body: str) -> Answer:
        try:
            order = json.loads(body) if body else {}
        except ValueError:
            return Answer(400, json.dumps({"error": {"message": "An order is JSON."}}))
        if self.path == "/_control/settle":
            settled = owner.settle(float(order.get("timeout_seconds", SETTLE_SECONDS_DEFAULT)))
            return Answer(200, json.dumps({"settled": settled}))
        status, answer = owner.standin.control(self.command, self.path, order, owner.clock())
        owner.courier.wake()
        return Answer(status, json.dumps(answer))

    def _send(self, answer: Answer) -> None:
        payload = answer.text.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()
