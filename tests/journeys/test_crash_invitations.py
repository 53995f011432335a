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


class TestEachOutsideCall:
    @pytest.mark.parametrize("prepare", [invite, accept_two_plans], ids=lambda prepare: prepare.__name__)
    def test_dying_at_it_comes_right(self, world: World, prepare: Prepare) -> None:
        die_everywhere(world, prepare, helps=("told", "swept", "again"))

    def test_of_the_sweep_dying_at_it_comes_right(self, world: World) -> None:
        die_everywhere(world, deliver_what_was_left, helps=("told", "swept"))

    @pytest.mark.parametrize("prepare", [invite, accept_two_plans], ids=lambda prepare: prepare.__name__)
    def test_losing_its_answer_comes_right(self, world: World, prepare: Prepare) -> None:
        lose_every_answer(world, prepare, helped="again")

    def test_of_the_sweep_losing_its_answer_comes_right(self, world: World) -> None:
        lose_every_answer(world, deliver_what_was_left, helped="swept")
