"""Webhooks: what is stored, what is refused, and what becomes of events that come twice, late, or about nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from app import app
from tests.books import check_books
from tests.moto_table import all_rows, answering, refusal
from tests.shop import open_shop
from tests.world import WEBHOOK_SECRET, Person, Reply, World, a_world

OLD_SECRET = "whsec_being_rolled_out"


def an_event(kind: str = "customer.updated", ident: str = "evt_1", **data: Any) -> dict[str, Any]:
    return {"id": ident, "object": "event", "type": kind, "data": {"object": data or {"id": "cus_nobody"}}}


def signed(world: World, raw: bytes, *, secret: str = WEBHOOK_SECRET, seconds: int = 0) -> str:
    at = int(world.now.timestamp()) + seconds
    return f"t={at},v1={hmac.new(secret.encode(), f'{at}.'.encode() + raw, hashlib.sha256).hexdigest()}"


def post(world: World, event: Any, **how: Any) -> Reply:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    return world.post_webhook(raw, signed(world, raw, **how))


def stored(world: World) -> list[str]:
    return [row.key.pk.removeprefix("INBOX#") for row in all_rows(world.table) if row.key.pk.startswith("INBOX#")]


@pytest.fixture
def operator(world: World) -> Person:
    return world.person(operator=True)


def seen(operator: Person, ident: str = "evt_1") -> Any:
    answer = operator.get(f"/ops/inbox/{ident}")
    assert answer.status == 200, answer.text
    return answer.json


class TestStoring:
    def test_an_event_that_could_not_be_stored_is_not_acknowledged(self, world: World) -> None:
        """So that Stripe delivers it again."""
        with answering(world.table, *[refusal("ThrottlingException", "PutItem")] * 3):
            assert post(world, an_event()).status == 503
        assert stored(world) == [] and world.queue.inbox == []
        assert post(world, an_event()).status == 200
        assert stored(world) == world.queue.inbox == ["evt_1"]


class TestSignatures:
    @pytest.mark.parametrize(
        ("secret", "seconds"),
        [("whsec_another_shop", 0), (WEBHOOK_SECRET, -301), (WEBHOOK_SECRET, 301)],
    )
    def test_a_forged_or_old_one_is_refused_and_nothing_is_stored(
        self, world: World, secret: str, seconds: int
    ) -> None:
        answer = post(world, an_event(), secret=secret, seconds=seconds)
        assert (answer.status, answer.json["slug"]) == (400, "invalid-signature")
        assert stored(world) == [] and world.queue.inbox == []

    @pytest.mark.parametrize(
        "header", ["", "t=1", "v1=00", "t=x,v1=00", "t=1,t=2,v1=00", "t=99999999999999999999,v1=0"]
    )
    def test_a_malformed_header_is_refused(self, world: World, header: str) -> None:
        assert world.post_webhook(b"{}", header).status == 400

    def test_a_changed_body_is_refused(self, world: World) -> None:
        raw = json.dumps(an_event()).encode()
        assert world.post_webhook(raw + b" ", signed(world, raw)).status == 400
        assert world.post_webhook(raw, signed(world, raw)).status == 200

    def test_one_good_signature_of_several_is_enough(self, world: World) -> None:
        raw = json.dumps(an_event()).encode()
        assert world.post_webhook(raw, signed(world, raw) + ",v1=" + "0" * 64).status == 200

    def test_both_secrets_are_good_while_they_are_rolled(self) -> None:
        with a_world(open_shop, stripe_webhook_secrets=(WEBHOOK_SECRET, OLD_SECRET)) as world:
            assert post(world, an_event(ident="evt_new")).status == 200
            assert post(world, an_event(ident="evt_old"), secret=OLD_SECRET).status == 200
            assert post(world, an_event(ident="evt_no"), secret="whsec_a_third_one").status == 400
            assert stored(world) == ["evt_new", "evt_old"]


class TestBodies:
    @pytest.mark.parametrize("encoded", [True, False])
    def test_the_raw_bytes_are_signed_however_the_gateway_hands_them_over(self, world: World, encoded: bool) -> None:
        raw = json.dumps(an_event(description="Año 1 €"), ensure_ascii=False).encode()
        event = {
            "requestContext": {"httpMethod": "POST", "resourcePath": "/stripe/webhook", "requestId": "r"},
            "headers": {"Stripe-Signature": signed(world, raw), "Content-Type": "application/json; charset=utf-8"},
            "multiValueQueryStringParameters": None,
            "pathParameters": None,
            "stageVariables": None,
            "body": base64.b64encode(raw).decode() if encoded else raw.decode(),
            "isBase64Encoded": encoded,
        }
        assert app(event, None)["statusCode"] == 200
        assert stored(world) == ["evt_1"]

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"null",
            b"[]",
            b"{",
            b"\xff\xfe",
            b'{"object": "charge", "id": "ch_1", "type": "x"}',
            b'{"object": "event", "id": 7, "type": "x"}',
            b'{"object": "event", "id": "evt_1"}',
            b'{"object": "event", "id": "INBOX#x", "type": "x"}',
            b"[" * 100_000,
            rb'{"object": "event", "id": "evt_1", "type": "\ud800"}',
        ],
    )
    def test_a_signed_body_that_is_no_event_is_refused_and_not_stored(self, world: World, raw: bytes) -> None:
        answer = post(world, raw)
        assert (answer.status, answer.json["slug"]) == (400, "invalid-event")
        assert stored(world) == []

    def test_a_large_body_is_acknowledged_and_stored_without_it(self, world: World, operator: Person) -> None:
        answer = post(world, an_event(id="cus_nobody", filler="x" * 400_000))
        assert answer.status == 200
        assert seen(operator)["body"] is None
        assert post(world, an_event(ident="evt_2", id="cus_nobody", filler="x" * 300_000)).status == 200
        assert len(seen(operator, "evt_2")["body"]) > 300_000

    def test_a_huge_body_is_refused(self, world: World) -> None:
        assert post(world, an_event(filler="x" * 1_100_000)).status == 413


class TestTypesAndObjects:
    def test_an_unknown_type_is_recorded_only(self, world: World, operator: Person) -> None:
        assert post(world, an_event("some.future.type")).status == 200
        world.work()
        assert (seen(operator)["status"], seen(operator)["attempts"]) == ("ignored", 1)
        check_books(world)

    def test_a_repeat_is_accepted_and_stored_once(self, world: World, operator: Person) -> None:
        first, again = post(world, an_event("some.future.type")), post(world, an_event("another.type"))
        assert (first.status, again.status) == (200, 200)
        assert len(world.queue.inbox) == 1
        assert seen(operator)["type"] == "some.future.type"

    def test_an_unknown_object_waits_longer_each_time_and_is_parked_after_three_days(
        self, world: World, operator: Person
    ) -> None:
        began = world.now
        post(world, an_event("payment_intent.succeeded", id="pi_nobody"))
        world.work()
        waits: list[float] = []
        while (event := seen(operator))["status"] == "pending":
            assert event["attempts"] == len(waits) + 1 and "pi_nobody" in event["error"]
            waits.append(_seconds(event["next_attempt_at"]) - world.now.timestamp())
            world.advance(seconds=waits[-1])
            world.sweep()
        assert waits == sorted(waits) and waits[0] == 30 and waits[-1] == 6 * 3600
        assert event["status"] == "parked" and "pi_nobody" in event["error"] and event["next_attempt_at"] is None
        assert 2.5 * 86_400 <= (world.now - began).total_seconds() <= 3 * 86_400
        assert world.resting()

    def test_nothing_is_tried_before_it_is_due(self, world: World, operator: Person) -> None:
        post(world, an_event("payment_intent.succeeded", id="pi_nobody"))
        world.work()
        world.advance(seconds=29)
        world.sweep()
        assert seen(operator)["attempts"] == 1
        world.advance(seconds=1)
        world.sweep()
        assert seen(operator)["attempts"] == 2

    def test_an_operator_puts_a_parked_event_back(self, world: World, operator: Person) -> None:
        post(world, an_event("payment_intent.succeeded", id="pi_nobody"))
        while seen(operator)["status"] == "pending":
            world.advance(hours=7)
            world.sweep()
        assert [e["id"] for e in operator.get("/ops/inbox?status=parked").json["data"]] == ["evt_1"]
        answer = operator.post("/ops/inbox/evt_1/replay")
        assert (answer.status, answer.json["status"]) == (202, "pending")
        world.work()
        assert seen(operator)["status"] == "pending"
        world.advance(days=2)
        world.sweep()
        assert seen(operator)["status"] == "pending"

    def test_a_replayed_event_causes_nothing_twice(self, world: World, operator: Person) -> None:
        person = world.paying()
        assert person.buy().status == 201
        world.settle()
        for ident in stored(world):
            assert operator.post(f"/ops/inbox/{ident}/replay").status == 202
        world.work()
        assert person.units("mentorship-service") == 10
        check_books(world)

    @pytest.mark.parametrize("path", ["/ops/inbox", "/ops/inbox/evt_1"])
    def test_customers_do_not_see_the_inbox(self, world: World, path: str) -> None:
        assert world.person().get(path).status == 403

    def test_an_event_that_names_no_object_is_kept_with_its_error(self, world: World, operator: Person) -> None:
        post(world, {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": None})
        world.work()
        assert (seen(operator)["status"], seen(operator)["attempts"]) == ("pending", 1)
        assert seen(operator)["error"]


class TestLies:
    def test_a_well_signed_lie_grants_nothing(self, world: World) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
        bought = person.buy()
        assert bought.status == 202
        (intent,) = world.at_stripe("payment_intent")
        post(world, an_event("payment_intent.succeeded", **{**intent, "status": "succeeded"}))
        world.work()
        assert person.units("mentorship-service") == 0
        assert person.invoices()[0]["status"] == "PENDING"

    @pytest.mark.parametrize("changed", ["user_id", "invoice_id"])
    def test_a_payment_that_names_another_persons_invoice_changes_nothing(
        self, world: World, operator: Person, changed: str
    ) -> None:
        victim, other = world.paying(), world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
        pending = victim.buy()
        assert other.buy().status == 201
        world.settle()
        paid = world.at_stripe("payment_intent")[-1]
        metadata = {"user_id": str(victim.user_id), "invoice_id": str(pending.json["id"])}
        paid["metadata"] = {**paid["metadata"], changed: metadata[changed]}
        post(world, an_event("payment_intent.succeeded", id=paid["id"]))
        world.work()
        assert seen(operator)["status"] == "pending"
        assert (victim.units("mentorship-service"), other.units("mentorship-service")) == (0, 10)

    def test_a_payment_of_another_customer_does_not_pay_a_persons_invoice(self, world: World) -> None:
        victim, other = world.paying(), world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 2}])
        pending = victim.buy()
        assert pending.status == 202
        assert other.buy().status == 201
        world.settle()
        paid = world.at_stripe("payment_intent")[-1]
        owner = {"user_id": str(victim.user_id), "invoice_id": str(pending.json["id"])}
        paid["metadata"] = {**paid["metadata"], **owner}
        post(world, an_event("payment_intent.succeeded", id=paid["id"]))
        world.work()
        assert victim.units("mentorship-service") == 0

    def test_a_second_payment_with_the_same_metadata_is_not_taken_for_the_first(
        self, world: World, operator: Person
    ) -> None:
        person = world.paying()
        assert person.buy().status == 201
        world.settle()
        (intent,) = world.at_stripe("payment_intent")
        copy = {**intent, "id": "pi_copy"}
        world.standin.world.store.put(copy)
        post(world, an_event("payment_intent.succeeded", id="pi_copy"))
        world.work()
        assert (seen(operator)["status"], "pi_copy" in seen(operator)["error"]) == ("pending", True)
        assert person.units("mentorship-service") == 10

    def test_a_payment_of_another_amount_delivers_nothing(self, world: World, operator: Person) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
        person.buy()
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/process/{intent['id']}", {"success": True})
        intent["amount"] = intent["amount_received"] = 50
        world.deliver()
        world.work()
        assert person.units("mentorship-service") == 0
        assert person.invoices()[0]["status"] == "PENDING"


class TestOrder:
    @pytest.fixture
    def late(self, world: World) -> Iterator[Person]:
        """A person whose purchase waits for its webhooks: every answer of Stripe was lost."""
        person = world.paying()
        world.settle()
        lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}
        world.misbehave(rules=[lost], webhooks={"copies": 3, "shuffle": True})
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 202
        yield person

    def test_copies_in_any_order_deliver_once(self, world: World, late: Person) -> None:
        world.advance(seconds=5)
        while world.deliver() or world.queue.inbox:
            world.queue.inbox.reverse()
            world.work()
        assert late.units("ai-chat") == 5000
        world.settle()
        check_books(world)

    def test_webhooks_that_come_days_late_change_nothing_any_more(self, world: World, late: Person) -> None:
        for _ in range(3):
            world.advance(minutes=16)
            world.sweep()
        assert late.units("ai-chat") == 5000
        world.advance(days=5)
        world.settle()
        check_books(world)

    def test_the_same_nudge_many_times_is_one_handling(self, world: World, late: Person) -> None:
        world.advance(seconds=5)
        world.deliver()
        world.queue.inbox *= 4
        world.work()
        assert late.units("ai-chat") == 5000
        world.settle()
        check_books(world)

    def test_a_refund_before_its_success_is_told_waits_for_it(self, world: World, late: Person) -> None:
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/refund/{intent['id']}", {"amount": 1000})
        world.advance(seconds=5)
        world.deliver()
        world.queue.inbox.reverse()
        world.work()
        for _ in range(4):
            world.advance(minutes=5)
            world.settle()
            world.sweep()
        (invoice,) = late.invoices()
        assert (invoice["status"], invoice["amount_refunded"]) == ("PARTIALLY_REFUNDED", 10.0)
        check_books(world)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
