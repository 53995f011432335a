"""Several calls change one subscription at the same moment: one change is paid, and everything fits it."""

from __future__ import annotations

from collections import Counter

from chalicelib.books.subscriptions import queries as subscriptions
from tests.changing import change, further_plans
from tests.concurrency.parallel import ParallelWorld, at_once
from tests.world import Person


def subscribed(world: ParallelWorld) -> Person:
    further_plans(world)
    person = world.paying()
    assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
    return person


class TestChangingOneSubscription:
    def test_to_one_plan_in_eight_calls_is_paid_once(self, world: ParallelWorld) -> None:
        person = subscribed(world)
        replies = at_once(8, lambda number: change(person, "pro"))
        assert {reply.status for reply in replies} <= {200, 202, 409}, [reply.text for reply in replies]
        assert Counter(found["amount"] for found in world.payments()) == {5999: 1, 6000: 1}
        (held,) = subscriptions.subscriptions(world.table, person.user_id)
        assert (held.terms.plan_slug, held.changes, held.change_invoice_id) == ("pro", 1, None)
        world.come_to_rest()

    def test_that_costs_nothing_is_made_once(self, world: ParallelWorld) -> None:
        person = subscribed(world)
        replies = at_once(8, lambda number: change(person, "free"))
        assert {reply.status for reply in replies} <= {200, 409}, [reply.text for reply in replies]
        (held,) = subscriptions.subscriptions(world.table, person.user_id)
        assert held.planned is not None
        world.come_to_rest()

    def test_to_several_plans_leaves_it_with_what_was_paid_for(self, world: ParallelWorld) -> None:
        person = subscribed(world)
        replies = at_once(6, lambda number: change(person, ("pro", "max", "free")[number % 3]))
        assert {reply.status for reply in replies} <= {200, 202, 409}, [reply.text for reply in replies]
        (held,) = subscriptions.subscriptions(world.table, person.user_id)
        paid = sum(found["amount"] for found in world.payments())
        assert paid == held.terms.full_amount
        world.come_to_rest()
