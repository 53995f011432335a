"""The process dies at each of its outside calls, one by one, or loses the answer, and everything comes right.

A scenario is prepared once. Then its act is done again and again from that moment, and dies before its first call to
the table, to Stripe, to the queue or to the mailer, before its second, and so on until it comes through; and at last
after its last one. (To die after a call and to die before the next one leave the same behind.) A second series lets
the process live and loses the answer of each call that was done. Afterwards time passes, and one of three things
helps: Stripe's webhooks and the queue (`told`), the minute's tick alone with every webhook and nudge lost (`swept`),
or the customer who simply calls again (`again`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from unittest.mock import patch

import pytest
import stripe

from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.teams import queries as teams
from chalicelib.dynamo.writes import backoff
from chalicelib.flows.recurring.tend import tend
from chalicelib.flows.teams.tend_recharge import tend_recharge
from chalicelib.flows.teams.tend_seat import tend_seat
from chalicelib.kernel.errors import TryLater
from local.stripe_standin.inprocess import LOST_MESSAGE
from tests.books import check_books
from tests.shop import a_coupon, put
from tests.world import Moment, Person, Reply, World

Act = Callable[[], object]
STEPS: tuple[dict[str, float], ...] = ({"seconds": 26}, {"minutes": 16}, {"hours": 24}, {"minutes": 2})
"""How time passes after a death: past one call's time, a pending invoice's first look, its last, and a tick more."""
LOST = {"table": TryLater(), "stripe": stripe.APIConnectionError(LOST_MESSAGE, should_retry=True)}  # type: ignore[no-untyped-call]
"""What a caller sees of an answer that got lost. Nudges and mails answer nothing that could get lost."""


class Crash(BaseException):
    """The process is killed: no handler of ours sees it."""


class Mishap(StrEnum):
    """What happens at the fatal call."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    ANSWER_LOST = "loses the answer of"


@dataclass
class Outside:
    """Counts the calls to the outside; the mishap is at the `fatal`-th, or at the first one of that name."""

    fatal: int | str = 0
    mishap: Mishap = Mishap.DIES_BEFORE
    calls: list[str] = field(default_factory=list)

    def wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append(f"{name} {arguments[0] if arguments else ''}")
            if self.fatal not in (len(self.calls), self.calls[-1]):
                return real(*arguments, **named)
            if self.mishap is Mishap.DIES_BEFORE:
                raise Crash
            try:
                answer = real(*arguments, **named)
            finally:  # also where the answer is a refusal
                if self.mishap is Mishap.DIES_AFTER:
                    raise Crash
            if name in LOST:
                raise LOST[name]
            return answer

        return call


@contextmanager
def outside_calls(world: World, *, fatal: int | str = 0, mishap: Mishap = Mishap.DIES_BEFORE) -> Iterator[Outside]:
    """Watch the table, Stripe, the queue and the mailer for as long as this lasts."""
    outside = Outside(fatal, mishap)
    watched: list[tuple[str, Any, str]] = [
        ("table", world.table, "call"),
        ("stripe", world.stripe_client, "request"),
        ("queue", world.queue, "nudge_inbox"),
        ("queue", world.queue, "nudge_outbox"),
        ("queue", world.queue, "nudge_holdings"),
        ("mailer", world.mailer, "send"),
    ]
    with ExitStack() as patches:
        for name, owner, method in watched:
            patches.enter_context(patch.object(owner, method, outside.wrap(name, getattr(owner, method))))
        yield outside


@dataclass
class Scenario:
    """What is done, and how many outside calls that takes at least, so that an act that does nothing is seen.

    `statuses`: what a customer who calls again may be answered; none: it is no customer's call. `settled` says what
    must have come of it in the end; where a customer did not call again, a purchase may have come to nothing instead.
    """

    act: Act
    calls_min: int
    statuses: tuple[int, ...] = ()
    settled: Callable[[], None] = lambda: None


Prepare = Callable[[World], Scenario]


