"""One call as the verbs see it: the time, who asked, what was asked, and the world to change."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from local.stripe_standin.deliveries import Deliveries
from local.stripe_standin.errors import missing_resource
from local.stripe_standin.events import API_VERSION, Events, changes
from local.stripe_standin.store import Store

Json = dict[str, Any]

OWN_ENDPOINT = "we_own"


class World:
    """All state that calls change together."""

    def __init__(self, rng: random.Random, *, webhook_secret: str | None) -> None:
        self.store = Store(rng)
        self.deliveries = Deliveries(rng)
        self.events = Events(self.deliveries)
        self.webhook_secret = webhook_secret
        self.open_sessions: dict[str, int] = {}

    def dump(self) -> Json:
        return {
            "store": self.store.dump(),
            "events": self.events.dump(),
            "deliveries": self.deliveries.dump(),
        }

    def load(self, dumped: Json) -> None:
        self.store.load(dumped["store"])
        self.events.load(dumped["events"])
        self.deliveries.load(dumped["deliveries"])
        sessions = self.store.objects["checkout.session"].values()
        self.open_sessions = {s["id"]: s["expires_at"] for s in sessions if s["status"] == "open"}

    def endpoints_for(self, kind: str) -> list[str]:
        """The ids of the endpoints that listen to an event type; the server's own one listens to all."""
        found = [OWN_ENDPOINT] if self.webhook_secret else []
        for endpoint in self.store.objects["webhook_endpoint"].values():
            wanted = endpoint["enabled_events"]
            if endpoint["status"] == "enabled" and ("*" in wanted or kind in wanted):
                found.append(endpoint["id"])
        return found


@dataclass(frozen=True)
class Call:
    """What a verb gets. `ids` are the path's ids in order; `stays_processing` is an order of the test."""

    world: World
    now: int
    path: str = ""
    ids: tuple[str, ...] = ()
    params: Json = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None
    stays_processing: bool = False

    @property
    def store(self) -> Store:
        return self.world.store

    def find(self, kind: str, ident: str, *, param: str | None = None) -> Json:
        """The object, or Stripe's refusal: 404 for the thing itself, 400 for one named by a parameter."""
        thing = self.store.get(kind, ident)
        if thing is None or (param and thing.get("deleted")):
            raise missing_resource(kind, ident, param=param, status=400 if param else 404)
        return thing

    def emit(self, kind: str, thing: Json, previous: Json | None = None) -> None:
        data: Json = {"object": thing}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": self.store.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        self.world.events.add(event, self.world.endpoints_for(kind))

    @contextmanager
    def update(self, kind: str, thing: Json) -> Iterator[Json]:
        """Change `thing` inside the block; an event with the earlier values follows if anything changed."""
        before = copy.deepcopy(thing)
        yield thing
        previous = changes(before, thing)
        if previous:
            self.emit(kind, thing, previous)
