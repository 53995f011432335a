"""The reconciler dies at each of its outside calls, meets outages, webhooks, itself: nothing is lost or done twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.adapters.stripe.events import TOPICS
from chalicelib.books.billing import queries as billing
from chalicelib.books.billing import store as billing_store
from chalicelib.books.billing.gateway import PaymentUnauthorized
from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.drift import queries as drift
from chalicelib.books.drift.model import MENDED_KINDS, Drift, DriftStatus, Source, WalkName
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.writes import Update, anyway, backoff, commit, never
from chalicelib.entrypoints import _observe, schedules
from chalicelib.flows.reconcile import compare as flow
from chalicelib.flows.reconcile.catch_up import catch_up
from chalicelib.flows.reconcile.examine import examine
from chalicelib.kernel.errors import TryLater
from tests.books import check_books
from tests.faults import (
    bought,
    charged_and_lost,
    dispute_missing,
    duplicate_charge,
    invoice_of,
    one_cent_more,
    refund_missing,
    unheard,
)
from tests.journeys.test_crash import Crash, Mishap, Scenario, calls_of, outside_calls
from tests.moto_table import all_rows
from tests.world import World

ONLY_NEW = {WalkName.AGAIN: 0, WalkName.OPEN: 1}


@pytest.fixture
def counted() -> Iterator[Counter[str]]:
    """What the runs measured and counted, added up."""
    total: Counter[str] = Counter()
    one = patch.object(_observe, "count", lambda name: total.update([name]))
    with patch.object(_observe, "measure", total.update), one:
        yield total


@pytest.fixture
def only_new() -> Iterator[None]:
    """The walk that goes round reads the same lists with the same code: once is enough for each crash."""
    with patch.dict(schedules.PAGES_PER_RUN, ONLY_NEW):
        yield


def drifts(world: World, status: DriftStatus) -> list[Drift]:
    return list(drift.drifts(world.table, status, limit=100).items)


def receipts(world: World) -> int:
    return sum(row.key.pk.startswith("OUTBOX#receipt") for row in all_rows(world.table))


@pytest.mark.usefixtures("only_new")
class TestEachOutsideCall:
    """Of a payment that was taken, returned in part and disputed, of all of which nobody has heard."""

    def test_of_a_comparison_dying_at_it_comes_right(self, world: World) -> None:
        self.everywhere(world, Mishap.DIES_BEFORE)

    def test_of_a_comparison_losing_its_answer_comes_right(self, world: World) -> None:
        with patch.object(backoff, "sleep"):
            self.everywhere(world, Mishap.ANSWER_LOST)

    def everywhere(self, world: World, mishap: Mishap) -> None:
        person = charged_and_lost(world)
        (intent,) = world.at_stripe("payment_intent")
        with unheard(world):
            world.control(f"/_control/refund/{intent['id']}", {"amount": 10001})
            world.control(f"/_control/dispute/{intent['id']}", {"outcome": "open"})
        world.advance(minutes=16)
        scenario = Scenario(lambda: schedules.compare({}), 40)
        start = world.moment()
        for fatal in range(1, calls_of(world, scenario) + 1):
            world.go_back(start)
            with outside_calls(world, fatal=fatal, mishap=mishap) as outside, suppress(Crash, TryLater):
                schedules.compare({})
            world.advance(minutes=15)
            schedules.compare({})
            where = f"{mishap} call {fatal} of {outside.calls}"
            assert drifts(world, DriftStatus.OPEN) == [], where
            ended = drifts(world, DriftStatus.MENDED) + drifts(world, DriftStatus.CLOSED)
            kinds = {row.difference.kind for row in ended}
            assert kinds == MENDED_KINDS, where
            assert person.units("mentorship-service") == 0, where  # frozen, since the rest is disputed
            invoice = invoice_of(person)
            assert (invoice.status, invoice.amount_refunded) == (InvoiceStatus.DISPUTED, 10001), where
            assert receipts(world) == 1, where

    def test_of_catching_up_dying_at_it_comes_right(self, world: World) -> None:
        people = [charged_and_lost(world), charged_and_lost(world)]
        world.advance(hours=3)  # so that no later run sees the events again by its overlap

        def act() -> None:
            catch_up(world.runtime.context(world.now), WalkName.EVENTS, TOPICS)

        scenario = Scenario(act, 8)
        start = world.moment()
        for fatal in range(1, calls_of(world, scenario) + 1):
            world.go_back(start)
            with outside_calls(world, fatal=fatal) as outside, suppress(Crash):
                act()
            world.queue.inbox.clear()  # a nudge that was sent may be lost too
            world.advance(minutes=5)
            act()
            world.work()
            world.advance(minutes=2)
            with patch("chalicelib.entrypoints.schedules.billing.due_invoices", lambda table, now: []):
                world.sweep()  # of events and messages only: the invoice must come right by its event
            world.work()
            units = [person.units("mentorship-service") for person in people]
            assert units == [10, 10], f"call {fatal} of {outside.calls}"
            check_books(world)


class TestAnOutage:
    @pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/refunds", "/v1/disputes", "/v1/customers"])
    def test_of_stripe_ends_the_run_and_the_next_goes_on(self, world: World, counted: Counter[str], path: str) -> None:
        fault = dispute_missing(world)
        world.advance(minutes=16)
        world.misbehave(rules=[{"match": f"GET {path}", "action": "error_500", "times": 9}])
        schedules.compare({})
        walk = drift.walk(world.table, WalkName.NEW).walk
        sources = {"/v1/refunds": "refunds", "/v1/disputes": "disputes", "/v1/customers": "customers"}
        assert (walk and walk.source) == sources.get(path)
        assert counted["ReconcilerWaits"] == 1
        world.misbehave()
        schedules.compare({})
        fault.healed()
        walk = drift.walk(world.table, WalkName.NEW).walk
        assert walk is not None and walk.source is None

    def test_between_finding_and_mending_leaves_it_open_for_the_next_run(
        self, world: World, counted: Counter[str]
    ) -> None:
        fault = refund_missing(world)
        world.advance(minutes=16)
        real = world.runtime.gateway.refunds_of
        asked: list[str] = []

        def once(payment_id: str) -> Any:
            asked.append(payment_id)
            if len(asked) == 2:
                world.misbehave(rules=[{"match": "GET /v1/refunds", "action": "error_500", "times": 9}])
            return real(payment_id)

        with patch.object(world.runtime.gateway, "refunds_of", once):
            schedules.compare({})
        (row,) = drifts(world, DriftStatus.OPEN)
        assert (row.difference.kind, row.error) == (fault.kind, None)
        assert (counted["ReconcilerWaits"], counted["DriftNotCompared"]) == (1, 0)
        world.misbehave()
        schedules.compare({})
        assert drifts(world, DriftStatus.OPEN) == []
        fault.healed()

    def test_of_our_own_credentials_is_an_error(self, world: World) -> None:
        bought(world)
        world.advance(minutes=16)
        world.standin.secret_key = "sk_test_rolled"
        with pytest.raises(PaymentUnauthorized):
            schedules.compare({})
        with pytest.raises(PaymentUnauthorized):
            schedules.catch_up({})


class TestOneObjectThatFails:
    def test_does_not_hold_up_the_others(self, world: World, counted: Counter[str]) -> None:
        broken = one_cent_more(world)
        fault = refund_missing(world)
        world.advance(minutes=16)
        real = examine

        def failing(context: Any, item: Any) -> Any:
            if getattr(item, "amount_received", None) == 45001:
                raise KeyError("a defect")
            return real(context, item)

        with patch.object(schedules, "examine", failing), patch.dict(schedules.PAGES_PER_RUN, ONLY_NEW):
            schedules.compare({})
        fault.healed()
        assert counted["DriftNotCompared"] == 1
        assert broken.kind in {row.difference.kind for row in drifts(world, DriftStatus.OPEN)}  # from its invoice

    def test_to_be_mended_stays_open_with_its_reason_until_it_can_be(self, world: World) -> None:
        """The bag of a payment that nobody heard of says that it is paid already."""
        person = world.paying()
        bag = person.check("basic").json
        with unheard(world):
            lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}
            world.misbehave(webhooks={"drop": True}, rules=[lost])
            assert person.pay(bag, chosen_period="MONTH").status == 202
        _bag_state(world, person.user_id, bag["id"], "PAID")
        world.advance(minutes=16)
        for _ in range(2):
            schedules.compare({})
            (row,) = drifts(world, DriftStatus.OPEN)
            assert row.error is not None and row.error.startswith("BagMoved")
        assert invoice_of(person).status is InvoiceStatus.PENDING
        _bag_state(world, person.user_id, bag["id"], "PAYING")
        schedules.compare({})
        assert drifts(world, DriftStatus.OPEN) == []
        (row,) = drifts(world, DriftStatus.MENDED)
        assert row.error is None
        assert invoice_of(person).status is InvoiceStatus.FULFILLED


class TestWebhooks:
    """That arrive while the reconciler mends what they are about."""

    @pytest.mark.parametrize("after", ["the difference is written down", "it was mended"])
    def test_and_the_reconciler_deliver_once(self, world: World, after: str) -> None:
        person = world.paying()
        world.settle()
        lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}
        world.misbehave(webhooks={"delay_seconds": 900}, rules=[lost])
        assert person.buy().status == 202
        world.misbehave()
        world.advance(minutes=16)
        real, seen = world.table.call, []

        def call(operation: str, request: Any) -> Any:
            answer = real(operation, request)
            if "DRIFT#" in repr(request.get("Item")):
                seen.append(operation)
                if len(seen) == (1 if after == "the difference is written down" else 2):
                    world.settle()
            return answer

        with patch.object(world.table, "call", call):
            schedules.compare({})
        assert len(seen) >= 2
        world.settle()
        assert person.units("mentorship-service") == 10
        assert receipts(world) == 1
        (row,) = drifts(world, DriftStatus.MENDED)
        assert row.times == 1
        check_books(world)


class TestTwoRunsAtOnce:
    @pytest.mark.parametrize("overtake", [True, False])
    def test_mend_once_and_go_on_once(self, world: World, overtake: bool) -> None:
        """The second run does a whole comparison while the first one holds a page."""
        mended, listed = refund_missing(world), duplicate_charge(world)
        person = charged_and_lost(world)
        world.advance(minutes=16)
        real = flow.next_step
        held: list[Source | None] = []

        def slow(context: Any, name: WalkName) -> Any:
            step = real(context, name)
            if step is not None and not held and overtake:
                held.append(step.after.source)
                schedules.compare({})
            return step

        with patch.object(schedules, "next_step", slow), patch.dict(schedules.PAGES_PER_RUN, {WalkName.AGAIN: 0}):
            schedules.compare({})
        assert person.units("mentorship-service") == 10
        assert receipts(world) == 3
        mended.healed()
        listed.healed()
        assert len(drifts(world, DriftStatus.OPEN)) == 1
        assert len(drifts(world, DriftStatus.MENDED)) == 2

    def test_of_which_one_comes_late_stop_the_late_one(self, world: World) -> None:
        context = world.runtime.context(world.now)
        late = flow.next_step(context, WalkName.NEW)
        assert late is not None
        for _ in range(3):
            step = flow.next_step(context, WalkName.NEW)
            assert step is not None and flow.took(context, step)
        assert not flow.took(context, late)


def _bag_state(world: World, user_id: int, bag_id: int, state: str) -> None:
    assert billing.bag(world.table, user_id, bag_id)
    key = billing_store.bag_key(user_id, bag_id)
    change = Update(key=key, actions=(Path("state").set(state),), condition=anyway, refused=never("no condition"))
    commit(world.table, [change])
