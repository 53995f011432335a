"""What the tests that kill need: a world whose processes are real, and purchases that crashed after the charge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chalicelib.adapters.queue.sqs import SqsQueue
from chalicelib.books.billing.model import Buyer
from chalicelib.flows.checkout.buy_consumables import BuyUnits, buy_units
from local.resources import client
from local.stripe_standin.server import StandinServer
from tests.concurrency.parallel import ParallelWorld
from tests.services import REGION
from tests.shop import MENTORING
from tests.world import STRIPE_KEY, WEBHOOK_SECRET, Person

ROOT = Path(__file__).parents[2]
BUYING_THREADS = 4
START_SECONDS_MAX = 30
POLL_SECONDS = 0.02


class Killed(BaseException):
    """The call's process died right after Stripe took the money."""


@dataclass
class Processes:
    """Starts processes on the world's table, queues and Stripe; `end` stops those that are left."""

    world: ParallelWorld
    endpoint_url: str
    stripe: StandinServer
    mails_file: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    delivering: bool = False

    def start(self, role: str) -> tuple[subprocess.Popen[bytes], str]:
        """The process, and the line that it said when it was ready."""
        log = self.mails_file.with_suffix(".log").open("ab")
        with log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "tests.concurrency.processes", role],
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.running.append(process)
        assert process.stdin is not None and process.stdout is not None
        ahead = (self.world.now - datetime.now(UTC)).total_seconds()
        told = {"clock_ahead_seconds": ahead, "mails_file": str(self.mails_file)}
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline().decode().strip()
        assert line, f"the {role} ended at once"
        return process, line

    def deliver_to(self, url: str) -> None:
        """Let Stripe send its webhooks to a receiver at this address."""
        self.stripe.webhook_url = f"{url}/stripe/webhook"
        if not self.delivering:
            self.delivering = True
            self.stripe.courier.start()

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL: nothing of the process runs any more."""
        process.kill()
        process.wait()
        self._close(process)

    def end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()
            self._close(process)

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _environment(self) -> dict[str, str]:
        settings = self.world.runtime.settings
        return {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint_url,
            "AWS_ENDPOINT_URL_SQS": self.endpoint_url,
            "PURSER_TABLE": settings.table,
            "PURSER_REGION": REGION,
            "PURSER_INBOX_QUEUE_URL": settings.inbox_queue_url,
            "PURSER_OUTBOX_QUEUE_URL": settings.outbox_queue_url,
            "PURSER_HOLDINGS_QUEUE_URL": settings.holdings_queue_url,
            "PURSER_FILES_BUCKET": settings.files_bucket,
            "PURSER_MAIL_FROM": settings.mail_from,
            "PURSER_STRIPE_SECRET_KEY": STRIPE_KEY,
            "PURSER_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "PURSER_STRIPE_URL": self.stripe.url,
            "PURSER_JWT_SECRET": "j" * 40,
        }


@contextmanager
def processes(world: ParallelWorld, endpoint_url: str, mails_file: Path) -> Iterator[Processes]:
    """Stripe behind a port, and nudges that go to the queues of `world`'s settings.

    Stripe sends no webhooks before `Processes.deliver_to` says where to; until then a test takes them itself.
    """
    world.runtime.__dict__["queue"] = SqsQueue(world.runtime.settings)
    server = StandinServer(world.standin, clock=lambda: int(world.now.timestamp()), webhook_secret=WEBHOOK_SECRET)
    server.start()
    server.courier.stop()
    started = Processes(world, endpoint_url, server, mails_file)
    try:
        yield started
    finally:
        started.end()
        server.stop()


def new_queues(endpoint_url: str) -> dict[str, str]:
    """New queues, as settings."""
    sqs = client("sqs", region=REGION, endpoint_url=endpoint_url)
    named = uuid.uuid4().hex
    made = {
        f"{name}_queue_url": str(sqs.create_queue(QueueName=f"{name}-{named}")["QueueUrl"])
        for name in ("inbox", "outbox", "holdings")
    }
    return {"sqs_url": endpoint_url, **made}


def charge_and_crash(world: ParallelWorld, people: list[Person], *, each: int) -> None:
    """Each person buys so often, and each call dies right after Stripe took the money."""
    real = world.stripe_client.request

    def request(method: str, url: str, *arguments: Any, **named: Any) -> Any:
        answer = real(method, url, *arguments, **named)
        if method.upper() == "POST" and url.endswith("/v1/payment_intents"):
            raise Killed
        return answer

    def buy(person: Person) -> None:
        buyer = Buyer(user_id=person.user_id, email=person.email, first_name="Ada", last_name="Lovelace")
        command = BuyUnits(service=MENTORING, how_many=2, academy_id=world.academy_id)
        for _ in range(each):
            try:
                buy_units(world.runtime.context(world.now), buyer, command)
            except Killed:
                continue
            raise AssertionError("the call came through")

    with patch.object(world.stripe_client, "request", request), ThreadPoolExecutor(BUYING_THREADS) as pool:
        list(pool.map(buy, people))


def wait_until(holds: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)
