"""An owner fills the seats of their team: people with an account at once, others once they accept (D31, D74, D77)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import Period, Strategy
from chalicelib.books.teams import queries
from chalicelib.dynamo.writes import backoff
from chalicelib.dynamo.writes import commit as really_commit
from chalicelib.flows.teams import fill_seats as filling
from chalicelib.kernel.periods import Unit
from tests.books import check_books
from tests.enrolling import accept, secret_of, signed_in
from tests.recurring import holding, live, subscribed
from tests.shop import SEAT, TEAM, a_coupon, a_plan, put
from tests.staffing import refused
from tests.teams import CHAT, COURSES, MENTORING, an_owner, codes, fill, path_of, seated, team
from tests.world import Person, World

NEW = "new@example.org"


@pytest.fixture
def owner(world: World) -> Person:
    return an_owner(world)


class TestTheTeam:
    def test_is_there_before_anybody_was_added(self, owner: Person, world: World) -> None:
        found = team(owner)
        assert (found["seats_limit"], found["additional_seats"], found["seats_count"]) == (5, 0, 1)
        assert (found["id"], found["subscription"], found["plan_financing"]) == (holding(owner).id,) * 2 + (None,)
        assert (found["consumption_strategy"], found["currency"]["code"]) == ("BOTH", "USD")
        assert (found["period_start"], found["period_end"]) == ("2026-11-21T12:00:00Z", "2026-12-21T12:00:00Z")
        (own,) = owner.get(path_of(owner, "/seat")).json
        assert (own["id"], own["email"], own["user"], own["is_active"]) == (
            holding(owner).id,
            owner.email,
            owner.user_id,
            True,
        )
        assert queries.team(world.table, holding(owner).id) is None

    def test_counts_the_seats_that_were_bought(self, world: World) -> None:
        owner = an_owner(world, checking={"team_seats": 10})
        assert (team(owner)["seats_limit"], team(owner)["additional_seats"]) == (10, 5)

    def test_is_not_there_where_the_plan_is_for_one(self, world: World) -> None:
        alone = subscribed(world, "basic")
        refused(alone.get(path_of(alone)), 404, "billing-team-not-found")

    def test_is_for_its_owner_alone(self, owner: Person, world: World) -> None:
        member, stranger = world.person(), world.paying()
        (seat,) = seated(owner, member)
        body = {"add_seats": [{"email": NEW}]}
        for person, status, slug in (
            (member, 403, "only-owner-allowed"),
            (stranger, 404, "subscription-not-found"),
        ):
            before = world.snapshot()
            for rest in ("", "/seat", f"/seat/{seat['id']}"):
                refused(person.get(path_of(owner, rest)), status, slug)
            refused(person.put(path_of(owner, "/seat"), body), status, slug)
            gone = world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=person.token)
            refused(gone, status, slug)
            assert world.snapshot() == before


class TestSomebodyWithAnAccount:
    def test_has_their_own_units_at_once_and_is_told(self, owner: Person, world: World) -> None:
        member = world.person()
        (seat,) = seated(owner, member)
        assert (seat["email"], seat["user"], seat["is_active"]) == (member.email, member.user_id, True)
        assert (member.units(CHAT), member.units(COURSES), member.units(MENTORING)) == (5000, -1, 2)
        assert (owner.units(CHAT), owner.units(MENTORING)) == (5000, 2)
        assert team(owner)["seats_count"] == 2
        assert [mail.to for mail, _ in world.mailer.sent if "seat" in mail.subject] == [member.email]
        check_books(world)

    def test_uses_the_pool_with_everybody_and_their_own_alone(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        for service in (CHAT, MENTORING):
            used = member.put(f"/v1/payments/me/service/{service}/consumptionsession/one")
            assert used.status == 201, used.text
        assert (member.units(CHAT), owner.units(CHAT)) == (4999, 5000)
        assert (member.units(MENTORING), owner.units(MENTORING)) == (1, 1)

    def test_sees_whose_the_units_are(self, owner: Person, world: World) -> None:
        member = world.person()
        (seat,) = seated(owner, member)
        answer = member.get("/v1/payments/me/service/consumable").json
        items = [item for group in answer.values() for entry in group for item in entry["items"]]
        ident = holding(owner).id
        assert {item["subscription_billing_team"] for item in items} == {ident}
        assert {(item["subscription_seat"], item["user"]) for item in items} == {
            (seat["id"], member.user_id),
            (None, None),
        }
        assert {item["valid_until"] for item in items} == {"2026-12-21T12:00:00Z"}

    def test_sees_the_subscription(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        (shown,) = member.get("/v1/payments/me/subscription").json["subscriptions"]
        assert shown["id"] == holding(owner).id

    def test_sees_nothing_of_how_its_owner_pays(self, world: World) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, plan_ids=(TEAM,)))
        owner, member = an_owner(world, checking={"coupons": ["half"]}), world.person()
        seated(owner, member)
        owner.put(f"/v1/payments/me/subscription/{holding(owner).id}/cancel", {"reason": "too dear", "when": "now"})
        (own,) = owner.get("/v1/payments/me/subscription?status=CANCELLED").json["subscriptions"]
        (shown,) = member.get("/v1/payments/me/subscription?status=CANCELLED").json["subscriptions"]
        hidden: dict[str, Any] = {"amount": None, "credit": None, "cancel_reason": None, "coupons": [], "invoices": []}
        assert (own["amount"], own["credit"], own["cancel_reason"]) == (2999.0, 0.0, "too dear")
        assert (own["coupons"], own["invoices"]) == (["half"], [own["id"]])
        assert shown == {**own, **hidden, "country_code": None}

    def test_sees_nothing_of_a_payment_that_was_refused(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        live(world, 20)
        owner.save_card("4000000000000341")
        live(world, 11)
        (own,) = owner.get("/v1/payments/me/subscription").json["subscriptions"]
        (shown,) = member.get("/v1/payments/me/subscription").json["subscriptions"]
        assert (own["status"], own["status_message"] is None, own["payment_issue"] is None) == (
            "PAYMENT_ISSUE",
            False,
            False,
        )
        assert (shown["status"], shown["status_message"], shown["payment_issue"]) == ("PAYMENT_ISSUE", None, None)

    def test_sees_nothing_of_how_a_financing_is_paid(self, world: World) -> None:
        financed = {
            "is_renewable": False,
            "prices": {},
            "financing_option_ids": (10,),
            "time_of_life": 12,
            "time_of_life_unit": Unit.MONTH,
        }
        plan = {"id": 2002, "slug": "crew", "seat_service_id": SEAT, "seats_included": 3, **financed}
        put(world.table, a_plan(world.now, world.academy_id, **plan))
        put(world.table, a_coupon(world.now, world.academy_id, plan_ids=(2002,)))
        pay: Any = {"chosen_period": None, "how_many_installments": 12, "checking": {"coupons": ["half"]}}
        owner, member = subscribed(world, "crew", **pay), world.person()
        path = f"/v2/payments/plan-financing/{holding(owner).id}/team/seat"
        assert owner.put(path, {"add_seats": [{"email": member.email}]}).json["errors"] == []
        (own,) = owner.get("/v1/payments/me/subscription").json["plan_financings"]
        (shown,) = member.get("/v1/payments/me/subscription").json["plan_financings"]
        assert (own["coupons"], own["invoices"]) == (["half"], [own["id"]])
        assert shown == {**own, "monthly_price": None, "coupons": [], "invoices": [], "country_code": None}

    def test_sees_what_is_planned_without_its_price(self, world: World) -> None:
        owner, member = an_owner(world, checking={"team_seats": 7}), world.person()
        seated(owner, member)
        assert owner.put(path_of(owner), {"seats": 6}).status == 200
        (own,) = owner.get("/v1/payments/me/subscription").json["subscriptions"]
        (shown,) = member.get("/v1/payments/me/subscription").json["subscriptions"]
        assert own["planned"]["amount"] == 3198.0
        assert shown["planned"] == {**own["planned"], "amount": None}

    def test_keeps_what_they_bought_themselves(self, owner: Person, world: World) -> None:
        member = subscribed(world, "basic")
        (seat,) = seated(owner, member)
        assert member.units(CHAT) == 10_000
        world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=owner.token)
        assert member.units(CHAT) == 5000


class TestStrategies:
    def by(self, world: World, strategy: Strategy) -> tuple[Person, Person]:
        plan = a_plan(
            world.now,
            world.academy_id,
            id=2001,
            slug="shared",
            prices={Period.MONTH: 100},
            seat_service_id=SEAT,
            seats_included=3,
            consumption_strategy=strategy,
        )
        put(world.table, plan)
        owner, member = an_owner(world, "shared"), world.person()
        seated(owner, member)
        return owner, member

    def test_per_seat_gives_a_copy_of_everything(self, world: World) -> None:
        owner, member = self.by(world, Strategy.PER_SEAT)
        assert [member.units(service) for service in (CHAT, MENTORING, COURSES)] == [5000, 2, -1]
        member.put(f"/v1/payments/me/service/{MENTORING}/consumptionsession/one")
        assert (owner.units(MENTORING), member.units(MENTORING)) == (2, 1)

    def test_per_team_gives_the_pool_alone(self, world: World) -> None:
        owner, member = self.by(world, Strategy.PER_TEAM)
        assert [member.units(service) for service in (CHAT, MENTORING, COURSES)] == [0, 2, 0]
        assert owner.units(CHAT) == 5000

    def test_what_was_bought_beside_the_plan_is_the_owners(self, world: World) -> None:
        owner = an_owner(world, checking={"service_items": [{"service": CHAT, "how_many": 200}]})
        member = world.person()
        seated(owner, member)
        assert (owner.units(CHAT), member.units(CHAT)) == (5200, 5000)


class TestSomebodyNew:
    def test_has_a_seat_once_they_accept(self, owner: Person, world: World) -> None:
        answer = fill(owner, NEW)
        (seat,) = answer.json["data"]
        assert (answer.status, seat["user"], seat["is_active"]) == (207, None, True)
        assert team(owner)["seats_count"] == 2
        world.advance(days=3)
        world.settle()
        member = signed_in(world, accept(world, secret_of(world, NEW)))
        assert [member.units(service) for service in (CHAT, MENTORING, COURSES)] == [5000, 2, -1]
        assert owner.get(path_of(owner, f"/seat/{seat['id']}")).json["user"] == member.user_id
        assert team(owner)["seats_count"] == 2
        refused(accept(world, secret_of(world, NEW)), 410, "invitation-already-accepted")
        world.settle()
        assert member.units(CHAT) == 5000
        check_books(world)

    def test_has_the_units_within_a_minute_where_the_process_dies(self, owner: Person, world: World) -> None:
        fill(owner, NEW)
        world.settle()
        secret = secret_of(world, NEW)
        with patch("chalicelib.entrypoints.academy.identity.tend_seat", side_effect=RuntimeError("killed")):
            member = signed_in(world, accept(world, secret))
        assert member.units(CHAT) == 0
        world.settle()
        assert member.units(CHAT) == 5000

    def test_is_not_seated_who_was_removed_meanwhile(self, owner: Person, world: World) -> None:
        (seat,) = fill(owner, NEW).json["data"]
        world.settle()
        assert world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=owner.token).status == 204
        refused(accept(world, secret_of(world, NEW)), 410, "invitation-expired")
        assert team(owner)["seats_count"] == 1

    def test_has_one_link_for_two_teams(self, owner: Person, world: World) -> None:
        other = an_owner(world)
        fill(owner, NEW)
        fill(other, NEW)
        world.settle()
        member = signed_in(world, accept(world, secret_of(world, NEW)))
        assert (member.units(CHAT), member.units(MENTORING)) == (10_000, 4)
        assert len(member.get("/v1/payments/me/subscription").json["subscriptions"]) == 2


class TestRefusals:
    def test_of_what_says_nothing(self, owner: Person) -> None:
        refused(owner.put(path_of(owner, "/seat"), {}), 400, "add-or-replace-seats-required")

    def test_one_by_one_with_what_can_be_done(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        fresh = world.person()
        answer = fill(owner, "no mail", member.email.upper(), owner.email, fresh.email)
        assert codes(answer) == ["poor-quality-email", "duplicate-team-seat", "duplicate-team-seat"]
        assert [seat["email"] for seat in answer.json["data"]] == [fresh.email]
        body = {"add_seats": [{"email": NEW, "user": member.user_id}]}
        assert codes(owner.put(path_of(owner, "/seat"), body)) == ["user-not-found"]

    def test_of_replacing(self, owner: Person, world: World) -> None:
        one, other = world.person(), world.person()
        seated(owner, one, other)
        assert codes(fill(owner, replace={NEW: "x@example.org"})) == ["no-seat-with-this-email"]
        assert codes(fill(owner, replace={one.email: other.email})) == ["seat-with-this-email-already-exists"]
        assert codes(fill(owner, replace={one.email: one.email})) == ["seat-with-this-email-already-exists"]
        assert codes(fill(owner, replace={one.email: owner.email})) == ["seat-with-this-email-already-exists"]
        assert codes(fill(owner, replace={owner.email: NEW})) == ["owner-seat-cannot-be-removed"]

    def test_of_more_than_were_paid_for(self, owner: Person, world: World) -> None:
        before = world.snapshot()
        answer = fill(owner, *(f"{number}@example.org" for number in range(5)))
        refused(answer, 400, "seats-limit-exceeded")
        assert world.snapshot() == before
        assert codes(fill(owner, *(f"{number}@example.org" for number in range(4)))) == []
        refused(fill(owner, NEW), 400, "seats-limit-exceeded")

    def test_of_one_more_by_two_at_once(self, owner: Person, world: World) -> None:
        seated(owner, *(world.person() for _ in range(3)))
        raced: list[Any] = []

        def late(*args: Any) -> None:
            if not raced:
                raced.append(None)
                raced.append(fill(owner, "first@example.org"))
            really_commit(*args)

        with patch.object(filling, "commit", late), patch.object(backoff, "sleep", lambda seconds: None):
            answer = fill(owner, "second@example.org")
        assert codes(raced[1]) == []
        assert codes(answer) == ["seats-limit-exceeded"]
        assert team(owner)["seats_count"] == 5

    def test_of_the_same_again(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        assert codes(fill(owner, member.email)) == ["duplicate-team-seat"]
        assert (team(owner)["seats_count"], member.units(CHAT)) == (2, 5000)

    def test_of_the_owners_own_seat_being_removed(self, owner: Person, world: World) -> None:
        answer = world.call("DELETE", path_of(owner, f"/seat/{holding(owner).id}"), token=owner.token)
        refused(answer, 409, "owner-seat-cannot-be-removed")


class TestRemoving:
    def remove(self, owner: Person, seat: Any) -> int:
        return owner.world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=owner.token).status

    def test_ends_the_units_and_frees_the_seat(self, owner: Person, world: World) -> None:
        member = world.person()
        (seat,) = seated(owner, member)
        assert self.remove(owner, seat) == 204
        assert [member.units(service) for service in (CHAT, MENTORING, COURSES)] == [0, 0, 0]
        assert (team(owner)["seats_count"], owner.units(MENTORING)) == (1, 2)
        gone = owner.get(path_of(owner, f"/seat/{seat['id']}")).json
        assert (gone["is_active"], gone["user"]) == (False, None)
        assert member.get("/v1/payments/me/subscription").json["subscriptions"] == []
        assert self.remove(owner, seat) == 404
        assert team(owner)["seats_count"] == 1
        world.settle()
        check_books(world)

    def test_ends_them_within_a_minute_where_the_process_dies(self, owner: Person, world: World) -> None:
        member = world.person()
        (seat,) = seated(owner, member)
        with patch("chalicelib.flows.teams.remove_seat.tend_soon"):
            assert self.remove(owner, seat) == 204
        assert (member.units(CHAT), member.units(MENTORING)) == (5000, 0)
        world.settle()
        assert member.units(CHAT) == 0


class TestReplacing:
    def use(self, person: Person, name: str) -> None:
        assert person.put(f"/v1/payments/me/service/{CHAT}/consumptionsession/{name}").status == 201

    def test_moves_what_is_left(self, owner: Person, world: World) -> None:
        before, after = world.person(), world.person()
        seated(owner, before)
        self.use(before, "one")
        assert codes(fill(owner, replace={before.email: after.email})) == []
        assert [before.units(service) for service in (CHAT, MENTORING, COURSES)] == [0, 0, 0]
        assert [after.units(service) for service in (CHAT, MENTORING, COURSES)] == [4999, 2, -1]
        assert team(owner)["seats_count"] == 2
        world.settle()
        assert after.units(CHAT) == 4999
        check_books(world)

    def test_moves_it_back_and_on(self, owner: Person, world: World) -> None:
        one, other = world.person(), world.person()
        seated(owner, one)
        for before, after in ((one, other), (other, one), (one, other)):
            self.use(before, f"by-{before.user_id}-{before.units(CHAT)}")
            assert codes(fill(owner, replace={before.email: after.email})) == []
        assert (one.units(CHAT), other.units(CHAT), other.units(COURSES)) == (0, 4997, -1)
        world.settle()
        check_books(world)

    def test_keeps_it_for_somebody_new_until_they_accept(self, owner: Person, world: World) -> None:
        before = world.person()
        seated(owner, before)
        self.use(before, "one")
        assert codes(fill(owner, replace={before.email: "wrong@example.org"})) == []
        assert codes(fill(owner, replace={"wrong@example.org": NEW})) == []
        assert (before.units(CHAT), before.units(COURSES)) == (0, 0)
        world.settle()
        refused(accept(world, secret_of(world, "wrong@example.org")), 410, "invitation-expired")
        after = signed_in(world, accept(world, secret_of(world, NEW)))
        assert [after.units(service) for service in (CHAT, MENTORING, COURSES)] == [4999, 2, -1]
        world.settle()
        check_books(world)

    def test_moves_it_once_where_the_process_dies(self, owner: Person, world: World) -> None:
        before, after = world.person(), world.person()
        seated(owner, before)
        with patch("chalicelib.flows.teams.fill_seats.tend_soon"):
            assert codes(fill(owner, replace={before.email: after.email})) == []
        self.use(before, "late")
        for _ in range(2):
            world.settle()
        assert (before.units(CHAT), after.units(CHAT)) == (0, 4999)
        check_books(world)
