"""The process dies, or loses an answer, at each outside call of what is done about plans, places, lots and an offer."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.model import Holder
from chalicelib.books.subscriptions.model import Subscription
from chalicelib.books.subscriptions.store import holding_key
from chalicelib.books.waiting import queries
from chalicelib.flows.recurring.tend import tend
from tests.catalog_files import OFFER, PATH
from tests.journeys.test_cancel import GOOD, failing
from tests.journeys.test_catalog import staff
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, has, lose_every_answer
from tests.journeys.test_expiry import retime
from tests.journeys.test_payment_that_went_back import went_back
from tests.journeys.test_staff_refunds import refund
from tests.journeys.test_waiting_list import BASIC, PLAN, buy, mails, waiting
from tests.recurring import ask, holding, paid, path_of, subscribed
from tests.staffing import clerk
from tests.world import Person, Reply, World


def save_another_card(world: World) -> Scenario:
    """Somebody whose payment was refused: it is tried again at once."""
    person = failing(world)
    soon = world.now + timedelta(minutes=2)

    def is_paid() -> None:
        assert paid(person) == [59.99, 59.99]
        assert max(invoice["paid_at"] for invoice in person.invoices(status="FULFILLED")) < soon.isoformat()

    return Scenario(lambda: person.save_card(GOOD), 6, (200,), settled=is_paid)


def pause(world: World) -> Scenario:
    person = subscribed(world)
    path = f"{path_of(holding(person))}/pause"

    def is_to_be_paused() -> None:
        found = holding(person)
        assert isinstance(found, Subscription) and found.pause is not None

    return Scenario(lambda: person.put(path, {"days": 30}), 3, (200, 409), settled=is_to_be_paused)


def reactivate(world: World) -> Scenario:
    person = subscribed(world)
    assert ask(person, "cancel").status == 200
    path = f"{path_of(holding(person))}/reactivate"

    def lives() -> None:
        assert holding(person).status == "ACTIVE"

    return Scenario(lambda: person.put(path), 3, (200, 400, 409), settled=lives)


def join_the_waiting_list(world: World) -> Scenario:
    full_plan(world)
    person = world.paying()

    def waits_once() -> None:
        assert waiting(world) == [person.user_id]

    return Scenario(lambda: person.check("basic"), 4, (409,), settled=waits_once)


def apply_a_whole_offer(world: World) -> Scenario:
    """Row by row, each in a transaction of its own: applied again, it does what is left."""
    made = clerk(world)
    text = re.sub(r"\bseat([,\n])", r"own-seat\1", OFFER).encode()  # the shop has a seat already
    headers = {"Academy": str(made.academy_id), "Content-Type": "application/yaml"}

    def applied() -> Reply:
        return world.call("POST", f"{PATH}/apply", raw=text, token=made.person.token, headers=headers)

    def is_whole() -> None:
        assert applied().json["changes"] == []

    return Scenario(applied, 20, (200,), settled=is_whole)


def expire_lots(world: World) -> Scenario:
    person = world.paying()
    assert person.buy().status == 201
    world.settle()
    retime(world, person, hours=1)
    world.advance(hours=2)

    def are_gone() -> None:
        world.sweep()  # the next minute's
        pages = ledger.own_balances(world.table, Holder.person(person.user_id))
        assert [page.lots for page in pages] == [()]

    return Scenario(world.sweep, 10, settled=are_gone)


def offer_a_freed_place(world: World) -> Scenario:
    holder, invoice_id = full_plan(world)
    first, second = world.paying(), world.paying()
    for person in (first, second):
        assert person.check("basic").status == 409
        world.advance(seconds=1)
    assert refund(staff(world, "issue_refund"), invoice_id).status == 201
    world.settle()
    world.advance(minutes=6)

    def is_offered_to_the_first() -> None:
        world.settle()
        world.sweep()
        world.settle()
        assert (len(mails(world, first)), mails(world, second)) == (1, [])
        assert holding(holder).status == "CANCELLED"
        kept, further = queries.waiting(world.table, BASIC, limit=10).items
        assert (kept.user_id, kept.offered_until is not None) == (first.user_id, True)
        assert (further.user_id, further.offered_until) == (second.user_id, None)

    return Scenario(world.sweep, 12, settled=is_offered_to_the_first)


def pay_by_another_invoice(world: World) -> Scenario:
    """The refund that held the plan back has failed."""
    person = went_back(world)
    world.control(f"/_control/fail_refund/{world.at_stripe('refund')[0]['id']}", {})
    world.settle()
    world.advance(days=31)
    key = holding_key(holding(person))

    def is_paid() -> None:
        assert paid(person) == [59.99, 59.99]
        has(person, chat=5000)

    return Scenario(lambda: tend(world.runtime.context(world.now), key), 8, settled=is_paid)


def refund_a_line(world: World) -> Scenario:
    made, person = staff(world, "issue_refund"), world.paying()
    bag = person.check("team", service_items=[{"service": "ai-chat", "how_many": 200}]).json
    assert person.pay(bag, chosen_period="MONTH").status == 200
    world.settle()
    invoice_id, lines = person.invoices()[0]["id"], [{"id": "add_on:93", "amount": 2}]
    return Scenario(lambda: refund(made, invoice_id, lines=lines), 12, (201,), settled=lambda: has(person, chat=5000))


def full_plan(world: World) -> tuple[Person, int]:
    """Its only place is taken: by whom, with which invoice."""
    assert clerk(world).put(PLAN, {"capacity": 1, "has_waiting_list": True}).status == 200
    holder = world.paying()
    bought = buy(holder)
    assert bought.status == 200
    world.settle()
    return holder, bought.json["id"]


CALLS: list[Prepare] = [
    save_another_card,
    pause,
    reactivate,
    join_the_waiting_list,
    apply_a_whole_offer,
    refund_a_line,
]
WORKERS: list[Prepare] = [expire_lots, offer_a_freed_place, pay_by_another_invoice]


@pytest.mark.parametrize("prepare", CALLS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfARequest:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")


@pytest.mark.parametrize("prepare", WORKERS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfAWorker:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="swept")
