"""Refunds while something else happens: nothing is taken back twice, numbered twice or given back twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.adapters.stripe.gateway import StripeGateway
from chalicelib.flows.fulfillment import record_refunds
from chalicelib.flows.fulfillment.reverse import reverse
from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_staff_refunds import bought, refund, use
from tests.world import Person, World


@pytest.fixture
def clerk(world: World) -> Person:
    return staff(world, "issue_refund")


def in_between(happens: Callable[[], Any]) -> Any:
    """Once, between the time that a refund's consequences were computed and the time that they are written."""
    done = list[bool]()

    def interrupted(*arguments: Any, **named: Any) -> Any:
        computed = reverse(*arguments, **named)
        if not done:
            done.append(True)
            happens()
        return computed

    return patch.object(record_refunds, "reverse", interrupted)


class TestUnits:
    def test_that_are_used_while_they_are_taken_back_are_counted_as_spent(self, world: World, clerk: Person) -> None:
        person, invoice_id = bought(world)
        with in_between(lambda: use(person, "mentorship-service", 3)):
            answer = refund(clerk, invoice_id)
        assert answer.json["taken_back"] == [{"service": "mentorship-service", "how_many": 7, "spent": 3}]
        assert person.units("mentorship-service") == 0
        world.settle()
        check_books(world)


class TestCreditNotes:
    def test_of_two_refunds_at_once_have_numbers_of_their_own(self, world: World, clerk: Person) -> None:
        (_, first), (_, second) = bought(world), bought(world)
        numbers = []
        with in_between(lambda: numbers.append(refund(clerk, second, key="two").json["number"])):
            numbers.append(refund(clerk, first).json["number"])
        assert sorted(numbers) == ["CN-000001", "CN-000002"]
        world.settle()
        check_books(world)


class TestTheProcessor:
    def test_is_asked_for_one_refund_by_two_calls_at_once(self, world: World, clerk: Person) -> None:
        _, invoice_id = bought(world)
        real, nested = StripeGateway.refund, list[Any]()

        def asked(gateway: StripeGateway, payment_id: str, ask: Any) -> Any:
            if not nested:
                nested.append(None)
                nested.append(refund(clerk, invoice_id, amount=90))
            return real(gateway, payment_id, ask)

        with patch.object(StripeGateway, "refund", asked):
            answer = refund(clerk, invoice_id, amount=90)
        assert answer.status == nested[1].status == 201 and answer.json["id"] == nested[1].json["id"]
        assert [found["amount"] for found in world.at_stripe("refund")] == [9000]
        world.settle()
        check_books(world)
