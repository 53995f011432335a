"""Several calls buy at the same moment: each purchase is charged, delivered and invoiced once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.subscriptions import queries as subscriptions
from tests.concurrency.parallel import ParallelWorld, at_once, statuses
from tests.shop import a_coupon, put
from tests.world import Person, Reply

ANSWERS = {200, 202, 409}
TRIES_MAX = 50


def until_bought(person: Person, how_many: int) -> Reply:
    """Buy units as a client does that is told to ask again."""
    for _ in range(TRIES_MAX):
        reply = person.buy(how_many=how_many)
        if reply.status != 409:
            return reply
    raise AssertionError(f"told to ask again {TRIES_MAX} times")


class TestPayingOneBag:
    def test_sixteen_calls_charge_and_deliver_it_once(self, world: ParallelWorld) -> None:
        person = world.paying()
        bag = person.check("basic").json
        replies = at_once(16, lambda number: person.pay(bag, chosen_period="MONTH"))
        assert {reply.status for reply in replies} <= ANSWERS, [reply.text for reply in replies]
        assert len({reply.json["id"] for reply in replies if reply.status == 200}) == 1
        assert [found["amount"] for found in world.payments()] == [5999]
        assert [invoice.status for invoice in world.invoices_of(person)] == [InvoiceStatus.FULFILLED]
        assert person.units("ai-chat") == 5000
        world.come_to_rest()

    def test_a_returning_customer_pays_it_eight_times_at_once(self, world: ParallelWorld) -> None:
        person = world.paying()
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        bag = person.check("team", team_seats=5).json
        replies = at_once(8, lambda number: person.pay(bag, chosen_period="MONTH"))
        assert {reply.status for reply in replies} <= ANSWERS, [reply.text for reply in replies]
        assert [found["amount"] for found in world.payments()].count(5999) == 1
        assert len(world.payments()) == 2
        assert len(world.invoices_of(person, InvoiceStatus.FULFILLED)) == 2
        assert len(subscriptions.subscriptions(world.table, person.user_id)) == 2
        world.come_to_rest()

    def test_a_free_bag_is_delivered_once(self, world: ParallelWorld) -> None:
        person = world.person()
        bag = person.check("free").json
        replies = at_once(8, lambda number: person.pay(bag))
        assert {reply.status for reply in replies} <= ANSWERS, [reply.text for reply in replies]
        assert len(world.invoices_of(person)) == 1
        assert person.units("ai-chat") == 5000
        world.come_to_rest()

    def test_calls_the_webhook_and_the_sweep_at_once_deliver_it_once(self, world: ParallelWorld) -> None:
        person = world.paying()
        bag = person.check("basic").json
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}])
        assert person.pay(bag, chosen_period="MONTH").status == 202
        (event,) = world.receive("payment_intent.succeeded")
        world.advance(minutes=16)

        def finish(number: int) -> object:
            if number < 4:
                return person.pay(bag, chosen_period="MONTH").status
            if number >= 8:
                return world.sweep()
            world.work_on(event)
            return event

        done = at_once(10, finish)
        assert set(done[:4]) <= ANSWERS
        assert len(world.payments()) == 1
        assert person.units("ai-chat") == 5000
        world.come_to_rest()


class TestTwoBagsOfOnePlan:
    def test_eight_calls_make_one_subscription(self, world: ParallelWorld) -> None:
        person = world.paying()
        bags = [person.check("basic").json, person.check("basic").json]
        assert bags[0]["token"] != bags[1]["token"]
        replies = at_once(8, lambda number: person.pay(bags[number % 2], chosen_period="MONTH"))
        assert {reply.status for reply in replies} <= {*ANSWERS, 400}, [reply.text for reply in replies]
        refused = {reply.json["slug"] for reply in replies if reply.status == 400}
        assert refused <= {"plan-already-bought"}
        assert len(world.payments()) == 1
        assert len(subscriptions.subscriptions(world.table, person.user_id)) == 1
        assert len(world.invoices_of(person)) == 1
        world.come_to_rest()


class TestTheLastUseOfACoupon:
    @pytest.mark.parametrize("buyers", [2, 8])
    def test_goes_to_one_and_nobody_else_is_charged(self, world: ParallelWorld, buyers: int) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, how_many_offers=1, discount_value=Decimal("0.5")))
        people = [world.paying() for _ in range(buyers)]
        bags = [person.check("basic", coupons=["half"]).json for person in people]
        assert all(len(bag["coupons"]) == 1 for bag in bags)
        replies = at_once(buyers, lambda number: people[number].pay(bags[number], chosen_period="MONTH"))
        assert statuses(replies) == {200: 1, 409: buyers - 1}, [reply.text for reply in replies]
        assert {reply.json["slug"] for reply in replies if reply.status == 409} == {"coupon-used-up"}
        assert [found["amount"] for found in world.at_stripe("payment_intent")] == [3000]
        assert sum(len(world.invoices_of(person)) for person in people) == 1
        world.come_to_rest()

    def test_of_one_person_goes_to_one_of_their_purchases(self, world: ParallelWorld) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, plan_ids=(), discount_value=Decimal("0.5")))
        person = world.paying()
        bags = [person.check(plan, coupons=["half"]).json for plan in ("basic", "team")]
        assert all(len(bag["coupons"]) == 1 for bag in bags)
        replies = at_once(2, lambda number: person.pay(bags[number], chosen_period="MONTH"))
        assert statuses(replies) == {200: 1, 409: 1}, [reply.text for reply in replies]
        assert {reply.json["slug"] for reply in replies if reply.status == 409} == {"coupon-used-up"}
        assert len(world.at_stripe("payment_intent")) == len(world.invoices_of(person)) == 1
        world.come_to_rest()


class TestOneIdempotencyKey:
    def test_eight_calls_buy_once_and_later_ones_get_the_kept_answer(self, world: ParallelWorld) -> None:
        person = world.paying()
        key = {"Idempotency-Key": "one-key"}
        replies = at_once(8, lambda number: person.buy(how_many=3, headers=key))
        assert {reply.status for reply in replies} <= {200, 201, 409}, [reply.text for reply in replies]
        assert len(world.payments()) == 1
        assert person.units("mentorship-service") == 3
        again = person.buy(how_many=3, headers=key)
        assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
        assert len(world.payments()) == 1
        world.come_to_rest()


class TestPurchasesBeyondAPage:
    def test_twenty_at_once_lose_no_unit(self, world: ParallelWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("chalicelib.books.ledger.store", "chalicelib.books.ledger.queries"):
            monkeypatch.setattr(f"{module}.LOTS_PER_PAGE_MAX", 6)
        monkeypatch.setattr("tests.lots.LOTS_PER_PAGE_MAX", 6)
        person = world.paying()
        replies = at_once(20, lambda number: until_bought(person, number + 1 if number < 10 else 1))
        assert {reply.status for reply in replies} <= {201, 202}, [reply.text for reply in replies]
        world.come_to_rest()
        assert len(world.payments()) == 20
        assert person.units("mentorship-service") == sum(range(1, 11)) + 10
