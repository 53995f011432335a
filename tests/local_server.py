"""A `make run` of its own for tests, and the wire as a browser or curl would use it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from local.demo_calls import DemoServer


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class LocalServer:
    """`demo` is what its demo file says."""

    demo: dict[str, Any]
    process: DemoServer

    def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None, token: str = ""
    ) -> Response:
        """`token` names one of the demo file's."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Token {self.demo['tokens'][token]}"
        payload = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        where = urlsplit(self.demo["api_url"])
        connection = HTTPConnection(str(where.hostname), where.port, timeout=60)
        try:
            connection.request(method, path, payload, sent)
            answer = connection.getresponse()
            return Response(answer.status, dict(answer.headers), answer.read().decode())
        finally:
            connection.close()

    def customer(self) -> dict[str, str]:
        """The headers of a fresh person."""
        return {"Authorization": f"Token {self.call('POST', '/_local/customers').json['token']}"}

    def advance(self, seconds: int) -> Response:
        return self.call("POST", "/_local/clock", {"advance_seconds": seconds})


@contextmanager
def a_local_server(**environment: str) -> Iterator[LocalServer]:
    """Stopped at the end, which must be a clean stop."""
    process = DemoServer(environment)
    with process:
        yield LocalServer(json.loads(process.demo_file.read_text()), process)
