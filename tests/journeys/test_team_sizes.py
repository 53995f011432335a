"""The number of seats: more are paid for now, for the rest of the period; fewer come with the next payment (D31)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import Period, ServicePrice
from chalicelib.books.catalog.store import price_key
from chalicelib.books.subscriptions.model import Subscription
from chalicelib.dynamo.writes import backoff
from chalicelib.dynamo.writes import commit as really_commit
from chalicelib.flows.fulfillment import fulfill as fulfilling
from chalicelib.flows.fulfillment.renewal import CHANGES_MAX
from chalicelib.flows.recurring import change as changing
from chalicelib.flows.recurring.change import change as really_change
from chalicelib.flows.teams import resize as resizing
from tests.books import check_books
from tests.enrolling import change
from tests.journeys.test_catalog import staff
from tests.journeys.test_declines import ALWAYS_ASKS, authenticate
from tests.journeys.test_staff_refunds import refund
from tests.recurring import holding, live, paid, run, subscribed
from tests.shop import SEAT, a_plan, put
from tests.staffing import refused
from tests.teams import CHAT, an_owner, codes, fill, path_of, seated, team
from tests.world import Person, Reply, World


@pytest.fixture
def owner(world: World) -> Person:
    """Seven seats, of which two are beyond those of the plan, at 199 a month each; November 21 to December 21."""
    return an_owner(world, checking={"team_seats": 7})


def buy(owner: Person, how_many: int, *, service: str = "seat", **headers: str) -> Reply:
    body = {"service": service, "how_many": how_many, "subscription": holding(owner).id}
    return owner.post("/v1/payments/consumable/checkout", body, **headers)


def resize(owner: Person, seats: int) -> Reply:
    return owner.put(path_of(owner), {"seats": seats})


class TestBuyingSeats:
    def test_costs_what_is_left_of_the_period(self, owner: Person, world: World) -> None:
        world.advance(days=10)
        answer = buy(owner, 3)
        assert answer.status == 201, answer.text
        assert (answer.json["amount"], answer.json["status"]) == (398.0, "FULFILLED")  # 3 x 199 x 20 of 30 days
        found = team(owner)
        assert (found["seats_limit"], found["additional_seats"], found["planned_seats"]) == (10, 5, 10)
        assert [(one["before"], one["after"]) for one in found["seats_log"]] == [(7, 10)]
        world.settle()
        assert owner.units(CHAT) == 5000
        check_books(world)

    def test_costs_the_seats_alone_where_the_period_was_given(self, owner: Person, world: World) -> None:
        kept = refund(staff(world, "issue_refund"), holding(owner).id, plan_action="keep")
        assert kept.status == 201, kept.text
        world.advance(days=10)
        assert buy(owner, 3).json["amount"] == 398.0
        world.settle()
        check_books(world)

    def test_that_are_refunded_ends_the_team(self, owner: Person, world: World) -> None:
        world.advance(days=10)
        bought = buy(owner, 3).json
        assert refund(staff(world, "issue_refund"), bought["id"]).status == 201
        world.settle()
        run(world)
        assert (holding(owner).status, owner.units(CHAT)) == ("CANCELLED", 0)
        assert owner.check("team").status == 200
        check_books(world)

    def test_more_often_than_a_period_allows_waits_for_the_next(self, owner: Person, world: World) -> None:
        """So that what paid for the period is still known when it is refunded."""
        period = holding(owner).id
        for _ in range(CHANGES_MAX):
            assert buy(owner, 1).status == 201
        refused(buy(owner, 1), 409, "too-many-changes")
        assert resize(owner, 7).status == 200  # at the end of the period
        world.settle()
        assert refund(staff(world, "issue_refund"), period).status == 201
        world.settle()
        run(world)
        assert (holding(owner).status, owner.units(CHAT)) == ("CANCELLED", 0)
        check_books(world)

    def test_can_be_again_in_the_next_period(self, owner: Person, world: World) -> None:
        with patch("chalicelib.flows.recurring.proration.CHANGES_MAX", 1):
            assert buy(owner, 1).status == 201
            refused(buy(owner, 1), 409, "too-many-changes")
            live(world, 31)
            assert buy(owner, 1).status == 201

    def test_is_in_what_the_next_period_costs(self, owner: Person, world: World) -> None:
        world.advance(days=10)
        buy(owner, 3)
        live(world, 21)
        assert paid(owner) == [2999.0 + 2 * 199, 398.0, 2999.0 + 5 * 199]

    def test_is_at_the_price_that_was_agreed(self, owner: Person, world: World) -> None:
        change(world, ServicePrice, price_key(world.academy_id, SEAT), price_per_unit=Decimal(1000))
        world.advance(days=15)
        assert buy(owner, 1).json["amount"] == 99.5

    def test_is_at_todays_price_where_none_was_agreed(self, world: World) -> None:
        owner = an_owner(world)
        world.advance(days=15)
        assert buy(owner, 2).json["amount"] == 199.0
        live(world, 16)
        assert paid(owner) == [2999.0, 199.0, 2999.0 + 2 * 199]

    def test_lets_them_be_filled(self, world: World) -> None:
        owner = an_owner(world)
        people = [world.person() for _ in range(5)]
        seated(owner, *people[:4])
        refused(fill(owner, people[4].email), 400, "seats-limit-exceeded")
        buy(owner, 1)
        assert codes(fill(owner, people[4].email)) == []
        assert people[4].units(CHAT) == 5000

    def test_is_charged_once_under_a_key(self, owner: Person, world: World) -> None:
        world.advance(days=10)
        first, again = (buy(owner, 3, Idempotency_Key="seats") for _ in range(2))
        assert (first.status, again.status, first.json["id"]) == (201, 201, again.json["id"])
        assert team(owner)["seats_limit"] == 10
        assert len(world.charges(first.json["id"])) == 1
        refused(buy(owner, 4, Idempotency_Key="seats"), 422, "idempotency-key-reused")

    def test_is_counted_from_what_others_bought_meanwhile(self, owner: Person, world: World) -> None:
        world.advance(days=10)
        twice, other = self.raced(owner, "one", "one"), self.raced(owner, "two", "three")
        assert (twice[0].status, twice[0].json["id"]) == (201, twice[1].json["id"])
        assert [answer.status for answer in other] == [201, 201]
        assert (team(owner)["seats_limit"], len(paid(owner))) == (10, 4)
        world.settle()
        check_books(world)

    def raced(self, owner: Person, key: str, another: str) -> list[Reply]:
        """Seats are bought under a key, and under another after it was read how many there are."""
        waiting, first = [another], list[Reply]()

        def late(*args: Any) -> Any:
            if waiting:
                first.append(buy(owner, 1, Idempotency_Key=waiting.pop()))
            return really_change(*args)

        with patch.object(resizing, "change", late), patch.object(backoff, "sleep", lambda seconds: None):
            return [buy(owner, 1, Idempotency_Key=key), *first]

    def test_changes_nothing_where_the_card_is_declined(self, owner: Person, world: World) -> None:
        owner.save_card("4000000000000341")
        world.advance(days=10)
        assert buy(owner, 3).status == 402
        assert team(owner)["seats_limit"] == 7
        owner.save_card()
        assert buy(owner, 3).status == 201
        assert team(owner)["seats_limit"] == 10

    def test_is_not_what_is_asked_for_by_whoever_wishes_for_the_plan_they_have(
        self, owner: Person, world: World
    ) -> None:
        down = {"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 1_000_000}
        world.misbehave(rules=[down])
        assert buy(owner, 2).status == 202
        world.misbehave(rules=[])
        path = f"/v1/payments/me/subscription/{holding(owner).id}/change"
        assert owner.get(f"{path}/preview?plan=team").json["amount"] == 0
        refused(owner.put(path, {"plan": "team"}), 409, "payment-in-flight")
        world.advance(minutes=16)
        assert owner.put(path, {"plan": "team"}).json["seats"] == 7
        run(world)
        assert (paid(owner), team(owner)["seats_limit"]) == ([3397.0], 7)
        check_books(world)

    def test_is_refused_to_others_and_for_what_it_is_not(self, owner: Person, world: World) -> None:
        member, stranger, alone = world.paying(), world.paying(), subscribed(world, "basic")
        seated(owner, member)
        body = {"service": "seat", "how_many": 1, "subscription": holding(owner).id}
        path = "/v1/payments/consumable/checkout"
        refused(member.post(path, body), 403, "only-owner-allowed")
        refused(stranger.post(path, body), 404, "subscription-not-found")
        refused(stranger.buy("seat", 1), 400, "subscription-is-required")
        refused(buy(owner, 1, service=CHAT), 400, "plan-does-not-support-team-seats")
        refused(buy(alone, 1), 400, "plan-does-not-support-team-seats")
        refused(buy(owner, 9_994), 400, "the-amount-of-items-is-too-high")
        assert paid(owner) == [3397.0]

    def test_leaves_another_plan_that_is_planned_alone(self, owner: Person, world: World) -> None:
        prices = {Period.MONTH: Decimal(999)}
        team_of = {"seat_service_id": SEAT, "seats_included": 5}
        put(world.table, a_plan(world.now, world.academy_id, id=1099, slug="small-team", prices=prices, **team_of))
        path = f"/v1/payments/me/subscription/{holding(owner).id}/change"
        assert owner.put(path, {"plan": "small-team"}).status == 200
        refused(buy(owner, 1), 409, "subscription-cannot-be-changed")
        refused(resize(owner, 8), 409, "subscription-cannot-be-changed")
        found = holding(owner)
        assert isinstance(found, Subscription) and found.planned is not None
        assert (found.planned.plan_slug, paid(owner)) == ("small-team", [3397.0])


class TestANewTotal:
    def test_that_is_larger_is_paid_for_now(self, owner: Person, world: World) -> None:
        world.advance(days=15)
        answer = resize(owner, 9)
        assert (answer.status, answer.json["seats_limit"]) == (200, 9), answer.text
        assert resize(owner, 9).status == 200
        assert paid(owner) == [3397.0, 199.0]

    def test_that_is_smaller_comes_with_the_next_payment(self, owner: Person, world: World) -> None:
        world.advance(days=15)
        answer = resize(owner, 6)
        assert (answer.json["seats_limit"], answer.json["planned_seats"]) == (7, 6), answer.text
        live(world, 16)
        assert paid(owner) == [3397.0, 3198.0]
        found = team(owner)
        assert (found["seats_limit"], found["additional_seats"]) == (6, 1)
        assert [(one["before"], one["after"]) for one in found["seats_log"]] == [(7, 6)]
        check_books(world)

    def test_is_taken_back_for_nothing(self, owner: Person, world: World) -> None:
        resize(owner, 5)
        assert resize(owner, 7).json["planned_seats"] == 7
        live(world, 31)
        assert paid(owner) == [3397.0, 3397.0]

    def test_keeps_the_units_of_the_seats(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        member.put(f"/v1/payments/me/service/{CHAT}/consumptionsession/one")
        resize(owner, 9)
        run(world)
        assert (owner.units(CHAT), member.units(CHAT)) == (5000, 4999)
        resize(owner, 5)
        live(world, 31)
        assert (owner.units(CHAT), member.units(CHAT)) == (5000, 5000)

    def test_is_never_below_the_seats_in_use_or_those_of_the_plan(self, owner: Person, world: World) -> None:
        seated(owner, *(world.person() for _ in range(5)))
        refused(resize(owner, 5), 409, "seats-in-use")
        assert resize(owner, 6).status == 200
        refused(fill(owner, "new@example.org"), 400, "seats-limit-exceeded")
        refused(resize(an_owner(world), 4), 400, "seats-included-in-plan")
        assert resize(owner, 0).status == 400

    def test_and_a_new_seat_at_once_never_leave_more_in_use(self, owner: Person, world: World) -> None:
        seated(owner, *(world.person() for _ in range(5)))
        raced: list[Reply] = []

        def late(*args: Any) -> None:
            if not raced:
                raced.append(fill(owner, "new@example.org"))
            really_commit(*args)

        with patch.object(changing, "commit", late), patch.object(backoff, "sleep", lambda seconds: None):
            answer = resize(owner, 6)
        assert codes(raced[0]) == []
        refused(answer, 409, "seats-in-use")
        assert team(owner)["planned_seats"] == 7

    @pytest.mark.parametrize("period", ["MONTH", "YEAR"])
    def test_comes_with_no_other_plan_that_has_fewer_than_are_in_use(self, world: World, period: str) -> None:
        owner = an_owner(world)
        seated(owner, world.person())
        body = {"plan": "basic", "chosen_period": period}
        path = f"/v1/payments/me/subscription/{holding(owner).id}/change"
        refused(owner.put(path, body), 409, "seats-in-use")
        refused(owner.get(f"{path}/preview?plan=basic&chosen_period={period}"), 409, "seats-in-use")
        assert (team(owner)["planned_seats"], team(owner)["seats_limit"]) == (5, 5)

    def test_costs_what_the_last_one_costs(self, owner: Person, world: World) -> None:
        world.advance(days=10)
        for seats in (8, 9, 10):
            assert resize(owner, seats).status == 200
        assert sum(paid(owner)) == 3397.0 + 398.0

    def test_is_the_owners_alone(self, owner: Person, world: World) -> None:
        member, stranger = world.person(), world.paying()
        seated(owner, member)
        before = world.snapshot()
        refused(member.put(path_of(owner), {"seats": 9}), 403, "only-owner-allowed")
        refused(stranger.put(path_of(owner), {"seats": 9}), 404, "subscription-not-found")
        assert world.snapshot() == before


class TestAPlanWithFewerSeats:
    @pytest.fixture(autouse=True)
    def plans(self, world: World) -> None:
        prices = {Period.MONTH: Decimal(9999)}
        put(world.table, a_plan(world.now, world.academy_id, id=2003, slug="alone", prices=prices))

    def change(self, owner: Person) -> Reply:
        return owner.put(f"/v1/payments/me/subscription/{holding(owner).id}/change", {"plan": "alone"})

    def test_that_waits_for_the_bank_goes_back_where_somebody_is_seated_meanwhile(self, world: World) -> None:
        owner, member = an_owner(world), world.person()
        authenticate(world, owner.save_card(ALWAYS_ASKS).json["client_secret"], success=True)
        waiting = self.change(owner)
        assert waiting.status == 202, waiting.text
        seated(owner, member)
        authenticate(world, waiting.json["client_secret"], success=True)
        run(world)
        assert (team(owner)["seats_limit"], team(owner)["seats_count"], member.units(CHAT)) == (5, 2, 5000)
        assert [one["amount"] for one in world.at_stripe("refund")] == [700000]
        check_books(world)

    def test_goes_back_where_somebody_is_seated_as_it_comes(self, world: World) -> None:
        owner, member = an_owner(world), world.person()
        (seat,) = seated(owner, member)
        assert world.call("DELETE", path_of(owner, f"/seat/{seat['id']}"), token=owner.token).status == 204
        raced: list[Any] = []

        def late(*args: Any) -> None:
            if not raced:
                raced.append(None)
                raced.append(fill(owner, member.email))
            really_commit(*args)

        with patch.object(fulfilling, "commit", late), patch.object(backoff, "sleep", lambda seconds: None):
            refused(self.change(owner), 409, "subscription-changed-meanwhile")
        run(world)
        assert (codes(raced[1]), team(owner)["seats_limit"], team(owner)["seats_count"]) == ([], 5, 2)
        check_books(world)

    def test_comes_where_nobody_is(self, world: World) -> None:
        assert self.change(owner := an_owner(world)).json["seats"] == 1
        run(world)
        assert owner.units(CHAT) == 5000
        check_books(world)


class TestATotalWithACap:
    def cap(self, owner: Person, seats: int, cap: int | None) -> Reply:
        return owner.put(path_of(owner), {"per_member_cap": cap, "seats": seats})

    def test_is_one(self, owner: Person) -> None:
        answer = self.cap(owner, 9, 7)
        assert (answer.status, answer.json["seats_limit"], answer.json["per_member_cap"]) == (200, 9, 7), answer.text

    def test_leaves_the_cap_where_the_seats_are_refused(self, owner: Person) -> None:
        owner.put(path_of(owner), {"per_member_cap": 3})
        owner.save_card("4000000000000341")
        assert self.cap(owner, 9, 7).status == 402
        refused(self.cap(owner, 4, None), 400, "seats-included-in-plan")
        assert (team(owner)["seats_limit"], team(owner)["per_member_cap"]) == (7, 3)

    def test_waits_with_the_cap_until_the_seats_are_paid(self, owner: Person, world: World) -> None:
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}])
        assert self.cap(owner, 9, 7).status == 202
        assert (team(owner)["seats_limit"], team(owner)["per_member_cap"]) == (7, None)
        assert self.cap(owner, 9, 7).status == 200
        assert (team(owner)["seats_limit"], team(owner)["per_member_cap"]) == (9, 7)
        assert paid(owner) == [3397.0, 398.0]