def pay_by_period(world: World) -> Scenario:
    person = world.paying()
    bag = person.check("basic", coupons=["half"]).json
    return Scenario(lambda: person.pay(bag, chosen_period="MONTH"), 6, (200,), settled=lambda: has(person, chat=5000))


def pay_by_instalments(world: World) -> Scenario:
    person = world.paying()
    bag = person.check("bootcamp").json
    return Scenario(
        lambda: person.pay(bag, how_many_installments=12), 6, (200,), settled=lambda: has(person, chat=5000)
    )


def pay_with_a_key(world: World) -> Scenario:
    person = world.paying()
    bag = person.check("basic").json
    key = {"Idempotency-Key": "a-key"}
    return Scenario(lambda: person.pay(bag, chosen_period="MONTH", headers=key), 6, (200,))


def buy_units(world: World) -> Scenario:
    person = world.paying()
    key = {"Idempotency-Key": "ten-units"}
    return Scenario(lambda: person.buy(headers=key), 7, (201,), settled=lambda: has(person, mentoring=10))


def be_declined(world: World) -> Scenario:
    """Again with the same key is the same decline; the person may end without units only."""
    person = world.person()
    assert person.save_card("4000000000000341").status == 200
    key = {"Idempotency-Key": "declined"}
    return Scenario(lambda: person.buy(headers=key), 6, (402,), settled=lambda: has(person, mentoring=0))


def save_a_card(world: World) -> Scenario:
    person = world.person()

    def shown() -> None:
        card = person.get("/v2/payments/card").json
        assert (card["has_payment_method"], card["card_last4"]) == (True, "4242")

    return Scenario(person.save_card, 10, (200,), settled=shown)


def use_a_unit(world: World) -> Scenario:
    person = world.paying()
    assert person.buy(how_many=2).status == 201
    path = "/v1/payments/me/service/mentorship-service/consumptionsession/once"
    return Scenario(lambda: person.put(path), 3, (201, 200))


def cancel_a_use(world: World) -> Scenario:
    person = world.paying()
    assert person.buy(how_many=2).status == 201
    path = "/v1/payments/me/service/mentorship-service/consumptionsession"
    made = person.put(path).json["id"]
    return Scenario(
        lambda: person.put(f"{path}/{made}/cancel"), 5, (200, 409), settled=lambda: has(person, mentoring=2)
    )


def pay_with_another_card(world: World) -> Scenario:
    """The bank's question to the first card stays open; the second card takes over."""
    person, bag = left_open(world)
    assert person.save_card().status == 200
    world.settle()
    return Scenario(lambda: person.pay(bag, chosen_period="MONTH"), 10, (200,), settled=lambda: has(person, chat=5000))


def pay_another_bag(world: World) -> Scenario:
    person, _ = left_open(world)
    bag = person.check("basic", coupons=["half"]).json
    assert person.save_card().status == 200
    world.settle()
    return Scenario(lambda: person.pay(bag, chosen_period="MONTH"), 10, (200,), settled=lambda: has(person, chat=5000))


def left_open(world: World) -> tuple[Person, Any]:
    """A person whose bank was asked, for a bag with a coupon, and was not answered."""
    person = world.person()
    waiting = person.save_card("4000002760003184").json
    world.control(f"/_control/authenticate/{waiting['client_secret'].partition('_secret_')[0]}", {"success": True})
    world.settle()
    bag = person.check("basic", coupons=["half"]).json
    assert person.pay(bag, chosen_period="MONTH").status == 202
    return person, bag


CUSTOMERS: list[Prepare] = [
    pay_by_period,
    pay_by_instalments,
    pay_with_a_key,
    pay_with_another_card,
    pay_another_bag,
    buy_units,
    be_declined,
    save_a_card,
    use_a_unit,
    cancel_a_use,
]


