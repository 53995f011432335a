"""What the owner of a team says of its recharges, and what the API shows of them."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import Period, Strategy
from tests.recharges import NINETY, SETTINGS, bought, recharged, recharges, recharging, use
from tests.recurring import run
from tests.shop import SEAT, a_plan, put
from tests.staffing import refused
from tests.teams import MENTORING, an_owner, path_of, seated, team
from tests.world import Person, World

SHOWN = (
    "auto_recharge_enabled",
    "auto_recharge_stopped",
    "recharge_threshold_amount",
    "recharge_amount",
    "max_period_spend",
    "current_period_spend",
)


@pytest.fixture
def owner(world: World) -> Person:
    return an_owner(world)


def shown(answer: Any) -> list[Any]:
    return [answer[name] for name in SHOWN]


class TestTheTeam:
    def test_has_no_recharge_until_its_owner_says_so(self, owner: Person) -> None:
        found = team(owner)
        assert shown(found) == [False, None, "10.00", "10.00", None, "0.00"]
        assert (found["spend_period_start"], found["spend_period_end"]) == (
            "2026-11-21T12:00:00Z",
            "2026-12-21T12:00:00Z",
        )

    def test_shows_what_was_said(self, owner: Person, world: World) -> None:
        answer = owner.put(path_of(owner), {**SETTINGS, "max_period_spend": "250.5", "per_member_cap": 3})
        assert answer.status == 200, answer.text
        assert shown(answer.json) == [True, None, "50.00", "100.00", "250.50", "0.00"]
        assert (answer.json["per_member_cap"], shown(team(owner))) == (3, shown(answer.json))
        only = owner.put(path_of(owner), {"max_period_spend": None}).json
        assert shown(only) == [True, None, "50.00", "100.00", None, "0.00"]
        off = owner.put(path_of(owner), {"auto_recharge_enabled": False}).json
        assert (shown(off)[0], off["per_member_cap"]) == (False, 3)

    def test_shows_the_month_that_is_under_way(self, world: World) -> None:
        put(
            world.table,
            a_plan(
                world.now,
                world.academy_id,
                id=2003,
                slug="by-the-year",
                prices={Period.YEAR: 900},
                seat_service_id=SEAT,
                seats_included=2,
                consumption_strategy=Strategy.PER_TEAM,
            ),
        )
        owner = an_owner(world, "by-the-year", chosen_period="YEAR")
        world.advance(days=70)
        found = team(owner)
        assert (found["spend_period_start"], found["spend_period_end"], found["period_end"]) == (
            "2027-01-21T12:00:00Z",
            "2027-02-21T12:00:00Z",
            "2027-11-21T12:00:00Z",
        )

    def test_finds_a_pool_that_is_low_already(self, owner: Person, world: World) -> None:
        assert use(owner, "one").status == 201
        recharged(owner)
        assert (owner.units(MENTORING), bought(owner)) == (3, [NINETY])

    def test_finds_one_that_another_threshold_makes_low(self, owner: Person, world: World) -> None:
        recharged(owner)
        assert bought(owner) == []
        recharged(owner, recharge_threshold_amount=100)
        assert bought(owner) == [NINETY]

    def test_finds_nothing_while_it_is_off(self, owner: Person, world: World) -> None:
        assert use(owner, "one").status == 201
        assert owner.put(path_of(owner), {"recharge_amount": 100}).status == 200
        assert recharges(owner) == []
        run(world)
        assert bought(owner) == []


class TestWhoElse:
    def test_sits_there_may_not_say_it(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        refused(member.put(path_of(owner), SETTINGS), 403, "only-owner-allowed")
        refused(world.person().put(path_of(owner), SETTINGS), 404, "subscription-not-found")
        assert shown(team(owner))[0] is False


class TestABody:
    @pytest.mark.parametrize(
        "changes",
        [
            {"recharge_amount": 0},
            {"recharge_amount": -1},
            {"recharge_amount": "ten"},
            {"recharge_amount": "1e3"},
            {"recharge_amount": ""},
            {"recharge_amount": True},
            {"recharge_amount": 10.001},
            {"recharge_amount": "10.001"},
            {"recharge_amount": 0.49},
            {"recharge_amount": 2_000_000_000},
            {"recharge_threshold_amount": -0.01},
            {"recharge_threshold_amount": "0.001"},
            {"max_period_spend": -1},
            {"max_period_spend": 0.005},
            {"auto_recharge_enabled": "yes"},
            {"auto_recharge_enabled": 1},
            {"seats": 7, "recharge_amount": 0.49},
        ],
        ids=str,
    )
    def test_that_makes_no_sense_changes_nothing(self, owner: Person, changes: dict[str, Any]) -> None:
        before = team(owner)
        answer = owner.put(path_of(owner), SETTINGS | changes)
        assert answer.status == 400, answer.text
        assert team(owner) == before

    def test_that_is_empty_is_refused(self, owner: Person) -> None:
        for body in ({}, {"auto_recharge_enabled": None}, {"recharge_amount": None}):
            assert owner.put(path_of(owner), body).status == 400

    def test_may_buy_seats_too(self, owner: Person, world: World) -> None:
        answer = owner.put(path_of(owner), {**SETTINGS, "seats": 6})
        assert (answer.status, answer.json["seats_limit"], shown(answer.json)[0]) == (200, 6, True), answer.text

    def test_for_a_team_without_a_pool_is_refused(self, world: World) -> None:
        plan = a_plan(
            world.now,
            world.academy_id,
            id=2004,
            slug="apart",
            prices={Period.MONTH: 100},
            seat_service_id=SEAT,
            seats_included=3,
            consumption_strategy=Strategy.PER_SEAT,
        )
        put(world.table, plan)
        owner = an_owner(world, "apart")
        refused(owner.put(path_of(owner), {**SETTINGS, "seats": 4}), 409, "team-has-no-pool")
        assert team(owner)["seats_limit"] == 3
        assert owner.put(path_of(owner), {"recharge_amount": 100}).status == 200


class TestWhatAUseCosts:
    """Reads and writes of the table, against those of a use before there were recharges."""

    def test_is_no_more_without_a_pool_or_a_recharge(self, owner: Person, world: World) -> None:
        alone = world.paying()
        assert alone.buy(how_many=3).status == 201
        assert calls(alone) == ["GetItem", "Query", "TransactWriteItems"]
        assert calls(owner) == ["GetItem", "Query", "Query", "GetItem", "TransactWriteItems"]

    def test_is_two_reads_more_where_it_is_watched(self, world: World) -> None:
        owner = recharging(world, recharge_threshold_amount=0)
        assert calls(owner) == ["GetItem", "Query", "Query", "GetItem", "BatchGetItem", "TransactWriteItems", "Query"]


def calls(person: Person) -> list[str]:
    """The table's operations in one use."""
    table, operations = person.world.table, []
    really_call = table.call

    def seen(operation: str, request: Any) -> Any:
        operations.append(operation)
        return really_call(operation, request)

    with patch.object(table, "call", seen):
        assert use(person, "counted").status == 201
    return operations
