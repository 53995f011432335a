"""The stand-in itself: one call in, one answer out, everything else is state."""

import base64
import binascii
import json
import random
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from local.stripe_standin import checkout, controls, expansion, routes
from local.stripe_standin.call import OWN_ENDPOINT, Call, World
from local.stripe_standin.deliveries import Orders, signature
from local.stripe_standin.errors import Refusal, broken, rate_limited, unauthorized, unrecognized
from local.stripe_standin.events import API_VERSION
from local.stripe_standin.forms import STR, parse
from local.stripe_standin.idempotency import Kept, Keys, fingerprint

Json = dict[str, Any]

REQUESTS_KEPT_MAX = 10_000
REQUEST_FIELDS = ("method", "path", "query", "body", "idempotency_key", "stripe_version", "status")


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire; nothing at all where `dropped`."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    dropped: bool = False


@dataclass(frozen=True)
class Outgoing:
    """One webhook that is to be posted now; `url` is None for the server's own endpoint."""

    id: str
    url: str | None
    payload: str
    signature: str


class ConnectionDropped(Exception):  # what a caller sees of an order, not a fault
    """The stand-in was ordered not to answer."""


class Standin:
    """Stripe, as far as this project calls it. Safe to call from many threads.

    `webhook_secret` signs what the server's own endpoint gets; where it is None nobody listens, and events are only
    kept. `rng` decides every id; by default the system's own, so that ids differ between runs.
    """

    def __init__(
        self,
        *,
        secret_key: str = "sk_test_standin",  # noqa: S107  # a test key opens nothing
        webhook_secret: str | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.secret_key = secret_key
        self.world = World(rng or random.SystemRandom(), webhook_secret=webhook_secret)
        self.keys = Keys()
        self._rules = controls.Rules()
        self._requests: deque[Json] = deque(maxlen=REQUESTS_KEPT_MAX)
        self._lock = threading.RLock()

    def handle(self, method: str, path: str, form: str, headers: Mapping[str, str], now: int) -> tuple[int, Json]:
        """Answer one API call; `path` carries a GET's query, `form` a POST's form-encoded body.

        Raises ConnectionDropped where an order says that no answer comes.
        """
        answer = self.exchange(method, path, form, headers, now)
        if answer.dropped:
            raise ConnectionDropped(f"{method} {path}")
        return answer.status, json.loads(answer.text)

    def exchange(self, method: str, path: str, form: str, headers: Mapping[str, str], now: int) -> Answer:
        """As `handle`, with the answer's text and headers as they go over the wire."""
        path, _, query = path.partition("?")
        sent = {name.lower(): value for name, value in headers.items()}
        key = sent.get("idempotency-key") if method == "POST" else None
        record = self._record(method, path, query, form, sent)
        with self._lock:
            action = self._rules.take(method, path)
            request_id = self.world.store.new_id("req", 14)
        if action == "refuse_connection":
            return Answer(0, "", dropped=True)
        call = Call(
            self.world,
            now,
            path=path,
            request_id=request_id,
            idempotency_key=key,
            stays_processing=action == "stay_processing",
        )
        try:
            if action in ("error_429", "error_500"):
                raise rate_limited() if action == "error_429" else broken()
            self._authorize(sent.get("authorization"))
            with self.keys.executing(key), self._lock:
                answer = self._answer(method, call, form if method == "POST" else query)
        except Refusal as refusal:
            answer = _refused(call, refusal)
        if action == "lose_answer":
            return Answer(answer.status, answer.text, answer.headers, dropped=True)
        record["status"] = answer.status
        return answer

    def control(self, method: str, path: str, body: Json, now: int) -> tuple[int, Any]:
        """Take an order: `/_control` and what is below it."""
        parts = path.strip("/").split("/")
        call = Call(self.world, now, path=path, ids=tuple(parts[2:3]))
        with self._lock:
            try:
                if (method, len(parts)) == ("POST", 1):
                    return 200, self._order(body)
                if (method, len(parts)) == ("DELETE", 1):
                    return 200, self._order({})
                if (method, parts[1:]) == ("GET", ["requests"]):
                    return 200, [{name: told[name] for name in REQUEST_FIELDS} for told in self._requests]
                if (method, len(parts)) == ("POST", 3):
                    checkout.expire_overdue(Call(self.world, now))
                    return 200, json.loads(json.dumps(controls.act(call, parts[1], body)))
                raise unrecognized(method, path)
            except Refusal as refusal:
                return refusal.status, json.loads(json.dumps(refusal.body()))

    def requests(self) -> list[Json]:
        """The last API calls, oldest first, with the connected account that each named (and nothing else heeds)."""
        return [dict(told) for told in list(self._requests)]

    def listen(self, webhook_secret: str) -> None:
        """From now on the server's own endpoint gets every event, signed with this secret."""
        self.world.webhook_secret = webhook_secret

    def take_delivery(self, now: int) -> Outgoing | None:
        """One webhook that is due, to be reported later; None where none is due."""
        with self._lock:
            checkout.expire_overdue(Call(self.world, now))
            while True:
                delivery = self.world.deliveries.take(now)
                if delivery is None:
                    return None
                payload = self.world.events.text(delivery.event)
                target = self._target(delivery.endpoint)
                if payload is not None and target is not None:
                    url, secret = target
                    return Outgoing(delivery.id, url, payload, signature(secret, payload, at=now))
                self.world.deliveries.report(delivery.id, delivered=True, now=now)

    def report_delivery(self, ident: str, *, delivered: bool, now: int) -> None:
        """Say whether an outgoing webhook was answered with a 2xx."""
        with self._lock:
            self.world.deliveries.report(ident, delivered=delivered, now=now)

    def settled(self, now: int) -> bool:
        """Whether no webhook is due and none is on its way."""
        with self._lock:
            return self.world.deliveries.settled(now)

    def dump(self) -> Json:
        """Everything but the orders and the log of requests, ready for JSON."""
        with self._lock:
            dumped = {"world": self.world.dump(), "keys": self.keys.dump()}
            return json.loads(json.dumps(dumped))  # type: ignore[no-any-return]

    def load(self, dumped: Json) -> None:
        """Become what was dumped; a webhook that was on its way then is sent again."""
        with self._lock:
            self.world.load(json.loads(json.dumps(dumped["world"])))
            self.keys.load(dumped["keys"])

    def _record(self, method: str, path: str, query: str, form: str, sent: dict[str, str]) -> Json:
        record: Json = {
            "method": method,
            "path": path,
            "query": query,
            "body": form,
            "idempotency_key": sent.get("idempotency-key"),
            "stripe_version": sent.get("stripe-version"),
            "stripe_account": sent.get("stripe-account"),
            "status": None,
        }
        self._requests.append(record)
        return record

    def _authorize(self, header: str | None) -> None:
        scheme, _, given = (header or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                given = ""
        if given != self.secret_key:
            raise unauthorized(given)

    def _answer(self, method: str, call: Call, form: str) -> Answer:
        key = call.idempotency_key
        kept = self.keys.find(key, path=call.path, form=form, now=call.now) if key else None
        if kept:
            replayed = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
            return Answer(kept.status, kept.text, {**_headers(call), **replayed})
        checkout.expire_overdue(Call(self.world, call.now))
        executed = True
        try:
            answer = Answer(200, _text(self._run(method, call, form)), _headers(call))
        except Refusal as refusal:
            executed = refusal.executed
            answer = _refused(call, refusal)
        if key and executed:
            request_id = call.request_id or ""
            kept = Kept(call.path, fingerprint(form), call.now, request_id, answer.status, answer.text)
            self.keys.keep(key, kept)
        return answer

    def _run(self, method: str, call: Call, form: str) -> Json:
        found = routes.find(method, call.path)
        if found is None:
            raise unrecognized(method, call.path)
        route, ids = found
        params = parse(form, {**route.spec, "expand": [STR]}, required=route.required) if form or route.required else {}
        whole = Call(
            call.world,
            call.now,
            call.path,
            ids,
            params,
            call.request_id,
            call.idempotency_key,
            call.stays_processing,
        )
        answer = route.verb(whole)
        return expansion.expanded(whole, answer) if params.get("expand") else answer

    def _order(self, body: Json) -> Json:
        unknown = set(body) - {"rules", "webhooks"}
        if unknown:
            raise Refusal(400, f"Unknown orders: {', '.join(sorted(unknown))}")
        orders: Orders = controls.webhook_orders(body.get("webhooks") or {})
        self._rules.replace(body.get("rules") or [])
        self.world.deliveries.orders = orders
        return {"rules": body.get("rules") or [], "webhooks": body.get("webhooks") or {}}

    def _target(self, endpoint: str) -> tuple[str | None, str] | None:
        """Where an endpoint's webhooks go and what signs them; None where it is gone."""
        if endpoint == OWN_ENDPOINT:
            secret = self.world.webhook_secret
            return (None, secret) if secret else None
        known = self.world.store.get("webhook_endpoint", endpoint)
        if known is None or known["status"] != "enabled":
            return None
        return known["url"], self.world.store.hidden[endpoint]["secret"]


def _refused(call: Call, refusal: Refusal) -> Answer:
    body = refusal.body()
    body["error"]["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{call.request_id}"
    return Answer(refusal.status, _text(body), _headers(call))


def _text(body: Json) -> str:
    return msgspec.json.encode(body).decode()


def _headers(call: Call) -> dict[str, str]:
    headers = {"Request-Id": call.request_id or "", "Stripe-Version": API_VERSION}
    if call.idempotency_key:
        headers["Idempotency-Key"] = call.idempotency_key
    return headers
