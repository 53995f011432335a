"""A world on a real engine whose callers are threads, and the way to let them all go at the same moment."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from chalicelib.books.billing.model import Invoice, InvoiceStatus
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy
from chalicelib.books.ledger import store as ledger
from chalicelib.books.ledger.model import Grant, Holder, Origin, Source, Unit
from chalicelib.dynamo.rows import Row, load
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import commit
from chalicelib.entrypoints import _dispatch, _wiring, workers
from chalicelib.settings import Settings
from infra.table import create_table
from tests.books import check_books
from tests.direct import DirectWorld
from tests.moto_table import all_rows
from tests.services import REGION, Engine, dynamodb_client
from tests.shop import MENTORING, open_shop
from tests.world import START, STRIPE_KEY, WEBHOOK_SECRET, Person, Reply

T = TypeVar("T")
TOGETHER_SECONDS_MAX = 30
UNIT = "mentorship-service"


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Let `act(0)` to `act(count - 1)` begin together, each in its own thread. What one raises is raised here."""
    together = threading.Barrier(count)

    def run(number: int) -> T:
        together.wait(TOGETHER_SECONDS_MAX)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


class ParallelWorld(DirectWorld):
    """A world that many threads may use. Time passes by itself, so that callers get ids of different milliseconds."""

    def __init__(self, table: Table, settings: Settings) -> None:
        self._began = time.monotonic()
        self._at_first = START
        super().__init__(table, settings)

    @property
    def now(self) -> datetime:
        return self._at_first + timedelta(seconds=time.monotonic() - self._began)

    @now.setter
    def now(self, now: datetime) -> None:
        self._at_first = now
        self._began = time.monotonic()

    def take_webhooks(self, *types: str) -> list[tuple[str, bytes, str]]:
        """The due webhooks of these types: id of the event, body, signature. All others count as delivered."""
        found = []
        at = int(self.now.timestamp()) + 1
        while (outgoing := self.standin.take_delivery(at)) is not None:
            self.standin.report_delivery(outgoing.id, delivered=True, now=at)
            event = json.loads(outgoing.payload)
            if event["type"] in types:
                found.append((str(event["id"]), outgoing.payload.encode(), outgoing.signature))
        return found

    def receive(self, *types: str) -> list[str]:
        """Post the due webhooks of these types once. Answers the ids of their events; nobody has worked on them."""
        taken = self.take_webhooks(*types)
        for _, raw, signature in taken:
            assert self.post_webhook(raw, signature).status == 200
        return [ident for ident, _, _ in taken]

    def work_on(self, event_id: str) -> None:
        workers.work_event(self.runtime, event_id)

    def rows(self) -> list[Row]:
        """Every row of the table, by key."""
        return all_rows(self.table)

    def invoices_of(self, person: Person, status: InvoiceStatus | None = None) -> list[Invoice]:
        partition = f"USER#{person.user_id}"
        found = self.table.query(partition, prefix="INVOICE#", limit=100).items
        loaded = [load(Invoice, row) for row in found]
        return [invoice for invoice in loaded if status in (None, invoice.status)]

    def payments(self) -> list[dict[str, Any]]:
        """The payments that took money."""
        return [found for found in self.at_stripe("payment_intent") if found["status"] == "succeeded"]

    def come_to_rest(self) -> None:
        """Hand over every webhook, work on every nudge, look at everything that is due; then the books must add up."""
        self.advance(seconds=30)
        self.settle()
        for _ in range(3):
            self.advance(minutes=16)
            self.sweep()
            self.settle()
        check_books(self)

    def give(self, person: Person, *lots: int) -> Holder:
        """Units of the mentorship in lots of these sizes, the oldest first."""
        holder = Holder.person(person.user_id)
        unit = Unit(
            academy_id=self.academy_id,
            service_id=MENTORING,
            service_slug=UNIT,
            service_type="MENTORSHIP_SERVICE_SET",
            session_seconds=3600,
        )
        for number, how_many in enumerate(lots):
            origin = Origin(source=Source.PURCHASE, invoice_id=number + 1)
            grant = Grant(lot_id=f"{number + 1}_units_0", unit=unit, how_many=how_many, expires_at=None, origin=origin)
            cause = f"invoice:{number + 1}"
            now = START.replace(second=number)
            commit(self.table, ledger.grant_writes(holder, unit, [grant], page=0, now=now, cause=cause))
        return holder


@contextmanager
def a_table(engine: Engine) -> Iterator[Table]:
    """An empty table, for a test that runs on one engine only."""
    name = f"purser-{uuid.uuid4().hex}"
    client = dynamodb_client(engine)
    create_table(client, name)
    yield Table(name, region=REGION, endpoint_url=engine.url)
    client.delete_table(TableName=name)


@contextmanager
def a_parallel_world(table: Table, **changes: Any) -> Iterator[ParallelWorld]:
    """A world with an academy and the shop on this table. `changes`: other settings."""
    values = {
        "table": table.name,
        "inbox_queue_url": "memory:inbox",
        "outbox_queue_url": "memory:outbox",
        "holdings_queue_url": "memory:holdings",
        "files_bucket": "memory-files",
        "mail_from": "billing@example.com",
        "stripe_secret_key": STRIPE_KEY,
        "stripe_webhook_secrets": (WEBHOOK_SECRET,),
        "jwt_secret": "j" * 40,
        "declines_per_hour": 100,
        **changes,
    }
    world = ParallelWorld(table, Settings.model_validate(values))
    academy = NewAcademy(name="4Geeks Academy", slug="4geeks", main_currency="USD")
    world.academy_id = identity.create_academy(table, academy, now=world.now).id
    open_shop(table, world.academy_id, world.now)
    _wiring.install(world.runtime)
    _dispatch.paths()  # modules are imported before threads need them
    try:
        yield world
    finally:
        _wiring.install(None)


def statuses(replies: Iterable[Reply]) -> dict[int, int]:
    """How many replies had each status."""
    counted: dict[int, int] = {}
    for reply in replies:
        counted[reply.status] = counted.get(reply.status, 0) + 1
    return counted
