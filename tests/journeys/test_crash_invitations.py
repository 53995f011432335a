"""Inviting, accepting, delivering: each dies at each of its outside calls, or loses the answer, and comes right."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from chalicelib.kernel.errors import TryLater
from tests.enrolling import (
    EMAIL,
    INVITES,
    STUDENT,
    a_student,
    accept,
    invited,
    login,
    open_cohorts,
    secrets_of,
    signed_in,
)
from tests.journeys.test_crash import Prepare, Scenario, die_everywhere, has, lose_every_answer
from tests.shop import BASIC, BOOTCAMP
from tests.staffing import clerk
from tests.world import World


def invite(world: World) -> Scenario:
    open_cohorts(world)
    staff = clerk(world)
    body = a_student(plans=[BASIC])

    def mailed() -> None:
        assert len(staff.get(INVITES).json) == 1
        assert len(set(secrets_of(world))) == 1  # perhaps mailed twice, but one link

    return Scenario(lambda: staff.post(STUDENT, body), 8, (201, 400), settled=mailed)


def invite_again(world: World) -> Scenario:
    open_cohorts(world)
    staff = clerk(world)
    first = invited(staff, BASIC)
    (listed,) = staff.get(INVITES).json

    def newest_link_serves() -> None:
        """Of those that were mailed since; a mail that a sweep sends may come after that of the newest."""
        assert accept(world, first).status == 404
        assert sorted(accept(world, secret).status for secret in set(secrets_of(world)[1:]))[0] == 200

    return Scenario(lambda: staff.post(f"{INVITES}/{listed['id']}/resend"), 5, (200,), settled=newest_link_serves)


def take_an_invitation_back(world: World) -> Scenario:
    open_cohorts(world)
    staff = clerk(world)
    secret = invited(staff, BASIC)
    (listed,) = staff.get(INVITES).json

    def no_link_serves() -> None:
        assert (accept(world, secret).status, staff.get(INVITES).json) == (410, [])

    return Scenario(lambda: staff.delete(f"{INVITES}/{listed['id']}"), 3, (204, 404), settled=no_link_serves)


def accept_two_plans(world: World) -> Scenario:
    open_cohorts(world)
    secret = invited(clerk(world), BASIC, BOOTCAMP)
    return Scenario(lambda: accept(world, secret), 13, (200, 410), settled=lambda: given(world))


def deliver_what_was_left(world: World) -> Scenario:
    """The call that accepted died before it delivered anything."""
    open_cohorts(world)
    secret = invited(clerk(world), BASIC, BOOTCAMP)
    with patch("chalicelib.entrypoints.academy.identity.deliver", side_effect=TryLater):
        assert accept(world, secret).status == 200
    world.advance(minutes=2)
    return Scenario(world.sweep, 20, settled=lambda: given(world))


def given(world: World) -> None:
    """The account is there, with each plan once; every plan was told of."""
    student = signed_in(world, login(world))
    assert sorted(invoice["amount"] for invoice in student.invoices()) == [0.0, 0.0]
    has(student, chat=10000)
    assert {mail.to for mail, _ in world.mailer.sent} == {EMAIL}
    assert len({ident for mail, ident in world.mailer.sent if "receipt" in mail.subject}) == 2


REQUESTS: list[Prepare] = [invite, invite_again, take_an_invitation_back, accept_two_plans]


class TestEachOutsideCall:
    @pytest.mark.parametrize("prepare", REQUESTS, ids=lambda prepare: prepare.__name__)
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_of_the_sweep_dying_at_it_comes_right(self, world: World) -> None:
        die_everywhere(world, deliver_what_was_left, helps=("told", "swept"))

    @pytest.mark.parametrize("prepare", REQUESTS, ids=lambda prepare: prepare.__name__)
    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")

    def test_of_the_sweep_losing_its_answer_comes_right(self, world: World) -> None:
        lose_every_answer(world, deliver_what_was_left, helped="swept")
