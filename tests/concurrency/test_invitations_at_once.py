"""Several calls invite, accept and deliver at the same moment: one invitation, one account, each plan once."""

from __future__ import annotations

from unittest.mock import patch

from tests.concurrency.parallel import ParallelWorld, at_once, statuses
from tests.enrolling import EMAIL, INVITES, STUDENT, a_student, accept, invited, login, open_cohorts, signed_in
from tests.shop import BASIC, BOOTCAMP, TEAM
from tests.staffing import clerk


def test_eight_calls_make_one_invitation(world: ParallelWorld) -> None:
    open_cohorts(world)
    staff = clerk(world)
    bodies = [a_student(plans=[BASIC]), a_student(email=EMAIL.upper())]
    replies = at_once(8, lambda number: staff.post(STUDENT, bodies[number % 2]))
    assert statuses(replies) == {201: 1, 400: 7}, [reply.text for reply in replies]
    assert {reply.json["slug"] for reply in replies if reply.status == 400} == {"already-invited"}
    assert len(staff.get(INVITES).json) == 1


def test_eight_calls_make_one_account_with_each_plan_once(world: ParallelWorld) -> None:
    open_cohorts(world)
    secret = invited(clerk(world), BASIC, BOOTCAMP, TEAM)

    replies = at_once(8, lambda number: accept(world, secret))
    assert statuses(replies) == {200: 1, 410: 7}, [reply.text for reply in replies]
    student = signed_in(world, login(world))
    assert len(student.invoices()) == 3
    assert student.units("ai-chat") == 15000
    world.come_to_rest()


def test_sweeps_at_once_deliver_what_is_left_once(world: ParallelWorld) -> None:
    """A call that accepted died, and the minute's tick runs four times at once."""
    open_cohorts(world)
    secret = invited(clerk(world), BASIC, BOOTCAMP, TEAM)
    with patch("chalicelib.entrypoints.academy.identity.deliver", side_effect=RuntimeError("died")):
        student = signed_in(world, accept(world, secret))
    world.advance(minutes=2)
    at_once(4, lambda number: world.sweep())
    assert len(student.invoices()) == 3
    assert student.units("ai-chat") == 15000
    world.come_to_rest()
