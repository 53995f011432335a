"""A team's pool: everybody uses it, each of the members at most so much in a period (D74)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import Period, Strategy
from chalicelib.dynamo.writes import commit as really_commit
from chalicelib.flows.metering import consume as consuming
from tests.books import check_books
from tests.recurring import holding, live, run
from tests.shop import SEAT, a_plan, put
from tests.staffing import refused
from tests.teams import MENTORING, an_owner, path_of, seated, team
from tests.world import Person, Reply, World


@pytest.fixture
def owner(world: World) -> Person:
    """Two mentorships a month are pooled."""
    return an_owner(world)


@pytest.fixture
def member(owner: Person, world: World) -> Person:
    found = world.paying()
    seated(owner, found)
    assert cap(owner, 1).json["per_member_cap"] == 1
    return found


def cap(owner: Person, units: int | None) -> Reply:
    answer = owner.put(path_of(owner), {"per_member_cap": units})
    assert answer.status == 200, answer.text
    return answer


def use(person: Person, name: str) -> Reply:
    return person.put(f"/v1/payments/me/service/{MENTORING}/consumptionsession/{name}")


class TestTheCap:
    def test_holds_for_a_period(self, owner: Person, member: Person, world: World) -> None:
        assert use(member, "one").status == 201
        refused(use(member, "two"), 402, "per-member-cap-reached")
        assert (use(member, "one").status, owner.units(MENTORING)) == (200, 1)
        live(world, 31)
        assert use(member, "three").status == 201
        refused(use(member, "four"), 402, "per-member-cap-reached")
        check_books(world)

    def test_is_each_members_own_and_not_the_owners(self, owner: Person, member: Person, world: World) -> None:
        other = world.person()
        seated(owner, other)
        assert use(member, "one").status == 201
        assert use(other, "one").status == 201
        live(world, 31)
        assert [use(owner, name).status for name in ("one", "two")] == [201, 201]

    def test_leaves_what_they_have_themselves(self, owner: Person, member: Person, world: World) -> None:
        assert member.buy(how_many=1).status == 201
        assert [use(member, name).status for name in ("one", "two")] == [201, 201]
        assert (owner.units(MENTORING), member.units(MENTORING)) == (1, 1)

    def test_counts_no_more_what_was_cancelled(self, owner: Person, member: Person, world: World) -> None:
        used = use(member, "one").json["id"]
        path = f"/v1/payments/me/service/{MENTORING}/consumptionsession/{used}/cancel"
        assert member.put(path).status == 200
        assert use(member, "two").status == 201
        refused(use(member, "three"), 402, "per-member-cap-reached")

    def test_holds_for_two_uses_at_once(self, owner: Person, member: Person, world: World) -> None:
        raced: list[Reply | None] = []

        def late(*args: Any) -> None:
            if not raced:
                raced.append(None)
                raced.append(use(member, "first"))
            really_commit(*args)

        with patch.object(consuming, "commit", late):
            refused(use(member, "second"), 402, "per-member-cap-reached")
        assert raced[1] is not None
        assert (raced[1].status, owner.units(MENTORING)) == (201, 1)

    def test_is_taken_away(self, owner: Person, member: Person) -> None:
        assert cap(owner, None).json["per_member_cap"] is None
        assert [use(member, name).status for name in ("one", "two")] == [201, 201]

    def test_of_nothing_lets_them_use_nothing(self, owner: Person, member: Person) -> None:
        cap(owner, 0)
        refused(use(member, "one"), 402, "per-member-cap-reached")

    def test_is_set_with_the_seats_or_alone_and_by_the_owner(self, owner: Person, member: Person) -> None:
        both = owner.put(path_of(owner), {"seats": 6, "per_member_cap": 2})
        assert (both.json["seats_limit"], both.json["per_member_cap"]) == (6, 2), both.text
        assert owner.put(path_of(owner), {}).status == 400
        refused(member.put(path_of(owner), {"per_member_cap": 9}), 403, "only-owner-allowed")
        assert team(owner)["per_member_cap"] == 2


class TestAPlanThatGetsAPool:
    def test_opens_it_to_whoever_sits_there_already(self, world: World) -> None:
        alone = a_plan(
            world.now,
            world.academy_id,
            id=2001,
            slug="crew",
            prices={Period.MONTH: 100},
            seat_service_id=SEAT,
            seats_included=3,
            consumption_strategy=Strategy.PER_SEAT,
        )
        put(world.table, alone)
        owner, member = an_owner(world, "crew"), world.person()
        seated(owner, member)
        path = f"/v1/payments/me/subscription/{holding(owner).id}/change"
        assert owner.put(path, {"plan": "team", "chosen_period": "MONTH"}).status == 200
        run(world)
        assert (owner.units(MENTORING), member.units(MENTORING)) == (2, 2)
        assert use(member, "one").status == 201
        assert (owner.units(MENTORING), member.units(MENTORING)) == (1, 1)
        check_books(world)
