"""A refund of a line takes back what that line paid for, and nothing of the others."""

from __future__ import annotations

import pytest

from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_staff_refunds import refund, use
from tests.world import Person, World

CHATS, MENTORSHIPS = "ai-chat", "mentorship-service"


@pytest.fixture
def clerk(world: World) -> Person:
    return staff(world, "issue_refund")


@pytest.fixture
def buyer(world: World) -> Person:
    """A team's plan (5000 chats and 2 mentorships, for 2999.00) with 200 further chats for 2.00."""
    person = world.paying()
    bag = person.check("team", service_items=[{"service": CHATS, "how_many": 200}]).json
    paid = person.pay(bag, chosen_period="MONTH")
    assert paid.status == 200, paid.text
    assert {line["id"]: line["amount"] for line in paid.json["lines"]} == {"plan": 2999.0, "add_on:93": 2.0}
    world.settle()
    return person


def invoice_id(person: Person) -> int:
    (invoice,) = person.invoices()
    return int(invoice["id"])


def left(person: Person) -> tuple[int, int]:
    return person.units(CHATS), person.units(MENTORSHIPS)


class TestARefundOfALine:
    def test_takes_back_what_it_paid_for(self, world: World, clerk: Person, buyer: Person) -> None:
        answer = refund(clerk, invoice_id(buyer), lines=[{"id": "add_on:93", "amount": 2}])
        assert answer.json["taken_back"] == [{"service": CHATS, "how_many": 200, "spent": 0}]
        assert left(buyer) == (5000, 2)
        world.settle()
        check_books(world)

    def test_in_part_takes_that_part_rounded_for_the_customer(self, world: World, clerk: Person, buyer: Person) -> None:
        """A third of 200 and a bit less is 66; of 2 mentorships half of the plan is one."""
        assert refund(clerk, invoice_id(buyer), lines=[{"id": "add_on:93", "amount": 0.66}]).status == 201
        assert left(buyer) == (5134, 2)
        half = [{"id": "plan", "amount": 1499.5}]
        assert refund(clerk, invoice_id(buyer), "two", lines=half).status == 201
        assert left(buyer) == (2634, 1)
        world.settle()
        check_books(world)

    def test_and_all_that_is_left_are_everything(self, world: World, clerk: Person, buyer: Person) -> None:
        use(buyer, CHATS, 3)
        assert refund(clerk, invoice_id(buyer), lines=[{"id": "add_on:93", "amount": 2}]).status == 201
        answer = refund(clerk, invoice_id(buyer), "rest")
        assert (answer.json["amount"], answer.json["invoice"]["status"]) == (2999.0, "REFUNDED")
        assert left(buyer) == (0, 0)
        world.settle()
        check_books(world)

    def test_that_fails_gives_it_back(self, world: World, clerk: Person, buyer: Person) -> None:
        assert refund(clerk, invoice_id(buyer), lines=[{"id": "add_on:93", "amount": 2}]).status == 201
        (made,) = world.at_stripe("refund")
        world.control(f"/_control/fail_refund/{made['id']}", {})
        world.settle()
        assert left(buyer) == (5200, 2)
        check_books(world)

    def test_after_part_of_the_whole_counts_both(self, world: World, clerk: Person, buyer: Person) -> None:
        """Half of everything, from the dashboard; then the add-on's line, half of which had gone back already."""
        intent = world.at_stripe("payment_intent")[0]["id"]
        world.control(f"/_control/refund/{intent}", {"amount": 150050})
        world.settle()
        assert left(buyer) == (2600, 1)
        assert refund(clerk, invoice_id(buyer), lines=[{"id": "add_on:93", "amount": 1}]).status == 201
        assert left(buyer) == (2500, 1)
        world.settle()
        check_books(world)
