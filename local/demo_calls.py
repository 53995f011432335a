"""The demonstration's side of the wire: a server to talk to, and requests that must be answered as they should."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from local.options import ROOT

TIMEOUT_SECONDS = 60
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 40
EVENTUALLY_SECONDS = 15
POLL_SECONDS = 0.1

NOT_INHERITED = ("DATA", "STRIPE_SECRET_KEY", "AWS_ENDPOINT_URL_DYNAMODB", "PURSER_TABLE")
"""A demonstration's own server leaves alone what the person at this terminal works with."""

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Disappointed(Exception):
    """Something was not as the demonstration said."""


@dataclass(frozen=True, slots=True)
class Found:
    """A running server, from its demo file. The stand-in's address and keys are absent with Stripe itself."""

    api_url: str
    academy_id: int
    stripe_api_url: str | None
    stripe_secret_key: str = field(repr=False)
    stripe_webhook_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any


def request(
    method: str, url: str, *, body: Any = None, headers: Mapping[str, str] | None = None, raw: bytes | None = None
) -> Reply:
    """One request, with its answer whatever its status. Raises Disappointed where nobody answers."""
    payload = raw if raw is not None else None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    asked = urllib.request.Request(url, data=payload, headers=sent, method=method)  # noqa: S310
    try:
        with _direct.open(asked, timeout=TIMEOUT_SECONDS) as answer:
            return Reply(answer.status, json.loads(answer.read() or b"null"))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Reply(refusal.code, json.loads(refusal.read() or b"null"))
    except OSError as error:
        raise Disappointed(f"{method} {url} was not answered: {error}") from error


def eventually(probe: Callable[[], bool], otherwise: str) -> None:
    """Wait until the probe is true. Raises Disappointed with `otherwise` after 15 seconds."""
    deadline = time.monotonic() + EVENTUALLY_SECONDS
    while not probe():
        if time.monotonic() > deadline:
            raise Disappointed(otherwise)
        time.sleep(POLL_SECONDS)


def expect(holds: bool, otherwise: str) -> None:  # reads like assert, and cannot be switched off
    """Raises Disappointed where it does not hold."""
    if not holds:
        raise Disappointed(otherwise)


def running_server(demo_file: Path) -> Found | None:
    """The server that left this file, if it still answers."""
    if not demo_file.exists():
        return None
    found = read_demo(demo_file)
    try:
        with _direct.open(f"{found.api_url}/health", timeout=5):
            return found
    except OSError:
        return None


def read_demo(demo_file: Path) -> Found:
    content = json.loads(demo_file.read_text())
    return Found(
        api_url=content["api_url"],
        academy_id=content["academy"]["id"],
        stripe_api_url=content.get("stripe_api_url"),
        stripe_secret_key=content.get("stripe_secret_key", ""),
        stripe_webhook_secret=content.get("stripe_webhook_secret", ""),
    )


class DemoServer:
    """A server of its own on a free port, for as long as the context lasts."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._given = environment or {}
        self._folder = tempfile.TemporaryDirectory(prefix="purser-demo-")
        self.demo_file = Path(self._folder.name) / "demo.json"
        self.log_file = Path(self._folder.name) / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Found:
        """Raises Disappointed, with what the server said, where it does not come up."""
        try:
            self._start()
        except Disappointed:
            self._folder.cleanup()
            raise
        return read_demo(self.demo_file)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = self.stop()
        self._folder.cleanup()
        if kind is None and status != 0:
            raise Disappointed(f"the server ended with status {status}")

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def _start(self) -> None:
        own = {"PORT": "0", "PURSER_DEMO": str(self.demo_file), **dict.fromkeys(NOT_INHERITED, "")}
        environment = {**os.environ, **own, **self._given}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.run"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.demo_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Disappointed(f"the server did not come up:\n{self.log_file.read_text()}")
            time.sleep(POLL_SECONDS)

    def stop(self, by: signal.Signals = signal.SIGINT) -> int:
        """Answers the exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(by)
        try:
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
