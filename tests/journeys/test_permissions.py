"""Whoever can use something of a service has its groups' permissions, as long as they can and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.books.catalog.model import Group, Permission
from chalicelib.books.catalog.store import changed
from chalicelib.dynamo.writes import commit
from tests.journeys.test_staff_refunds import refund, use
from tests.journeys.test_staff_units import given, taken
from tests.journeys.test_taking_back import dispute
from tests.shop import COURSES, MENTORING, a_service
from tests.staffing import Clerk, clerk, clerk_elsewhere, everything, refused
from tests.world import Person, World

PATH = "/v1/payments/me/permissions"
CHATTER = Group(name="Chatters", permissions=(Permission(name="Chat", codename="chat"),))
STUDENT = Group(
    name="Students",
    permissions=(Permission(name="Read lessons", codename="read_lesson"), Permission(name="Chat", codename="chat")),
)
MENTEE = Group(name="Students", permissions=(Permission(name="Book a mentor", codename="book"),))
GROUPS = (
    a_service(groups=(CHATTER,)),
    a_service(id=MENTORING, slug="mentorship-service", type="MENTORSHIP_SERVICE_SET", groups=(MENTEE,)),
    a_service(id=COURSES, slug="all-courses", type="COHORT_SET", groups=(STUDENT,)),
)


@pytest.fixture
def staff(world: World) -> Iterator[Clerk]:
    commit(world.table, [changed(service, version=1) for service in GROUPS])
    yield clerk(world)


def groups(person: Person, query: str = "") -> dict[str, list[str]]:
    answer = person.get(f"{PATH}?{query}")
    assert answer.status == 200, answer.text
    return {row["name"]: [one["codename"] for one in row["permissions"]] for row in answer.json["groups"]}


class TestPermissions:
    def test_are_those_of_what_can_be_used_unlimited_units_too(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        assert groups(person) == {}
        person.pay(person.check("basic").json, chosen_period="MONTH")
        assert groups(person) == {"Chatters": ["chat"], "Students": ["book", "chat", "read_lesson"]}
        assert person.get(PATH).json["groups"][0] == {
            "academy": world.academy_id,
            "name": "Chatters",
            "permissions": [{"name": "Chat", "codename": "chat"}],
        }

    def test_go_with_the_last_unit_and_come_back_with_it(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person, how_many=1)
        (session,) = use(person, "ai-chat")
        assert groups(person) == {}
        person.put(f"/v1/payments/me/service/ai-chat/consumptionsession/{session}/cancel")
        assert groups(person) == {"Chatters": ["chat"]}

    def test_go_with_the_paid_period(self, staff: Clerk, world: World) -> None:
        person = world.paying()
        person.pay(person.check("basic").json, chosen_period="MONTH")
        world.advance(days=31)
        assert groups(person) == {}

    @pytest.mark.parametrize("ends", ["refund", "dispute", "revoke"])
    def test_go_at_once_when_what_gave_them_does(self, staff: Clerk, world: World, ends: str) -> None:
        person = world.paying()
        person.pay(person.check("basic").json, chosen_period="MONTH")
        world.settle()
        given(staff, person, service=COURSES, how_many=-1)
        if ends == "refund":
            refund(staff.person, person.invoices()[0]["id"])
        elif ends == "dispute":
            dispute(world, "open")
            world.settle()
        else:
            taken(staff, person, 2, service=MENTORING)
            assert groups(person) == {"Chatters": ["chat"], "Students": ["chat", "read_lesson"]}
            return
        assert groups(person) == {"Students": ["chat", "read_lesson"]}  # what staff gave is still there
        taken(staff, person, -1, service=COURSES)
        assert groups(person) == {}

    def test_of_what_is_owed_are_none(self, staff: Clerk, world: World) -> None:
        """Two are bought one by one, the first is used and refunded: the second pays for it."""
        world.runtime.settings = world.runtime.settings.model_copy(update={"spent_policy": "debt"})
        person = world.paying()
        first: Any = person.buy(how_many=1).json["id"]
        world.advance(seconds=1)
        person.buy(how_many=1)
        world.settle()
        use(person, "mentorship-service")
        refund(staff.person, first)
        assert groups(person) == {}
        given(staff, person, service=MENTORING, how_many=1)
        assert groups(person) == {"Students": ["book"]}

    def test_are_each_academys(self, staff: Clerk, world: World) -> None:
        person, elsewhere = world.person(), clerk_elsewhere(world)
        given(staff, person)
        given(elsewhere, person, service=COURSES)
        found = {(row["academy"], row["name"]) for row in person.get(PATH).json["groups"]}
        assert found == {(world.academy_id, "Chatters"), (elsewhere.academy_id, "Students")}
        assert groups(person, "academy=lakeside") == {"Students": ["chat", "read_lesson"]}
        assert groups(person, f"academy={world.academy_id}") == {"Chatters": ["chat"]}
        refused(person.get(f"{PATH}?academy=nowhere"), 404, "academy-not-found")

    def test_are_derived_and_never_stored(self, staff: Clerk, world: World) -> None:
        person = world.person()
        given(staff, person)
        before = everything(world)
        groups(person)
        assert everything(world) == before
        commit(world.table, [changed(a_service(groups=(MENTEE,)), version=2)])
        assert groups(person) == {"Students": ["book"]}
