"""A customer ends what they pay for: at the end of what is paid, or now; and takes it up again."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.subscriptions import store
from chalicelib.flows.recurring import cancel as cancelling
from chalicelib.flows.recurring.tend import tend
from chalicelib.flows.recurring.wishes import cancelled
from chalicelib.kernel.errors import TryLater
from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_declines import refused
from tests.recurring import ask, holding, live, mails, paid, path_of, run, shown, subscribed
from tests.world import Person, World

GOOD, DECLINED, ASKS = "4242424242424242", "4000000000000341", "4000002760003184"
NOW = {"when": "now"}


def failing(world: World, card: str = DECLINED, plan: str = "basic", **pay: Any) -> Person:
    """Somebody whose second payment was refused."""
    person = subscribed(world, plan, **pay)
    if card == ASKS:
        setup = person.save_card(card).json
        world.control(f"/_control/authenticate/{setup['client_secret'].partition('_secret_')[0]}", {"success": True})
    else:
        assert person.save_card(card).status == 200
    world.settle()
    live(world, 30)
    assert shown(person)["status"] == "PAYMENT_ISSUE"
    return person


def intents(world: World) -> list[str]:
    return [intent["status"] for intent in world.at_stripe("payment_intent")]


def activities(world: World, person: Person) -> list[str]:
    reader = staff(world, "read_consumable")
    answer = reader.get(f"/v1/payments/academy/user/{person.user_id}/timeline", Academy=str(world.academy_id))
    assert answer.status == 200, answer.text
    return [found["kind"] for found in answer.json]


class TestAtThePeriodEnd:
    def test_it_lasts_as_long_as_it_is_paid_and_is_not_charged(self, world: World) -> None:
        person = subscribed(world)
        answer = ask(person, "cancel", {"reason": "  too dear "})
        assert answer.status == 200, answer.text
        found = answer.json
        assert (found["status"], found["cancel_at_period_end"], found["cancel_reason"]) == (
            "CANCELLED",
            True,
            "too dear",
        )
        assert (found["next_payment_at"], found["valid_until"]) == (None, "2026-12-21T12:00:00Z")
        assert person.get(path_of(holding(person))).json == found
        live(world, 29)
        assert (person.units("ai-chat"), shown(person)["status"]) == (5000, "CANCELLED")
        live(world, 2)
        assert (person.units("ai-chat"), paid(person)) == (0, [59.99])
        assert person.get("/v1/payments/me/subscription").json["subscriptions"] == []
        ended = person.get(path_of(holding(person))).json
        assert (ended["status"], ended["ended_at"] is not None, ended["cancel_at_period_end"]) == (
            "CANCELLED",
            True,
            False,
        )
        assert subscribed(world, person=person)
        check_books(world)

    def test_a_year_that_is_paid_is_refilled_to_its_end(self, world: World) -> None:
        person = subscribed(world, chosen_period="YEAR")
        assert ask(person, "cancel").status == 200
        for number in range(11):
            assert person.put(f"/v1/payments/me/service/ai-chat/consumptionsession/m{number}").status == 201
            live(world, 31)
            assert person.units("ai-chat") == 5000
        live(world, 30)
        assert (person.units("ai-chat"), len(paid(person))) == (0, 1)
        check_books(world)

    def test_twice_is_refused(self, world: World) -> None:
        person = subscribed(world)
        assert ask(person, "cancel").status == 200
        before = world.snapshot()
        assert refused(ask(person, "cancel"), 400, "already-cancelled")
        assert world.snapshot() == before

    def test_of_a_trial_costs_nothing(self, world: World) -> None:
        person = subscribed(world, "pro-trial")
        found = ask(person, "cancel").json
        assert (found["status"], found["valid_until"]) == ("CANCELLED", "2026-11-28T12:00:00Z")
        live(world, 6)
        assert person.units("ai-chat") == 5000
        live(world, 40)
        assert (paid(person), person.units("ai-chat"), mails(world, "trial")) == ([0.0], 0, [])
        check_books(world)

    def test_on_the_day_that_nobody_has_charged_yet_ends_now(self, world: World) -> None:
        person = subscribed(world)
        world.advance(days=31)
        found = ask(person, "cancel").json
        assert (found["status"], found["ended_at"] is not None) == ("CANCELLED", True)
        live(world, 3)
        assert (paid(person), person.units("ai-chat")) == ([59.99], 0)
        check_books(world)

    def test_frees_the_plan_in_the_same_write_where_nothing_is_paid_any_more(self, world: World) -> None:
        person = subscribed(world)
        world.advance(days=31)
        with patch("chalicelib.flows.recurring.alter.tend", side_effect=TryLater):
            assert ask(person, "cancel").json["ended_at"] is not None
        claim = store.plan_claim_key(person.user_id, holding(person).terms.plan_id)
        assert world.table.get(claim) is None

    def test_says_so_in_the_timeline(self, world: World) -> None:
        person = subscribed(world)
        ask(person, "cancel")
        ask(person, "reactivate")
        assert {"plan-cancelled", "plan-reactivated"} <= set(activities(world, person))


class TestNow:
    def test_access_ends_at_once_and_the_plan_can_be_bought_again(self, world: World) -> None:
        person = subscribed(world)
        world.advance(days=3)
        found = ask(person, "cancel", NOW).json
        assert (found["status"], found["cancel_at_period_end"]) == ("CANCELLED", False)
        assert found["valid_until"] == found["ended_at"] == "2026-11-24T12:00:00Z"
        assert person.units("ai-chat") == 0
        assert person.get("/v1/payments/me/subscription").json["subscriptions"] == []
        assert subscribed(world, person=person).units("ai-chat") == 5000
        assert not world.at_stripe("refund")
        check_books(world)

    def test_twice_is_refused(self, world: World) -> None:
        person = subscribed(world)
        assert ask(person, "cancel", NOW).status == 200
        for body in (NOW, {}):
            assert refused(ask(person, "cancel", body), 400, "already-cancelled")

    def test_an_outage_leaves_the_units_to_the_tick(self, world: World) -> None:
        person = subscribed(world)
        with patch("chalicelib.flows.recurring.alter.tend", side_effect=TryLater):
            assert ask(person, "cancel", NOW).status == 200
        assert person.units("ai-chat") == 5000
        run(world)
        assert person.units("ai-chat") == 0
        check_books(world)

    @pytest.mark.parametrize("body", [{"when": "tomorrow"}, {"when": None}, {"reason": "x" * 501}, {"reason": 7}])
    def test_what_cannot_be_read_is_refused(self, world: World, body: Any) -> None:
        person = subscribed(world)
        assert ask(person, "cancel", body).status == 400
        assert shown(person)["status"] == "ACTIVE"


class TestAfterARefusedPayment:
    def test_it_ends_now(self, world: World) -> None:
        person = failing(world)
        found = ask(person, "cancel").json
        assert (found["status"], found["ended_at"] is not None) == ("CANCELLED", True)
        assert (found["payment_issue"], person.units("ai-chat")) == (None, 0)
        assert person.save_card(GOOD).status == 200
        live(world, 20)
        assert paid(person) == [59.99]
        check_books(world)

    def test_the_payment_that_waits_for_the_bank_is_closed_first(self, world: World) -> None:
        person = failing(world, ASKS)
        assert intents(world) == ["succeeded", "requires_payment_method"]
        assert ask(person, "cancel").status == 200
        assert intents(world) == ["succeeded", "canceled"]
        live(world, 20)
        assert paid(person) == [59.99]
        check_books(world)

    def test_the_payment_that_its_customer_just_confirmed_is_delivered_first(self, world: World) -> None:
        person = failing(world, ASKS)
        intent = world.at_stripe("payment_intent")[-1]
        world.misbehave(webhooks={"drop": True})
        world.control(f"/_control/authenticate/{intent['id']}", {"success": True})
        found = ask(person, "cancel").json
        assert (found["status"], found["cancel_at_period_end"]) == ("CANCELLED", True)
        assert (found["valid_until"], paid(person)) == ("2027-01-21T12:00:00Z", [59.99, 59.99])
        world.misbehave()
        live(world, 20)
        assert person.units("ai-chat") == 5000
        check_books(world)

    def test_a_payment_that_nobody_has_heard_of_is_asked_for_first(self, world: World) -> None:
        person = subscribed(world)
        world.misbehave(
            webhooks={"drop": True}, rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 3}]
        )
        world.advance(days=31)
        run(world)
        assert [i["status"] for i in person.invoices()] == ["PENDING", "FULFILLED"]
        world.misbehave(webhooks={"drop": True})
        found = ask(person, "cancel").json
        assert (found["status"], found["valid_until"]) == ("CANCELLED", "2027-01-21T12:00:00Z")
        assert paid(person) == [59.99, 59.99]
        world.settle()
        check_books(world)

    def test_a_payment_in_flight_refuses(self, world: World) -> None:
        """Cancelled while the schedule is asking the bank."""
        person = subscribed(world)
        gateway, answers = world.runtime.gateway, list[Any]()
        charge = gateway.charge

        def cancelled_meanwhile(wanted: Any) -> Any:
            answers.append(ask(person, "cancel", NOW))
            return charge(wanted)

        world.advance(days=31)
        with patch.object(gateway, "charge", cancelled_meanwhile):
            tend(world.runtime.context(world.now), store.holding_key(holding(person)))
        assert refused(answers[0], 409, "payment-in-flight")
        assert (paid(person), shown(person)["status"]) == ([59.99, 59.99], "ACTIVE")
        world.settle()
        check_books(world)


class TestWhatIsOver:
    def test_cannot_be_cancelled(self, world: World) -> None:
        person = failing(world)
        live(world, 20)
        assert holding(person).status == "EXPIRED"
        assert refused(ask(person, "cancel"), 400, "already-expired")
        assert refused(ask(person, "reactivate"), 400, "reactivation-period-expired")


class TestADisputedOne:
    def disputed(self, world: World) -> tuple[Person, str]:
        person = subscribed(world)
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/dispute/{intent['id']}", {"outcome": "open"})
        world.settle()
        assert (shown(person)["status"], shown(person)["status_message"]) == (
            "PAYMENT_ISSUE",
            "The payment is disputed.",
        )
        return person, intent["id"]

    def test_stays_cancelled_when_the_dispute_is_won(self, world: World) -> None:
        person, payment = self.disputed(world)
        found = ask(person, "cancel").json
        assert (found["status"], found["cancel_at_period_end"]) == ("PAYMENT_ISSUE", True)
        assert refused(ask(person, "cancel"), 400, "already-cancelled")
        world.control(f"/_control/dispute/{payment}", {"outcome": "won"})
        world.settle()
        run(world)
        found = shown(person)
        assert (found["status"], found["next_payment_at"]) == ("CANCELLED", None)
        assert person.units("ai-chat") == 5000
        live(world, 40)
        assert (paid(person), person.units("ai-chat")) == ([59.99], 0)
        check_books(world)

    @pytest.mark.parametrize("outcome", ["won", "lost"])
    def test_that_was_cancelled_now_is_over_whatever_comes_of_it(self, world: World, outcome: str) -> None:
        person, payment = self.disputed(world)
        found = ask(person, "cancel", NOW).json
        assert (found["status"], found["ended_at"] is not None) == ("CANCELLED", True)
        world.control(f"/_control/dispute/{payment}", {"outcome": outcome})
        world.settle()
        run(world)
        assert (holding(person).status, person.units("ai-chat")) == ("CANCELLED", 0)
        assert person.get("/v1/payments/me/subscription").json["subscriptions"] == []
        live(world, 40)
        assert len(intents(world)) == 1
        check_books(world)

    def test_that_was_over_before_stays_so(self, world: World) -> None:
        person = subscribed(world)
        assert ask(person, "cancel", NOW).status == 200
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/dispute/{intent['id']}", {"outcome": "open"})
        world.settle()
        assert (holding(person).status, holding(person).held_back) == ("CANCELLED", None)
        assert person.get("/v1/payments/me/subscription").json["subscriptions"] == []

    def test_can_do_nothing_else(self, world: World) -> None:
        person, _ = self.disputed(world)
        for verb, body in (("pause", {"days": 3}), ("resume", {}), ("renew", {}), ("reactivate", {})):
            assert refused(ask(person, verb, body), 409, "payment-is-disputed"), verb
        assert refused(ask(person, "pay"), 409, "nothing-to-pay")


class TestOnlyTheirOwn:
    @pytest.mark.parametrize("verb", ["cancel", "reactivate", "pause", "resume", "pay", "renew", None])
    @pytest.mark.parametrize("plan", ["basic", "bootcamp"])
    def test_can_be_named(self, world: World, verb: str | None, plan: str) -> None:
        pay: dict[str, Any] = {"how_many_installments": 12, "chosen_period": None} if plan == "bootcamp" else {}
        owner, other = subscribed(world, plan, **pay), world.paying()
        path = path_of(holding(owner))
        before = world.snapshot()
        if verb is None:
            answer = other.get(path)
        elif verb == "resume" and plan == "bootcamp":
            return
        else:
            answer = other.put(f"{path}/{verb}", {"days": 3})
        slug = "plan-financing-not-found" if plan == "bootcamp" else "subscription-not-found"
        assert refused(answer, 404, slug)
        assert world.snapshot() == before


class TestTwoTabs:
    def test_that_cancel_at_once_cancel_once(self, world: World) -> None:
        person = subscribed(world)
        answers = list[Any]()
        rule = cancelled

        def twice(*arguments: Any) -> Any:
            after = rule(*arguments)
            if not answers:
                answers.append(None)
                answers.append(ask(person, "cancel"))
            return after

        with patch.object(cancelling, "cancelled", twice):
            last = ask(person, "cancel")
        assert answers[1].status == 200
        assert refused(last, 400, "already-cancelled")

    def test_cancel_and_the_schedule_that_just_charged(self, world: World) -> None:
        """The period is paid between the reading and the writing: it is what lasts to its end."""
        person = subscribed(world)
        key, done = store.holding_key(holding(person)), list[bool]()
        rule = cancelled
        world.advance(days=31)

        def meanwhile(*arguments: Any) -> Any:
            after = rule(*arguments)
            if not done:
                done.append(True)
                tend(world.runtime.context(world.now), key)
            return after

        with patch.object(cancelling, "cancelled", meanwhile):
            found = ask(person, "cancel").json
        assert (found["status"], found["valid_until"]) == ("CANCELLED", "2027-01-21T12:00:00Z")
        assert (paid(person), person.units("ai-chat")) == ([59.99, 59.99], 5000)
        world.settle()
        check_books(world)
