"""Staff give money back (D55, D56): what goes back, what is taken back, what becomes of the plan."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy
from chalicelib.dynamo.writes import backoff
from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.staffing import audited
from tests.world import Person, Reply, World

USE = "/v1/payments/me/service/{service}/consumptionsession"
REFUNDS = "POST /v1/refunds"


@pytest.fixture
def clerk(world: World) -> Person:
    return staff(world, "issue_refund")


def refund(clerk: Person, invoice_id: int, key: str = "one", **body: Any) -> Reply:
    path = f"/v1/payments/academy/invoice/{invoice_id}/refund"
    return clerk.post(path, {"academy": clerk.world.academy_id, **body}, Idempotency_Key=key)


def bought(world: World) -> tuple[Person, int]:
    """A person who bought ten units for 450.00."""
    person = world.paying()
    answer = person.buy()
    assert answer.status == 201
    world.settle()
    return person, answer.json["id"]


def subscribed(world: World, **way: Any) -> tuple[Person, int]:
    """A person who paid a month of the basic plan: 5000 chats, 2 mentorships, all courses."""
    person = world.paying()
    paid = person.pay(person.check("basic").json, **(way or {"chosen_period": "MONTH"}))
    assert paid.status == 200
    world.settle()
    return person, paid.json["id"]


def use(person: Person, service: str, times: int = 1) -> list[int]:
    answers = [person.put(USE.format(service=service)) for _ in range(times)]
    assert [answer.status for answer in answers] == [201] * times
    return [answer.json["id"] for answer in answers]


def status_of(person: Person) -> tuple[str, float]:
    (invoice,) = person.invoices()
    return invoice["status"], invoice["amount_refunded"]


def refused(answer: Reply, status: int, slug: str) -> bool:
    return (answer.status, answer.json["slug"]) == (status, slug)


class TestARefund:
    def test_of_all_that_is_left_takes_back_what_is_unspent(self, world: World, clerk: Person) -> None:
        person, invoice_id = bought(world)
        use(person, "mentorship-service", 3)
        answer = refund(clerk, invoice_id, reason="requested_by_customer", note="changed their mind")
        assert answer.status == 201, answer.text
        assert answer.json == {
            "id": answer.json["id"],
            "number": "CN-000001",
            "invoice": {"id": invoice_id, "status": "REFUNDED"},
            "amount": 450.0,
            "currency": {"code": "USD", "name": "US Dollar"},
            "status": "SUCCEEDED",
            "taken_back": [{"service": "mentorship-service", "how_many": 7, "spent": 3}],
        }
        assert person.units("mentorship-service") == 0
        (made,) = world.at_stripe("refund")
        assert (made["amount"], made["reason"]) == (45000, "requested_by_customer")
        world.settle()
        check_books(world)

    def test_shows_on_the_customers_invoice_and_is_mailed(self, world: World, clerk: Person) -> None:
        person, invoice_id = bought(world)
        assert refund(clerk, invoice_id, amount=100.5).status == 201
        world.settle()
        (invoice,) = person.invoices()
        (note,) = invoice["credit_notes"]
        assert (note["number"], note["amount"], note["status"]) == ("CN-000001", 100.5, "SUCCEEDED")
        mail = world.mailer.sent[-1][0]
        assert (mail.to, mail.subject) == (person.email, "Your refund of 100.50 USD")

    def test_in_parts_takes_back_as_one(self, world: World, clerk: Person) -> None:
        """Each part is a third of a unit too little to take one: only the sum counts."""
        person, invoice_id = bought(world)
        for number, (amount, left) in enumerate(((44.0, 10), (44.0, 9), (44.0, 8), (318.0, 0))):
            answer = refund(clerk, invoice_id, f"part-{number}", amount=amount)
            assert answer.status == 201, answer.text
            assert person.units("mentorship-service") == left
        assert [answer.json["number"] for answer in [refund(clerk, invoice_id, "part-3", amount=318.0)]] == [
            "CN-000004"
        ]
        assert status_of(person) == ("REFUNDED", 450.0)
        world.settle()
        check_books(world)

    def test_by_line_is_the_lines_amount(self, world: World, clerk: Person) -> None:
        person, invoice_id = bought(world)
        (line,) = person.invoices()[0]["lines"]
        answer = refund(clerk, invoice_id, lines=[{"id": line["id"], "amount": 45}])
        assert (answer.status, answer.json["amount"]) == (201, 45.0)
        more = refund(clerk, invoice_id, "two", lines=[{"id": line["id"], "amount": 405.01}])
        assert refused(more, 409, "refund-exceeds-invoice")

    @pytest.mark.parametrize(
        ("body", "status", "slug"),
        [
            ({"amount": 450.01}, 409, "refund-exceeds-invoice"),
            ({"amount": 0}, 400, "invalid-request"),
            ({"amount": -1}, 400, "invalid-request"),
            ({"amount": 0.001}, 400, "invalid-refund-amount"),
            ({"amount": "10"}, 400, "invalid-request"),
            ({"amount": True}, 400, "invalid-request"),
            ({"amount": 1e300}, 400, "invalid-request"),
            ({"lines": [{"id": "nothing", "amount": 1}]}, 400, "invalid-slugs-in-breakdown"),
            ({"amount": 1, "lines": [{"id": "nothing", "amount": 1}]}, 400, "refund-amount-mismatch"),
            ({"reason": "because"}, 400, "invalid-request"),
            ({"plan_action": "explode"}, 400, "invalid-request"),
        ],
    )
    def test_that_cannot_be_changes_nothing(
        self, world: World, clerk: Person, body: dict[str, Any], status: int, slug: str
    ) -> None:
        person, invoice_id = bought(world)
        assert refused(refund(clerk, invoice_id, **body), status, slug)
        assert world.at_stripe("refund") == []
        assert status_of(person) == ("FULFILLED", 0.0)
        assert person.units("mentorship-service") == 10

    def test_is_audited(self, world: World, clerk: Person) -> None:
        _, invoice_id = bought(world)
        assert refund(clerk, invoice_id, amount=90, note="They waited in vain.").status == 201
        ((by, before, after),) = audited(world, f"invoice:{invoice_id}")
        assert (by, before, after["amount"], after["note"]) == (
            f"user:{clerk.user_id}",
            None,
            9000,
            "They waited in vain.",
        )

    def test_needs_a_key(self, world: World, clerk: Person) -> None:
        _, invoice_id = bought(world)
        path = f"/v1/payments/academy/invoice/{invoice_id}/refund"
        answer = clerk.post(path, {"academy": world.academy_id})
        assert refused(answer, 400, "idempotency-key-required")

    def test_is_for_staff_who_may(self, world: World) -> None:
        person, invoice_id = bought(world)
        assert refund(person, invoice_id).status == 403
        assert refund(staff(world, "read_invoice"), invoice_id).status == 403
        assert world.at_stripe("refund") == []

    def test_of_another_academys_invoice_is_not_found(self, world: World, clerk: Person) -> None:
        _, invoice_id = bought(world)
        other = identity.create_academy(world.table, NewAcademy(name="Other", slug="other"), now=world.now)
        operator = world.person(operator=True)
        path = f"/v1/payments/academy/invoice/{invoice_id}/refund"
        answer = operator.post(path, {"academy": other.id}, Idempotency_Key="k")
        assert refused(answer, 404, "invoice-not-found")
        assert refused(refund(clerk, invoice_id + 1), 404, "invoice-not-found")

    def test_of_what_was_not_paid_is_refused(self, world: World, clerk: Person) -> None:
        person = world.person()
        assert person.save_card("4000000000000341").status == 200
        assert person.buy().status == 402
        (invoice,) = person.invoices()
        assert refused(refund(clerk, invoice["id"]), 409, "invoice-not-fulfilled")
        free = person.pay(person.check("free").json).json
        assert refused(refund(clerk, free["id"]), 409, "invoice-not-fulfilled")

    def test_of_a_disputed_payment_waits_for_the_bank(self, world: World, clerk: Person) -> None:
        _, invoice_id = bought(world)
        world.control(f"/_control/dispute/{world.at_stripe('payment_intent')[0]['id']}", {"outcome": "open"})
        world.settle()
        assert refused(refund(clerk, invoice_id), 409, "invoice-is-disputed")

    def test_that_stripe_refuses_is_over_and_can_be_tried_anew(self, world: World, clerk: Person) -> None:
        """The dashboard was faster, and its webhook has not come."""
        person, invoice_id = bought(world)
        world.misbehave(webhooks={"drop": True})
        world.control(f"/_control/refund/{world.at_stripe('payment_intent')[0]['id']}", {"amount": 40000})
        answer = refund(clerk, invoice_id)
        assert refused(answer, 402, "invalid-request")
        assert status_of(person) == ("PARTIALLY_REFUNDED", 400.0)
        assert person.units("mentorship-service") == 2
        replay = refund(clerk, invoice_id)
        assert (replay.status, replay.json, replay.headers["Idempotent-Replayed"]) == (402, answer.json, "true")
        assert refund(clerk, invoice_id, "again").json["amount"] == 50.0
        world.work()
        check_books(world)


class TestTheSameKey:
    def test_is_the_same_refund(self, world: World, clerk: Person) -> None:
        _, invoice_id = bought(world)
        first, again = refund(clerk, invoice_id, amount=10), refund(clerk, invoice_id, amount=10)
        assert (again.status, again.json) == (201, first.json)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(world.at_stripe("refund")) == 1

    def test_with_other_input_is_refused(self, world: World, clerk: Person) -> None:
        _, invoice_id = bought(world)
        assert refund(clerk, invoice_id, amount=10).status == 201
        assert refused(refund(clerk, invoice_id, amount=11), 422, "idempotency-key-reused")

    def test_after_an_answer_that_was_lost_is_the_same_refund(self, world: World, clerk: Person) -> None:
        person, invoice_id = bought(world)
        world.misbehave(rules=[{"match": REFUNDS, "action": "lose_answer", "times": 2}])
        waiting = refund(clerk, invoice_id, amount=45)
        assert (waiting.status, waiting.json["status"], waiting.json["number"]) == (201, "PENDING", None)
        answer = refund(clerk, invoice_id, amount=45)
        assert (answer.json["id"], answer.json["status"]) == (waiting.json["id"], "SUCCEEDED")
        assert len(world.at_stripe("refund")) == 1
        assert person.units("mentorship-service") == 9

    @pytest.mark.parametrize("days", [0, 2])
    @pytest.mark.parametrize("action", ["lose_answer", "refuse_connection"])
    def test_need_not_come_again(self, world: World, clerk: Person, action: str, days: int) -> None:
        """The sweep finishes it, also when Stripe has forgotten the key."""
        person, invoice_id = bought(world)
        world.misbehave(webhooks={"drop": True}, rules=[{"match": REFUNDS, "action": action, "times": 2}])
        assert refund(clerk, invoice_id).json["status"] == "PENDING"
        world.advance(days=days, minutes=3)
        world.sweep()
        assert status_of(person) == ("REFUNDED", 450.0)
        assert len(world.at_stripe("refund")) == 1
        world.work()
        check_books(world)


class TestAtOnce:
    def test_two_refunds_of_all_are_one(self, world: World, clerk: Person) -> None:
        """The second is ordered while the first is at Stripe."""
        person, invoice_id = bought(world)
        gateway = world.runtime.gateway
        real = gateway.refund
        others: list[Any] = []

        def at_once(*arguments: Any) -> Any:
            if not others:
                others.append(None)
                others[0] = refund(clerk, invoice_id, "other")
            return real(*arguments)

        with patch.object(gateway, "refund", at_once):
            answer = refund(clerk, invoice_id, "first")
        assert answer.status == 201
        assert refused(others[0], 409, "refund-exceeds-invoice")
        assert status_of(person) == ("REFUNDED", 450.0)
        world.work()
        check_books(world)

    def test_a_use_at_that_moment_is_kept_or_refused(self, world: World, clerk: Person) -> None:
        person, invoice_id = bought(world)
        gateway = world.runtime.gateway
        real = gateway.refunds_of
        used: list[int] = []

        def overtaken(payment_id: str) -> Any:
            if not used:
                used.extend(use(person, "mentorship-service"))
            return real(payment_id)

        with patch.object(gateway, "refunds_of", overtaken), patch.object(backoff, "sleep"):
            answer = refund(clerk, invoice_id)
        assert answer.json["taken_back"] == [{"service": "mentorship-service", "how_many": 9, "spent": 1}]
        world.settle()
        check_books(world)


class TestThePlan:
    def test_ends_with_a_full_refund(self, world: World, clerk: Person) -> None:
        person, invoice_id = subscribed(world)
        answer = refund(clerk, invoice_id)
        assert {taken["service"]: taken["how_many"] for taken in answer.json["taken_back"]} == {
            "ai-chat": 5000,
            "mentorship-service": 2,
            "all-courses": -1,
        }
        assert person.get("/v1/payments/me/subscription").json["subscriptions"] == []
        (held,) = person.get("/v1/payments/me/subscription?status=CANCELLED").json["subscriptions"]
        assert (held["status_message"], held["next_payment_at"]) == ("The payment was refunded.", None)
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [0, 0, 0]
        world.settle()
        check_books(world)

    def test_that_ended_can_be_bought_again(self, world: World, clerk: Person) -> None:
        person, invoice_id = subscribed(world)
        assert refund(clerk, invoice_id).status == 201
        again = person.pay(person.check("basic").json, chosen_period="MONTH")
        assert again.status == 200, again.text
        assert person.units("ai-chat") == 5000
        world.settle()
        check_books(world)

    def test_stays_with_a_partial_refund(self, world: World, clerk: Person) -> None:
        person, invoice_id = subscribed(world)
        assert refund(clerk, invoice_id, amount=29.99).status == 201
        (held,) = person.get("/v1/payments/me/subscription").json["subscriptions"]
        assert held["status"] == "ACTIVE"
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [2501, 2, -1]
        world.settle()
        check_books(world)

    @pytest.mark.parametrize(
        ("action", "status", "units"),
        [("keep", "ACTIVE", 0), ("cancel_at_period_end", "CANCELLED", 0), ("cancel_now", None, 0)],
    )
    def test_becomes_what_staff_say(
        self, world: World, clerk: Person, action: str, status: str | None, units: int
    ) -> None:
        person, invoice_id = subscribed(world)
        assert refund(clerk, invoice_id, plan_action=action).status == 201
        found = person.get("/v1/payments/me/subscription").json["subscriptions"]
        assert [held["status"] for held in found] == ([status] if status else [])
        assert person.units("ai-chat") == units
        assert person.check("basic").status == (200 if status is None else 400)
        world.settle()
        check_books(world)

    def test_that_is_cancelled_with_a_partial_refund_ends_what_is_left(self, world: World, clerk: Person) -> None:
        person, invoice_id = subscribed(world)
        assert refund(clerk, invoice_id, amount=30, plan_action="cancel_now").status == 201
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [0, 0, 0]
        assert person.check("basic").status == 200
        world.settle()
        check_books(world)

    def test_by_instalments_ends_too(self, world: World, clerk: Person) -> None:
        person = world.paying()
        paid = person.pay(person.check("bootcamp").json, how_many_installments=12)
        assert paid.status == 200
        assert refund(clerk, paid.json["id"]).status == 201
        found = person.get("/v1/payments/me/subscription?status=CANCELLED").json["plan_financings"]
        assert [held["next_payment_at"] for held in found] == [None]
        assert person.check("bootcamp").status == 200
        world.settle()
        check_books(world)


class TestARefundThatFails:
    def fail(self, world: World) -> None:
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        world.settle()

    def test_gives_back_units_and_plan_and_tells_staff(self, world: World, clerk: Person) -> None:
        person, invoice_id = subscribed(world)
        before = person.get("/v1/payments/me/subscription").json
        assert refund(clerk, invoice_id).status == 201
        self.fail(world)
        assert status_of(person) == ("FULFILLED", 0.0)
        assert person.get("/v1/payments/me/subscription").json == before
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [5000, 2, -1]
        assert [note["status"] for note in person.invoices()[0]["credit_notes"]] == ["FAILED"]
        mails = [mail for mail, _ in world.mailer.sent if mail.to == clerk.email]
        assert [mail.subject for mail in mails] == ["A refund of 59.99 USD failed"]
        world.work()
        check_books(world)

    def test_leaves_a_plan_alone_that_was_bought_again(self, world: World, clerk: Person) -> None:
        person, invoice_id = subscribed(world)
        assert refund(clerk, invoice_id).status == 201
        again = person.pay(person.check("basic").json, chosen_period="MONTH").json
        self.fail(world)
        found = person.get("/v1/payments/me/subscription").json["subscriptions"]
        assert [held["invoices"] for held in found] == [[again["id"]]]
        world.work()
        check_books(world)

    def test_can_be_ordered_again(self, world: World, clerk: Person) -> None:
        person, invoice_id = bought(world)
        assert refund(clerk, invoice_id).status == 201
        self.fail(world)
        answer = refund(clerk, invoice_id, "again")
        assert (answer.status, answer.json["number"]) == (201, "CN-000002")
        assert person.units("mentorship-service") == 0
        world.work()
        check_books(world)
