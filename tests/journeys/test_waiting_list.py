"""Plans with room for so many: full, waited for, freed, offered for two days (D33, D83)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.waiting import queries
from chalicelib.flows.checkout import pay
from chalicelib.flows.waiting.room import room_writes
from tests.books import check_books
from tests.journeys.test_staff_refunds import refund
from tests.staffing import Clerk, clerk, refused
from tests.world import Person, World

PLAN = "/v1/payments/academy/plan/basic"
BASIC = 1001


@pytest.fixture
def staff(world: World) -> Clerk:
    found = clerk(world)
    assert found.put(PLAN, {"capacity": 1, "has_waiting_list": True}).status == 200
    return found


def buy(person: Person, bag: Any = None) -> Any:
    return person.pay(bag or person.check("basic").json, chosen_period="MONTH")


def mails(world: World, person: Person) -> list[str]:
    return [mail.subject for mail, _ in world.mailer.sent if mail.to == person.email and "place" in mail.subject]


def waiting(world: World) -> list[int]:
    return [one.user_id for one in queries.waiting(world.table, BASIC, limit=10).items]


def look(world: World, **span: float) -> None:
    """Time passes, and the schedules run."""
    world.advance(**span)
    world.sweep()
    world.settle()


class TestAFullPlan:
    def test_is_sold_as_often_as_it_has_places(self, world: World, staff: Clerk) -> None:
        first, second = world.paying(), world.paying()
        bag = second.check("basic").json
        assert buy(first).status == 200
        refused(second.check("basic"), 409, "plan-at-capacity")
        refused(buy(second, bag), 409, "plan-at-capacity")
        assert [len(person.invoices()) for person in (first, second)] == [1, 0]
        assert len(world.at_stripe("payment_intent")) == 1
        world.settle()
        check_books(world)

    def test_is_sold_once_to_two_at_once(self, world: World, staff: Clerk) -> None:
        first, second = world.paying(), world.paying()
        bags = [person.check("basic").json for person in (first, second)]
        raced = list[Any]()

        def interrupted(*arguments: Any) -> Any:
            writes = room_writes(*arguments)
            if not raced:
                raced.append(None)
                raced.append(buy(second, bags[1]))
            return writes

        with patch.object(pay, "room_writes", interrupted):
            answer = buy(first, bags[0])
        assert sorted([answer.status, raced[1].status]) == [200, 409]
        assert len(world.at_stripe("payment_intent")) == 1

    def test_tells_its_holder_that_they_have_it(self, world: World, staff: Clerk) -> None:
        person = world.paying()
        assert buy(person).status == 200
        refused(person.check("basic"), 400, "plan-already-bought")
        assert waiting(world) == []

    def test_counts_who_had_it_before_it_had_a_capacity(self, world: World) -> None:
        person, other = world.paying(), world.paying()
        assert buy(person).status == 200
        assert clerk(world).put(PLAN, {"capacity": 1}).status == 200
        refused(other.check("basic"), 409, "plan-at-capacity")
        assert waiting(world) == []  # it has no waiting list

    def test_has_a_place_again_when_a_purchase_fails(self, world: World, staff: Clerk) -> None:
        person, other = world.person(), world.paying()
        assert person.save_card("4000000000000341").status == 200
        assert buy(person).status == 402
        refused(other.check("basic"), 409, "plan-at-capacity")  # the index may not know it yet
        world.advance(minutes=2)
        assert other.check("basic").status == 200


class TestTheWaitingList:
    @pytest.fixture
    def full(self, world: World, staff: Clerk) -> tuple[Person, int]:
        person = world.paying()
        bought = buy(person)
        assert bought.status == 200
        world.settle()
        return person, bought.json["id"]

    def test_has_each_once_in_their_order(self, world: World, full: Any) -> None:
        first, second = world.person(), world.person()
        for person in (first, second, first):
            refused(person.check("basic"), 409, "plan-at-capacity")
            world.advance(seconds=1)
        assert waiting(world) == [first.user_id, second.user_id]
        look(world, minutes=10)
        assert mails(world, first) == mails(world, second) == []

    def test_is_told_of_a_freed_place_one_after_the_other(self, world: World, staff: Clerk, full: Any) -> None:
        _, invoice_id = full
        first, second, third = world.paying(), world.paying(), world.paying()
        for person in (first, second):
            refused(person.check("basic"), 409, "plan-at-capacity")
            world.advance(seconds=1)
        assert refund(staff.person, invoice_id).status == 201
        world.settle()
        look(world, minutes=6)
        assert (len(mails(world, first)), len(mails(world, second))) == (1, 0)
        refused(third.check("basic"), 409, "plan-at-capacity")  # the place is kept
        look(world, hours=1)
        assert buy(first).status == 200
        assert waiting(world) == [second.user_id, third.user_id]
        look(world, minutes=10)
        assert mails(world, second) == []
        check_books(world)

    def test_goes_before_whoever_comes_at_the_right_moment(self, world: World, staff: Clerk, full: Any) -> None:
        """A place is free and nobody has looked yet: it is the first's, at checking and at paying."""
        _, invoice_id = full
        first, second, stranger = world.paying(), world.paying(), world.paying()
        assert staff.put(PLAN, {"capacity": None}).status == 200
        bag = stranger.check("basic").json
        assert staff.put(PLAN, {"capacity": 1}).status == 200
        for person in (first, second):
            refused(person.check("basic"), 409, "plan-at-capacity")
            world.advance(seconds=1)
        assert refund(staff.person, invoice_id).status == 201
        world.advance(seconds=70)
        refused(stranger.check("basic"), 409, "plan-at-capacity")
        refused(second.check("basic"), 409, "plan-at-capacity")
        late = world.paying()
        refused(late.check("basic"), 409, "plan-at-capacity")
        assert buy(stranger, bag).status == 200  # quoted when there was no limit: a quote stands for its hour
        world.settle()
        check_books(world)

    def test_lets_its_first_buy_before_they_are_told(self, world: World, staff: Clerk, full: Any) -> None:
        _, invoice_id = full
        first, second = world.paying(), world.paying()
        for person in (first, second):
            refused(person.check("basic"), 409, "plan-at-capacity")
            world.advance(seconds=1)
        assert refund(staff.person, invoice_id).status == 201
        world.advance(seconds=70)
        refused(second.check("basic"), 409, "plan-at-capacity")
        assert buy(first).status == 200
        assert waiting(world) == [second.user_id]

    def test_is_told_within_a_minute_once_somebody_saw_the_free_place(
        self, world: World, staff: Clerk, full: Any
    ) -> None:
        _, invoice_id = full
        first, stranger = world.paying(), world.paying()
        refused(first.check("basic"), 409, "plan-at-capacity")
        assert refund(staff.person, invoice_id).status == 201
        world.advance(seconds=70)
        refused(stranger.check("basic"), 409, "plan-at-capacity")
        look(world, seconds=1)
        assert len(mails(world, first)) == 1

    def test_keeps_a_place_for_two_days(self, world: World, staff: Clerk, full: Any) -> None:
        _, invoice_id = full
        first, second = world.paying(), world.paying()
        for person in (first, second):
            refused(person.check("basic"), 409, "plan-at-capacity")
            world.advance(seconds=1)
        assert refund(staff.person, invoice_id).status == 201
        look(world, minutes=6)
        look(world, hours=47)
        assert mails(world, second) == []
        look(world, hours=1)
        look(world, minutes=6)
        assert (len(mails(world, first)), len(mails(world, second))) == (1, 1)
        refused(first.check("basic"), 409, "plan-at-capacity")
        assert buy(second).status == 200
        assert waiting(world) == [first.user_id]

    def test_is_offered_places_when_there_is_more_room(self, world: World, staff: Clerk, full: Any) -> None:
        people = [world.paying() for _ in range(3)]
        for person in people:
            refused(person.check("basic"), 409, "plan-at-capacity")
            world.advance(seconds=1)
        assert staff.put(PLAN, {"capacity": 3}).status == 200
        look(world, minutes=6)
        look(world, minutes=6)
        assert [len(mails(world, person)) for person in people] == [1, 1, 0]
        assert [buy(person).status for person in people[:2]] == [200, 200]
        refused(world.paying().check("basic"), 409, "plan-at-capacity")

    def test_ends_when_everybody_may_buy(self, world: World, staff: Clerk, full: Any) -> None:
        person = world.paying()
        refused(person.check("basic"), 409, "plan-at-capacity")
        assert staff.put(PLAN, {"capacity": None}).status == 200
        look(world, minutes=6)
        assert buy(person).status == 200
