"""Several calls use, and give back, the same units at the same moment: no unit is used twice, none is lost."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.chain import PARENTS_MAX
from chalicelib.books.ledger.model import Holder
from infra.verify_statement import wrong_against
from tests.concurrency.parallel import UNIT, ParallelWorld, at_once, statuses
from tests.statements import statement_of, wrong_with
from tests.world import Person, Reply

PATH = f"/v1/payments/me/service/{UNIT}/consumptionsession"


def use(person: Person) -> Reply:
    return person.put(PATH)


def left_by_entries(world: ParallelWorld, holder: Holder) -> int:
    found = ledger.entries(world.table, holder, limit=200)
    assert found.next_cursor is None
    return sum(entry.units for entry in found.items)


def check_statement(person: Person, *, entries: int) -> Any:
    """The person's statement is whole and has so many entries; answers its one account."""
    statement = statement_of(person)
    assert wrong_with(statement, sealed=False) == []
    (account,) = statement["accounts"]
    assert account["totals"]["entries"] == entries
    return account


def left_in_lots(world: ParallelWorld, holder: Holder) -> int:
    return sum(lot.remaining for page in ledger.balances(world.table, holder) for lot in page.lots)


class TestSpending:
    @pytest.mark.parametrize("lots", [(50,), (20, 20, 10)])
    def test_sixty_four_calls_on_fifty_units(self, world: ParallelWorld, lots: tuple[int, ...]) -> None:
        person = world.person()
        holder = world.give(person, *lots)
        replies = at_once(64, lambda number: use(person))
        assert statuses(replies) == {201: 50, 402: 14}, [r.text for r in replies if r.status not in (201, 402)]
        assert len({reply.json["id"] for reply in replies if reply.status == 201}) == 50
        assert (left_by_entries(world, holder), left_in_lots(world, holder), person.units(UNIT)) == (0, 0, 0)
        assert len(world.table.query(f"USER#{person.user_id}", prefix="SESSION#", limit=100).items) == 50
        check_statement(person, entries=len(lots) + 50)

    def test_twenty_calls_on_five_units(self, world: ParallelWorld) -> None:
        person = world.person()
        holder = world.give(person, 5)
        replies = at_once(20, lambda number: use(person))
        assert statuses(replies) == {201: 5, 402: 15}
        assert (left_by_entries(world, holder), left_in_lots(world, holder), person.units(UNIT)) == (0, 0, 0)
        check_statement(person, entries=6)

    def test_thirty_two_uses_of_an_unlimited_lot_are_all_linked_and_joined_by_the_next(
        self, world: ParallelWorld
    ) -> None:
        person = world.person()
        world.give(person, -1)
        assert statuses(at_once(32, lambda number: use(person))) == {201: 32}
        loose = len(check_statement(person, entries=33)["heads"])
        for number in range(8):
            assert use(person).status == 201
            heads = len(check_statement(person, entries=34 + number)["heads"])
            assert heads == max(1, loose - PARENTS_MAX + 1)
            loose = heads

    def test_statements_that_are_asked_for_meanwhile_are_of_one_moment_each(self, world: ParallelWorld) -> None:
        person = world.person()
        world.give(person, 40)

        def act(number: int) -> Reply:
            return person.get("/v1/payments/me/statement") if number % 4 == 0 else use(person)

        replies = at_once(40, act)
        statements = [reply.json for reply in replies[::4]]
        assert [wrong_with(statement, sealed=False) for statement in statements] == [[]] * 10
        last = statement_of(person)
        assert [wrong_against(last, statement) for statement in statements] == [[]] * 10
        check_statement(person, entries=31)

    def test_eight_calls_with_one_hash_use_one(self, world: ParallelWorld) -> None:
        person = world.person()
        holder = world.give(person, 5)
        replies = at_once(8, lambda number: person.put(f"{PATH}/one-hash"))
        assert statuses(replies) == {201: 1, 200: 7}
        assert len({reply.json["id"] for reply in replies}) == 1
        assert (left_by_entries(world, holder), person.units(UNIT)) == (4, 4)


class TestCancelling:
    def test_twelve_calls_give_one_session_back_once(self, world: ParallelWorld) -> None:
        person = world.person()
        holder = world.give(person, 3)
        session = use(person).json["id"]
        replies = at_once(12, lambda number: person.put(f"{PATH}/{session}/cancel"))
        assert statuses(replies) == {200: 1, 409: 11}
        assert (left_by_entries(world, holder), left_in_lots(world, holder), person.units(UNIT)) == (3, 3, 3)

    def test_eight_sessions_of_one_emptied_lot_all_come_back(self, world: ParallelWorld) -> None:
        person = world.person()
        holder = world.give(person, 8)
        sessions = [use(person).json["id"] for _ in range(8)]
        assert person.units(UNIT) == 0
        replies = at_once(8, lambda number: person.put(f"{PATH}/{sessions[number]}/cancel"))
        assert statuses(replies) == {200: 8}
        assert (left_by_entries(world, holder), left_in_lots(world, holder), person.units(UNIT)) == (8, 8, 8)
        check_statement(person, entries=17)

    def test_cancelling_and_using_the_last_unit_at_once_neither_lose_nor_make_one(self, world: ParallelWorld) -> None:
        person = world.person()
        holder = world.give(person, 1, 1)
        held = [use(person).json["id"] for _ in range(2)]

        def act(number: int) -> Reply:
            return person.put(f"{PATH}/{held[number]}/cancel") if number < 2 else use(person)

        replies = at_once(8, act)
        assert statuses(replies[:2]) == {200: 2}
        assert {reply.status for reply in replies[2:]} <= {201, 402}
        used = statuses(replies[2:]).get(201, 0)
        assert used <= 2
        left = 2 - used
        assert (left_by_entries(world, holder), left_in_lots(world, holder), person.units(UNIT)) == (left,) * 3
        check_statement(person, entries=6 + used)
