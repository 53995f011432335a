"""Webhooks: signed as Stripe signs, at least once, late, doubled, shuffled, lost, and over a real socket."""

import http.client
import json
import random
import time
from collections.abc import Callable, Iterator

import pytest
import stripe

from local.stripe_standin.courier import post
from local.stripe_standin.deliveries import BACKOFF_SECONDS, Deliveries, Orders, signature
from local.stripe_standin.machine import Outgoing, Standin
from local.stripe_standin.server import StandinServer
from tests.contract.test_standin_harness import (
    SECRET_KEY,
    WEBHOOK_SECRET,
    Clock,
    Inbox,
    Shop,
    an_inbox,
    opened,
)

THREE_DAYS_SECONDS = 3 * 86_400
NOW = 1_795_000_000


def a_queue(**orders: object) -> Deliveries:
    queue = Deliveries(random.Random(1))
    queue.orders = Orders(**orders)  # type: ignore[arg-type]
    return queue


def drained(queue: Deliveries, *, now: int) -> list[str]:
    found = []
    while (delivery := queue.take(now)) is not None:
        found.append(delivery.event)
        queue.report(delivery.id, delivered=True, now=now)
    return found


class TestQueue:
    def test_it_delivers_in_order_and_once(self) -> None:
        queue = a_queue()
        for name in "abc":
            queue.enqueue(name, ["we"], now=NOW)
        assert drained(queue, now=NOW) == ["a", "b", "c"]
        assert drained(queue, now=NOW + THREE_DAYS_SECONDS) == []
        assert queue.unconfirmed("a") == 0

    def test_what_is_in_flight_is_not_taken_twice(self) -> None:
        queue = a_queue()
        queue.enqueue("a", ["we"], now=NOW)
        delivery = queue.take(NOW)
        assert delivery
        assert queue.take(NOW) is None
        assert not queue.settled(NOW)
        queue.report(delivery.id, delivered=True, now=NOW)
        assert queue.settled(NOW)

    def test_a_failure_is_tried_again_with_growing_delay_over_three_days(self) -> None:
        queue = a_queue()
        queue.enqueue("a", ["we"], now=NOW)
        now, waits = NOW, []
        while (delivery := queue.take(now)) is not None:
            queue.report(delivery.id, delivered=False, now=now)
            due_at = queue.due_at()
            if due_at is None:
                break
            assert queue.take(due_at - 1) is None
            waits.append(due_at - now)
            now = due_at
        assert tuple(waits) == BACKOFF_SECONDS
        assert waits == sorted(waits)
        assert now - NOW > THREE_DAYS_SECONDS
        assert queue.unconfirmed("a") == 1

    def test_copies(self) -> None:
        queue = a_queue(copies=3)
        queue.enqueue("a", ["we"], now=NOW)
        assert drained(queue, now=NOW) == ["a", "a", "a"]

    def test_delay(self) -> None:
        queue = a_queue(delay_seconds=5)
        queue.enqueue("a", ["we"], now=NOW)
        assert drained(queue, now=NOW + 4) == []
        assert drained(queue, now=NOW + 5) == ["a"]

    def test_shuffle(self) -> None:
        queue = a_queue(shuffle=True)
        names = [f"e{number}" for number in range(20)]
        for name in names:
            queue.enqueue(name, ["we"], now=NOW)
        at_once = drained(queue, now=NOW)
        later = drained(queue, now=NOW + 2)
        assert sorted(at_once + later) == sorted(names)
        for found in (at_once, later):
            assert found != sorted(found, key=names.index)

    def test_drop(self) -> None:
        queue = a_queue(drop=True)
        queue.enqueue("a", ["we"], now=NOW)
        queue.orders = Orders()
        assert drained(queue, now=NOW + THREE_DAYS_SECONDS) == []
        assert queue.unconfirmed("a") == 1

    def test_a_restart_sends_what_was_in_flight_again(self) -> None:
        queue = a_queue()
        for name in "ab":
            queue.enqueue(name, ["we"], now=NOW)
        assert queue.take(NOW)
        again = Deliveries(random.Random(2))
        again.load(json.loads(json.dumps(queue.dump())))
        assert sorted(drained(again, now=NOW)) == ["a", "b"]


class TestSignature:
    def test_the_library_accepts_it(self) -> None:
        with opened("inprocess") as shop:
            shop.a_customer()
            now = int(time.time())
            shop.clock.now = now
            shop.a_customer()
            for outgoing in outgoings(shop):
                event = stripe.Webhook.construct_event(outgoing.payload, outgoing.signature, WEBHOOK_SECRET)
                assert event.type == "customer.created"

    def test_the_library_refuses_another_secret_and_another_body(self) -> None:
        payload = json.dumps({"id": "evt_1", "object": "event"})
        header = signature("whsec_a", payload, at=int(time.time()))
        for body, secret in ((payload, "whsec_b"), (payload + " ", "whsec_a")):
            with pytest.raises(stripe.SignatureVerificationError):
                stripe.Webhook.construct_event(body, header, secret)


def outgoings(shop: Shop) -> Iterator[Outgoing]:
    while (outgoing := shop.standin.take_delivery(shop.clock.now)) is not None:
        yield outgoing
        shop.standin.report_delivery(outgoing.id, delivered=True, now=shop.clock.now)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with an_inbox() as opened_inbox:
        yield opened_inbox


