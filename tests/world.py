"""The whole system in one process for journeys: the real app, a moto table, the stand-in, and a clock that moves.

Requests go through Chalice as API Gateway's events; nudges wait in lists until `work`; webhooks wait in the stand-in
until `deliver`. Nothing happens by itself, so a test decides what comes late, twice, or never.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from app import app
from chalicelib.adapters.stripe.gateway import StripeGateway
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy, NewUser
from chalicelib.books.outbox.port import Mail
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints import _wiring, schedules, workers
from chalicelib.entrypoints._served import SERVED
from chalicelib.entrypoints._wiring import Runtime
from chalicelib.settings import Settings
from local.stripe_standin.inprocess import InProcessClient
from local.stripe_standin.machine import Standin
from tests.moto_table import REGION, TABLE_NAME, moto_table

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STRIPE_KEY = "sk_test_world_0123456789"
WEBHOOK_SECRET = "whsec_world_0123456789"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Person:
    """A customer, or staff, with a token."""

    world: World
    user_id: int
    email: str
    token: str

    def get(self, path: str, **headers: str) -> Reply:
        return self.world.call("GET", path, token=self.token, headers=headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.world.call("PUT", path, body=body, token=self.token, headers=headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.world.call("POST", path, body=body, token=self.token, headers=headers)

    def save_card(self, number: str = "4242424242424242") -> Reply:
        card = {"card_number": number, "exp_month": "10", "exp_year": "30", "cvc": "435"}
        return self.post("/v2/payments/card", {**card, "academy": self.world.academy_id})

    def check(self, plan: str, **extra: Any) -> Reply:
        body = {"type": "PREVIEW", "plans": [plan], "country_code": "US", "service_items": [], **extra}
        return self.put("/v2/payments/checking", body)

    def pay(self, bag: Any, **extra: Any) -> Reply:
        headers = extra.pop("headers", {})
        return self.post("/v2/payments/pay", {"token": bag["token"], **extra}, **headers)

    def buy(self, service: str = "mentorship-service", how_many: int = 10, **extra: Any) -> Reply:
        headers = extra.pop("headers", {})
        body = {"service": service, "how_many": how_many, "academy": self.world.academy_id, "country_code": "US"}
        return self.post("/v1/payments/consumable/checkout", {**body, **extra}, **headers)

    def units(self, slug: str) -> int:
        """What the balance shows of one service over all groups; -1 is unlimited."""
        answer = self.get("/v1/payments/me/service/consumable")
        assert answer.status == 200, answer.text
        found = [
            entry["balance"]["unit"]
            for group in answer.json.values()
            for entry in group
            if slug in (entry["slug"], entry["service"]["slug"])
        ]
        return -1 if -1 in found else sum(found)

    def invoices(self, **query: str) -> Any:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        return self.get(f"/v1/payments/me/invoice?{text}").json


@dataclass
class HeldQueue:
    """Nudges as they were sent; `lost` throws them away."""

    inbox: list[str] = field(default_factory=list)
    outbox: list[str] = field(default_factory=list)
    lost: bool = False

    def nudge_inbox(self, event_id: str) -> None:
        if not self.lost:
            self.inbox.append(event_id)

    def nudge_outbox(self, message_id: str) -> None:
        if not self.lost:
            self.outbox.append(message_id)


@dataclass
class HeldMailer:
    """Mails that were handed over."""

    sent: list[tuple[Mail, str]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def send(self, mail: Mail, *, message_id: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((mail, message_id))


@dataclass(frozen=True)
class Moment:
    """A world as it was, to go back to: rows, Stripe, nudges, mails, time. What was ordered of Stripe is not in it."""

    now: datetime
    rows: Any
    stripe: dict[str, Any]
    nudges: tuple[list[str], list[str]]
    sent: list[tuple[Mail, str]]


class World:
    """Everything, and the hands that move it."""

    def __init__(self, table: Table, settings: Settings) -> None:
        self.now = START
        self.table = table
        self.random = random.Random(7)
        self.standin = Standin(secret_key=STRIPE_KEY, rng=random.Random(11), webhook_secret=WEBHOOK_SECRET)
        self.queue = HeldQueue()
        self.mailer = HeldMailer()
        self.runtime = Runtime(settings, clock=lambda: self.now, random_bits=_counting())
        self.stripe_client = InProcessClient(self.standin, lambda: int(self.now.timestamp()))
        self.runtime.__dict__ |= {
            "table": table,
            "gateway": StripeGateway(settings, http_client=self.stripe_client),
            "queue": self.queue,
            "mailer": self.mailer,
        }
        self.academy_id = 0
        self._people = 0

    def person(self, *, operator: bool = False) -> Person:
        self._people += 1
        email = f"person{self._people}@example.com"
        user = identity.create_user(
            self.table, NewUser(email=email, first_name="Ada", last_name="Lovelace"), now=self.now
        )
        if operator:
            user = identity.set_operator(self.table, user.id, is_operator=True)
        expires = self.now + timedelta(days=4000)
        return Person(self, user.id, email, identity.issue_token(self.table, user, now=self.now, expires_at=expires))

    def paying(self) -> Person:
        person = self.person()
        assert person.save_card().status == 200
        return person

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One request, as API Gateway would hand it over."""
        sent = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        if token is not None:
            sent["Authorization"] = f"Token {token}"
        if raw is None and body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        event = _gateway_event(method, path, sent, raw)
        if event is None:
            raise LookupError(f"API Gateway would not let {method} {path} through")
        answer = app(event, None)
        return Reply(answer["statusCode"], dict(answer.get("headers") or {}), answer["body"])

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)

    def deliver(self) -> int:
        """Hand over every webhook that is due, and answer how many were accepted."""
        accepted = 0
        while True:
            at = int(self.now.timestamp())
            outgoing = self.standin.take_delivery(at)
            if outgoing is None:
                return accepted
            delivered = False
            try:
                delivered = self.post_webhook(outgoing.payload.encode(), outgoing.signature).status == 200
            finally:  # a process that is killed answers nothing, which Stripe takes for a failure
                self.standin.report_delivery(outgoing.id, delivered=delivered, now=at)
            accepted += delivered

    def post_webhook(self, raw: bytes, signature: str) -> Reply:
        return self.call("POST", "/stripe/webhook", raw=raw, headers={"Stripe-Signature": signature})

    def work(self) -> None:
        """Work on every nudge."""
        while self.queue.inbox or self.queue.outbox:
            inbox, self.queue.inbox = self.queue.inbox, []
            outbox, self.queue.outbox = self.queue.outbox, []
            workers.handle_inbox(_batch("event_id", inbox))
            workers.handle_outbox(_batch("message_id", outbox))

    def settle(self) -> None:
        """Deliver and work until it is quiet."""
        while self.deliver() or self.queue.inbox or self.queue.outbox:
            self.work()

    def resting(self) -> bool:
        """Whether no row waits in the due index, now or later: a sweep would find nothing."""
        return not any("due_shard" in item.attrs for partition in _rows().values() for item in partition.values())

    def sweep(self) -> dict[str, int]:
        return schedules.sweep({})

    def charges(self, invoice_id: int) -> list[Any]:
        """The succeeded payments at Stripe that carry this invoice's id."""
        headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
        at = int(self.now.timestamp())
        status, body = self.standin.handle("GET", "/v1/payment_intents?limit=100", "", headers, at)
        assert status == 200
        wanted = str(invoice_id)
        return [
            found
            for found in body["data"]
            if found["status"] == "succeeded" and found["metadata"].get("invoice_id") == wanted
        ]

    def at_stripe(self, kind: str) -> list[dict[str, Any]]:
        """Stripe's objects of a kind (`payment_intent`, `refund`, ...), oldest first, as Stripe has them."""
        return list(self.standin.world.store.objects[kind].values())

    def rows_as_text(self) -> dict[str, str]:
        """Every row by its key, for what must not have changed. moto's own scan takes a quarter of a second."""
        items = [item.attrs for partition in _rows().values() for item in partition.values()]
        return {
            f"{row['pk'].value} {row['sk'].value}": json.dumps(
                {name: row[name].to_regular_json() for name in sorted(row)}
            )
            for row in items
        }

    def moment(self) -> Moment:
        nudges = (list(self.queue.inbox), list(self.queue.outbox))
        return Moment(self.now, copy.deepcopy(_rows()), self.standin.dump(), nudges, list(self.mailer.sent))

    def go_back(self, moment: Moment) -> None:
        """Everything is again as it was at that moment, however often; Stripe behaves."""
        rows = _rows()
        rows.clear()
        rows.update(copy.deepcopy(moment.rows))
        self.now = moment.now
        self.standin.load(moment.stripe)
        self.standin.control("DELETE", "/_control", {}, int(self.now.timestamp()))
        self.queue.inbox, self.queue.outbox = list(moment.nudges[0]), list(moment.nudges[1])
        self.queue.lost = False
        self.mailer.sent = list(moment.sent)

    def misbehave(self, **orders: Any) -> None:
        status, _ = self.standin.control("POST", "/_control", orders, int(self.now.timestamp()))
        assert status == 200

    def control(self, path: str, body: Any) -> Any:
        status, answer = self.standin.control("POST", path, body, int(self.now.timestamp()))
        assert status == 200, answer
        return answer


