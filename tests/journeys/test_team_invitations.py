"""Who is invited to a seat and who loses one: links that end with it, mails, and how many strangers are mailed."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import Period
from chalicelib.dynamo.writes import backoff
from chalicelib.dynamo.writes import commit as really_commit
from chalicelib.flows.teams import fill_seats as filling
from chalicelib.flows.teams import remove_seat as removing
from tests.books import check_books
from tests.enrolling import INVITES, accept, invited, open_cohorts, secret_of, secrets_of, signed_in
from tests.recurring import mails
from tests.shop import SEAT, a_plan, put
from tests.staffing import Clerk, clerk, refused
from tests.teams import CHAT, an_owner, codes, fill, path_of, seated, team
from tests.world import Person, Reply, World

NEW, OTHER = "new@example.org", "other@example.org"
LEFT = "You have no seat of Basic any more"


@pytest.fixture
def owner(world: World) -> Person:
    return an_owner(world)


@pytest.fixture
def staff(world: World) -> Clerk:
    open_cohorts(world)
    return clerk(world)


def remove(owner: Person, seat: Any) -> int:
    return owner.world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=owner.token).status


def asked(owner: Person, email: str = NEW) -> tuple[Any, str]:
    """A seat that somebody without an account is invited to, and the secret of their link."""
    (seat,) = fill(owner, email).json["data"]
    owner.world.settle()
    return seat, secret_of(owner.world, email)


class TestAnInvitation:
    def test_ends_with_the_seat_that_it_was_made_for(self, owner: Person, world: World, staff: Clerk) -> None:
        seat, secret = asked(owner)
        assert remove(owner, seat) == 204
        refused(accept(world, secret), 410, "invitation-expired")
        assert staff.get(INVITES).json == []
        assert signed_in(world, accept(world, invited(staff, email=NEW))).units(CHAT) == 0
        world.settle()
        check_books(world)

    def test_ends_where_somebody_else_gets_the_seat(self, owner: Person, world: World) -> None:
        _, secret = asked(owner)
        assert codes(fill(owner, replace={NEW: OTHER})) == []
        world.settle()
        refused(accept(world, secret), 410, "invitation-expired")
        assert signed_in(world, accept(world, secret_of(world, OTHER))).units(CHAT) == 5000
        world.settle()
        check_books(world)

    def test_goes_on_for_another_team(self, owner: Person, world: World) -> None:
        other = an_owner(world)
        seat, _ = asked(owner)
        _, secret = asked(other)
        assert remove(owner, seat) == 204
        assert signed_in(world, accept(world, secret)).units(CHAT) == 5000
        assert team(owner)["seats_count"] == 1

    def test_that_staff_made_stays(self, owner: Person, world: World, staff: Clerk) -> None:
        invited(staff, email=NEW)
        seat, secret = asked(owner)
        assert remove(owner, seat) == 204
        assert [one["email"] for one in staff.get(INVITES).json] == [NEW]
        assert signed_in(world, accept(world, secret)).units(CHAT) == 0

    def test_that_staff_made_since_stays(self, owner: Person, world: World, staff: Clerk) -> None:
        seat, _ = asked(owner)
        (open_one,) = staff.get(INVITES).json
        assert staff.delete(f"{INVITES}/{open_one['id']}").status == 204
        secret = invited(staff, email=NEW)
        assert remove(owner, seat) == 204
        assert signed_in(world, accept(world, secret)).units(CHAT) == 0

    def test_that_is_over_lets_the_seat_be_removed(self, owner: Person, world: World) -> None:
        seat, secret = asked(owner)
        world.advance(days=200)
        assert remove(owner, seat) == 204
        refused(accept(world, secret), 410, "invitation-expired")

    def test_that_is_accepted_meanwhile_is_of_somebody_who_is_removed(self, owner: Person, world: World) -> None:
        seat, secret = asked(owner)
        raced: list[Reply] = []

        def late(*args: Any) -> None:
            if not raced:
                raced.append(accept(world, secret))
            really_commit(*args)

        with patch.object(removing, "commit", late), patch.object(backoff, "sleep", lambda seconds: None):
            assert remove(owner, seat) == 204
        member = signed_in(world, raced[0])
        world.settle()
        assert (member.units(CHAT), team(owner)["seats_count"], mails(world, LEFT)) == (0, 1, [NEW])
        check_books(world)


class TestWhoeverLosesASeat:
    def test_is_told(self, owner: Person, world: World) -> None:
        member = world.person()
        (seat,) = seated(owner, member)
        assert remove(owner, seat) == 204
        world.settle()
        assert mails(world, LEFT) == [member.email]

    def test_is_told_each_time(self, owner: Person, world: World) -> None:
        one, other = world.person(), world.person()
        seated(owner, one)
        for before, after in ((one, other), (other, one), (one, other)):
            assert codes(fill(owner, replace={before.email: after.email})) == []
        world.settle()
        assert mails(world, LEFT) == [one.email, other.email, one.email]

    def test_is_not_told_who_never_had_it(self, owner: Person, world: World) -> None:
        seat, _ = asked(owner)
        remove(owner, seat)
        world.settle()
        assert mails(world, LEFT) == []


class TestStrangers:
    def test_are_greeted_by_no_name_that_their_inviter_chose(self, owner: Person, world: World) -> None:
        name = "http://evil.example/win"
        body = {"add_seats": [{"email": NEW, "first_name": name, "last_name": name}]}
        assert codes(owner.put(path_of(owner, "/seat"), body)) == []
        world.settle()
        (sent,) = [mail for mail, _ in world.mailer.sent if mail.to == NEW]
        assert sent.text.startswith("Hello there,")
        assert not [part for part in (sent.subject, sent.text, sent.html) if "evil" in part]

    def test_are_greeted_by_none_when_staff_send_it_again(self, owner: Person, world: World, staff: Clerk) -> None:
        body = {"add_seats": [{"email": NEW, "first_name": "evil.example"}]}
        owner.put(path_of(owner, "/seat"), body)
        (open_one,) = staff.get(INVITES).json
        assert staff.post(f"{INVITES}/{open_one['id']}/resend", {}).status == 200
        world.settle()
        assert not [mail for mail, _ in world.mailer.sent if mail.to == NEW and "evil" in mail.text]

    def churn(self, owner: Person, first: int, count: int) -> Reply:
        """So many strangers get the seat, one after another."""
        for number in range(first, first + count):
            answer = fill(owner, replace={f"s{number}@example.org": f"s{number + 1}@example.org"})
        return answer

    def test_are_invited_so_often_in_a_day(self, owner: Person, world: World) -> None:
        asked(owner, "s0@example.org")
        assert codes(self.churn(owner, 0, 19)) == []
        refused(self.churn(owner, 19, 1), 429, "too-many-invitations")
        refused(fill(owner, NEW), 429, "too-many-invitations")
        assert team(owner)["seats_count"] == 2
        world.settle()
        to = [mail.to for mail, _ in world.mailer.sent if mail.to.endswith("@example.org")]
        assert (len(to), NEW in to) == (20, False)
        world.advance(hours=23, minutes=59)
        assert self.churn(owner, 19, 1).headers["Retry-After"] == "3660"
        world.advance(hours=1, minutes=1)
        assert codes(self.churn(owner, 19, 1)) == []

    def test_are_as_many_as_twice_the_seats(self, world: World) -> None:
        plan = a_plan(
            world.now,
            world.academy_id,
            id=2001,
            slug="large",
            prices={Period.MONTH: 100},
            seat_service_id=SEAT,
            seats_included=13,
        )
        put(world.table, plan)
        owner = an_owner(world, "large")
        asked(owner, "s0@example.org")
        assert codes(self.churn(owner, 0, 25)) == []
        refused(self.churn(owner, 25, 1), 429, "too-many-invitations")

    def test_that_are_too_many_keep_nobody_with_an_account_out(self, owner: Person, world: World) -> None:
        asked(owner, "s0@example.org")
        self.churn(owner, 0, 19)
        member = world.person()
        answer = fill(owner, member.email, NEW)
        assert (codes(answer), [seat["email"] for seat in answer.json["data"]]) == (
            ["too-many-invitations"],
            [member.email],
        )

    def test_are_counted_when_two_invite_at_once(self, owner: Person, world: World) -> None:
        asked(owner, "s0@example.org")
        self.churn(owner, 0, 18)
        raced: list[Any] = []

        def late(*args: Any) -> None:
            if not raced:
                raced.append(None)
                raced.append(fill(owner, NEW))
            really_commit(*args)

        with patch.object(filling, "commit", late), patch.object(backoff, "sleep", lambda seconds: None):
            answer = self.churn(owner, 18, 1)
        assert codes(raced[1]) == []
        refused(answer, 429, "too-many-invitations")
        assert len(secrets_of(world, "s19@example.org")) == 0


class TestAnEmail:
    @pytest.mark.parametrize("email", ["A@b", "no mail", "ada@localhost"])
    def test_that_nobody_can_be_mailed_at_is_refused(self, owner: Person, email: str) -> None:
        assert codes(fill(owner, email)) == ["poor-quality-email"]
        seated(owner, owner.world.person())
        assert codes(fill(owner, replace={f"person{owner.world._people}@example.com": email})) == ["poor-quality-email"]

    def test_is_refused_of_students_too(self, staff: Clerk) -> None:
        answer = staff.post("/v1/auth/academy/student", {"email": "A@b", "first_name": "Ada", "invite": True})
        refused(answer, 400, "invalid-email")