@pytest.fixture
def server(inbox: Inbox) -> Iterator[StandinServer]:
    clock = Clock(int(time.time()))
    made = StandinServer(
        Standin(secret_key=SECRET_KEY, rng=random.Random(1)),
        clock=clock,
        webhook_url=inbox.url,
        webhook_secret=WEBHOOK_SECRET,
    )
    made.start()
    yield made
    made.stop()


def create_customer(server: StandinServer) -> str:
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    status, body = server.standin.handle("POST", "/v1/customers", "email=a%40example.com", headers, server.clock())
    assert status == 200
    return str(body["id"])


def eventually(probe: Callable[[], bool], seconds: float = 3) -> bool:
    deadline = time.monotonic() + seconds
    while not probe() and time.monotonic() < deadline:
        time.sleep(0.01)
    return probe()


def advance(server: StandinServer, seconds: int) -> None:
    assert isinstance(server.clock, Clock)
    server.clock.advance(seconds)


class TestServer:
    def test_every_event_arrives_signed(self, server: StandinServer, inbox: Inbox) -> None:
        ident = create_customer(server)
        assert server.settle(3)
        ((payload, header),) = inbox.received
        event = stripe.Webhook.construct_event(payload, header, WEBHOOK_SECRET)
        assert (event.type, event.data.object["id"]) == ("customer.created", ident)

    def test_a_refused_one_comes_again(self, server: StandinServer, inbox: Inbox) -> None:
        inbox.status = 500
        create_customer(server)
        assert server.settle(3)
        assert len(inbox.received) == 1
        inbox.status = 200
        advance(server, BACKOFF_SECONDS[0])
        assert server.settle(3)
        one, two = inbox.events()
        assert one["id"] == two["id"]
        advance(server, THREE_DAYS_SECONDS)
        assert server.settle(3)
        assert len(inbox.received) == 2

    def test_copies_arrive_late_by_the_clock(self, server: StandinServer, inbox: Inbox) -> None:
        server.standin.control("POST", "/_control", {"webhooks": {"copies": 3, "shuffle": True, "delay_seconds": 9}}, 0)
        create_customer(server)
        assert server.settle(3)
        assert inbox.received == []
        advance(server, 10)
        assert server.settle(3)
        assert len(inbox.received) == 3
        assert len({event["id"] for event in inbox.events()}) == 1

    def test_dropped_ones_never_arrive(self, server: StandinServer, inbox: Inbox) -> None:
        server.standin.control("POST", "/_control", {"webhooks": {"drop": True}}, 0)
        create_customer(server)
        server.standin.control("DELETE", "/_control", {}, 0)
        advance(server, THREE_DAYS_SECONDS)
        assert server.settle(3)
        assert inbox.received == []

    def test_before_there_is_an_address_nobody_listens(self, inbox: Inbox) -> None:
        clock = Clock()
        late = StandinServer(Standin(secret_key=SECRET_KEY), clock=clock, webhook_secret=WEBHOOK_SECRET)
        late.start()
        try:
            create_customer(late)
            late.webhook_url = inbox.url
            ident = create_customer(late)
            assert late.settle(3)
        finally:
            late.stop()
        assert [event["data"]["object"]["id"] for event in inbox.events()] == [ident]

    def test_an_endpoint_made_by_the_api_gets_its_types_with_its_secret(
        self, server: StandinServer, inbox: Inbox
    ) -> None:
        server.webhook_url = "http://127.0.0.1:9/nowhere"
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        form = f"url={inbox.url}&enabled_events[0]=customer.deleted"
        _, endpoint = server.standin.handle("POST", "/v1/webhook_endpoints", form, headers, server.clock())
        ident = create_customer(server)
        server.standin.handle("DELETE", f"/v1/customers/{ident}", "", headers, server.clock())
        assert eventually(lambda: len(inbox.received) == 1)
        ((payload, header),) = inbox.received
        assert stripe.Webhook.construct_event(payload, header, endpoint["secret"]).type == "customer.deleted"

    @pytest.mark.parametrize("url", ["http://192.0.2.1/hook", "https://127.0.0.1/hook", "", None])
    def test_it_never_leaves_the_machine(self, monkeypatch: pytest.MonkeyPatch, url: str | None) -> None:
        dialed: list[object] = []
        monkeypatch.setattr(http.client, "HTTPConnection", lambda *args, **_: dialed.append(args))
        assert not post(Outgoing("wd_1", None, "{}", "t=1,v1=0"), url)
        assert dialed == []

    def test_an_endpoint_that_is_down_is_tried_again(self, server: StandinServer) -> None:
        server.webhook_url = "http://127.0.0.1:9/hook"
        create_customer(server)
        assert server.settle(3)
        assert server.standin.world.deliveries.due_at() == server.clock() + BACKOFF_SECONDS[0]

    def test_settling_gives_up_in_time(self, server: StandinServer) -> None:
        server.standin.take_delivery(server.clock())
        server.courier.stop()
        create_customer(server)
        assert not server.settle(0.05)
        server.courier.start()
        assert server.settle(3)
