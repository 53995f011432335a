"""A payment that can be delivered to nobody and whose holder disputes it: the bank says whose money it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_crash_workers import reject_behind_its_back, wants_authentication
from tests.world import Person, World


@pytest.fixture
def late(world: World) -> tuple[Person, int]:
    """Somebody whose first payment of a plan succeeds and is disputed when another one has bought it; its invoice."""
    person, intent = wants_authentication(world)
    (invoice,) = person.invoices()
    reject_behind_its_back(world, person)
    assert person.save_card().status == 200
    assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
    world.settle()
    world.control(f"/_control/authenticate/{intent['id']}", {"success": True})
    world.control(f"/_control/dispute/{intent['id']}", {"outcome": "open"})
    world.advance(minutes=1)
    world.settle()
    return person, invoice["id"]


def decide(world: World, outcome: str) -> None:
    (dispute,) = world.at_stripe("dispute")
    world.control(f"/_control/dispute/{dispute['payment_intent']}", {"outcome": outcome})
    world.settle()


def shown(late: tuple[Person, int]) -> tuple[Any, ...]:
    person, ident = late
    invoice = person.get(f"/v1/payments/me/invoice/{ident}").json
    return (invoice["status"], person.units("ai-chat"))


def mails(world: World, subject: str) -> int:
    return sum(subject in mail.subject for mail, _ in world.mailer.sent)


def test_it_is_disputed_and_waits_for_nothing(world: World, late: tuple[Person, int]) -> None:
    world.advance(days=2)
    world.sweep()
    world.settle()
    assert shown(late) == ("DISPUTED", 5000)
    assert (world.at_stripe("refund"), mails(world, "returning your payment")) == ([], 0)
    check_books(world)


def test_it_is_gone_where_the_holder_wins(world: World, late: tuple[Person, int]) -> None:
    decide(world, "lost")
    assert shown(late) == ("REFUNDED", 5000)
    check_books(world)


def test_it_is_owed_by_staff_where_the_holder_loses(world: World, late: tuple[Person, int]) -> None:
    decide(world, "won")
    assert shown(late) == ("REJECTED", 5000)
    body = {"academy": world.academy_id}
    answer = staff(world, "issue_refund").post(
        f"/v1/payments/academy/invoice/{late[1]}/refund", body, Idempotency_Key="again"
    )
    assert answer.status == 201, answer.text
    world.settle()
    assert shown(late) == ("REFUNDED", 5000)
    assert [refund["amount"] for refund in world.at_stripe("refund")] == [5999]
    check_books(world)
