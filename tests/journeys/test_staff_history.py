"""A person's timeline at an academy, and the audit of its staff: whole, in order, page by page, and of one tenant."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.writes import commit
from tests.journeys.test_staff_financing import PATH as OPTIONS
from tests.journeys.test_staff_financing import made
from tests.journeys.test_staff_refunds import refund, use
from tests.journeys.test_staff_units import given, taken
from tests.journeys.test_staff_views import cursor_of, following
from tests.staffing import Clerk, clerk, clerk_elsewhere, refused
from tests.world import Person, World

AUDIT = "/v1/payments/academy/audit"


@pytest.fixture
def staff(world: World) -> Clerk:
    return clerk(world)


def path(person: Person) -> str:
    return f"/v1/payments/academy/user/{person.user_id}/timeline"


def told(staff: Clerk, person: Person, query: str = "") -> list[str]:
    answer = staff.get(f"{path(person)}?{query}")
    assert answer.status == 200, answer.text
    return [row["kind"] for row in answer.json]


def happened(world: World, person: Person, academy_id: int | None, ident: str) -> None:
    world.advance(seconds=1)
    row = Activity(id=ident, user_id=person.user_id, academy_id=academy_id, kind="units-bought", at=world.now)
    commit(world.table, [timeline.new(row)])


def disputed(world: World) -> None:
    """The bank of the last payment disputes it."""
    payment = world.at_stripe("payment_intent")[-1]["id"]
    world.control(f"/_control/dispute/{payment}", {"outcome": "open"})


class TestATimeline:
    def test_has_everything_newest_first(self, staff: Clerk, world: World) -> None:
        person = world.person()
        steps: list[Any] = [
            lambda: person.save_card("4000000000000341"),  # attaches, and is declined when it is charged
            lambda: person.buy("ai-chat", 100),
            person.save_card,
            lambda: person.buy("ai-chat", 100),
            lambda: use(person, "ai-chat"),
            lambda: given(staff, person),
            lambda: taken(staff, person, 2),
            lambda: use(person, "ai-chat"),
            lambda: refund(staff.person, person.invoices()[0]["id"], amount=0.5),
            lambda: disputed(world),
        ]
        for step in steps:
            world.advance(minutes=2)
            step()
            world.settle()
        assert told(staff, person) == [
            "dispute-recorded",
            "refund-recorded",
            "units-used",
            "units-revoked",
            "units-granted",
            "units-used",
            "units-bought",
            "payment-rejected",
        ]
        shown = staff.get(path(person)).json
        assert shown[2]["facts"] == {
            "session": shown[2]["facts"]["session"],
            "service": "ai-chat",
            "how_many": 1,
            "status": "DONE",
        }
        assert [row["at"] for row in shown] == sorted((row["at"] for row in shown), reverse=True)

    def test_says_which_uses_were_cancelled(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person)
        world.advance(seconds=1)
        (session,) = use(person, "ai-chat")
        person.put(f"/v1/payments/me/service/ai-chat/consumptionsession/{session}/cancel")
        (used, _) = staff.get(path(person)).json
        assert used["facts"]["status"] == "CANCELLED"

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
    def test_is_the_same_page_by_page(self, staff: Clerk, world: World, limit: int) -> None:
        person = world.person()
        given(staff, person)
        for number in range(5):
            world.advance(seconds=1)
            use(person, "ai-chat") if number % 2 else happened(world, person, world.academy_id, f"a{number}")
        whole = staff.get(f"{path(person)}?limit=100").json
        assert len(whole) == 6
        answer = staff.get(f"{path(person)}?limit={limit}")
        read = answer.json
        while "Link" in answer.headers:
            answer = following(staff, answer)
            assert answer.json, "the last page is no empty one"
            read += answer.json
        assert read == whole
        assert staff.get(f"{path(person)}?limit={limit}&offset=2").json == whole[2 : 2 + limit]

    def test_shows_nothing_of_other_academies(self, staff: Clerk, world: World) -> None:
        person, elsewhere = world.person(), clerk_elsewhere(world)
        given(staff, person, how_many=1)
        world.advance(seconds=1)
        use(person, "ai-chat")
        for number in range(30):
            happened(world, person, elsewhere.academy_id if number % 3 else None, f"theirs{number}")
        given(elsewhere, person)
        use(person, "ai-chat", 3)
        assert told(staff, person) == ["units-used", "units-granted"]
        assert told(staff, person, "limit=1&offset=1") == ["units-granted"]
        assert set(told(elsewhere, person, "limit=100")) == {"units-granted", "units-used", "units-bought"}
        first = staff.get(f"{path(person)}?limit=1")
        places = first.headers["Link"].partition("cursor=")[2].partition(">")[0].split(".")
        assert places[0] == "", "of the list that was not shown yet nothing is told"
        assert [row["kind"] for row in following(staff, first).json] == ["units-granted"]

    def test_has_no_cursor_that_names_another_academys_row(self, staff: Clerk, world: World) -> None:
        person, elsewhere = world.person(), clerk_elsewhere(world)
        for number in range(4):
            happened(world, person, world.academy_id, f"own{number}")
            happened(world, person, elsewhere.academy_id, f"theirs{number}")
        page = staff.get(f"{path(person)}?limit=2")
        page.headers["Link"] = page.headers["Link"].replace(".~", "")
        assert [row["id"] for row in page.json] == ["own3", "own2"]
        assert cursor_of(page)["sk"]["S"].endswith("#own2")

    @pytest.mark.parametrize("cursor", ["x", "~.~", ".", "..", "x.y", "~.x", "", "a.~", "%00.~"])
    def test_refuses_cursors_of_another(self, staff: Clerk, cursor: str) -> None:
        answer = staff.get(f"{path(staff.person)}?cursor={cursor}")
        assert answer.status == (200 if cursor == "." else 400), answer.text

    def test_needs_a_person_and_the_capability(self, staff: Clerk, world: World) -> None:
        refused(staff.get("/v1/payments/academy/user/99/timeline"), 404, "user-not-found")
        refused(clerk(world, "read_invoice").get(path(staff.person)), 403, "permission-denied")


class TestTheAudit:
    def test_tells_who_changed_what_newest_first(self, staff: Clerk, world: World) -> None:
        option = made(staff)
        world.advance(seconds=1)
        staff.put(f"{OPTIONS}/{option['id']}", {"how_many_months": 6})
        world.advance(seconds=1)
        staff.delete(f"{OPTIONS}/{option['id']}")
        found = staff.get(AUDIT).json
        assert {row["subject"] for row in found} == {f"financing-option:{option['id']}"}
        assert {row["by"] for row in found} == {f"user:{staff.person.user_id}"}
        shown = [tuple(of and of["how_many_months"] for of in (row["before"], row["after"])) for row in found]
        assert shown == [(6, None), (12, 6), (None, 12)]

    def test_is_filtered_by_subject_and_by_who(self, staff: Clerk, world: World) -> None:
        other, person = clerk(world), world.person()
        made(staff)
        world.advance(seconds=1)
        granted = given(other, person)
        world.advance(seconds=1)
        taken(staff, person, 1)
        of_person = staff.get(f"{AUDIT}?subject=user:{person.user_id}").json
        assert [row["after"]["kind"] for row in of_person] == ["units-revoked", "units-granted"]
        assert of_person[1]["after"]["reason"] == granted["reason"]
        by = f"by=user:{other.person.user_id}"
        assert [row["after"]["id"] for row in staff.get(f"{AUDIT}?{by}").json] == [granted["id"]]
        assert len(staff.get(f"{AUDIT}?by=user:{staff.person.user_id}").json) == 2
        assert staff.get(f"{AUDIT}?{by}&subject=plan:1").json == []

    def test_is_answered_page_by_page(self, staff: Clerk, world: World) -> None:
        for _ in range(3):
            made(staff)
            world.advance(seconds=1)
        page = staff.get(f"{AUDIT}?limit=2")
        assert page.json + following(staff, page).json == staff.get(AUDIT).json

    def test_of_another_academy_is_not_there(self, staff: Clerk, world: World) -> None:
        elsewhere, person = clerk_elsewhere(world), world.person()
        given(staff, person)
        assert elsewhere.get(AUDIT).json == elsewhere.get(f"{AUDIT}?subject=user:{person.user_id}").json == []

    def test_needs_the_capability(self, world: World) -> None:
        refused(clerk(world, "crud_subscription", "crud_consumable").get(AUDIT), 403, "permission-denied")


def test_amounts_of_the_timeline_are_in_major_units(world: World) -> None:
    person = world.paying()
    assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
    world.settle()
    shown = clerk(world).get(f"/v1/payments/academy/user/{person.user_id}/timeline").json
    (told,) = [one["facts"] for one in shown if one["kind"] == "plan-bought"]
    assert (told["amount"], told["currency"]) == (59.99, "USD")


def test_what_was_bought_names_its_version(world: World) -> None:
    person = world.paying()
    assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
    assert clerk(world).put("/v1/payments/academy/plan/basic", {"price_per_month": 70}).json["version"] == 2
    (held,) = clerk(world).get("/v1/payments/academy/subscription").json
    assert [(plan["slug"], plan["version"]) for plan in held["plans"]] == [("basic", 1)]
