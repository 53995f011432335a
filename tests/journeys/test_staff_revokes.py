"""Staff take units that were not spent, and what refunds and disputes make of what they gave and took (D67)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.billing.model import Invoice
from chalicelib.books.ledger.burn import by_page
from chalicelib.books.ledger.model import LOTS_PER_PAGE_MAX
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import Delete, anyway, commit, never
from chalicelib.flows.people import revoke as revoking
from tests.books import what_is_wrong
from tests.faults import rewrite
from tests.journeys.test_staff_refunds import refund, use
from tests.journeys.test_staff_units import given, rests, take, taken
from tests.journeys.test_taking_back import dispute
from tests.moto_table import all_rows
from tests.shop import COURSES, open_shop
from tests.staffing import Clerk, audited, clerk, everything, refused
from tests.world import World, a_world


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


class TestARevoke:
    def test_takes_what_would_be_spent_first(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        assert person.buy("ai-chat", 100).status == 201
        world.advance(seconds=1)
        late = given(staff, person, how_many=3)["items"][0]["id"]
        soon = given(staff, person, how_many=4, expires_at="2026-12-01T00:00:00Z")["items"][0]["id"]
        made = taken(staff, person, 100)
        assert made["items"][0] == {"id": soon, "how_many": 4}
        assert made["items"][1]["how_many"] == 96
        assert taken(staff, person, 6)["items"][-1] == {"id": late, "how_many": 2}
        assert person.units("ai-chat") == 1
        rests(world, person)

    def test_is_audited_and_told_in_the_timeline(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person)
        world.advance(seconds=1)
        made = taken(staff, person, 2, reason="Given by mistake.")
        ((_, before, after), _) = audited(world, f"user:{person.user_id}")
        assert (before, after["reason"], after["lots"]) == (None, "Given by mistake.", [[made["items"][0]["id"], 2]])
        (told, _) = staff.get(f"/v1/payments/academy/user/{person.user_id}/timeline").json
        assert (told["kind"], told["facts"]["how_many"]) == ("units-revoked", 2)

    def test_takes_all_or_nothing(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person)
        use(person, "ai-chat", 2)
        before = everything(world)
        answer = take(staff, person, 4)
        refused(answer, 409, "insufficient-units")
        assert "3 can be taken, 4 were asked for" in answer.json["detail"]
        refused(take(staff, world.person(), 1), 409, "insufficient-units")
        assert {key: row for key, row in everything(world).items() if key in before} == before
        assert taken(staff, person, 3)["how_many"] == 3
        assert person.units("ai-chat") == 0
        rests(world, person)

    def test_takes_nothing_that_expired(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person, expires_at="2026-11-22T00:00:00Z")
        world.advance(hours=12)
        refused(take(staff, person, 1), 409, "insufficient-units")

    def test_ends_unlimited_ones_that_staff_granted(self, staff: Clerk, world: World) -> None:
        person = world.person()
        refused(take(staff, person, -1), 409, "insufficient-units")
        given(staff, person, how_many=-1)
        given(staff, person, how_many=2)
        refused(take(staff, person, 3), 409, "insufficient-units")  # unlimited ones are not counted
        assert taken(staff, person, -1)["items"][0]["how_many"] == -1
        assert person.units("ai-chat") == 2
        refused(take(staff, person, -1), 409, "insufficient-units")
        rests(world, person)

    def test_ends_no_unlimited_ones_of_a_plan(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        person.pay(person.check("basic").json, chosen_period="MONTH")
        assert person.units("all-courses") == -1
        refused(take(staff, person, -1, service=COURSES), 409, "insufficient-units")
        rests(world, person)

    def test_takes_from_many_lots_only_so_many_at_once(self, staff: Clerk, world: World) -> None:
        person = world.person()
        for _ in range(revoking.LOTS_MAX + 1):
            given(staff, person, how_many=1)
        refused(take(staff, person, revoking.LOTS_MAX + 1), 400, "too-many-lots")
        taken(staff, person, revoking.LOTS_MAX)
        taken(staff, person, 1)
        rests(world, person)

    def test_takes_from_several_pages(self, staff: Clerk, world: World) -> None:
        person = world.person()
        for _ in range(LOTS_PER_PAGE_MAX):
            given(staff, person, how_many=1, expires_at="2027-01-01T00:00:00Z")
        given(staff, person, how_many=1, expires_at="2026-12-01T00:00:00Z")
        assert len(taken(staff, person, 2)["items"]) == 2
        rests(world, person)

    def test_and_a_use_at_once_never_share_the_last_unit(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person, how_many=1)
        with _meanwhile(lambda: use(person, "ai-chat")):
            refused(take(staff, person, 1), 409, "insufficient-units")
        assert person.units("ai-chat") == 0
        rests(world, person)

    def test_and_another_at_once_take_the_last_unit_once(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person, how_many=1)
        with _meanwhile(lambda: taken(staff, person, 1)):
            refused(take(staff, person, 1), 409, "insufficient-units")
        assert len(audited(world, f"user:{person.user_id}")) == 2
        rests(world, person)


class TestTheBooks:
    """What tests/books.py says of grants and revocations is known to be able to fail."""

    @pytest.mark.parametrize(
        ("prefix", "sentence"),
        [
            ("AUDIT#", "its audit says"),
            ("ACT#", "its audit says"),
            ("INVOICE#", "as revoked"),
            ("ENTRY#", "audit says"),
        ],
    )
    def test_see_what_is_missing(self, staff: Clerk, world: World, prefix: str, sentence: str) -> None:
        person = world.paying()
        person.buy("ai-chat", 100)
        world.settle()
        taken(staff, person, 40)
        assert what_is_wrong(world) == []
        last = [row for row in all_rows(world.table) if row.key.sk.startswith(prefix)][-1]
        if prefix == "INVOICE#":
            invoice = load(Invoice, last)
            rewrite(world, invoice, revoked_units={})
        else:
            commit(world.table, [Delete(key=last.key, condition=anyway, refused=never("no condition"))])
        assert any(sentence in wrong for wrong in what_is_wrong(world)), what_is_wrong(world)


class TestMoney:
    """Refunds and disputes of what was bought, beside units that staff gave or took."""

    def test_that_goes_back_takes_no_grant_with_it(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        invoice = person.buy("ai-chat", 100).json["id"]
        given(staff, person)
        world.settle()
        assert refund(staff.person, invoice, "r").status == 201
        assert person.units("ai-chat") == 5
        rests(world, person)

    def test_that_is_disputed_freezes_no_grant(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        person.buy("ai-chat", 100)
        world.settle()
        given(staff, person)
        dispute(world, "open")
        world.settle()
        assert person.units("ai-chat") == 5
        refused(take(staff, person, 6), 409, "insufficient-units")
        rests(world, person)

    @pytest.mark.parametrize("policy", ["forgive", "debt", "block"])
    def test_that_goes_back_does_not_count_as_spent_what_staff_took(self, policy: str) -> None:
        with a_world(open_shop, spent_policy=policy) as world:
            staff, person = clerk(world), world.paying()
            invoice = person.buy("ai-chat", 100).json["id"]
            world.settle()
            use(person, "ai-chat", 10)
            taken(staff, person, 40)
            answer = refund(staff.person, invoice, "r")
            assert answer.json["taken_back"] == [{"service": "ai-chat", "how_many": 50, "spent": 10}]
            assert person.units("ai-chat") == 0
            rests(world, person)

    def test_that_goes_back_in_part_leaves_the_rest(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        invoice = person.buy("ai-chat", 100).json["id"]
        world.settle()
        taken(staff, person, 70)
        half = refund(staff.person, invoice, "r", amount=0.5)
        assert (half.json["taken_back"], person.units("ai-chat")) == ([], 30)
        rest = refund(staff.person, invoice, "s")
        assert rest.json["taken_back"] == [{"service": "ai-chat", "how_many": 30, "spent": 0}]
        rests(world, person)

    def test_that_went_back_before_is_not_undone_by_what_staff_take_after(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        invoice = person.buy("ai-chat", 100).json["id"]
        world.settle()
        refund(staff.person, invoice, "r", amount=0.5)
        taken(staff, person, 30)
        dispute(world, "open")
        world.settle()
        dispute(world, "won")
        world.settle()
        assert person.units("ai-chat") == 20
        rests(world, person)

    def test_that_stays_after_all_gives_back_only_what_it_took(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        person.buy("ai-chat", 100)
        world.settle()
        taken(staff, person, 40)
        dispute(world, "open")
        world.settle()
        dispute(world, "won")
        world.settle()
        assert person.units("ai-chat") == 60
        rests(world, person)

    def test_that_is_owed_in_units_is_collected_from_a_grant(self) -> None:
        with a_world(open_shop, spent_policy="debt") as world:
            staff, person = clerk(world), world.paying()
            invoice = person.buy("ai-chat", 100).json["id"]
            world.settle()
            use(person, "ai-chat", 3)
            refund(staff.person, invoice, "r")
            assert given(staff, person, how_many=5)["collected"] == 3
            assert person.units("ai-chat") == 2
            rests(world, person)


class _meanwhile:  # noqa: N801  # reads as a clause
    """Something happens between what a revoke reads and what it writes, once."""

    def __init__(self, happens: Any) -> None:
        self._happens, self._patch = happens, patch.object(revoking, "by_page", self._by_page)
        self._happened = False

    def _by_page(self, takes: Any) -> Any:
        if not self._happened:
            self._happened = True
            self._happens()
        return by_page(takes)

    def __enter__(self) -> None:
        self._patch.start()

    def __exit__(self, *_: object) -> None:
        self._patch.stop()
        assert self._happened