@contextmanager
def a_world(load_catalog: Callable[[Table, int, datetime], None], **changes: Any) -> Iterator[World]:
    """A world with an academy and its catalog."""
    values = {
        "table": TABLE_NAME,
        "inbox_queue_url": "memory:inbox",
        "outbox_queue_url": "memory:outbox",
        "mail_from": "billing@example.com",
        "stripe_secret_key": STRIPE_KEY,
        "stripe_webhook_secrets": (WEBHOOK_SECRET,),
        "jwt_secret": "j" * 40,
        "declines_per_hour": 5,
        **changes,
    }
    with moto_table() as table:
        world = World(table, Settings.model_validate(values))
        _open(world, load_catalog)
        _wiring.install(world.runtime)
        try:
            yield world
        finally:
            _wiring.install(None)


_opened: dict[object, tuple[int, Any]] = {}
"""The academy and the rows of each catalog that was loaded: the next world with it begins with a copy."""


def _open(world: World, load_catalog: Callable[[Table, int, datetime], None]) -> None:
    """An academy with its catalog."""
    if load_catalog not in _opened:
        academy = NewAcademy(name="4Geeks Academy", slug="4geeks", main_currency="USD")
        world.academy_id = identity.create_academy(world.table, academy, now=world.now).id
        load_catalog(world.table, world.academy_id, world.now)
        _opened[load_catalog] = (world.academy_id, copy.deepcopy(_rows()))
    else:
        world.academy_id, rows = _opened[load_catalog]
        _rows().update(copy.deepcopy(rows))


