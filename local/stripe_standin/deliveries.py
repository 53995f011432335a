"""Webhook deliveries: which are due, when they are tried again, and how they are signed. Pure: no socket, no clock."""

import hashlib
import heapq
import hmac
import random
from dataclasses import asdict, dataclass
from typing import Any

Json = dict[str, Any]

# Seconds to wait after the first, second, ... failed attempt: growing, and a little over three days in all.
BACKOFF_SECONDS = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 43_200, 43_200, 43_200, 43_200, 43_200)
SHUFFLE_SECONDS_MAX = 1


@dataclass(frozen=True)
class Orders:
    """How webhooks misbehave: sent `copies` times, out of order, late, or never."""

    copies: int = 1
    shuffle: bool = False
    delay_seconds: int = 0
    drop: bool = False


@dataclass
class Delivery:
    """One copy of one event on its way to one endpoint."""

    id: str
    event: str
    endpoint: str
    due_at: int
    attempts: int = 0


class Deliveries:
    """The queue. A delivery is waiting, in flight, or gone; at least once, so a failed attempt waits again."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.orders = Orders()
        self._waiting: list[tuple[int, float, str]] = []
        self._known: dict[str, Delivery] = {}
        self._in_flight: set[str] = set()
        self._unconfirmed: dict[str, int] = {}
        self._serial = 0
        self._place = 0

    def enqueue(self, event: str, endpoints: list[str], *, now: int) -> None:
        for endpoint in endpoints:
            if self.orders.drop:
                self._unconfirmed[event] = self._unconfirmed.get(event, 0) + 1
                continue
            for _ in range(self.orders.copies):
                self._serial += 1
                jitter = self._rng.randint(0, SHUFFLE_SECONDS_MAX) if self.orders.shuffle else 0
                due_at = now + self.orders.delay_seconds + jitter
                delivery = Delivery(f"wd_{self._serial}", event, endpoint, due_at)
                self._unconfirmed[event] = self._unconfirmed.get(event, 0) + 1
                self._wait(delivery)

    def take(self, now: int) -> Delivery | None:
        """Answer one due delivery and count it as in flight until it is reported; None where none is due."""
        if not self._waiting or self._waiting[0][0] > now:
            return None
        delivery = self._known[heapq.heappop(self._waiting)[2]]
        self._in_flight.add(delivery.id)
        return delivery

    def report(self, ident: str, *, delivered: bool, now: int) -> None:
        """Say how an attempt went: a failed one waits again, and after the last one it is given up."""
        self._in_flight.discard(ident)
        delivery = self._known.get(ident)
        if delivery is None:
            return
        if delivered:
            del self._known[ident]
            self._confirm(delivery.event)
            return
        delivery.attempts += 1
        if delivery.attempts > len(BACKOFF_SECONDS):
            del self._known[ident]
            return
        delivery.due_at = now + BACKOFF_SECONDS[delivery.attempts - 1]
        self._wait(delivery)

    def due_at(self) -> int | None:
        """When the next waiting delivery is due (unix seconds)."""
        return self._waiting[0][0] if self._waiting else None

    def settled(self, now: int) -> bool:
        return not self._in_flight and (not self._waiting or self._waiting[0][0] > now)

    def unconfirmed(self, event: str) -> int:
        """How many deliveries of an event have not been answered with success, given up ones included."""
        return self._unconfirmed.get(event, 0)

    def forget(self, event: str) -> None:
        self._unconfirmed.pop(event, None)

    def _wait(self, delivery: Delivery) -> None:
        self._known[delivery.id] = delivery
        self._place += 1
        place = self._rng.random() if self.orders.shuffle else float(self._place)
        heapq.heappush(self._waiting, (delivery.due_at, place, delivery.id))

    def _confirm(self, event: str) -> None:
        left = self._unconfirmed.get(event, 0) - 1
        if left > 0:
            self._unconfirmed[event] = left
        else:
            self._unconfirmed.pop(event, None)

    def dump(self) -> Json:
        return {
            "serial": self._serial,
            "orders": asdict(self.orders),
            "deliveries": [asdict(delivery) for delivery in self._known.values()],
            "unconfirmed": dict(self._unconfirmed),
        }

    def load(self, dumped: Json) -> None:
        """What was in flight when the state was dumped is waiting again: at least once."""
        self._waiting, self._known, self._in_flight = [], {}, set()
        self._serial = dumped["serial"]
        self.orders = Orders(**dumped["orders"])
        for delivery in dumped["deliveries"]:
            self._wait(Delivery(**delivery))
        self._unconfirmed = dict(dumped["unconfirmed"])


def signature(secret: str, payload: str, *, at: int) -> str:
    """The `Stripe-Signature` header. Source: https://docs.stripe.com/webhooks#verify-manually"""
    mac = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"
