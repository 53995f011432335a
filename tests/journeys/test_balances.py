"""What a customer has, uses and gets back; and how few calls to the table that takes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.catalog.model import ResourceSet, SetKind
from chalicelib.entrypoints import workers
from tests.books import check_books
from tests.journeys.test_crash import outside_calls
from tests.journeys.test_crash_workers import leave_one_nudge
from tests.shop import a_price, put
from tests.world import Person, Reply, World

GROUPS = ("mentorship_service_sets", "event_type_sets", "cohort_sets", "voids")


def balances(person: Person, query: str = "") -> Any:
    answer = person.get(f"/v1/payments/me/service/consumable{query}")
    assert answer.status == 200, answer.text
    assert tuple(answer.json) == GROUPS
    return answer.json


def use(person: Person, service: str = "mentorship-service", given: str = "") -> Reply:
    tail = f"/{given}" if given else ""
    return person.put(f"/v1/payments/me/service/{service}/consumptionsession{tail}")


def cancel(person: Person, session: Reply, service: str = "mentorship-service") -> Reply:
    return person.put(f"/v1/payments/me/service/{service}/consumptionsession/{session.json['id']}/cancel")


def refused(answer: Reply, status: int, slug: str) -> bool:
    return (answer.status, answer.json["slug"]) == (status, slug)


def subscribed(world: World) -> Person:
    person = world.paying()
    assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
    return person


class TestBalances:
    def test_stand_in_the_group_of_their_service(self, world: World) -> None:
        found = balances(subscribed(world))
        shown = {
            group: [(e["slug"], e["service"]["slug"], e["balance"]["unit"]) for e in found[group]] for group in GROUPS
        }
        assert shown == {
            "mentorship_service_sets": [("mentors", "mentorship-service", 2)],
            "event_type_sets": [],
            "cohort_sets": [("cohorts", "all-courses", -1)],
            "voids": [("ai-chat", "ai-chat", 5000)],
        }

    def test_of_plan_and_purchase_are_one_entry_with_two_lots(self, world: World) -> None:
        person = subscribed(world)
        bought = person.buy(how_many=3)
        (entry,) = balances(person)["mentorship_service_sets"]
        assert entry["balance"]["unit"] == 5
        lots = {(lot["how_many"], lot["subscription"] is not None, lot["standalone_invoice"]) for lot in entry["items"]}
        assert lots == {(2, True, None), (3, False, bought.json["id"])}

    @pytest.mark.parametrize("chosen", [2, 3])
    def test_of_two_sets_are_two_entries(self, world: World, chosen: int) -> None:
        kind = SetKind.MENTORSHIP_SERVICE
        sets = [ResourceSet(id=i, academy_id=world.academy_id, kind=kind, slug=f"set-{i}", name="S") for i in (2, 3)]
        put(world.table, *sets, a_price(world.academy_id, id=904, service_id=45, set_ids={SetKind.COHORT: (5,)}))
        events = ResourceSet(id=8, academy_id=world.academy_id, kind=SetKind.EVENT_TYPE, slug="talks", name="T")
        other = ResourceSet(id=9, academy_id=world.academy_id, kind=SetKind.EVENT_TYPE, slug="shows", name="T")
        offered = {SetKind.EVENT_TYPE: (8, 9)}
        put(world.table, events, other, a_price(world.academy_id, id=905, service_id=60, set_ids=offered))
        person = world.paying()
        assert refused(person.buy("events", 2), 400, "service-set-required")
        assert person.buy("events", 2, event_type_set=8).status == 201
        assert person.buy("events", chosen, event_type_set=9).status == 201
        found = [(entry["slug"], entry["balance"]["unit"]) for entry in balances(person)["event_type_sets"]]
        assert sorted(found) == [("shows", chosen), ("talks", 2)]

    def test_are_filtered(self, world: World) -> None:
        person = subscribed(world)
        assert balances(person, "?service_slug=ai-chat")["cohort_sets"] == []
        assert len(balances(person, "?service=93")["voids"]) == 1
        assert len(balances(person, f"?academy={world.academy_id}")["voids"]) == 1

    def test_end_with_their_period(self, world: World) -> None:
        person = subscribed(world)
        person.buy(how_many=3)
        world.advance(days=29, hours=23)
        assert person.units("mentorship-service") == 5
        world.advance(hours=1)
        assert person.units("mentorship-service") == 3
        assert balances(person)["voids"] == []

    def test_are_each_persons_own(self, world: World) -> None:
        subscribed(world)
        assert not any(balances(world.person()).values())


class TestUses:
    def test_last_until_their_eta_and_are_then_done_without_a_write(self, world: World) -> None:
        person = world.paying()
        person.buy(how_many=2)
        made = use(person, given="once")
        path = f"/v1/payments/me/service/mentorship-service/consumptionsession/{made.json['id']}"
        assert person.get(path).json["status"] == "PENDING"
        world.advance(seconds=59)
        assert person.get(path).json["status"] == "PENDING"
        world.advance(seconds=1)
        assert person.get(path).json["status"] == "DONE"
        assert refused(cancel(person, made), 409, "session-already-done")
        assert person.units("mentorship-service") == 1
        world.settle()
        check_books(world)

    def test_under_one_hash_are_one_use_for_ever(self, world: World) -> None:
        person = world.paying()
        person.buy(how_many=1)
        first = use(person, given="once")
        world.advance(days=400)
        again = use(person, given="once")
        assert (first.status, again.status, first.json["id"]) == (201, 200, again.json["id"])
        assert refused(use(person, given="twice"), 402, "insufficient-credits")

    def test_without_a_hash_are_another_each_time(self, world: World) -> None:
        person = world.paying()
        person.buy(how_many=2)
        assert use(person).json["id"] != use(person).json["id"]
        assert refused(use(person), 402, "insufficient-credits")

    def test_that_are_cancelled_give_back_once(self, world: World) -> None:
        person = world.paying()
        person.buy(how_many=1)
        made = use(person)
        assert person.units("mentorship-service") == 0
        assert cancel(person, made).status == 200
        assert refused(cancel(person, made), 409, "session-already-cancelled")
        assert person.units("mentorship-service") == 1
        world.settle()
        check_books(world)

    def test_take_what_ends_soonest_over_plan_and_purchase(self, world: World) -> None:
        person = world.paying()
        person.buy(how_many=1)
        world.advance(seconds=5)
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        left = []
        for _ in range(3):
            made = use(person)
            assert made.status == 201
            entries = balances(person)["mentorship_service_sets"]
            left.append(
                sorted((lot["subscription"] is not None, lot["how_many"]) for e in entries for lot in e["items"])
            )
        assert left == [[(False, 1), (True, 1)], [(False, 1)], []]
        assert cancel(person, made).status == 200
        (entry,) = balances(person)["mentorship_service_sets"]
        assert [lot["standalone_invoice"] is not None for lot in entry["items"]] == [True]
        world.settle()
        check_books(world)

    def test_of_unlimited_units_take_none(self, world: World) -> None:
        person = subscribed(world)
        made = [use(person, "all-courses") for _ in range(3)]
        assert person.units("all-courses") == -1
        assert cancel(person, made[0], "all-courses").status == 200
        assert person.units("all-courses") == -1
        world.settle()
        check_books(world)

    def test_of_units_that_ended_are_refused(self, world: World) -> None:
        person = subscribed(world)
        world.advance(days=31)
        assert refused(use(person), 402, "insufficient-credits")

    def test_are_found_under_their_service_only(self, world: World) -> None:
        person = subscribed(world)
        made = use(person)
        other = f"/v1/payments/me/service/ai-chat/consumptionsession/{made.json['id']}"
        assert refused(person.get(other), 404, "session-not-found")
        assert refused(person.put(f"{other}/cancel"), 404, "session-not-found")

    def test_are_their_persons_only(self, world: World) -> None:
        person, other = subscribed(world), subscribed(world)
        made = use(person)
        assert refused(cancel(other, made), 404, "session-not-found")
        assert person.units("mentorship-service") == 1

    @pytest.mark.parametrize(
        ("service", "given", "slug"), [("mentorship-service", "123", "invalid-hash"), ("52", "", "invalid-slug")]
    )
    def test_of_digits_only_are_refused(self, world: World, service: str, given: str, slug: str) -> None:
        assert refused(use(subscribed(world), service, given), 400, slug)

    def test_are_listed_by_status_newest_first(self, world: World) -> None:
        person = world.paying()
        person.buy(how_many=3)
        made = []
        for _ in range(3):
            made.append(use(person).json["id"])
            world.advance(seconds=40)
        path = "/v1/payments/me/service/mentorship-service/consumptionsession"
        assert [found["id"] for found in person.get(path).json] == made[::-1]
        assert [found["id"] for found in person.get(f"{path}?status=PENDING").json] == made[:1:-1]


class TestCallsToTheTable:
    """Beyond the one that finds the caller: what the architecture promises of each hot path."""

    def counted(self, world: World, act: Any) -> list[str]:
        with outside_calls(world) as outside:
            assert act().status in (200, 201)
        return [call.removeprefix("table ") for call in outside.calls if call.startswith("table ")]

    def test_a_balance_takes_one(self, world: World) -> None:
        person = subscribed(world)
        calls = self.counted(world, lambda: person.get("/v1/payments/me/service/consumable"))
        assert calls == ["GetItem", "Query"]

    def test_a_use_takes_two(self, world: World) -> None:
        person = subscribed(world)
        assert self.counted(world, lambda: use(person, given="once")) == ["GetItem", "Query", "TransactWriteItems"]

    def test_a_webhook_takes_one(self, world: World) -> None:
        world.paying()
        outgoing = world.standin.take_delivery(int(world.now.timestamp()))
        assert outgoing is not None
        calls = self.counted(world, lambda: world.post_webhook(outgoing.payload.encode(), outgoing.signature))
        assert calls == ["PutItem"]

    def test_an_event_that_delivers_takes_three(self, world: World) -> None:
        person = world.paying()
        world.settle()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}])
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 202
        leave_one_nudge(world, "payment_intent.succeeded")
        (nudge,) = world.queue.inbox
        with outside_calls(world) as outside:
            workers.work_event(world.runtime, nudge)
        assert [call for call in outside.calls if call.startswith("table")] == [
            "table GetItem",
            "table GetItem",
            "table TransactWriteItems",
        ]

    @pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
    def test_a_payment_takes_three_with_delivery_in_one_transaction(self, world: World, key: dict[str, str]) -> None:
        person = world.paying()
        bag = person.check("basic").json
        calls = self.counted(world, lambda: person.pay(bag, chosen_period="MONTH", headers=key))
        assert calls == ["GetItem", "BatchGetItem", "TransactWriteItems", "TransactWriteItems"]

    def test_a_free_plan_takes_two(self, world: World) -> None:
        person = world.person()
        bag = person.check("free").json
        calls = self.counted(world, lambda: person.pay(bag))
        assert calls == ["GetItem", "BatchGetItem", "TransactWriteItems"]

    def test_units_take_five_at_most(self, world: World) -> None:
        put(world.table, a_price(world.academy_id, id=903, service_id=60, price_per_unit=Decimal(5), set_ids={}))
        person = world.paying()
        calls = self.counted(world, lambda: person.buy("events", 2))
        assert calls.count("TransactWriteItems") == 2 and len(calls) <= 6
