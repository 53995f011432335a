"""The whole system in one process: the real app, a table in memory, the stand-in, and a clock that moves.

Requests go through Chalice as API Gateway's events; nudges wait in lists until `work`; webhooks wait in the stand-in
until `deliver`. Nothing happens by itself, so a test decides what comes late, twice, or never.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from app import app
from chalicelib.adapters.stripe.gateway import StripeGateway
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy, NewUser
from chalicelib.books.outbox.port import Mail
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints import _wiring, schedules, workers
from chalicelib.entrypoints._wiring import Runtime
from chalicelib.flows.context import Context
from chalicelib.settings import Settings
from local.stripe_standin.inprocess import InProcessClient
from local.stripe_standin.machine import Standin
from tests.gateway_events import gateway_event
from tests.process import a_process
from tests.simulation.engine import TABLE_NAME, Engine, EngineTable
from tests.simulation.rows import Rows

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROUNDS_MAX = 50
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
    holdings: list[Key] = field(default_factory=list)
    lost: bool = False

    def nudge_inbox(self, event_id: str) -> None:
        if not self.lost:
            self.inbox.append(event_id)

    def nudge_outbox(self, message_id: str) -> None:
        if not self.lost:
            self.outbox.append(message_id)

    def nudge_holdings(self, keys: Sequence[Key]) -> None:
        if not self.lost:
            self.holdings.extend(keys)

    @property
    def waits(self) -> bool:
        """Whether a nudge does."""
        return bool(self.inbox or self.outbox or self.holdings)


@dataclass
class HeldMailer:
    """Mails that were handed over."""

    sent: list[tuple[Mail, str]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def send(self, mail: Mail, *, message_id: str) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((mail, message_id))


@dataclass
class HeldFiles:
    """Files that were kept, by name; a link is the name and how long it serves."""

    kept: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def keep(self, name: str, body: bytes, *, media_type: str, link_seconds: int) -> str:
        self.kept[name] = (body, media_type)
        return f"https://files.example.com/{name}?seconds={link_seconds}"


@dataclass(frozen=True)
class Moment:
    """A world as it was, to go back to: rows, Stripe, nudges, mails, time. What was ordered of Stripe is not in it."""

    now: datetime
    rows: Any
    stripe: dict[str, Any]
    nudges: tuple[list[str], list[str], list[Key]]
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
        self.files = HeldFiles()
        self.runtime = Runtime(settings, clock=lambda: self.now, random_bits=_counting())
        self.stripe_client = InProcessClient(self.standin, lambda: int(self.now.timestamp()))
        self.runtime.__dict__ |= {
            "table": table,
            "gateway": StripeGateway(settings, http_client=self.stripe_client),
            "queue": self.queue,
            "mailer": self.mailer,
            "files": self.files,
        }
        self.academy_id = 0
        self._people = 0

    @property
    def memory(self) -> Rows:
        """The items of a table in memory."""
        if not isinstance(self.table, EngineTable):
            raise TypeError("this world is on a real table")
        return self.table.engine.rows

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
        event = gateway_event(method, path, sent, raw)
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
        while self.queue.waits:
            inbox, self.queue.inbox = self.queue.inbox, []
            outbox, self.queue.outbox = self.queue.outbox, []
            holdings, self.queue.holdings = self.queue.holdings, []
            workers.handle_inbox(batch({"event_id": event_id} for event_id in inbox))
            workers.handle_holdings(batch({"pk": key.pk, "sk": key.sk} for key in holdings))
            workers.handle_outbox(batch({"message_id": message_id} for message_id in outbox))

    def settle(self) -> None:
        """Do what is due about subscriptions and financings, deliver and work until it is quiet."""
        for _ in range(ROUNDS_MAX):
            nudged = 0 if self.queue.lost else self.renew()["holdings"]
            if not self.deliver() and not self.queue.waits and not nudged:
                return
            self.work()
        raise AssertionError("there is no end to what is due")

    def renew(self) -> dict[str, int]:
        """The tick of subscriptions and financings: it nudges, and the work waits until `work`."""
        return schedules.renew({})

    def resting(self) -> bool:
        """Whether no row waits in the due index, now or later, but for what recurs: a sweep would find nothing."""
        recurs = ("SUB#", "FIN#", "SEAT#", "BAL#")
        return not any("due_shard" in item and not item["sk"]["S"].startswith(recurs) for item in self.memory.copy())

    def sweep(self) -> dict[str, int]:
        return schedules.sweep({})

    def charges(self, invoice_id: int) -> list[Any]:
        """The succeeded payments at Stripe that carry this invoice's id."""
        headers = {"Authorization": f"Bearer {STRIPE_KEY}"}
        at = int(self.now.timestamp())
        status, body = self.standin.handle("GET", "/v1/payment_intents?limit=100", "", headers, at)
        assert status == 200
        wanted = str(invoice_id)
        paid = [found for found in body["data"] if found["status"] == "succeeded"]
        return [found for found in paid if found["metadata"].get("invoice_id") == wanted]

    def at_stripe(self, kind: str) -> list[dict[str, Any]]:
        """Stripe's objects of a kind (`payment_intent`, `refund`, ...), oldest first, as Stripe has them."""
        return list(self.standin.world.store.objects[kind].values())

    def snapshot(self) -> dict[str, Any]:
        """Every row by its key, for what must not have changed: a write replaces a row, and changes none."""
        return {f"{row['pk']['S']} {row['sk']['S']}": row for row in self.memory.copy()}

    def moment(self) -> Moment:
        nudges = (list(self.queue.inbox), list(self.queue.outbox), list(self.queue.holdings))
        return Moment(self.now, self.memory.copy(), self.standin.dump(), nudges, list(self.mailer.sent))

    def go_back(self, moment: Moment) -> None:
        """Everything is again as it was at that moment, however often; Stripe behaves."""
        self.memory.become(moment.rows)
        self.now = moment.now
        self.standin.load(moment.stripe)
        self.standin.control("DELETE", "/_control", {}, int(self.now.timestamp()))
        inbox, outbox, holdings = moment.nudges
        self.queue.inbox, self.queue.outbox, self.queue.holdings = list(inbox), list(outbox), list(holdings)
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
def a_world(
    load_catalog: Callable[[Table, int, datetime], None], *, table: Table | None = None, **changes: Any
) -> Iterator[World]:
    """A world with an academy and its catalog, on a table in memory or on another one."""
    values = {
        "table": TABLE_NAME,
        "inbox_queue_url": "memory:inbox",
        "outbox_queue_url": "memory:outbox",
        "holdings_queue_url": "memory:holdings",
        "files_bucket": "memory-files",
        "mail_from": "billing@example.com",
        "stripe_secret_key": STRIPE_KEY,
        "stripe_webhook_secrets": (WEBHOOK_SECRET,),
        "jwt_secret": "j" * 40,
        "declines_per_hour": 5,
        **changes,
    }
    world = World(table or EngineTable(Engine(clock=lambda: world.now)), Settings.model_validate(values))
    _open(world, load_catalog)
    _wiring.install(world.runtime)
    try:
        with a_process(), patch.object(workers, "put_off", not_put_off):
            yield world
    finally:
        _wiring.install(None)


