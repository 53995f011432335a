"""A pause that its customer wants to end now, and whose payment is not made: it rests as long as it was to."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from chalicelib.books.subscriptions.model import Subscription
from tests.books import check_books
from tests.journeys.test_cancel import ASKS, DECLINED, GOOD, intents
from tests.journeys.test_declines import authenticate, refused
from tests.journeys.test_pause import resting
from tests.recurring import ask, forget_card, holding, live, mails, paid, run, shown
from tests.world import Person, World


@pytest.fixture
def person(world: World) -> Person:
    return resting(world)


def rests_as_before(world: World, person: Person) -> bool:
    """Until the last day of the year, with nothing that is due, and nothing told."""
    found, held = shown(person), holding(person)
    assert isinstance(held, Subscription)
    assert (found["status"], found["next_payment_at"]) == ("PAUSED", "2026-12-31T12:00:00Z")
    assert found["pause"] == {"days": 10, "begins_at": "2026-12-21T12:00:00Z", "until": "2026-12-31T12:00:00Z"}
    assert (held.origin, held.dunning, held.open_invoice_id) == (held.next_payment_at, None, None)
    return person.units("ai-chat") == 0 and not mails(world, "refused") and not mails(world, "confirm")


def waits(world: World, person: Person) -> str:
    """Its customer asks to go on, with a card whose bank wants to see them."""
    setup = person.save_card(ASKS).json
    authenticate(world, setup["client_secret"], success=True)
    waiting = ask(person, "resume")
    assert (waiting.status, waiting.json["status"]) == (202, "requires_action")
    secret: str = waiting.json["client_secret"]
    return secret


class TestACardThatIsRefused:
    def test_leaves_the_pause_as_it_was(self, world: World, person: Person) -> None:
        assert person.save_card(DECLINED).status == 200
        assert refused(ask(person, "resume"), 402, "card-error")
        assert rests_as_before(world, person)
        live(world, 5)
        assert rests_as_before(world, person)
        assert person.save_card(GOOD).status == 200
        live(world, 2)
        assert (shown(person)["status"], shown(person)["valid_until"]) == ("ACTIVE", "2027-01-31T12:00:00Z")
        assert paid(person) == [59.99, 59.99]
        check_books(world)

    def test_is_refused_again_when_the_pause_is_over_and_then_tried_on_its_days(
        self, world: World, person: Person
    ) -> None:
        assert person.save_card(DECLINED).status == 200
        assert refused(ask(person, "resume"), 402, "card-error")
        live(world, 7)
        assert (shown(person)["status"], len(mails(world, "was refused"))) == ("PAYMENT_ISSUE", 1)
        live(world, 8)
        assert holding(person).status == "EXPIRED"
        check_books(world)

    def test_too_often_is_not_asked_any_more_by_anybody_before_the_pauses_end(
        self, world: World, person: Person
    ) -> None:
        assert person.save_card(DECLINED).status == 200
        for _ in range(5):
            assert refused(ask(person, "resume"), 402, "card-error")
            world.advance(seconds=1)
        tried = len(intents(world))
        assert refused(ask(person, "resume"), 429, "too-many-attempts")
        run(world)
        assert rests_as_before(world, person)
        assert len(intents(world)) == tried
        check_books(world)

    def test_can_be_replaced_and_it_goes_on_from_then(self, world: World, person: Person) -> None:
        assert person.save_card(DECLINED).status == 200
        assert refused(ask(person, "resume"), 402, "card-error")
        world.advance(hours=1)
        assert person.save_card(GOOD).status == 200
        run(world)
        assert rests_as_before(world, person)
        answer = ask(person, "resume")
        assert (answer.status, answer.json["valid_until"]) == (200, "2027-01-24T13:00:00Z")
        assert (paid(person), person.units("ai-chat")) == ([59.99, 59.99], 5000)
        run(world)
        check_books(world)


class TestABank:
    def test_that_says_no_leaves_the_pause_as_it_was(self, world: World, person: Person) -> None:
        authenticate(world, waits(world, person), success=False)
        run(world)
        assert rests_as_before(world, person)
        assert intents(world) == ["succeeded", "canceled"]
        check_books(world)

    def test_that_is_never_answered_leaves_the_pause_as_it_was(self, world: World, person: Person) -> None:
        waits(world, person)
        for _ in range(3):
            world.advance(hours=12, minutes=30)
            run(world)
        assert rests_as_before(world, person)
        assert person.save_card(GOOD).status == 200
        live(world, 7)
        assert (shown(person)["status"], paid(person)) == ("ACTIVE", [59.99, 59.99])
        assert shown(person)["valid_until"] == "2027-01-31T12:00:00Z"
        check_books(world)

    def test_is_not_asked_any_more_with_another_card(self, world: World, person: Person) -> None:
        waits(world, person)
        world.advance(minutes=5)
        assert person.save_card(GOOD).status == 200
        answer = ask(person, "resume")
        assert (answer.status, answer.json["valid_until"]) == (200, "2027-01-24T12:05:00Z"), answer.text
        assert intents(world) == ["succeeded", "canceled", "succeeded"]
        run(world)
        assert (person.units("ai-chat"), len(paid(person))) == (5000, 2)
        check_books(world)

    def test_that_takes_days_to_say_yes_is_waited_for(self, world: World, person: Person) -> None:
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
        assert ask(person, "resume").status == 202
        (intent,) = [one for one in world.at_stripe("payment_intent") if one["status"] == "processing"]
        live(world, 2)
        world.control(f"/_control/process/{intent['id']}", {"success": True})
        run(world)
        assert (shown(person)["valid_until"], len(paid(person))) == ("2027-01-24T12:00:00Z", 2)
        check_books(world)


class TestStripeAway:
    def test_leaves_the_pause_as_it_was(self, world: World, person: Person) -> None:
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "error_429", "times": 9}])
        assert refused(ask(person, "resume"), 402, "rate-limit-error")
        assert rests_as_before(world, person)
        world.misbehave()
        live(world, 2)
        assert rests_as_before(world, person)
        assert ask(person, "resume").status == 200
        run(world)
        assert len(paid(person)) == 2
        check_books(world)

    def test_whose_answer_was_lost_is_asked_for_the_same_payment(self, world: World, person: Person) -> None:
        rules = [{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 3}]
        world.misbehave(webhooks={"drop": True}, rules=rules)
        assert ask(person, "resume").json["status"] == "processing"
        world.misbehave()
        world.advance(minutes=20)
        run(world)
        assert (shown(person)["status"], shown(person)["valid_until"]) == ("ACTIVE", "2027-01-24T12:00:00Z")
        assert (len(paid(person)), len(intents(world))) == (2, 2)
        check_books(world)

    @pytest.mark.parametrize("card", [GOOD, DECLINED, None])
    def test_whose_payment_nobody_got_to_ask_for_is_asked_by_the_schedule(
        self, world: World, person: Person, card: str | None
    ) -> None:
        """It died after the pause was ended, and before the attempt was written down."""
        assert person.save_card(card or GOOD).status == 200
        world.settle()
        dies = patch("chalicelib.flows.recurring.pause.collected", side_effect=KeyboardInterrupt)
        with dies, pytest.raises(KeyboardInterrupt):
            ask(person, "resume")
        if card is None:
            forget_card(person)
        run(world)
        if card == GOOD:
            assert (shown(person)["status"], len(paid(person))) == ("ACTIVE", 2)
        else:
            assert rests_as_before(world, person)
        check_books(world)
