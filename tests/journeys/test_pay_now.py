"""A customer pays what is open, with the bank's question answered on the spot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.gateway import PaymentServiceBusy
from chalicelib.books.subscriptions import store
from chalicelib.books.subscriptions.model import Holding
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment import fulfill as fulfilling
from chalicelib.flows.fulfillment.renew import paid as delivered
from chalicelib.flows.recurring import collect as collecting
from chalicelib.flows.recurring import pay_now as paying
from chalicelib.flows.recurring.collect import Found, find
from chalicelib.flows.recurring.tend import tend
from tests.books import check_books
from tests.journeys.test_cancel import ASKS, GOOD, failing, intents
from tests.journeys.test_declines import authenticate, refused
from tests.recurring import ask, forget_card, holding, live, mails, paid, run, shown, subscribed
from tests.world import START, Person, World

KEY = {"Idempotency_Key": "a-click"}


def with_a_good_card(world: World) -> Person:
    """Somebody whose payment was refused, and whose saved card would do now; nobody has tried it yet."""
    person = failing(world)
    with patch("chalicelib.flows.checkout.save_card.card_saved"):
        assert person.save_card(GOOD).status == 200
    world.settle()
    return person


class TestWhatIsOpen:
    def test_is_paid_at_once(self, world: World) -> None:
        person = with_a_good_card(world)
        answer = ask(person, "pay", User_Agent="a-browser")
        assert answer.status == 200, answer.text
        assert (answer.json["amount"], answer.json["status"]) == (59.99, "FULFILLED")
        found = shown(person)
        assert (found["status"], found["payment_issue"], found["next_payment_at"]) == (
            "ACTIVE",
            None,
            "2027-01-21T12:00:00Z",
        )
        assert person.units("ai-chat") == 5000
        whence = billing.invoice(world.table, person.user_id, answer.json["id"]).invoice.whence
        assert whence is not None and whence.user_agent == "a-browser"
        live(world, 10)
        assert paid(person) == [59.99, 59.99]
        check_books(world)

    def test_is_shown_with_what_can_be_done_about_it(self, world: World) -> None:
        person = failing(world)
        assert shown(person)["payment_issue"] == {
            "since": "2026-12-21T12:00:00Z",
            "next_attempt_at": "2026-12-22T12:00:00Z",
            "card_needed": False,
            "authentication_needed": False,
            "access_until": "2026-12-29T12:00:00Z",
        }

    def test_without_a_card_says_so(self, world: World) -> None:
        person = subscribed(world)
        forget_card(person)
        live(world, 30)
        issue = shown(person)["payment_issue"]
        assert (issue["card_needed"], issue["next_attempt_at"]) == (True, None)
        assert refused(ask(person, "pay"), 402, "payment-method-required")

    def test_on_its_day_before_the_tick_is_paid_too(self, world: World) -> None:
        person = subscribed(world)
        world.advance(days=30)
        assert ask(person, "pay").status == 200
        run(world)
        assert (paid(person), len(intents(world))) == ([59.99, 59.99], 2)
        check_books(world)

    def test_is_nothing_otherwise(self, world: World) -> None:
        person = subscribed(world)
        assert refused(ask(person, "pay"), 409, "nothing-to-pay")
        ask(person, "cancel")
        assert refused(ask(person, "pay"), 409, "nothing-to-pay")
        live(world, 31)
        assert refused(ask(person, "pay"), 409, "nothing-to-pay")
        assert paid(person) == [59.99]


class TestTwice:
    def test_pays_once(self, world: World) -> None:
        person = with_a_good_card(world)
        assert ask(person, "pay").status == 200
        assert refused(ask(person, "pay"), 409, "nothing-to-pay")
        assert len(intents(world)) == 3

    def test_under_a_key_answers_the_same(self, world: World) -> None:
        person = with_a_good_card(world)
        first = ask(person, "pay", **KEY)
        again = ask(person, "pay", **KEY)
        assert (first.status, again.text, again.headers["Idempotent-Replayed"]) == (200, first.text, "true")

    def test_under_a_key_a_decline_is_the_same_decline(self, world: World) -> None:
        person = failing(world)
        first = ask(person, "pay", **KEY)
        assert refused(first, 402, "card-error")
        assert (first.json["silent"], first.json["silent_code"]) == (True, "card-error")
        with patch("chalicelib.flows.checkout.save_card.card_saved"):
            person.save_card(GOOD)
        assert ask(person, "pay", **KEY).text == first.text
        assert ask(person, "pay").status == 200

    def test_of_two_periods_that_are_behind_pays_one(self, world: World) -> None:
        """After a long outage of ours: the second click within the minute is not the wish to pay another month."""
        person = subscribed(world)
        world.now = START + timedelta(days=70)
        assert ask(person, "pay").status == 200
        answer = ask(person, "pay")
        assert refused(answer, 409, "just-paid")
        assert answer.headers["Retry-After"] == "60"
        assert paid(person) == [59.99, 59.99]
        world.advance(minutes=1)
        assert ask(person, "pay").status == 200
        assert (len(paid(person)), shown(person)["next_payment_at"]) == (3, "2027-02-21T12:00:00Z")
        world.settle()
        check_books(world)

    def test_at_once_pays_once(self, world: World) -> None:
        person = with_a_good_card(world)
        gateway, answers = world.runtime.gateway, list[Any]()
        charge = gateway.charge

        def twice(wanted: Any) -> Any:
            if not answers:
                answers.append(None)
                answers.append(ask(person, "pay"))
            return charge(wanted)

        with patch.object(gateway, "charge", twice):
            assert ask(person, "pay").status == 200
        assert refused(answers[1], 409, "payment-in-flight")
        assert len(intents(world)) == 3
        world.settle()
        check_books(world)

    @pytest.mark.parametrize("headers", [{}, KEY])
    def test_at_once_before_either_has_begun_pays_once(self, world: World, headers: dict[str, str]) -> None:
        """Both have read the same row: one of them writes first, and the other looks again."""
        person = subscribed(world)
        world.advance(days=30)
        answers = list[Any]()

        def twice(context: Context, held: Holding) -> Found:
            found = find(context, held)
            if not answers:
                answers.append(None)
                answers.append(ask(person, "pay", **headers))
            return found

        with patch.object(paying, "find", twice):
            last = ask(person, "pay", **headers)
        assert answers[1].status == 200
        assert last.status in (409, 200)
        assert (paid(person), len(intents(world))) == ([59.99, 59.99], 2)
        world.settle()
        check_books(world)

    @pytest.mark.parametrize("plan", ["basic", "free"])
    @pytest.mark.parametrize("where", ["find", "next_price"])
    def test_as_the_tick_does_it_pays_once(self, world: World, plan: str, where: str) -> None:
        """The tick is through before this call writes what it read."""
        person = subscribed(world, plan)
        world.advance(days=30)
        key, answers = store.holding_key(holding(person)), list[Any]()
        real = getattr(collecting, where)

        def meanwhile(*arguments: Any, **named: Any) -> Any:
            found = real(*arguments, **named)
            if not answers:
                answers.append(None)
                tend(world.runtime.context(world.now), key)
            return found

        with patch(f"chalicelib.flows.recurring.collect.{where}", meanwhile):
            assert refused(ask(person, "pay", **KEY), 409, "nothing-to-pay")
        assert len(paid(person)) == 2
        world.settle()
        check_books(world)

    def test_of_what_costs_nothing_while_the_tick_renews_it_renews_once(self, world: World) -> None:
        """Both have read the row that they write over, and the invoice is there for neither."""
        person = subscribed(world, "free", person=world.person())
        world.advance(days=30)
        key, real, done = store.holding_key(holding(person)), delivered, list[bool]()

        def meanwhile(*arguments: Any) -> Any:
            found = real(*arguments)
            if not done:
                done.append(True)
                tend(world.runtime.context(world.now), key)
            return found

        with patch.object(fulfilling, "paid", meanwhile):
            assert refused(ask(person, "pay"), 409, "nothing-to-pay")
        assert paid(person) == [0.0, 0.0]
        world.settle()
        check_books(world)

    def test_of_what_costs_nothing_answers_the_same_under_a_key(self, world: World) -> None:
        person = subscribed(world, "free", person=world.person())
        world.advance(days=30)
        first = ask(person, "pay", **KEY)
        assert (first.status, first.json["amount"], ask(person, "pay", **KEY).text) == (200, 0.0, first.text)


class TestTheBank:
    def waiting(self, world: World) -> tuple[Person, Any]:
        """Somebody whose bank was asked for a payment, with them present, and waits for the answer."""
        person = failing(world, ASKS)
        answer = ask(person, "pay")
        assert (answer.status, answer.json["status"]) == (202, "requires_action")
        assert answer.json["client_secret"]
        return person, answer.json

    def test_that_wants_to_see_its_customer_is_answered(self, world: World) -> None:
        person, waiting = self.waiting(world)
        assert intents(world) == ["succeeded", "canceled", "requires_action"]
        assert ask(person, "pay").json == waiting
        authenticate(world, waiting["client_secret"], success=True)
        assert (shown(person)["status"], paid(person)) == ("ACTIVE", [59.99, 59.99])
        run(world)
        check_books(world)

    def test_is_asked_again_for_another_card(self, world: World) -> None:
        person, waiting = self.waiting(world)
        with patch("chalicelib.flows.checkout.save_card.card_saved"):
            assert person.save_card(GOOD).status == 200
        answer = ask(person, "pay")
        assert (answer.status, answer.json["id"]) == (200, waiting["id"])
        assert sorted(intents(world)) == ["canceled", "canceled", "succeeded", "succeeded"]
        world.settle()
        check_books(world)

    def test_that_was_answered_before_the_other_card_is_not_asked_again(self, world: World) -> None:
        person, waiting = self.waiting(world)
        with patch("chalicelib.flows.checkout.save_card.card_saved"):
            assert person.save_card(GOOD).status == 200
        world.misbehave(webhooks={"drop": True})
        intent = waiting["client_secret"].partition("_secret_")[0]
        world.control(f"/_control/authenticate/{intent}", {"success": True})
        answer = ask(person, "pay", **KEY)
        assert (answer.status, answer.json["id"]) == (200, waiting["id"])
        assert ask(person, "pay", **KEY).text == answer.text
        assert len([status for status in intents(world) if status == "succeeded"]) == 2
        world.settle()
        check_books(world)

    def test_that_refuses_does_not_count_on_the_schedule(self, world: World) -> None:
        person = failing(world)
        before = holding(person).dunning
        assert before is not None
        for _ in range(3):
            assert refused(ask(person, "pay"), 402, "card-error")
        after = holding(person).dunning
        assert after is not None
        assert (after.failures, after.next_attempt_at) == (before.failures, before.next_attempt_at)
        assert mails(world, "was refused") == [person.email]

    def test_that_refuses_too_often_is_not_asked_any_more(self, world: World) -> None:
        person = failing(world)
        for _ in range(5):
            assert refused(ask(person, "pay"), 402, "card-error")
        asked = len(intents(world))
        assert refused(ask(person, "pay"), 429, "too-many-attempts")
        assert len(intents(world)) == asked
        world.advance(hours=1, seconds=1)
        assert refused(ask(person, "pay"), 402, "card-error")

    def test_that_is_busy_is_said_and_nothing_counts(self, world: World) -> None:
        person = with_a_good_card(world)
        with patch.object(world.runtime.gateway, "charge", side_effect=PaymentServiceBusy()):
            assert refused(ask(person, "pay", **KEY), 402, "rate-limit-error")
        assert shown(person)["status"] == "PAYMENT_ISSUE"
        assert ask(person, "pay", **KEY).status == 200
        world.settle()
        check_books(world)

    def test_that_answers_nobody_is_known_to_a_key_that_comes_later(self, world: World) -> None:
        person = with_a_good_card(world)
        lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 3}
        world.misbehave(webhooks={"drop": True}, rules=[lost])
        assert ask(person, "pay").status == 202
        world.misbehave(webhooks={"drop": True})
        first = ask(person, "pay", **KEY)
        assert (first.status, ask(person, "pay", **KEY).text) == (200, first.text)
        assert len([status for status in intents(world) if status == "succeeded"]) == 2

    def test_that_answers_nobody_is_asked_again_under_the_same_key(self, world: World) -> None:
        person = with_a_good_card(world)
        lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 3}
        world.misbehave(webhooks={"drop": True}, rules=[lost])
        answer = ask(person, "pay", **KEY)
        assert (answer.status, answer.json["status"]) == (202, "processing")
        world.misbehave(webhooks={"drop": True})
        assert ask(person, "pay", **KEY).status == 200
        assert len([status for status in intents(world) if status == "succeeded"]) == 2
        world.settle()
        check_books(world)


class TestTheProcessorsMemory:
    def test_a_payment_that_is_being_confirmed_right_now_is_no_reason_for_another(self, world: World) -> None:
        """The customer confirms by the link of the mail, and the bank has not decided yet."""
        person = failing(world, ASKS)
        (_, intent) = world.at_stripe("payment_intent")
        intent.update(status="processing", last_payment_error=None)
        assert refused(ask(person, "pay"), 409, "payment-in-flight")
        assert refused(ask(person, "cancel"), 409, "payment-in-flight")
        world.advance(days=1)
        tend(world.runtime.context(world.now), store.holding_key(holding(person)))
        assert len(intents(world)) == 2

    def test_a_key_that_was_used_for_another_holding_is_another(self, world: World) -> None:
        person = with_a_good_card(world)
        assert ask(person, "pay", **KEY).status == 200
        other = subscribed(world, "pro-trial", person=person)
        held = other.get("/v1/payments/me/subscription").json["subscriptions"]
        paths = {f"/v1/payments/me/subscription/{one['id']}/pay" for one in held}
        answers = {other.put(path, None, **KEY).status for path in paths}
        assert answers == {200, 409}
