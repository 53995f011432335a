"""Refunds and disputes die at each of their outside calls, or lose the answer, and everything comes right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.journeys.test_catalog import staff
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, has, lose_every_answer
from tests.journeys.test_crash_workers import leave_one_nudge
from tests.journeys.test_staff_refunds import bought, refund, subscribed, use
from tests.world import World


def refund_units(world: World) -> Scenario:
    person, invoice_id = bought(world)
    use(person, "mentorship-service", 3)
    clerk = staff(world, "issue_refund")
    return Scenario(lambda: refund(clerk, invoice_id), 12, (201,), settled=lambda: has(person, mentoring=0))


def refund_part_of_a_plan(world: World) -> Scenario:
    person, invoice_id = subscribed(world)
    clerk = staff(world, "issue_refund")
    return Scenario(lambda: refund(clerk, invoice_id, amount=30), 12, (201,), settled=lambda: has(person, chat=2500))


def refund_what_stripe_refuses(world: World) -> Scenario:
    """Somebody at the dashboard was faster; calling again finds nothing left."""
    person, invoice_id = bought(world)
    world.control(f"/_control/refund/{world.at_stripe('payment_intent')[0]['id']}", {})
    clerk = staff(world, "issue_refund")
    return Scenario(lambda: refund(clerk, invoice_id), 12, (402, 409), settled=lambda: has(person, mentoring=0))


CALLS: list[Prepare] = [refund_units, refund_part_of_a_plan, refund_what_stripe_refuses]
HELPS: dict[Prepare, Sequence[str]] = {refund_what_stripe_refuses: ("told", "again")}
"""What the dashboard did, no sweep of ours would see."""


def handle_a_full_refund(world: World) -> Scenario:
    person, _ = subscribed(world)
    use(person, "ai-chat", 2)
    world.control(f"/_control/refund/{world.at_stripe('payment_intent')[0]['id']}", {})
    leave_one_nudge(world, "charge.refunded")
    return Scenario(world.work, 9, settled=lambda: has(person, chat=0, mentoring=0))


def handle_a_refund_that_failed(world: World) -> Scenario:
    person, invoice_id = subscribed(world)
    assert refund(staff(world, "issue_refund"), invoice_id).status == 201
    world.settle()
    (made,) = world.at_stripe("refund")
    world.control(f"/_control/fail_refund/{made['id']}", {})
    leave_one_nudge(world, "refund.failed")
    return Scenario(world.work, 9, settled=lambda: has(person, chat=5000, mentoring=2))


def handle_a_dispute(world: World) -> Scenario:
    return disputed(world, "open", "charge.dispute.created", chat=0)


def handle_a_lost_dispute(world: World) -> Scenario:
    return disputed(world, "lost", "charge.dispute.closed", chat=0)


def handle_a_won_dispute(world: World) -> Scenario:
    return disputed(world, "won", "charge.dispute.closed", chat=5000)


def disputed(world: World, outcome: str, event: str, **units: Any) -> Scenario:
    staff(world, "issue_refund")
    person, _ = subscribed(world)
    path = f"/_control/dispute/{world.at_stripe('payment_intent')[0]['id']}"
    if outcome != "open":
        world.control(path, {"outcome": "open"})
        world.settle()
    world.control(path, {"outcome": outcome})
    leave_one_nudge(world, event)
    return Scenario(world.work, 9, settled=lambda: has(person, **units))


def sweep_a_refund(world: World) -> Scenario:
    """Stripe's answer to the refund was lost, and so are its webhooks."""
    person, invoice_id = bought(world)
    lost = {"match": "POST /v1/refunds", "action": "lose_answer", "times": 2}
    world.misbehave(webhooks={"drop": True}, rules=[lost])
    assert refund(staff(world, "issue_refund"), invoice_id).json["status"] == "PENDING"
    world.misbehave()
    world.advance(minutes=3)
    return Scenario(world.sweep, 15, settled=lambda: has(person, mentoring=0))


WORKERS: list[Prepare] = [
    handle_a_full_refund,
    handle_a_refund_that_failed,
    handle_a_dispute,
    handle_a_lost_dispute,
    handle_a_won_dispute,
    sweep_a_refund,
]


@pytest.mark.parametrize("prepare", CALLS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfARefund:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=HELPS.get(prepare, ("told", "swept", "again")))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")


@pytest.mark.parametrize("prepare", WORKERS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfAWorker:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="told")
