"""What the other events tell dies at each outside call and comes right: disputes, cards, customers, late decisions."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.books.billing.model import InvoiceStatus
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, has, lose_every_answer
from tests.journeys.test_crash_workers import leave_one_nudge, wants_authentication
from tests.world import Person, World


def handle_a_dispute(world: World) -> Scenario:
    person, payment = bought(world)
    world.control(f"/_control/dispute/{payment['id']}", {"outcome": "open"})
    leave_one_nudge(world, "charge.dispute.created")
    return Scenario(world.work, 6, settled=lambda: shows(person, InvoiceStatus.DISPUTED))


def handle_a_dispute_that_is_won(world: World) -> Scenario:
    person, payment = bought(world)
    world.control(f"/_control/dispute/{payment['id']}", {"outcome": "open"})
    world.settle()
    world.control(f"/_control/dispute/{payment['id']}", {"outcome": "won"})
    leave_one_nudge(world, "charge.dispute.closed")
    return Scenario(world.work, 6, settled=lambda: shows(person, InvoiceStatus.FULFILLED))


def handle_a_refund_that_failed(world: World) -> Scenario:
    person, payment = bought(world)
    refund = world.control(f"/_control/refund/{payment['id']}", {"amount": 20000})
    world.settle()
    world.control(f"/_control/fail_refund/{refund['id']}", {})
    leave_one_nudge(world, "refund.failed")
    return Scenario(world.work, 7, settled=lambda: shows(person, InvoiceStatus.FULFILLED))


def handle_a_late_authentication(world: World) -> Scenario:
    person, intent = wants_authentication(world)
    world.control(f"/_control/authenticate/{intent['id']}", {"success": True})
    leave_one_nudge(world, "payment_intent.succeeded")
    return Scenario(world.work, 6, settled=lambda: has(person, chat=5000))


def handle_what_was_processing(world: World) -> Scenario:
    person = world.paying()
    world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
    assert person.buy().status == 202
    world.settle()
    (payment,) = world.at_stripe("payment_intent")
    world.control(f"/_control/process/{payment['id']}", {"success": True})
    leave_one_nudge(world, "payment_intent.succeeded")
    return Scenario(world.work, 6, settled=lambda: has(person, mentoring=10))


def handle_what_failed_at_last(world: World) -> Scenario:
    person = world.paying()
    bag = person.check("basic", coupons=["half"]).json
    world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
    assert person.pay(bag, chosen_period="MONTH").status == 202
    world.settle()
    (payment,) = world.at_stripe("payment_intent")
    world.control(f"/_control/process/{payment['id']}", {"success": False})
    leave_one_nudge(world, "payment_intent.payment_failed")
    return Scenario(world.work, 6, settled=lambda: has(person, chat=0))


def handle_an_authenticated_card(world: World) -> Scenario:
    person = world.person()
    setup = person.save_card("4000002760003184").json
    world.control(f"/_control/authenticate/{setup['client_secret'].partition('_secret_')[0]}", {"success": True})
    leave_one_nudge(world, "setup_intent.succeeded")
    return Scenario(world.work, 4, settled=lambda: has_card(person, "3184"))


def handle_a_card_that_was_taken_away(world: World) -> Scenario:
    person = world.paying()
    world.settle()
    (method,) = world.at_stripe("payment_method")
    at_stripe(world, "POST", f"/v1/payment_methods/{method['id']}/detach")
    leave_one_nudge(world, "payment_method.detached")
    return Scenario(world.work, 4, settled=lambda: has_card(person, None))


def handle_a_customer_who_is_gone(world: World) -> Scenario:
    person = world.paying()
    world.settle()
    (customer,) = world.at_stripe("customer")
    at_stripe(world, "DELETE", f"/v1/customers/{customer['id']}")
    leave_one_nudge(world, "customer.deleted")
    return Scenario(world.work, 4, settled=lambda: has_card(person, None))


def send_a_receipt(world: World) -> Scenario:
    person = world.paying()
    assert person.buy().status == 201
    world.deliver()
    world.queue.inbox = []

    def told() -> None:
        assert len(world.mailer.sent) >= 1

    return Scenario(world.work, 3, settled=told)


def try_an_event_again(world: World) -> Scenario:
    """An operator has the event of a payment tried again that was delivered long ago."""
    person, _ = bought(world)
    (event_id,) = [
        row["pk"]["S"].removeprefix("INBOX#")
        for row in world.memory.copy()
        if row["sk"]["S"] == "EVENT" and '"payment_intent.succeeded"' in row["doc"]["S"]
    ]
    operator = world.person(operator=True)
    return Scenario(
        lambda: operator.post(f"/ops/inbox/{event_id}/replay"), 4, (202,), settled=lambda: has(person, mentoring=10)
    )


def check_a_plan(world: World) -> Scenario:
    person = world.person()
    return Scenario(lambda: person.check("basic", coupons=["half"]), 5, (200,))


def be_refused_by_a_busy_processor(world: World) -> Scenario:
    """Stripe looks at nothing, so that the purchase is given up and its key may try again, with nothing claimed."""
    person = world.paying()
    bag = person.check("basic", coupons=["half"]).json
    key = {"Idempotency-Key": "busy"}

    def act() -> object:
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "error_429", "times": 1}])
        return person.pay(bag, chosen_period="MONTH", headers=key)

    return Scenario(act, 5, (402, 200, 410))


EVENTS: list[Prepare] = [
    handle_a_dispute,
    handle_a_dispute_that_is_won,
    handle_a_refund_that_failed,
    handle_a_late_authentication,
    handle_what_was_processing,
    handle_what_failed_at_last,
    handle_an_authenticated_card,
    handle_a_card_that_was_taken_away,
    handle_a_customer_who_is_gone,
    send_a_receipt,
]
CALLERS: list[Prepare] = [try_an_event_again, check_a_plan, be_refused_by_a_busy_processor]


class TestEachOutsideCall:
    @pytest.mark.parametrize("prepare", EVENTS, ids=lambda prepare: prepare.__name__)
    def test_of_a_worker_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept"))

    @pytest.mark.parametrize("prepare", EVENTS, ids=lambda prepare: prepare.__name__)
    def test_of_a_worker_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="swept")

    @pytest.mark.parametrize("prepare", CALLERS, ids=lambda prepare: prepare.__name__)
    def test_of_a_request_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    @pytest.mark.parametrize("prepare", CALLERS, ids=lambda prepare: prepare.__name__)
    def test_of_a_request_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")


def bought(world: World) -> tuple[Person, dict[str, Any]]:
    """A person who bought ten units, and the payment at Stripe."""
    person = world.paying()
    assert person.buy().status == 201
    world.settle()
    (payment,) = world.at_stripe("payment_intent")
    return person, payment


def at_stripe(world: World, method: str, path: str) -> None:
    """Somebody calls Stripe's API past us."""
    headers = {"Authorization": f"Bearer {world.standin.secret_key}"}
    assert world.standin.handle(method, path, "", headers, int(world.now.timestamp()))[0] == 200


def shows(person: Person, status: InvoiceStatus) -> None:
    (invoice,) = person.invoices()
    assert invoice["status"] == status


def has_card(person: Person, last4: str | None) -> None:
    assert person.get("/v2/payments/card").json.get("card_last4") == last4
