"""Staff give a person units and take them: audited, in the timeline, once for each key, and never another's (D67)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import SetKind
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import Position
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.model import LOTS_PER_PAGE_MAX, Holder
from chalicelib.dynamo.table import Table
from tests.books import check_books
from tests.journeys.test_staff_refunds import use
from tests.shop import CHAT, COHORT_SET, COURSES, MENTOR_SET, MENTORING, SEAT, a_price, a_service, put
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.statements import statement_of, wrong_with
from tests.world import Person, Reply, World

GRANT = {"service": "ai-chat", "how_many": 5, "reason": "They waited for a mentor who never came."}


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def path(person: Person, verb: str = "") -> str:
    return f"/v1/payments/academy/user/{person.user_id}/consumable{verb}"


def give(staff: Clerk, person: Person, key: str | None = None, **changes: Any) -> Reply:
    headers = {} if key is None else {"Idempotency_Key": key}
    return staff.post(path(person), {**GRANT, **changes}, **headers)


def given(staff: Clerk, person: Person, **changes: Any) -> Any:
    answer = give(staff, person, **changes)
    assert answer.status == 201, answer.text
    return answer.json


def take(staff: Clerk, person: Person, how_many: int, key: str | None = None, **changes: Any) -> Reply:
    headers = {} if key is None else {"Idempotency_Key": key}
    return staff.post(path(person, "/revoke"), {**GRANT, "how_many": how_many, **changes}, **headers)


def taken(staff: Clerk, person: Person, how_many: int, **changes: Any) -> Any:
    answer = take(staff, person, how_many, **changes)
    assert answer.status == 200, answer.text
    return answer.json


def rests(world: World, *people: Person) -> None:
    """Everything has come to rest and adds up, and the statements of these people are whole."""
    world.settle()
    check_books(world)
    for person in people:
        assert wrong_with(statement_of(person), sealed=False) == []


class TestAGrant:
    def test_is_a_lot_that_its_owner_uses(self, staff: Clerk, world: World) -> None:
        person = world.person()
        made = given(staff, person)
        assert made == {
            "id": made["id"],
            "user": person.user_id,
            "service": {"id": CHAT, "slug": "ai-chat"},
            "how_many": 5,
            "reason": GRANT["reason"],
            "items": [{"id": f"{made['id']}_staff_0", "how_many": 5}],
            "set": None,
            "expires_at": None,
            "collected": 0,
        }
        use(person, "ai-chat", 2)
        (entry,) = person.get("/v1/payments/me/service/consumable").json["voids"]
        (lot,) = entry["items"]
        assert (entry["balance"]["unit"], lot["how_many"], lot["standalone_invoice"]) == (3, 3, None)
        (granted, *_) = ledger.entries(world.table, Holder.person(person.user_id), limit=9).items
        assert granted.cause == f"staff:{made['id']}"
        rests(world, person)

    def test_is_audited_and_told_in_the_timeline(self, staff: Clerk, world: World) -> None:
        person = world.person()
        made = given(staff, person)
        ((by, before, after),) = audited(world, f"user:{person.user_id}")
        assert (by, before) == (f"user:{staff.person.user_id}", None)
        assert (after["id"], after["reason"], after["how_many"]) == (made["id"], GRANT["reason"], 5)
        (told,) = staff.get(f"/v1/payments/academy/user/{person.user_id}/timeline").json
        facts = {"adjustment": made["id"], "service": "ai-chat", "how_many": 5}
        assert (told["kind"], told["facts"]) == ("units-granted", facts)

    def test_may_be_unlimited(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person, how_many=-1)
        use(person, "ai-chat", 3)
        assert person.units("ai-chat") == -1
        rests(world, person)

    def test_ends_when_it_is_said_to(self, staff: Clerk, world: World) -> None:
        person = world.person()
        made = given(staff, person, expires_at="2026-11-22T14:00:00.9+02:00")
        assert made["expires_at"] == "2026-11-22T12:00:00Z"
        world.advance(hours=23, minutes=59)
        assert person.units("ai-chat") == 5
        world.advance(minutes=1)
        assert person.units("ai-chat") == 0
        rests(world, person)

    def test_is_for_the_set_that_is_named_or_the_only_one(self, staff: Clerk, world: World) -> None:
        person = world.person()
        assert given(staff, person, service=MENTORING)["set"] == {"id": MENTOR_SET, "slug": "mentors"}
        assert given(staff, person, service=COURSES)["set"] is None
        assert given(staff, person, service=COURSES, set=COHORT_SET)["set"] == {"id": COHORT_SET, "slug": "cohorts"}
        refused(give(staff, person, service=MENTORING, set=COHORT_SET), 400, "service-set-not-offered")
        refused(give(staff, person, set=MENTOR_SET), 400, "service-set-not-offered")
        rests(world, person)

    def test_asks_which_set_where_there_are_several(self, staff: Clerk, world: World) -> None:
        sold = a_service(id=777, slug="workshops", type="MENTORSHIP_SERVICE_SET")
        sets = {SetKind.MENTORSHIP_SERVICE: (MENTOR_SET, 2)}
        put(world.table, sold, a_price(world.academy_id, id=990, service_id=777, set_ids=sets))
        refused(give(staff, world.person(), service="workshops"), 400, "service-set-required")

    @pytest.mark.parametrize(
        ("changes", "slug"),
        [
            ({"how_many": 0}, "how-many-is-not-valid"),
            ({"how_many": -2}, "how-many-is-not-valid"),
            ({"how_many": 1.5}, "how-many-is-not-valid"),
            ({"how_many": True}, "how-many-is-not-valid"),
            ({"how_many": 10**12}, "how-many-is-not-valid"),
            ({"how_many": None}, "how-many-is-required"),
            ({"service": None}, "service-is-required"),
            ({"reason": None}, "reason-is-required"),
            ({"reason": "  "}, "invalid-request"),
            ({"reason": "x" * 1001}, "invalid-request"),
            ({"expires_at": "2026-11-21T12:00:00Z"}, "invalid-expires-at"),
            ({"expires_at": "2026-11-21T12:00:00.9Z"}, "invalid-expires-at"),
            ({"expires_at": "2127-01-01T00:00:00Z"}, "invalid-expires-at"),
            ({"expires_at": "9999-12-31T23:59:59-14:00"}, "invalid-expires-at"),
            ({"expires_at": "0001-01-01T00:00:00+14:00"}, "invalid-expires-at"),
            ({"expires_at": "2026-12-01T12:00:00"}, "invalid-expires-at"),
            ({"expires_at": "tomorrow"}, "invalid-expires-at"),
            ({"service": "seat"}, "seats-are-not-granted"),
            ({"service": SEAT}, "seats-are-not-granted"),
            ({"set": 0}, "invalid-request"),
        ],
    )
    def test_of_what_is_none_is_refused(self, staff: Clerk, world: World, changes: Any, slug: str) -> None:
        person = world.person()
        before = everything(world)
        refused(give(staff, person, **changes), 400, slug)
        assert everything(world) == before

    def test_needs_a_person_and_a_service(self, staff: Clerk, world: World) -> None:
        before = everything(world)
        refused(staff.post("/v1/payments/academy/user/99/consumable", GRANT), 404, "user-not-found")
        refused(give(staff, staff.person, service="nothing"), 404, "service-not-found")
        refused(give(staff, staff.person, service=123456), 404, "service-not-found")
        assert everything(world) == before

    def test_is_of_a_service_that_the_academy_may_see(self, staff: Clerk, world: World) -> None:
        elsewhere = clerk_elsewhere(world)
        put(
            world.table,
            a_service(id=801, slug="theirs", private=True, owner_id=elsewhere.academy_id),
            a_service(id=802, slug="theirs-public", owner_id=elsewhere.academy_id),
            a_service(id=803, slug="theirs-sold", private=True, owner_id=elsewhere.academy_id),
            a_price(world.academy_id, id=991, service_id=803, set_ids={}),
        )
        person = world.person()
        refused(give(staff, person, service="theirs"), 404, "service-not-found")
        refused(take(staff, person, 1, service="theirs"), 404, "service-not-found")
        for service in ("theirs-public", "theirs-sold", "events"):
            given(staff, person, service=service)
        assert given(elsewhere, person, service="theirs")["service"]["id"] == 801

    def test_goes_to_the_next_page_where_one_is_full(self, staff: Clerk, world: World) -> None:
        person = world.person()
        for _ in range(LOTS_PER_PAGE_MAX + 1):
            given(staff, person, how_many=1)
        pages = ledger.balances(world.table, Holder.person(person.user_id))
        assert sorted(len(page.lots) for page in pages) == [1, LOTS_PER_PAGE_MAX]
        rests(world, person)


class TestAKey:
    def test_gives_once(self, staff: Clerk, world: World) -> None:
        person = world.person()
        first, again = give(staff, person, "k"), give(staff, person, "k")
        assert (first.status, again.status, again.json) == (201, 201, first.json)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert person.units("ai-chat") == 5
        rests(world, person)

    def test_takes_once(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person)
        first, again = take(staff, person, 2, "k"), take(staff, person, 2, "k")
        assert (first.status, again.status, again.json) == (200, 200, first.json)
        assert person.units("ai-chat") == 3

    def test_with_other_input_is_refused(self, staff: Clerk, world: World) -> None:
        person = world.person()
        give(staff, person, "k")
        before = everything(world)
        refused(give(staff, person, "k", how_many=6), 422, "idempotency-key-reused")
        assert everything(world) == before

    def test_is_each_academys_and_each_persons(self, staff: Clerk, world: World) -> None:
        """Somebody may be staff of two academies, and use one key in both."""
        person, elsewhere = world.person(), clerk_elsewhere(world)
        position = Position(capabilities=("crud_consumable",))
        identity.add_member(world.table, position, user_id=staff.person.user_id, academy_id=elsewhere.academy_id)
        there = Clerk(staff.person, elsewhere.academy_id)
        for clerk_of, whom in ((staff, person), (there, person), (staff, staff.person)):
            answer = give(clerk_of, whom, "k")
            assert answer.status == 201 and "Idempotent-Replayed" not in answer.headers
        assert (person.units("ai-chat"), staff.person.units("ai-chat")) == (10, 5)

    def test_keeps_no_refusal(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person, how_many=1)
        refused(take(staff, person, 2, "k"), 409, "insufficient-units")
        given(staff, person, how_many=1)
        assert take(staff, person, 2, "k").status == 200

    @pytest.mark.parametrize("verb", ["", "/revoke"])
    def test_whose_answer_was_lost_is_told_again(self, staff: Clerk, world: World, verb: str) -> None:
        """The process dies after the transaction, at its last outside call."""
        person = world.person()
        given(staff, person)
        real, died = Table.call, list[bool]()

        def call(table: Table, operation: str, request: Any) -> Any:
            answer = real(table, operation, request)
            if operation == "TransactWriteItems" and not died:
                died.append(True)
                raise KeyboardInterrupt
            return answer

        with patch.object(Table, "call", call), pytest.raises(KeyboardInterrupt):
            staff.post(path(person, verb), {**GRANT, "how_many": 2}, Idempotency_Key="k")
        again = staff.post(path(person, verb), {**GRANT, "how_many": 2}, Idempotency_Key="k")
        assert again.headers["Idempotent-Replayed"] == "true"
        assert person.units("ai-chat") == (3 if verb else 7)
        assert len(audited(world, f"user:{person.user_id}")) == 2
        rests(world, person)

    def test_sent_twice_at_once_gives_once(self, staff: Clerk, world: World) -> None:
        person = world.person()
        real, raced = Table.get, list[Reply]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.pk.startswith("IDEMPOTENCY#") and not raced:
                raced.append(None)  # type: ignore[arg-type]  # the inner call does not race again
                raced[0] = give(staff, person, "k")
            return row

        with patch.object(Table, "get", get):
            outer = give(staff, person, "k")
        assert (outer.status, outer.json) == (201, raced[0].json)
        assert person.units("ai-chat") == 5


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World) -> None:
        person, elsewhere = world.person(), clerk_elsewhere(world)
        given(staff, person)
        before = everything(world)
        refused(take(elsewhere, person, 1), 409, "insufficient-units")
        assert everything(world) == before
        given(elsewhere, person, how_many=7)
        answer = take(elsewhere, person, 8)
        assert "7 can be taken" in answer.json["detail"]
        taken(elsewhere, person, 7)
        assert person.units("ai-chat") == 5
        assert [after["how_many"] for _, _, after in audited(world, f"user:{person.user_id}")] == [5]

    @pytest.mark.parametrize("verb", ["", "/revoke"])
    def test_need_the_capability(self, world: World, verb: str) -> None:
        reader = clerk(world, "read_consumable", "crud_subscription")
        person = world.person()
        refused(reader.post(path(person, verb), GRANT), 403, "permission-denied")
