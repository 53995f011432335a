"""Whatever is done to a team dies at each of its outside calls, or loses the answer, and everything comes right."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from chalicelib.books.teams import store
from chalicelib.flows.recurring.tend import tend
from chalicelib.flows.teams.tend_seat import tend_seat
from tests.enrolling import accept, login, secret_of, signed_in
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, lose_every_answer
from tests.recurring import holding, paid
from tests.teams import CHAT, COURSES, MENTORING, an_owner, codes, fill, path_of, seated, team
from tests.world import START, Person, World

NEW = "kay@example.org"


def have(owner: Person, used: int, *people: tuple[Person, Sequence[int]]) -> None:
    """How many seats are in use, and what each person has of chat, mentoring and courses."""
    assert team(owner)["seats_count"] == used, team(owner)
    found = [[person.units(service) for service in (CHAT, MENTORING, COURSES)] for person, _ in people]
    assert found == [list(units) for _, units in people], found


def a_member(world: World, owner: Person) -> Person:
    """Somebody with a seat who used one unit of it."""
    member = world.person()
    seated(owner, member)
    assert member.put(f"/v1/payments/me/service/{CHAT}/consumptionsession/one").status == 201
    return member


def give_a_seat(world: World) -> Scenario:
    owner, member = an_owner(world), world.person()
    return Scenario(
        lambda: fill(owner, member.email), 10, (207,), settled=lambda: have(owner, 2, (member, (5000, 2, -1)))
    )


def invite_to_a_seat(world: World) -> Scenario:
    owner = an_owner(world)
    return Scenario(lambda: fill(owner, NEW), 10, (207,), settled=lambda: have(owner, 2))


def accept_a_seat(world: World) -> Scenario:
    owner = an_owner(world)
    assert codes(fill(owner, NEW)) == []
    world.settle()
    secret = secret_of(world, NEW)

    def sits() -> None:
        have(owner, 2, (signed_in(world, login(world, NEW)), (5000, 2, -1)))

    return Scenario(lambda: accept(world, secret), 10, (200, 410), settled=sits)


def replace_somebody(world: World) -> Scenario:
    owner, after = an_owner(world), world.person()
    before = a_member(world, owner)

    def moved() -> None:
        have(owner, 2, (before, (0, 0, 0)), (after, (4999, 2, -1)))

    return Scenario(lambda: fill(owner, replace={before.email: after.email}), 10, (207,), settled=moved)


def remove_somebody_invited(world: World) -> Scenario:
    owner = an_owner(world)
    (seat,) = fill(owner, NEW).json["data"]
    world.settle()
    path, secret = path_of(owner, f"/seat/{seat['id']}"), secret_of(world, NEW)

    def over() -> None:
        have(owner, 1)
        assert accept(world, secret).json["slug"] == "invitation-expired"

    return Scenario(lambda: world.call("DELETE", path, token=owner.token), 6, (204, 404), settled=over)


def remove_somebody(world: World) -> Scenario:
    owner = an_owner(world)
    (seat,) = seated(owner, member := world.person())
    path = path_of(owner, f"/seat/{seat['id']}")
    return Scenario(
        lambda: world.call("DELETE", path, token=owner.token),
        6,
        (204, 404),
        settled=lambda: have(owner, 1, (member, (0, 0, 0))),
    )


def buy_seats(world: World) -> Scenario:
    owner = an_owner(world)
    world.advance(days=15)
    body = {"service": "seat", "how_many": 2, "subscription": holding(owner).id}
    key = {"Idempotency-Key": "two-seats"}

    def bought() -> None:
        assert (team(owner)["seats_limit"], paid(owner)) == (7, [2999.0, 199.0])

    return Scenario(lambda: owner.post("/v1/payments/consumable/checkout", body, **key), 8, (201,), settled=bought)


def plan_fewer(world: World) -> Scenario:
    owner = an_owner(world, checking={"team_seats": 7})

    def planned() -> None:
        assert (team(owner)["seats_limit"], team(owner)["planned_seats"]) == (7, 6)

    return Scenario(lambda: owner.put(path_of(owner), {"seats": 6}), 4, (200,), settled=planned)


def tend_after_a_renewal(world: World) -> Scenario:
    owner = an_owner(world)
    member = a_member(world, owner)
    (seat, *_) = owner.get(path_of(owner, "/seat")).json[1:]
    world.now = START + timedelta(days=30)
    key = store.seat_key(holding(owner).id, seat["id"])
    world.renew()
    for message in [key for key in world.queue.holdings if key.sk.startswith("SUB#")]:
        tend(world.runtime.context(world.now), message)
    return Scenario(
        lambda: tend_seat(world.runtime.context(world.now), key),
        4,
        settled=lambda: have(owner, 2, (member, (5000, 2, -1))),
    )


REQUESTS: list[Prepare] = [
    give_a_seat,
    invite_to_a_seat,
    accept_a_seat,
    replace_somebody,
    remove_somebody,
    remove_somebody_invited,
    buy_seats,
    plan_fewer,
]


@pytest.mark.parametrize("prepare", REQUESTS, ids=lambda prepare: prepare.__name__)
class TestEachOutsideCallOfARequest:
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")


class TestEachOutsideCallOfTheWorker:
    def test_dying_at_it_comes_right(self, world: World) -> None:
        die_everywhere(world, tend_after_a_renewal, helps=("told", "swept"))

    def test_losing_its_answer_comes_right(self, world: World) -> None:
        lose_every_answer(world, tend_after_a_renewal, helped="told")