def _rows() -> Any:
    """The table's items inside moto: a copy of them is a thousand times faster than to write them again."""
    return dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables[TABLE_NAME].items


def _batch(name: str, ids: list[str]) -> dict[str, Any]:
    return {
        "Records": [{"messageId": f"m{number}", "body": json.dumps({name: ident})} for number, ident in enumerate(ids)]
    }


def _gateway_event(method: str, path: str, headers: dict[str, str], raw: bytes | None) -> dict[str, Any] | None:
    """The event of a REST API for the route that serves this path, or None where there is none."""
    parts = urlsplit(path)
    for template, (_, methods) in SERVED.items():
        variables = _match(template, parts.path)
        if variables is None or method not in methods:
            continue
        return {
            "requestContext": {"httpMethod": method, "resourcePath": template, "requestId": "a-request"},
            "headers": headers,
            "multiValueQueryStringParameters": parse_qs(parts.query, keep_blank_values=True) or None,
            "pathParameters": variables or None,
            "stageVariables": None,
            "body": None if raw is None else base64.b64encode(raw).decode(),
            "isBase64Encoded": raw is not None,
        }
    return None


def _match(template: str, path: str) -> dict[str, str] | None:
    wanted, given = template.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    variables = {}
    for pattern, part in zip(wanted, given, strict=True):
        if pattern.startswith("{"):
            variables[pattern[1:-1]] = part
        elif pattern != part:
            return None
    return variables


def _counting() -> Callable[[int], int]:
    """The next number for each id: the clock stands still here, so chance alone would let two ids meet."""
    numbers = itertools.count(1)
    return lambda bits: next(numbers) % 2**bits
