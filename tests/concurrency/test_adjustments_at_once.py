"""Several staff give and take units of one person at the same moment, while they use them."""

from __future__ import annotations

from typing import Any

from chalicelib.books.ledger.model import Holder
from tests.concurrency.parallel import UNIT, ParallelWorld, at_once, statuses
from tests.concurrency.test_uses_at_once import check_statement, left_by_entries, left_in_lots, use
from tests.staffing import Clerk, audited, clerk
from tests.world import Person, Reply


def grant(staff: Clerk, person: Person, how_many: int, **headers: str) -> Reply:
    path = f"/v1/payments/academy/user/{person.user_id}/consumable"
    body: Any = {"service": UNIT, "how_many": how_many, "reason": "a reason"}
    return staff.post(path, body, **headers)


def revoke(staff: Clerk, person: Person, how_many: int, **headers: str) -> Reply:
    path = f"/v1/payments/academy/user/{person.user_id}/consumable/revoke"
    body: Any = {"service": UNIT, "how_many": how_many, "reason": "a reason"}
    return staff.post(path, body, **headers)


class TestAtOnce:
    def test_eight_grants_under_one_key_are_one(self, world: ParallelWorld) -> None:
        staff, person = clerk(world), world.person()
        replies = at_once(8, lambda number: grant(staff, person, 5, Idempotency_Key="k"))
        assert statuses(replies) == {201: 8}
        assert len({reply.json["id"] for reply in replies}) == 1
        assert person.units(UNIT) == 5

    def test_four_revokes_of_the_last_unit_take_it_once(self, world: ParallelWorld) -> None:
        staff, person = clerk(world), world.person()
        assert grant(staff, person, 1).status == 201
        replies = at_once(4, lambda number: revoke(staff, person, 1))
        assert statuses(replies) == {200: 1, 409: 3}
        holder = Holder.person(person.user_id)
        assert (left_by_entries(world, holder), left_in_lots(world, holder)) == (0, 0)
        assert len(audited(world, f"user:{person.user_id}")) == 2
        check_statement(person, entries=2)

    def test_grants_revokes_and_uses_lose_and_make_no_unit(self, world: ParallelWorld) -> None:
        staff, person = clerk(world), world.person()
        assert grant(staff, person, 4).status == 201

        def act(number: int) -> Reply:
            if number % 3 == 2:
                return use(person)
            return revoke(staff, person, 1) if number % 3 else grant(staff, person, 1)

        replies = at_once(9, act)
        given, gone = statuses(replies[::3]).get(201, 0), 0
        gone += statuses(replies[1::3]).get(200, 0) + statuses(replies[2::3]).get(201, 0)
        holder, left = Holder.person(person.user_id), 4 + given - gone
        assert (left_by_entries(world, holder), left_in_lots(world, holder), person.units(UNIT)) == (left,) * 3
        check_statement(person, entries=1 + given + gone)
