"""Whoever accepts an invitation has an account and what was promised: each plan once, free, renewed as paid (D32)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import Plan, PlanStatus, ServiceItem
from chalicelib.books.catalog.store import item_key, plan_key
from chalicelib.books.enrollment import queries, store
from chalicelib.books.identity import operations as identity
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import backoff, commit
from chalicelib.flows.enrollment.deliver import deliver
from chalicelib.flows.fulfillment.fulfill import fulfill
from chalicelib.kernel.errors import TryLater
from tests.books import check_books
from tests.enrolling import (
    EMAIL,
    INVITES,
    PASSWORD,
    STUDENT,
    a_student,
    accept,
    change,
    invited,
    login,
    open_cohorts,
    signed_in,
)
from tests.shop import BASIC, BOOTCAMP, FREE, TEAM, TRIAL, a_plan, put
from tests.staffing import Clerk, clerk, everything, refused
from tests.world import Person, World


@pytest.fixture
def staff(world: World) -> Clerk:
    open_cohorts(world)
    return clerk(world)


def holdings(person: Person) -> tuple[list[Any], list[Any]]:
    answer = person.get("/v1/payments/me/subscription").json
    return answer["subscriptions"], answer["plan_financings"]


class TestAccepting:
    def test_makes_the_account_and_signs_in(self, staff: Clerk, world: World) -> None:
        answer = accept(world, invited(staff))
        assert (answer.status, answer.json["email"]) == (200, EMAIL)
        student = signed_in(world, answer)
        assert student.invoices() == []
        again = login(world)
        assert again.json["user_id"] == student.user_id
        assert login(world, EMAIL.upper()).status == 200

    def test_gives_a_subscription_of_what_renews(self, staff: Clerk, world: World) -> None:
        student = signed_in(world, accept(world, invited(staff, BASIC)))
        ((plan,), financings) = holdings(student)
        assert financings == []
        assert (plan["status"], plan["amount"], plan["coupons"], plan["trial_ends_at"]) == ("ACTIVE", 0.0, [], None)
        assert (plan["pay_every"], plan["pay_every_unit"]) == (1, "MONTH")
        assert (plan["valid_until"], plan["next_payment_at"]) == ("2026-12-21T12:00:00Z", "2026-12-21T12:00:00Z")
        assert (student.units("ai-chat"), student.units("mentorship-service")) == (5000, 2)
        assert student.units("all-courses") == -1

    def test_gives_a_financing_of_what_does_not(self, staff: Clerk, world: World) -> None:
        student = signed_in(world, accept(world, invited(staff, BOOTCAMP)))
        (subscriptions, (plan,)) = holdings(student)
        assert subscriptions == []
        assert (plan["status"], plan["monthly_price"], plan["next_payment_at"]) == ("FULLY_PAID", 0.0, None)
        assert (plan["how_many_installments"], plan["installments_paid"]) == (1, 1)
        assert plan["plan_expires_at"] == "2027-11-21T12:00:00Z"
        assert student.units("ai-chat") == 5000

    def test_gives_every_plan_once_with_an_invoice_of_nothing_and_a_receipt(self, staff: Clerk, world: World) -> None:
        student = signed_in(world, accept(world, invited(staff, BASIC, BOOTCAMP, TEAM)))
        held = [one["plans"][0]["id"] for several in holdings(student) for one in several]
        assert sorted(held) == [BASIC, BOOTCAMP, TEAM]
        invoices = student.invoices()
        assert [(invoice["amount"], invoice["status"]) for invoice in invoices] == [(0.0, "FULFILLED")] * 3
        assert {invoice["currency"]["code"] for invoice in invoices} == {"USD"}
        assert student.units("ai-chat") == 15000
        world.work()
        receipts = [mail for mail, _ in world.mailer.sent if "receipt" in mail.subject]
        assert [mail.to for mail in receipts] == [EMAIL] * 3
        assert world.at_stripe("customer") == [] and world.resting()
        check_books(world)

    def test_gives_no_trial_and_leaves_it_for_later(self, staff: Clerk, world: World) -> None:
        student = signed_in(world, accept(world, invited(staff, TRIAL)))
        ((plan,), _) = holdings(student)
        assert (plan["status"], plan["trial_ends_at"]) == ("ACTIVE", None)
        rows = everything(world)
        assert not any("CLAIM#TRIAL" in key for key in rows)

    def test_gives_a_plan_that_has_no_price(self, staff: Clerk, world: World) -> None:
        put(world.table, a_plan(world.now, world.academy_id, id=8003, slug="unpriced", prices={}))
        student = signed_in(world, accept(world, invited(staff, 8003)))
        ((plan,), _) = holdings(student)
        assert (plan["pay_every_unit"], plan["amount"]) == ("MONTH", 0.0)

    def test_leaves_a_bag_that_shows_how_it_was_priced(self, staff: Clerk, world: World) -> None:
        student = signed_in(world, accept(world, invited(staff, BASIC)))
        (bag_key,) = [key for key in everything(world) if " BAG#" in key]
        bag_id = int(bag_key.rpartition("#")[2])
        assert '"INVITED' in str(everything(world)[bag_key]).replace("\\", "")
        quote = student.get(f"/v1/payments/me/bag/{bag_id}/quote").json
        ((line,),) = [way["lines"] for way in quote["ways"]]
        assert (line["amount"], line["steps"][0]["rule"]) == (0.0, "invitation")

    def test_keeps_the_plan_from_being_bought_again(self, staff: Clerk, world: World) -> None:
        student = signed_in(world, accept(world, invited(staff, BASIC, BOOTCAMP)))
        refused(student.check("basic"), 400, "plan-already-bought")
        refused(student.check("bootcamp"), 400, "plan-already-financed")

    def test_is_told_in_the_timeline(self, staff: Clerk, world: World) -> None:
        student = signed_in(world, accept(world, invited(staff, BASIC)))
        kinds = [str(row) for key, row in everything(world).items() if f"USER#{student.user_id} ACT#" in key]
        assert len(kinds) == 2 and any("invitation-accepted" in kind for kind in kinds)


class TestARefusal:
    def test_is_for_an_invitation_that_was_accepted(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, BASIC)
        student = signed_in(world, accept(world, secret))
        before = everything(world)
        refused(accept(world, secret), 410, "invitation-already-accepted")
        refused(accept(world, secret, "another long password"), 410, "invitation-already-accepted")
        assert everything(world) == before
        assert student.get("/v1/payments/me/invoice").status == 200

    def test_is_for_one_that_has_expired(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, BASIC)
        world.advance(days=181, seconds=-1)
        before = everything(world)
        world.advance(seconds=1)
        refused(accept(world, secret), 410, "invitation-expired")
        assert everything(world) == before
        world.advance(seconds=-1)
        assert accept(world, secret).status == 200

    def test_is_for_a_secret_that_is_none(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, BASIC)
        before = everything(world)
        for other in (
            secret[:-1] + ("A" if secret[-1] != "A" else "B"),
            secret[:42],
            secret + "x",
            secret.replace("purser_invite_", "purser_token_"),
            secret.upper(),
            "purser_invite_" + "f" * 70,
            "purser_invite_" + "²" * 14,
            "x",
            "%ff",
            "a" * 201,
        ):
            answer = accept(world, other.replace("²", "%C2%B2"))
            assert answer.status in (400, 404), answer.text
            assert answer.status == 400 or answer.json["slug"] == "invitation-not-found"
        assert everything(world) == before
        assert accept(world, secret).status == 200

    @pytest.mark.parametrize("password", ["short", "x" * 201, None, 7, "\x00" * 3])
    def test_is_for_a_password_that_is_none(self, staff: Clerk, world: World, password: Any) -> None:
        secret = invited(staff, BASIC)
        before = everything(world)
        assert accept(world, secret, password).status == 400
        assert everything(world) == before

    def test_is_for_whoever_guesses(self, staff: Clerk, world: World) -> None:
        secret = invited(staff)
        source = {"X_Forwarded_For": "203.0.113.9"}
        for _ in range(identity.LOGINS_PER_SOURCE_MAX - 1):
            assert accept(world, "purser_invite_x", **source).status == 404
        right = accept(world, secret, **source)
        assert right.status == 200  # and does not count
        assert accept(world, "purser_invite_x", **source).status == 404
        refused(accept(world, secret, **source), 429, "too-many-logins")
        refused(accept(world, secret), 410, "invitation-already-accepted")


class TestThePromise:
    def test_is_of_the_plan_as_it_is_on_that_day(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, BASIC)
        world.advance(days=90)
        change(world, Plan, plan_key(world.academy_id, BASIC), title="Better")
        change(world, ServiceItem, item_key(1), how_many=9000)
        student = signed_in(world, accept(world, secret))
        assert student.units("ai-chat") == 9000
        ((plan,), _) = holdings(student)
        assert plan["plans"][0]["title"] == "Better"

    @pytest.mark.parametrize("status", [PlanStatus.DRAFT, PlanStatus.DISCONTINUED, PlanStatus.DELETED])
    def test_stands_whatever_became_of_the_plan(self, staff: Clerk, world: World, status: PlanStatus) -> None:
        secret = invited(staff, BASIC)
        change(world, Plan, plan_key(world.academy_id, BASIC), status=status)
        assert signed_in(world, accept(world, secret)).units("ai-chat") == 5000

    def test_of_a_plan_that_has_outgrown_it_makes_no_account(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, BASIC)
        items = [{"link_id": n, "item_id": 1, "service_id": 93} for n in range(41)]
        row = Plan.model_validate(a_plan(world.now, world.academy_id, items=items)).items
        change(world, Plan, plan_key(world.academy_id, BASIC), items=row)
        before = everything(world)
        refused(accept(world, secret), 409, "plan-outgrown")
        assert everything(world) == before

    def test_takes_a_place_and_stands_where_none_is_left(self, staff: Clerk, world: World) -> None:
        change(world, Plan, plan_key(world.academy_id, BASIC), capacity=2)
        secrets = [invited(staff, BASIC, email=f"s{number}@example.org") for number in range(3)]
        assert world.person().check("basic").status == 200
        for secret in secrets:
            assert signed_in(world, accept(world, secret)).units("ai-chat") == 5000
        world.advance(minutes=10)
        refused(world.person().check("basic"), 409, "plan-at-capacity")
        world.settle()
        check_books(world)

    def test_is_frozen_once_it_is_accepted(self, staff: Clerk, world: World) -> None:
        """What the sweep delivers later is what was accepted, whatever staff change meanwhile."""
        secret = invited(staff, BASIC)
        with patch("chalicelib.entrypoints.academy.identity.deliver", side_effect=TryLater):
            student = signed_in(world, accept(world, secret))
        change(world, ServiceItem, item_key(1), how_many=9000)
        world.advance(minutes=2)
        world.sweep()
        assert student.units("ai-chat") == 5000


class TestWhatIsOwed:
    def test_is_delivered_by_the_sweep(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, BASIC, BOOTCAMP)
        with patch("chalicelib.entrypoints.academy.identity.deliver", side_effect=RuntimeError("a defect")):
            student = signed_in(world, accept(world, secret))
        assert student.invoices() == []
        assert world.sweep()["invitations"] == 0  # not at once: the call itself may still be at it
        world.advance(minutes=2)
        assert world.sweep()["invitations"] == 1
        assert student.units("ai-chat") == 10000
        assert world.sweep()["invitations"] == 0
        world.settle()
        check_books(world)

    def test_cannot_be_bought_in_between(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, BASIC, BOOTCAMP)
        with patch("chalicelib.entrypoints.academy.identity.deliver", side_effect=TryLater):
            student = signed_in(world, accept(world, secret))
        student.save_card()
        refused(student.check("basic"), 400, "plan-already-bought")
        refused(student.check("bootcamp"), 400, "plan-already-financed")
        free = student.check("free")
        assert student.pay(free.json).status == 200
        world.advance(minutes=2)
        world.sweep()
        assert student.units("ai-chat") == 15000
        world.settle()
        check_books(world)

    def test_is_delivered_once_by_two_at_once(self, staff: Clerk, world: World) -> None:
        """A sweep delivers all of it while another has read it and not written yet, and takes that for no failure."""
        secret = invited(staff, BASIC, BOOTCAMP)
        with patch("chalicelib.entrypoints.academy.identity.deliver", side_effect=TryLater):
            student = signed_in(world, accept(world, secret))
        world.advance(minutes=2)
        (key,) = queries.due_invitations(world.table, world.now)
        raced = list[bool]()

        def late(*arguments: Any, **named: Any) -> Any:
            if not raced:
                raced.append(True)
                assert world.sweep()["invitations"] == 1
            return fulfill(*arguments, **named)

        with patch("chalicelib.flows.enrollment.deliver.fulfill", late):
            assert deliver(world.runtime.context(world.now), key).owed == ()
        assert raced and student.units("ai-chat") == 10000
        assert len(student.invoices()) == 2
        world.settle()
        check_books(world)


class TestTwoAtOnce:
    def test_make_one_account(self, staff: Clerk, world: World) -> None:
        """The second has checked all that it checks before the first is written."""
        secret = invited(staff, BASIC)
        raced = list[Any]()

        def commit_late(table: Table, writes: Any) -> None:
            if not raced:
                raced.append(None)
                raced[0] = accept(world, secret)
            commit(table, writes)

        with patch("chalicelib.flows.enrollment.accept.commit", commit_late), patch.object(backoff, "sleep"):
            refused(accept(world, secret, "another long password"), 410, "invitation-already-accepted")
        student = signed_in(world, raced[0])
        assert student.units("ai-chat") == 5000 and len(student.invoices()) == 1
        assert login(world).status == 200
        world.settle()
        check_books(world)

    @pytest.mark.parametrize("meanwhile", ["taken back", "sent again"])
    def test_staff_and_the_person_do_one_thing(self, staff: Clerk, world: World, meanwhile: str) -> None:
        secret = invited(staff, BASIC)
        (listed,) = staff.get(INVITES).json
        path = f"{INVITES}/{listed['id']}"
        raced = list[bool]()

        def commit_late(table: Table, writes: Any) -> None:
            if not raced:
                raced.append(True)
                done = staff.delete(path) if meanwhile == "taken back" else staff.post(f"{path}/resend")
                assert done.status in (200, 204)
            commit(table, writes)

        with patch("chalicelib.flows.enrollment.accept.commit", commit_late), patch.object(backoff, "sleep"):
            answer = accept(world, secret)
        assert answer.json["slug"] == ("invitation-expired" if meanwhile == "taken back" else "invitation-not-found")
        assert login(world).status == 401

    def test_staff_come_too_late(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, FREE)
        (listed,) = staff.get(INVITES).json
        assert accept(world, secret).status == 200
        refused(staff.delete(f"{INVITES}/{listed['id']}"), 404, "invitation-not-found")
        refused(staff.post(f"{INVITES}/{listed['id']}/resend"), 404, "invitation-not-found")
        refused(staff.post(STUDENT, a_student(plans=[FREE])), 400, "cannot-add-plans-to-existing-user")


def test_the_row_of_an_accepted_invitation_expires_only_when_it_owes_nothing(staff: Clerk, world: World) -> None:
    secret = invited(staff, BASIC)
    (listed,) = staff.get(INVITES).json
    key = store.invitation_key(world.academy_id, listed["id"])
    seen = []

    def late(*arguments: Any, **named: Any) -> Any:
        seen.append(world.table.get(key))
        return fulfill(*arguments, **named)

    with patch("chalicelib.flows.enrollment.deliver.fulfill", late):
        assert accept(world, secret, PASSWORD).status == 200
    (owing,) = seen
    assert owing is not None and "ttl" not in owing.values and "due_at" in owing.values
    row = world.table.get(key)
    assert row is not None and "ttl" in row.values and "due_at" not in row.values and "ref" not in row.values
    assert queries.read_invitation(row).invitation.owed == ()
