"""What recurs dies at each of its outside calls, or loses the answer, and everything comes right."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.books.subscriptions import store
from chalicelib.flows.recurring.tend import tend
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, has, lose_every_answer
from tests.journeys.test_renewals import AUTHENTICATE, DECLINED, lasting, month, refused
from tests.recurring import ask, holding, mails, paid, shown, subscribed, until
from tests.shop import a_coupon, put
from tests.world import START, Person, World


def due(world: World, person: Person, calls_min: int, **expected: object) -> Scenario:
    """The worker does what is due about the person's only holding."""
    key = store.holding_key(holding(person))

    def settled() -> None:
        found = holding(person)
        assert paid(person) == expected["paid"], paid(person)
        assert found.status == expected["status"], found
        chat = expected.get("chat")
        has(person, chat=chat if isinstance(chat, int) else None)

    return Scenario(lambda: tend(world.runtime.context(world.now), key), calls_min, settled=settled)


def renew(world: World) -> Scenario:
    person = subscribed(world)
    world.now = month(1)
    return due(world, person, 6, paid=[59.99, 59.99], status="ACTIVE", chat=5000)


def renew_with_units_that_last(world: World) -> Scenario:
    person = subscribed(world, lasting(world))
    world.now = month(1)
    return due(world, person, 8, paid=[59.99, 59.99], status="ACTIVE", chat=5000)


def renew_for_nothing(world: World) -> Scenario:
    put(world.table, a_coupon(world.now, world.academy_id, id=502, slug="all", discount_value=1))
    person = subscribed(world, checking={"coupons": ["all"]})
    world.now = month(1)
    return due(world, person, 4, paid=[0.0, 0.0], status="ACTIVE", chat=5000)


def convert_a_trial(world: World) -> Scenario:
    person = subscribed(world, "pro-trial")
    until(world, START + timedelta(days=5))
    world.now = START + timedelta(days=7)
    return due(world, person, 6, paid=[0.0, 39.0], status="ACTIVE", chat=5000)


def end_a_trial(world: World) -> Scenario:
    person = subscribed(world, "pro-trial", person=world.person())
    until(world, START + timedelta(days=5))
    world.now = START + timedelta(days=7)
    return due(world, person, 3, paid=[0.0], status="EXPIRED", chat=0)


def tell_of_a_trials_end(world: World) -> Scenario:
    person = subscribed(world, "pro-trial")
    world.now = START + timedelta(days=4)
    return due(world, person, 3, paid=[0.0], status="FREE_TRIAL", chat=5000)


def be_refused(world: World) -> Scenario:
    """A day later, within which the crash is mended, the second try is refused too."""
    person = subscribed(world)
    assert person.save_card(DECLINED).status == 200
    world.settle()
    world.now = month(1)
    return due(world, person, 6, paid=[59.99], status="PAYMENT_ISSUE", chat=0)


def be_asked_for_authentication(world: World) -> Scenario:
    person = refused(world, AUTHENTICATE)
    world.advance(days=1)
    return due(world, person, 7, paid=[59.99], status="PAYMENT_ISSUE", chat=0)


def be_refused_for_the_last_time(world: World) -> Scenario:
    person = refused(world)
    until(world, month(1) + timedelta(days=6))
    world.advance(days=1)
    return due(world, person, 6, paid=[59.99], status="EXPIRED", chat=0)


def pay_an_instalment(world: World) -> Scenario:
    person = subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)
    world.now = month(1)
    return due(world, person, 6, paid=[299.0, 299.0], status="ACTIVE", chat=5000)


def refill(world: World) -> Scenario:
    person = subscribed(world, chosen_period="YEAR")
    world.now = month(1)
    return due(world, person, 3, paid=[479.99], status="ACTIVE", chat=5000)


def tell_of_a_dearer_period(world: World) -> Scenario:
    put(world.table, a_coupon(world.now, world.academy_id, id=502, slug="once", renewals=1))
    person = subscribed(world, checking={"coupons": ["once"]})
    until(world, month(2) - timedelta(days=7, seconds=1))
    world.advance(seconds=1)
    tending = due(world, person, 3, paid=[30.0, 30.0], status="ACTIVE")

    def told_once() -> None:
        tending.settled()
        assert mails(world, "Your next payment") == [person.email]

    return replace(tending, settled=told_once)


def begin_a_pause(world: World) -> Scenario:
    person = subscribed(world)
    assert ask(person, "pause", {"days": 10}).status == 200
    world.now = month(1)
    return due(world, person, 3, paid=[59.99], status="PAUSED", chat=0)


def end_what_was_cancelled(world: World) -> Scenario:
    person = subscribed(world)
    assert ask(person, "cancel").status == 200
    world.now = month(1)
    return due(world, person, 3, paid=[59.99], status="CANCELLED", chat=0)


ALL: list[Prepare] = [
    renew,
    renew_with_units_that_last,
    renew_for_nothing,
    convert_a_trial,
    end_a_trial,
    tell_of_a_trials_end,
    be_refused,
    be_asked_for_authentication,
    be_refused_for_the_last_time,
    pay_an_instalment,
    refill,
    tell_of_a_dearer_period,
    begin_a_pause,
    end_what_was_cancelled,
]


@pytest.mark.parametrize("prepare", ALL, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfTheWorker:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="told")


class TestTwoWorkersAtOnce:
    def test_charge_once(self, world: World) -> None:
        person = subscribed(world)
        world.now = month(1)
        scenario = due(world, person, 6, paid=[59.99, 59.99], status="ACTIVE")
        real = world.stripe_client.request
        at_once: list[int] = []

        def request(*arguments: object, **named: object) -> object:
            if not at_once:
                at_once.append(1)
                scenario.act()
            return real(*arguments, **named)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(world.stripe_client, "request", request)
            scenario.act()
        world.settle()
        scenario.settled()
        assert shown(person)["next_payment_at"] == "2027-01-21T12:00:00Z"