@pytest.mark.parametrize("prepare", CUSTOMERS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfACustomersRequest:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")


def die_everywhere(world: World, prepare: Prepare, *, helps: Sequence[str]) -> None:
    put(world.table, *coupons(world))
    scenario = prepare(world)
    start = world.moment()
    calls = calls_of(world, scenario)
    for helped in helps:
        for fatal in range(1, calls + 1):
            try_one(world, scenario, start, helped=helped, fatal=fatal, mishap=Mishap.DIES_BEFORE)
        try_one(world, scenario, start, helped=helped, fatal=calls, mishap=Mishap.DIES_AFTER)


def lose_every_answer(world: World, prepare: Prepare, *, helped: str) -> None:
    put(world.table, *coupons(world))
    scenario = prepare(world)
    start = world.moment()
    with patch.object(backoff, "sleep"):
        for fatal in range(1, calls_of(world, scenario) + 1):
            try_one(world, scenario, start, helped=helped, fatal=fatal, mishap=Mishap.ANSWER_LOST)


def calls_of(world: World, scenario: Scenario) -> int:
    """How many outside calls the act takes where nothing happens to it."""
    start = world.moment()
    with outside_calls(world) as outside:
        scenario.act()
    assert len(outside.calls) >= scenario.calls_min, outside.calls
    world.go_back(start)
    return len(outside.calls)


def try_one(world: World, scenario: Scenario, start: Moment, *, helped: str, fatal: int, mishap: Mishap) -> None:
    """Act with one mishap, let things come to rest, and look at the books."""
    world.go_back(start)
    world.queue.lost = helped == "swept"
    with outside_calls(world, fatal=fatal, mishap=mishap) as outside, suppress(Crash, TryLater):
        scenario.act()
    if len(outside.calls) < fatal:
        return  # where nudges are lost, nothing was called for the last of them
    try:
        RECOVERIES[helped](world, scenario, start)
        check_books(world)
        if helped == "again" or not scenario.statuses:
            scenario.settled()
    except AssertionError as error:
        raise AssertionError(f"{helped} after it {mishap} call {fatal} of {outside.calls}: {error}") from error


def told(world: World, _scenario: Scenario, start: Moment) -> None:
    """SQS hands over again what was not finished, and Stripe's webhooks come."""
    world.queue.inbox = [*start.nudges[0], *world.queue.inbox]
    world.queue.outbox = [*start.nudges[1], *world.queue.outbox]
    world.queue.holdings = [*start.nudges[2], *world.queue.holdings]
    for step in STEPS:
        world.advance(**step)
        world.settle()
        _tick(world)


def swept(world: World, _scenario: Scenario, _start: Moment) -> None:
    """No webhook and no nudge arrives: only the minute's tick."""
    for step in STEPS:
        world.advance(**step)
        _tick(world)


def _tick(world: World) -> None:
    if not world.resting():
        world.sweep()
    for due in subscriptions.due_holdings(world.table, world.now):
        tend(world.runtime.context(world.now), due.key)
    for due in teams.due_seats(world.table, world.now):
        tend_seat(world.runtime.context(world.now), due.key)
    for due in teams.due_recharges(world.table, world.now):
        tend_recharge(world.runtime.context(world.now), due.key)


def again(world: World, scenario: Scenario, start: Moment) -> None:
    """The customer calls again, and no webhook comes before that."""
    world.advance(**STEPS[0])
    reply = scenario.act()
    assert isinstance(reply, Reply) and reply.status in scenario.statuses, reply
    told(world, scenario, start)


RECOVERIES = {"told": told, "swept": swept, "again": again}


def coupons(world: World) -> list[Any]:
    half = a_coupon(world.now, world.academy_id, how_many_offers=5)
    return [half, a_coupon(world.now, world.academy_id, id=501, slug="gift", discount_value=1, how_many_offers=5)]


def has(person: Person, *, chat: int | None = None, mentoring: int | None = None) -> None:
    """What the person's balance shows."""
    for slug, units in (("ai-chat", chat), ("mentorship-service", mentoring)):
        assert units is None or person.units(slug) == units, (slug, person.units(slug), units)
