"""Paying for a change of plan: banks that ask, cards that are refused, and what happens meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import Standing
from chalicelib.books.subscriptions import store
from chalicelib.books.subscriptions.model import Status
from chalicelib.dynamo.writes import commit
from tests.books import check_books
from tests.changing import HALF, MONTH_END, change, changed, further_plans, preview
from tests.journeys.test_declines import ALWAYS_ASKS, authenticate, authenticated
from tests.recurring import ask, holding, paid, run, shown, subscribed, until
from tests.world import Person, Reply, World

REFUSED = "4000000000000341"


@pytest.fixture(autouse=True)
def plans(world: World) -> None:
    further_plans(world)


@pytest.fixture
def asked(world: World) -> tuple[Person, Any]:
    """Somebody whose bank wants to be asked about their change to pro, half-way through the month."""
    person, waiting = asking(world, HALF)
    assert waiting["amount"] == 30.0
    return person, waiting


def asking(world: World, at: datetime) -> tuple[Person, Any]:
    person = authenticated(world, ALWAYS_ASKS)
    bag = person.check("basic").json
    waiting = person.pay(bag, chosen_period="MONTH")
    authenticate(world, waiting.json["client_secret"], success=True)
    world.settle()
    until(world, at)
    answer = change(person, "pro")
    assert (answer.status, answer.json["status"]) == (202, "requires_action"), answer.text
    return person, answer.json


class TestABankThatAsks:
    def test_changes_nothing_until_it_is_answered(self, world: World, asked: tuple[Person, Any]) -> None:
        person, waiting = asked
        assert (shown(person)["plans"][0]["slug"], paid(person)) == ("basic", [59.99])
        assert change(person, "pro").json == waiting
        authenticate(world, waiting["client_secret"], success=True)
        world.settle()
        run(world)
        assert (shown(person)["plans"][0]["slug"], paid(person)) == ("pro", [59.99, 30.0])
        assert person.units("ai-chat") == 20_000
        check_books(world)

    def test_that_says_no_leaves_everything_as_it_was(self, world: World, asked: tuple[Person, Any]) -> None:
        person, waiting = asked
        authenticate(world, waiting["client_secret"], success=False)
        world.settle()
        run(world)
        assert (shown(person)["plans"][0]["slug"], paid(person)) == ("basic", [59.99])
        check_books(world)
        assert change(person, "pro").json["id"] != waiting["id"]

    def test_is_not_asked_any_more_when_another_change_is_wanted(self, world: World, asked: tuple[Person, Any]) -> None:
        person, waiting = asked
        world.advance(minutes=1)
        other = change(person, "max")
        assert (other.status, other.json["id"] == waiting["id"]) == (202, False)
        assert [intent["status"] for intent in world.at_stripe("payment_intent")][-2:] == [
            "canceled",
            "requires_action",
        ]
        authenticate(world, other.json["client_secret"], success=True)
        world.settle()
        assert shown(person)["plans"][0]["slug"] == "max"
        check_books(world)

    def test_is_not_asked_any_more_when_there_is_another_card(self, world: World, asked: tuple[Person, Any]) -> None:
        person, _ = asked
        assert person.save_card().status == 200
        changed(world, person, "pro")
        assert paid(person) == [59.99, 30.0]
        check_books(world)

    def test_that_is_never_answered_gives_the_change_up(self, world: World, asked: tuple[Person, Any]) -> None:
        person, _ = asked
        for _ in range(2):
            world.advance(hours=25)
            world.sweep()
            world.settle()
        assert [invoice["status"] for invoice in person.invoices()] == ["FULFILLED"]
        assert (shown(person)["plans"][0]["slug"], holding(person).change_invoice_id) == ("basic", None)  # type: ignore[union-attr]
        check_books(world)

    def test_that_is_answered_after_the_period_gives_the_money_back(self, world: World) -> None:
        person, waiting = asking(world, MONTH_END - timedelta(hours=20))
        assert person.save_card().status == 200
        world.now = MONTH_END
        run(world)
        assert paid(person) == [59.99, 59.99]
        authenticate(world, waiting["client_secret"], success=True)
        world.settle()
        assert (shown(person)["plans"][0]["slug"], paid(person)) == ("basic", [59.99, 59.99])
        assert [(refund["amount"], refund["status"]) for refund in world.at_stripe("refund")] == [(167, "succeeded")]
        check_books(world)

    def test_that_is_answered_after_the_plan_was_bought_gives_the_money_back(
        self, world: World, asked: tuple[Person, Any]
    ) -> None:
        person, waiting = asked
        assert person.save_card().status == 200
        assert person.pay(person.check("pro").json, chosen_period="MONTH").status == 200
        authenticate(world, waiting["client_secret"], success=True)
        world.settle()
        run(world)
        assert [refund["amount"] for refund in world.at_stripe("refund")] == [3000]
        check_books(world)

    def test_that_is_answered_after_it_was_cancelled_gives_the_money_back(
        self, world: World, asked: tuple[Person, Any]
    ) -> None:
        person, waiting = asked
        cancel(person)
        authenticate(world, waiting["client_secret"], success=True)
        world.settle()
        assert [refund["amount"] for refund in world.at_stripe("refund")] == [3000]
        check_books(world)

    def test_that_is_answered_after_it_was_cancelled_is_never_delivered_though_it_goes_on_again(
        self, world: World, asked: tuple[Person, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person, waiting = asked
        cancel(person)
        gateway, raced = world.runtime.gateway, list[int]()
        real = gateway.refund

        def meanwhile(*args: Any) -> Any:
            found = real(*args)
            if not raced:
                raced.append(ask(person, "reactivate").status)
                raced.append(change(person, "pro").status)
            return found

        monkeypatch.setattr(gateway, "refund", meanwhile)
        authenticate(world, waiting["client_secret"], success=True)
        run(world)
        assert raced == [200, 409]
        assert [refund["amount"] for refund in world.at_stripe("refund")] == [3000]
        assert (shown(person)["plans"][0]["slug"], shown(person)["status"]) == ("basic", "ACTIVE")
        check_books(world)


class TestACard:
    def test_that_is_refused_changes_nothing_and_can_be_replaced(self, world: World) -> None:
        person = subscribed(world)
        assert person.save_card(REFUSED).status == 200
        answer = change(person, "pro")
        assert (answer.status, answer.json["silent_code"]) == (402, "card-error")
        assert (shown(person)["plans"][0]["slug"], paid(person)) == ("basic", [59.99])
        check_books(world)
        assert person.save_card().status == 200
        changed(world, person, "pro")
        assert paid(person) == [59.99, 60.0]
        check_books(world)

    def test_that_is_refused_counts_as_one_that_is_tested(self, world: World) -> None:
        person = subscribed(world)
        assert person.save_card(REFUSED).status == 200
        statuses = [change(person, "pro").status for _ in range(6)]
        assert statuses[0] == 402
        assert statuses[-1] == 429

    def test_of_somebody_of_bad_standing_is_not_charged(self, world: World) -> None:
        person = subscribed(world)
        commit(world.table, [billing.marked(person.user_id, {"invoice_1": Standing.BAD})])
        assert change(person, "pro").json["slug"] == "fraud-or-bad-reputation"
        assert change(person, "free").status == 200


class TestTwoTabs:
    def test_that_want_the_same_pay_once(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        person = subscribed(world)
        replies = both(world, monkeypatch, person, "pro", "pro")
        assert {reply.status for reply in replies} <= {200, 409}, [reply.text for reply in replies]
        run(world)
        assert paid(person) == [59.99, 60.0]
        check_books(world)

    def test_that_want_different_plans_do_not_both_pay(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        person = subscribed(world)
        first, second = both(world, monkeypatch, person, "pro", "max")
        assert (first.status, second.status) == (200, 409), (first.text, second.text)
        run(world)
        assert (shown(person)["plans"][0]["slug"], paid(person)) == ("pro", [59.99, 60.0])
        check_books(world)

    def test_of_which_one_plans_while_the_other_pays_keep_what_was_paid(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = subscribed(world, "pro")
        first, second = both(world, monkeypatch, person, "max", "basic")
        assert (first.status, second.status) == (200, 409), (first.text, second.text)
        run(world)
        assert (shown(person)["plans"][0]["slug"], shown(person)["planned"]) == ("max", None)
        check_books(world)


def cancel(person: Person) -> None:
    row = person.world.table.get(store.holding_key(holding(person)))
    assert row is not None
    cancelled = holding(person).model_copy(update={"status": Status.CANCELLED, "next_payment_at": None})
    commit(person.world.table, [store.changed_holding(cancelled, version=row.version)])


def both(world: World, monkeypatch: pytest.MonkeyPatch, person: Person, first: str, second: str) -> tuple[Reply, Reply]:
    """The second call comes while the first one asks the processor."""
    gateway = world.runtime.gateway
    real = gateway.charge
    answers: list[Reply] = []

    def meanwhile(charge: Any) -> Any:
        monkeypatch.setattr(gateway, "charge", real)
        answers.append(change(person, second))
        return real(charge)

    monkeypatch.setattr(gateway, "charge", meanwhile)
    return change(person, first), answers[0]


class TestMeanwhile:
    def test_a_cancellation_while_it_is_charged_is_told_and_gives_the_money_back(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = subscribed(world)
        gateway = world.runtime.gateway
        real = gateway.charge

        def meanwhile(charge: Any) -> Any:
            cancel(person)
            return real(charge)

        monkeypatch.setattr(gateway, "charge", meanwhile)
        answer = change(person, "pro")
        assert (answer.status, answer.json["slug"]) == (409, "subscription-changed-meanwhile")
        world.settle()
        assert [refund["amount"] for refund in world.at_stripe("refund")] == [6000]
        assert (shown(person)["plans"][0]["slug"], shown(person)["status"]) == ("basic", "CANCELLED")
        check_books(world)

    def test_a_preview_writes_nothing(self, world: World) -> None:
        person = subscribed(world)
        before = world.snapshot()
        preview(person, "pro")
        preview(person, "basic", "YEAR")
        assert world.snapshot() == before

    def test_a_renewal_that_is_due_comes_first(self, world: World) -> None:
        person = subscribed(world)
        world.now = MONTH_END
        assert change(person, "pro").json["slug"] == "payment-in-flight"
        run(world)
        world.advance(seconds=1)
        changed(world, person, "pro")
        assert paid(person) == [59.99, 59.99, 60.0]
        check_books(world)

    def test_a_change_at_the_last_second_is_one_of_the_period(self, world: World) -> None:
        person = subscribed(world)
        world.now = MONTH_END - timedelta(seconds=1)
        changed(world, person, "pro")
        world.advance(seconds=1)
        run(world)
        assert paid(person) == [59.99, 0.0, 119.99]
        check_books(world)


class TestALongerPeriod:
    def test_gives_back_what_was_paid_for_the_period_under_way_and_nothing_of_earlier_ones(self, world: World) -> None:
        person = subscribed(world)
        changed(world, person, "pro")
        until(world, MONTH_END)
        assert paid(person) == [59.99, 60.0, 119.99]
        until(world, MONTH_END + timedelta(hours=1))
        answer = preview(person, "pro", "YEAR")
        unused = [line["amount"] for line in answer["lines"] if line["amount"] < 0]
        assert len(unused) == 1
        assert -119.99 <= unused[0] <= -119.5
