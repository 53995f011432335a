"""A use is cancelled when what its units were of has ended: they come back as ended as everything else of it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import ServiceItem
from chalicelib.books.catalog.store import item_key
from chalicelib.dynamo import writes
from chalicelib.flows.metering import cancel_session as cancelling
from tests.books import check_books
from tests.enrolling import change
from tests.journeys.test_balances import cancel, use
from tests.recurring import ask, holding, live, run, subscribed
from tests.teams import CHAT, MENTORING, an_owner, path_of, seated
from tests.world import Person, Reply, World

NOW = {"when": "now"}


def use_up(person: Person, service: str = MENTORING) -> Reply:
    """Uses of everything that is there; the last of them, with which the lot leaves its page."""
    while person.units(service):
        answer = use(person, service)
        assert answer.status == 201, answer.text
    return answer


def end_now(person: Person) -> None:
    assert ask(person, "cancel", NOW).status == 200
    run(person.world)


class TestOfAPlan:
    def test_that_is_over_are_not_to_be_used(self, world: World) -> None:
        person = subscribed(world)
        session = use_up(person)
        end_now(person)
        assert cancel(person, session).status == 200
        assert person.units(MENTORING) == 0
        assert use(person).status == 402
        check_books(world)

    def test_that_goes_on_are_there_again(self, world: World) -> None:
        person = subscribed(world)
        assert cancel(person, use_up(person)).status == 200
        assert person.units(MENTORING) == 1
        live(world, 29)
        assert person.units(MENTORING) == 1
        check_books(world)

    def test_that_ends_meanwhile_are_not_to_be_used(self, world: World) -> None:
        person = subscribed(world)
        session = use_up(person)
        calls = list[int]()

        def ending(*arguments: Any) -> None:
            calls.append(len(calls))
            if calls == [0]:
                end_now(person)
            writes.commit(*arguments)

        with patch.object(cancelling, "commit", ending):
            assert cancel(person, session).status == 200
        assert calls == [0, 1] and person.units(MENTORING) == 0
        assert use(person).status == 402
        check_books(world)

    def test_that_was_bought_besides_stay(self, world: World) -> None:
        person = subscribed(world)
        assert person.buy(how_many=3).status == 201
        session = use_up(person)
        end_now(person)
        assert cancel(person, session).status == 200
        assert person.units(MENTORING) == 1
        check_books(world)

    def test_by_instalments_that_is_over_are_not_to_be_used(self, world: World) -> None:
        person = subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)
        session = use_up(person)
        end_now(person)
        assert cancel(person, session).status == 200
        assert person.units(MENTORING) == 0
        assert holding(person).ended_at is not None
        check_books(world)


class TestOfAPool:
    def test_of_a_plan_that_is_over_are_not_to_be_used(self, world: World) -> None:
        owner, member = an_owner(world), world.person()
        seated(owner, member)
        session = use_up(member)
        end_now(owner)
        assert cancel(member, session).status == 200
        assert [member.units(MENTORING), owner.units(MENTORING)] == [0, 0]
        check_books(world)

    def test_that_goes_on_are_there_again(self, world: World) -> None:
        owner, member = an_owner(world), world.person()
        seated(owner, member)
        assert cancel(member, use_up(member)).status == 200
        assert [member.units(MENTORING), owner.units(MENTORING)] == [1, 1]
        check_books(world)


class TestOfASeat:
    @pytest.fixture
    def owner(self, world: World) -> Person:
        change(world, ServiceItem, item_key(1), how_many=2)
        return an_owner(world)

    def test_of_a_plan_that_is_over_are_not_to_be_used(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        session = use_up(member, CHAT)
        end_now(owner)
        assert cancel(member, session, CHAT).status == 200
        assert member.units(CHAT) == 0
        check_books(world)

    def test_that_is_free_are_not_to_be_used(self, owner: Person, world: World) -> None:
        member = world.person()
        (seat,) = seated(owner, member)
        session = use_up(member, CHAT)
        assert world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=owner.token).status == 204
        run(world)
        assert cancel(member, session, CHAT).status == 200
        assert member.units(CHAT) == 0
        check_books(world)

    def test_that_was_left_are_not_to_be_used(self, owner: Person, world: World) -> None:
        member, other = world.person(), world.person()
        (seat,) = seated(owner, member)
        session = use_up(member, CHAT)
        assert world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=owner.token).status == 204
        seated(owner, other)
        run(world)
        assert cancel(member, session, CHAT).status == 200
        assert [member.units(CHAT), other.units(CHAT)] == [0, 0]
        check_books(world)

    def test_that_one_has_are_there_again(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        assert cancel(member, use_up(member, CHAT), CHAT).status == 200
        assert member.units(CHAT) == 1
        check_books(world)
