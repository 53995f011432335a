"""Events: what happened, with the object as it was then, kept for 30 days and queued for every endpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from local.stripe_standin.deliveries import Deliveries

Json = dict[str, Any]

API_VERSION = "2026-10-28.endive"
EVENT_KEPT_SECONDS = 30 * 86_400


@dataclass(frozen=True)
class StoredEvent:
    """An event and its text as it is sent."""

    id: str
    kind: str
    created: int
    text: str
    place: int


class Events:
    """The log of events, oldest first."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._stored: dict[str, StoredEvent] = {}
        self._count = 0

    def add(self, event: Json, endpoints: list[str]) -> None:
        """Record an event (its objects are copied by being written as text) and queue its deliveries."""
        event["pending_webhooks"] = len(endpoints)
        stored = self._keep(event, msgspec.json.encode(event).decode())
        self._deliveries.enqueue(stored.id, endpoints, now=stored.created)
        self._forget_old(stored.created)

    def _keep(self, event: Json, text: str) -> StoredEvent:
        self._count += 1
        stored = StoredEvent(event["id"], event["type"], event["created"], text, self._count)
        self._stored[stored.id] = stored
        return stored

    def place(self, ident: str) -> int:
        """Where in the order of events one stands."""
        return self._stored[ident].place

    def text(self, ident: str) -> str | None:
        stored = self._stored.get(ident)
        return stored.text if stored else None

    def shown(self, ident: str) -> Json | None:
        """The event as a call answers it: as it was, but with the deliveries that are pending now."""
        stored = self._stored.get(ident)
        if stored is None:
            return None
        event: Json = msgspec.json.decode(stored.text)
        event["pending_webhooks"] = self._deliveries.unconfirmed(ident)
        return event

    def newest_first(self) -> Iterator[StoredEvent]:
        return reversed(self._stored.values())

    def delivered(self, ident: str) -> bool:
        return self._deliveries.unconfirmed(ident) == 0

    def _forget_old(self, now: int) -> None:
        while self._stored:
            oldest = next(iter(self._stored.values()))
            if oldest.created >= now - EVENT_KEPT_SECONDS:
                return
            del self._stored[oldest.id]
            self._deliveries.forget(oldest.id)

    def dump(self) -> list[str]:
        return [stored.text for stored in self._stored.values()]

    def load(self, texts: list[str]) -> None:
        self._stored = {}
        for text in texts:
            self._keep(msgspec.json.decode(text), text)


def changes(before: Json, after: Json) -> Json:
    """Stripe's `previous_attributes`: what differs, with its earlier value; inside hashes only what differs."""
    previous: Json = {}
    for key, now in after.items():
        earlier = before.get(key)
        if earlier == now:
            continue
        if isinstance(earlier, dict) and isinstance(now, dict):
            inner = changes(earlier, now)
            inner.update({name: value for name, value in earlier.items() if name not in now})
            previous[key] = inner
        else:
            previous[key] = earlier
    return previous
