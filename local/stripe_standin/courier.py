"""Webhooks on their way: a few threads post what is due by the stand-in's clock, until each is answered with a 2xx."""

import http.client
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from local.stripe_standin.machine import Outgoing, Standin

WORKERS = 4
POLL_SECONDS = 0.05
POST_TIMEOUT_SECONDS = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Courier:
    """Posts webhooks. It never leaves this machine: an endpoint elsewhere fails and is tried again."""

    def __init__(self, standin: Standin, clock: Callable[[], int]) -> None:
        self.own_url: str | None = None
        self._standin = standin
        self._clock = clock
        self._changed = threading.Condition()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"courier-{number}", daemon=True) for number in range(WORKERS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping = True
        self.wake()
        for thread in self._threads:
            thread.join(POST_TIMEOUT_SECONDS + 1)

    def wake(self) -> None:
        """Something may have become due."""
        with self._changed:
            self._changed.notify_all()

    def settle(self, timeout_seconds: float) -> bool:
        """Wait until no webhook is due and none is on its way; False where that took too long."""
        deadline = time.monotonic() + timeout_seconds
        self.wake()
        while not self._standin.settled(self._clock()):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(min(POLL_SECONDS, left))
        return True

    def _run(self) -> None:
        while not self._stopping:
            outgoing = self._standin.take_delivery(self._clock())
            if outgoing is None:
                with self._changed:
                    self._changed.wait(POLL_SECONDS)
                continue
            delivered = post(outgoing, outgoing.url or self.own_url)
            self._standin.report_delivery(outgoing.id, delivered=delivered, now=self._clock())
            self.wake()


def post(outgoing: Outgoing, url: str | None) -> bool:
    """Post one webhook; True where it was answered with a 2xx."""
    where = urlsplit(url or "")
    if where.scheme != "http" or where.hostname not in LOOPBACK:
        return False
    connection = http.client.HTTPConnection(where.hostname, where.port or 80, timeout=POST_TIMEOUT_SECONDS)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": outgoing.signature,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Connection": "close",
    }
    path = (where.path or "/") + (f"?{where.query}" if where.query else "")
    try:
        connection.request("POST", path, outgoing.payload.encode(), headers)
        with connection.getresponse() as response:
            response.read()
            return 200 <= response.status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
