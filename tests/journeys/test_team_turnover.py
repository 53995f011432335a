"""A seat that is freed and filled again is one seat: what was paid for once is given once (D31, D77)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import ServiceItem
from chalicelib.books.catalog.store import item_key
from chalicelib.books.teams import queries
from chalicelib.dynamo.writes import backoff
from chalicelib.dynamo.writes import commit as really_commit
from chalicelib.flows.teams import fill_seats as filling
from tests.books import check_books
from tests.enrolling import change
from tests.recurring import holding, live
from tests.teams import CHAT, COURSES, MENTORING, an_owner, codes, fill, path_of, seated
from tests.world import Person, World


@pytest.fixture
def owner(world: World) -> Person:
    return an_owner(world)


def remove(owner: Person, seat: Any) -> None:
    assert owner.world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=owner.token).status == 204


def units(person: Person) -> list[int]:
    return [person.units(service) for service in (CHAT, MENTORING, COURSES)]


def test_seats_of_one_request_differ_whatever_chance_says(owner: Person, world: World) -> None:
    with patch.object(world.runtime, "random_bits", lambda bits: 7):
        found = seated(owner, world.person(), world.person(), world.person())
    assert len({seat["id"] for seat in found}) == 3
    check_books(world)


def test_a_seat_that_two_give_away_at_once_is_given_once(owner: Person, world: World) -> None:
    member, first, second = (world.person() for _ in range(3))
    seated(owner, member)
    raced: list[Any] = []

    def late(*args: Any) -> None:
        if not raced:
            raced.append(None)
            raced.append(fill(owner, replace={member.email: first.email}))
        really_commit(*args)

    with patch.object(filling, "commit", late), patch.object(backoff, "sleep", lambda seconds: None):
        answer = fill(owner, replace={member.email: second.email})
    assert (codes(raced[1]), codes(answer)) == ([], ["no-seat-with-this-email"])
    world.settle()
    assert [units(person)[1] for person in (member, first, second)] == [0, 2, 0]
    check_books(world)


class TestASeatThatIsFilledAgain:
    def test_has_its_units_once_a_period(self, owner: Person, world: World) -> None:
        member, other = world.person(), world.person()
        for person in (member, member, other, member):
            (seat,) = seated(owner, person)
            remove(owner, seat)
        seated(owner, member)
        assert units(member) == [0, 2, -1]
        check_books(world)
        live(world, 31)
        assert units(member) == [5000, 2, -1]
        check_books(world)

    def test_is_another_than_one_that_nobody_had(self, owner: Person, world: World) -> None:
        first, second, third = (world.person() for _ in range(3))
        (seat,) = seated(owner, first)
        remove(owner, seat)
        seated(owner, second, third)
        assert [second.units(CHAT), third.units(CHAT)] == [0, 5000]

    def test_after_a_period_has_those_of_the_new_one(self, owner: Person, world: World) -> None:
        member = world.person()
        (seat,) = seated(owner, member)
        remove(owner, seat)
        live(world, 31)
        (seat,) = seated(owner, member)
        assert units(member) == [5000, 2, -1]
        remove(owner, seat)
        seated(owner, member)
        assert units(member) == [0, 2, -1]

    def test_has_what_does_not_come_again_with_the_next_period(self, world: World) -> None:
        change(world, ServiceItem, item_key(1), is_renewable=False)
        owner, member = an_owner(world), world.person()
        for _ in range(2):
            (seat,) = seated(owner, member)
            remove(owner, seat)
        seated(owner, member)
        assert units(member) == [0, 2, -1]
        for _ in range(2):
            live(world, 31)
            assert units(member) == [5000, 2, -1]
        check_books(world)

    def test_by_somebody_who_is_invited_is_the_same(self, owner: Person, world: World) -> None:
        member = world.person()
        (seat,) = seated(owner, member)
        remove(owner, seat)
        (seat,) = fill(owner, "new@example.org").json["data"]
        remove(owner, seat)
        seated(owner, member)
        assert units(member) == [0, 2, -1]

    def test_before_its_units_have_ended_ends_them_all_the_same(self, owner: Person, world: World) -> None:
        member, other = world.person(), world.person()
        (seat,) = seated(owner, member)
        with patch("chalicelib.flows.teams.remove_seat.tend_soon"):
            remove(owner, seat)
        seated(owner, other)
        world.settle()
        assert (member.units(CHAT), other.units(CHAT)) == (0, 0)
        marks = [bool(stored.seat.refills) for stored in queries.seats(world.table, holding(owner).id)]
        assert marks == [False, True]
