"""What the stand-in's tests share: the real stripe library on top of it, over a socket or in-process."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import stripe

from local.stripe_standin.inprocess import InProcessClient
from local.stripe_standin.machine import Standin
from local.stripe_standin.server import StandinServer

Json = dict[str, Any]

TRANSPORTS = ("http", "inprocess")
SECRET_KEY = "sk_test_contract"
WEBHOOK_SECRET = "whsec_contract"
START = 1_795_000_000
TIMEOUT_SECONDS = 10


@dataclass
class Clock:
    """Unix seconds that only move when told to."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: int) -> None:
        self.now += seconds


class Shop:
    """A merchant with the real library, Stripe's stand-in behind it, and the orders that a test gives."""

    def __init__(self, standin: Standin, clock: Clock, http_client: stripe.HTTPClient, url: str | None) -> None:
        self.standin = standin
        self.clock = clock
        self.url = url
        self._http_client = http_client
        self.client = self.library()

    def library(self, *, retries: int = 0, key: str = SECRET_KEY, account: str | None = None) -> stripe.StripeClient:
        addresses: Any = {"api": self.url} if self.url else {}
        return stripe.StripeClient(
            key,
            http_client=self._http_client,
            base_addresses=addresses,
            max_network_retries=retries,
            stripe_account=account,
        )

    @property
    def v1(self) -> Any:
        return self.client.v1

    def control(self, method: str, path: str = "/_control", **body: Any) -> tuple[int, Any]:
        if self.url is None:
            return self.standin.control(method, path, body, self.clock())
        answer = requests.request(method, self.url + path, json=body, timeout=TIMEOUT_SECONDS)
        return answer.status_code, answer.json()

    def order(self, path: str = "/_control", **body: Any) -> Any:
        status, answer = self.control("POST", path, **body)
        assert status == 200, answer
        return answer

    def a_customer(self, **params: Any) -> Any:
        return self.v1.customers.create({"email": "ada@example.com", "name": "Ada", **params})

    def a_card(self, customer: str, name: str = "pm_card_visa") -> Any:
        """A payment method of a test card, attached to the customer without a setup intent."""
        return self.v1.payment_methods.attach(name, {"customer": customer})

    def pay(self, **params: Any) -> Any:
        """A confirmed payment of 59.99 USD by card."""
        whole = {
            "amount": 5999,
            "currency": "usd",
            "confirm": True,
            "payment_method_types": ["card"],
            **params,
        }
        return self.v1.payment_intents.create(whole)

    def a_payment(self, **params: Any) -> Any:
        customer = self.a_customer().id
        return self.pay(customer=customer, payment_method=self.a_card(customer).id, off_session=True, **params)

    def event_types(self) -> list[str]:
        """The types of the last hundred events, oldest first."""
        return [event.type for event in reversed(self.v1.events.list({"limit": 100}).data)]


@contextmanager
def opened(transport: str, *, seed: int = 1) -> Iterator[Shop]:
    secret = WEBHOOK_SECRET if transport == "inprocess" else None
    standin = Standin(secret_key=SECRET_KEY, webhook_secret=secret, rng=random.Random(seed))
    clock = Clock()
    if transport == "inprocess":
        yield Shop(standin, clock, InProcessClient(standin, clock), None)
        return
    server = StandinServer(standin, clock=clock, webhook_secret=WEBHOOK_SECRET)
    server.start()
    with requests.Session() as session:
        http_client = stripe.RequestsClient(session=session)
        http_client._sleep_time_seconds = lambda num_retries: 0.0  # type: ignore[method-assign]
        try:
            yield Shop(standin, clock, http_client, server.url)
        finally:
            server.stop()


@dataclass
class Inbox:
    """A loopback server that takes webhooks and answers with `status`."""

    url: str = ""
    status: int = 200
    received: list[tuple[str, str]] = field(default_factory=list)

    def events(self) -> list[Json]:
        return [json.loads(payload) for payload, _ in self.received]


@contextmanager
def an_inbox() -> Iterator[Inbox]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"])).decode()
            inbox.received.append((payload, self.headers["Stripe-Signature"]))
            self.send_response(inbox.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inbox.url = f"http://127.0.0.1:{server.server_address[1]}/stripe/webhook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield inbox
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refused(kind: type[stripe.StripeError], call: Any, *args: Any, **params: Any) -> Any:
    """The error that the library raises for a call."""
    with pytest.raises(kind) as caught:
        call(*args, **params)
    return caught.value


def error_of(caught: Any) -> Json:
    """The error as it came over the wire."""
    body: Json = caught.json_body["error"]
    return body
