"""Workers, webhooks and sweeps die at each of their outside calls, or lose the answer, and everything comes right."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.books.billing import queries as billing
from chalicelib.books.inbox import queries as inbox
from chalicelib.entrypoints._wiring import runtime
from chalicelib.flows.fulfillment.reject import reject
from tests.journeys.test_crash import (
    Act,
    Crash,
    Mishap,
    Prepare,
    Scenario,
    die_everywhere,
    has,
    lose_every_answer,
    outside_calls,
)
from tests.world import Person, World


def handle_a_success(world: World) -> Scenario:
    """The call died after the charge; the webhook's event is stored and its nudge waits."""
    person = world.paying()
    bag = person.check("basic", coupons=["half"]).json
    charged_and_died(world, lambda: person.pay(bag, chosen_period="MONTH"))
    leave_one_nudge(world, "payment_intent.succeeded")
    return Scenario(world.work, 6, settled=lambda: has(person, chat=5000))


def handle_a_refund(world: World) -> Scenario:
    person = world.paying()
    bought = person.buy()
    world.settle()
    (intent,) = world.at_stripe("payment_intent")
    world.control(f"/_control/refund/{intent['id']}", {"amount": 20000})
    leave_one_nudge(world, "charge.refunded")

    def shown() -> None:
        invoice = person.get(f"/v1/payments/me/invoice/{bought.json['id']}").json
        assert (invoice["status"], invoice["amount_refunded"]) == ("PARTIALLY_REFUNDED", 200.0)

    return Scenario(world.work, 7, settled=shown)


def handle_a_failed_authentication(world: World) -> Scenario:
    person, intent = wants_authentication(world)
    world.control(f"/_control/authenticate/{intent['id']}", {"success": False})
    leave_one_nudge(world, "payment_intent.payment_failed")
    return Scenario(world.work, 6, settled=lambda: has(person, chat=0))


def give_back_what_came_too_late(world: World) -> Scenario:
    """A payment of a bag that was given up succeeds after all, and the plan was bought by another one meanwhile."""
    person, intent = wants_authentication(world)
    world.misbehave(webhooks={"drop": True})
    reject_behind_its_back(world, person)
    assert person.save_card().status == 200
    assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
    world.misbehave()
    world.control(f"/_control/authenticate/{intent['id']}", {"success": True})
    leave_one_nudge(world, "payment_intent.succeeded")

    def returned() -> None:
        (refund,) = world.at_stripe("refund")
        assert (refund["payment_intent"], refund["amount"]) == (intent["id"], 5999)
        assert sum("returning" in mail.subject for mail, _ in world.mailer.sent) >= 1
        has(person, chat=5000)

    return Scenario(world.work, 8, settled=returned)


def receive_a_webhook(world: World) -> Scenario:
    person = world.paying()
    charged_and_died(world, person.buy)

    return Scenario(world.deliver, 8, settled=lambda: has(person, mentoring=10))


def sweep_a_success(world: World) -> Scenario:
    person = world.paying()
    charged_and_died(world, person.buy)
    world.advance(minutes=16)
    return Scenario(world.sweep, 15, settled=lambda: has(person, mentoring=10))


def sweep_what_never_was(world: World) -> Scenario:
    person = world.paying()
    bag = person.check("basic", coupons=["half"]).json
    with outside_calls(world, fatal="stripe post"), pytest.raises(Crash):
        person.pay(bag, chosen_period="MONTH")
    world.advance(hours=24, minutes=1)
    return Scenario(world.sweep, 15, settled=lambda: has(person, chat=0))


def sweep_what_nobody_authenticated(world: World) -> Scenario:
    person, intent = wants_authentication(world)
    world.settle()
    world.advance(hours=24, minutes=1)

    def closed() -> None:
        assert [i["status"] for i in world.at_stripe("payment_intent") if i["id"] == intent["id"]] == ["canceled"]
        has(person, chat=0)

    return Scenario(world.sweep, 15, settled=closed)


WORKERS: list[Prepare] = [
    receive_a_webhook,
    handle_a_success,
    handle_a_refund,
    handle_a_failed_authentication,
    give_back_what_came_too_late,
]
SWEEPS: list[Prepare] = [sweep_a_success, sweep_what_never_was, sweep_what_nobody_authenticated]


class TestEachOutsideCall:
    @pytest.mark.parametrize("prepare", WORKERS, ids=lambda prepare: prepare.__name__)
    def test_of_a_worker_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept"))

    @pytest.mark.parametrize("prepare", SWEEPS, ids=lambda prepare: prepare.__name__)
    def test_of_a_sweep_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("swept",))

    @pytest.mark.parametrize("prepare", [*WORKERS, *SWEEPS], ids=lambda prepare: prepare.__name__)
    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="swept")


def leave_one_nudge(world: World, kind: str) -> None:
    """Deliver everything, and lose every nudge but that of the one event of this type."""
    world.deliver()
    (kept,) = [ident for ident in world.queue.inbox if inbox.event(world.table, ident).event.type == kind]
    world.queue.inbox = [kept]


def leave_one_delivery(world: World, kind: str) -> None:
    """Deliver everything and work on it, but for the one event of this type: its first delivery failed."""
    now = int(world.now.timestamp())
    while outgoing := world.standin.take_delivery(now):
        held = f'"type": "{kind}"' in outgoing.payload
        assert held or world.post_webhook(outgoing.payload.encode(), outgoing.signature).status == 200
        world.standin.report_delivery(outgoing.id, delivered=not held, now=now)
    world.work()
    world.advance(seconds=6)


def charged_and_died(world: World, act: Act) -> None:
    """The process is killed when Stripe has taken the money, before it could write anything."""
    with outside_calls(world, fatal="stripe post", mishap=Mishap.DIES_AFTER), pytest.raises(Crash):
        act()


def wants_authentication(world: World) -> tuple[Person, dict[str, Any]]:
    """A person whose payment of the plan `basic` waits for the bank's page, and the payment at Stripe."""
    person = world.person()
    setup = person.save_card("4000002760003184").json
    assert setup["status"] == "requires_action"
    world.control(f"/_control/authenticate/{setup['client_secret'].partition('_secret_')[0]}", {"success": True})
    world.settle()
    answer = person.pay(person.check("basic").json, chosen_period="MONTH")
    assert (answer.status, answer.json["status"]) == (202, "requires_action"), answer.text
    world.settle()
    (intent,) = world.at_stripe("payment_intent")
    return person, intent


def reject_behind_its_back(world: World, person: Person) -> None:
    """Give the invoice up while its payment can still succeed, as a worker does that was overtaken by the bank."""
    context = runtime().context(world.now)
    (invoice,) = person.invoices()
    reject(context, billing.invoice(world.table, person.user_id, invoice["id"]), "test")