_opened: dict[object, tuple[int, Any]] = {}
"""The academy and the rows of each catalog that was loaded: the next world with it begins with a copy."""


def _open(world: World, load_catalog: Callable[[Table, int, datetime], None]) -> None:
    """An academy with its catalog."""
    in_memory = isinstance(world.table, EngineTable)
    if in_memory and load_catalog in _opened:
        world.academy_id, rows = _opened[load_catalog]
        world.memory.become(rows)
        return
    academy = NewAcademy(name="4Geeks Academy", slug="4geeks", main_currency="USD")
    world.academy_id = identity.create_academy(world.table, academy, now=world.now).id
    load_catalog(world.table, world.academy_id, world.now)
    if in_memory:
        _opened[load_catalog] = (world.academy_id, world.memory.copy())


def batch(bodies: Iterable[dict[str, str]]) -> dict[str, Any]:
    """Nudges as SQS hands them over."""
    return {"Records": [{"messageId": f"m{number}", "body": json.dumps(body)} for number, body in enumerate(bodies)]}


def not_put_off(context: Context, key: Key) -> None:
    """A defect must not hide until an hour has passed: here its row stays due."""
    raise AssertionError(f"put off: {key.sk}")


def _counting() -> Callable[[int], int]:
    """The next number for each id: the clock stands still here, so chance alone would let two ids meet."""
    numbers = itertools.count(1)
    return lambda bits: next(numbers) % 2**bits
