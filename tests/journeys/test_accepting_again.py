"""Whoever has an account by the time that they accept keeps it, and gets what another academy promised, once."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy, NewUser
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import backoff, commit
from tests.books import check_books
from tests.enrolling import EMAIL, PASSWORD, accept, invited, login, open_cohorts, secret_of, signed_in
from tests.shop import BASIC, a_plan, put
from tests.staffing import Clerk, clerk, everything, refused
from tests.teams import CHAT, an_owner, fill, team
from tests.world import Person, World

LAKESIDE, FURTHER = 7001, 7002
OTHER_PASSWORD = "another long password"


@pytest.fixture
def staff(world: World) -> Clerk:
    open_cohorts(world)
    return clerk(world)


@pytest.fixture
def elsewhere(world: World) -> Clerk:
    """Staff of another academy, which has two plans."""
    new = NewAcademy(name="Lakeside", slug="lakeside", main_currency="USD")
    academy = identity.create_academy(world.table, new, now=world.now)
    for ident, slug in ((LAKESIDE, "lakeside"), (FURTHER, "further")):
        changes = {"id": ident, "slug": slug, "cohort_set_id": None, "mentorship_service_set_id": None}
        put(world.table, a_plan(world.now, academy.id, **changes))
    return clerk(world, academy_id=academy.id)


@pytest.fixture
def secret(staff: Clerk, elsewhere: Clerk) -> str:
    """Of the other academy's link, to somebody who makes an account by the first one's."""
    return invited(elsewhere, LAKESIDE, FURTHER, cohort=[])


@pytest.fixture
def student(world: World, staff: Clerk, secret: str) -> Person:
    return signed_in(world, accept(world, invited(staff, BASIC)))


def plans(person: Person) -> list[str]:
    held = person.get("/v1/payments/me/subscription").json["subscriptions"]
    return sorted(one["plans"][0]["slug"] for one in held)


def tokens(world: World) -> int:
    return len([key for key in everything(world) if " TOKEN#" in key])


class TestASecondAcademy:
    def test_gives_what_it_promised_to_the_same_account(self, world: World, student: Person, secret: str) -> None:
        answer = accept(world, secret)
        assert answer.status == 200, answer.text
        assert answer.json == {"token": None, "expires_at": None, "user_id": student.user_id, "email": EMAIL}
        assert plans(student) == ["basic", "further", "lakeside"]
        assert (student.units(CHAT), len(student.invoices())) == (15_000, 3)
        refused(accept(world, secret), 410, "invitation-already-accepted")
        world.settle()
        assert len(student.invoices()) == 3
        check_books(world)

    def test_lets_nobody_in(self, world: World, student: Person, secret: str) -> None:
        before = tokens(world)
        assert before > 0
        assert accept(world, secret, OTHER_PASSWORD).status == 200
        assert tokens(world) == before
        wrong = {"email": EMAIL, "password": OTHER_PASSWORD}
        refused(world.call("POST", "/v1/auth/login", body=wrong), 401, "wrong-login")
        assert login(world).status == 200

    def test_has_them_as_a_student(self, world: World, student: Person, secret: str, elsewhere: Clerk) -> None:
        accept(world, secret)
        again = {"email": EMAIL, "first_name": "Kay", "invite": True}
        refused(elsewhere.post("/v1/auth/academy/student", again), 400, "already-exists-with-this-email")

    def test_may_have_added_them_since(self, world: World, student: Person, secret: str, elsewhere: Clerk) -> None:
        assert elsewhere.post("/v1/auth/academy/student", {"email": EMAIL}).status == 201
        assert accept(world, secret).status == 200
        assert plans(student) == ["basic", "further", "lakeside"]

    def test_gives_no_plan_that_they_have_bought_since(self, world: World, student: Person, secret: str) -> None:
        student.save_card()
        assert student.pay(student.check("further").json, chosen_period="MONTH").status == 200
        assert accept(world, secret).status == 200
        assert plans(student) == ["basic", "further", "lakeside"]
        assert sorted(invoice["amount"] for invoice in student.invoices()) == [0.0, 0.0, 59.99]
        world.settle()
        check_books(world)

    def test_gives_it_within_minutes_where_the_process_dies(self, world: World, student: Person, secret: str) -> None:
        with patch("chalicelib.entrypoints.academy.identity.deliver", side_effect=RuntimeError("killed")):
            assert accept(world, secret).status == 200
        world.advance(minutes=2)
        world.sweep()
        assert plans(student) == ["basic", "further", "lakeside"]
        world.settle()
        check_books(world)

    def test_needs_its_own_link(self, world: World, student: Person, secret: str) -> None:
        refused(accept(world, secret[:-1] + ("A" if secret[-1] != "A" else "B")), 404, "invitation-not-found")
        assert plans(student) == ["basic"]


class TestAnAccount:
    def test_that_is_made_meanwhile_is_the_one(self, world: World, secret: str) -> None:
        raced: list[bool] = []

        def commit_late(table: Table, writes: Any) -> None:
            if not raced:
                raced.append(True)
                new = NewUser(email=EMAIL.title(), first_name="Kay", password=PASSWORD)
                identity.create_user(world.table, new, now=world.now)
            commit(table, writes)

        with patch("chalicelib.flows.enrollment.accept.commit", commit_late), patch.object(backoff, "sleep"):
            answer = accept(world, secret, OTHER_PASSWORD)
        assert (answer.status, answer.json["token"]) == (200, None)
        assert plans(signed_in(world, login(world))) == ["further", "lakeside"]

    def test_whose_plan_is_bought_meanwhile_gets_the_others(self, world: World, student: Person, secret: str) -> None:
        student.save_card()
        bag, raced = student.check("further").json, list[bool]()

        def commit_late(table: Table, writes: Any) -> None:
            if not raced:
                raced.append(True)
                assert student.pay(bag, chosen_period="MONTH").status == 200
            commit(table, writes)

        with patch("chalicelib.flows.enrollment.accept.commit", commit_late), patch.object(backoff, "sleep"):
            assert accept(world, secret).status == 200
        assert plans(student) == ["basic", "further", "lakeside"]
        world.settle()
        check_books(world)

    def test_gets_the_seat_that_it_was_invited_to_before(self, world: World, elsewhere: Clerk) -> None:
        owner = an_owner(world)
        fill(owner, EMAIL)
        world.settle()
        of_the_seat = secret_of(world)
        student = signed_in(world, accept(world, invited(elsewhere, cohort=[])))
        assert accept(world, of_the_seat).json["token"] is None
        assert (student.units(CHAT), team(owner)["seats_count"]) == (5000, 2)
        world.settle()
        check_books(world)
