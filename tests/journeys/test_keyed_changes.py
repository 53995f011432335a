"""A change of plan, period or seats that is asked for twice under one Idempotency-Key is made and paid for once."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.flows.recurring import once
from chalicelib.kernel.periods import Unit
from tests.books import check_books
from tests.changing import HALF, MAX, PRO, change, changed, further_plans, path_of
from tests.journeys.test_declines import ALWAYS_ASKS, authenticate, authenticated
from tests.recurring import paid, run, shown, subscribed, until
from tests.shop import a_plan, put
from tests.staffing import refused
from tests.teams import an_owner, team
from tests.teams import path_of as team_path_of
from tests.world import Person, Reply, World

REFUSED = "4000000000000341"


@pytest.fixture(autouse=True)
def plans(world: World) -> None:
    further_plans(world)


def keyed(person: Person, plan: str, key: str = "one", **more: Any) -> Reply:
    return person.put(path_of(person), {"plan": plan, **more}, Idempotency_Key=key)


def resized(owner: Person, key: str = "one", **body: Any) -> Reply:
    return owner.put(team_path_of(owner), body, Idempotency_Key=key)


def played(first: Reply, again: Reply) -> None:
    assert (again.status, again.text, again.headers.get("Idempotent-Replayed")) == (first.status, first.text, "true")


class TestAnUpgrade:
    def test_is_paid_for_once_and_answered_again_as_before(self, world: World) -> None:
        person = subscribed(world)
        until(world, HALF)
        first = keyed(person, "pro")
        assert (first.status, first.json["plans"][0]["slug"], paid(person)) == (200, "pro", [59.99, 30.0])
        changed(world, person, "max")
        played(first, keyed(person, "pro"))
        assert shown(person)["plans"][0]["slug"] == "max"
        assert len(paid(person)) == 3
        check_books(world)

    def test_takes_no_key_that_was_used_for_another(self, world: World) -> None:
        person = subscribed(world)
        keyed(person, "pro")
        refused(keyed(person, "max"), 422, "idempotency-key-reused")
        refused(keyed(person, "pro", chosen_period="YEAR"), 422, "idempotency-key-reused")
        assert len(paid(person)) == 2

    def test_is_made_again_under_another_key(self, world: World) -> None:
        person = subscribed(world)
        assert keyed(person, "pro").status == 200
        assert keyed(person, "max", "two").json["plans"][0]["id"] == MAX
        assert len(paid(person)) == 3

    def test_that_is_declined_stays_so_under_its_key(self, world: World) -> None:
        person = subscribed(world)
        person.save_card(REFUSED)
        first = keyed(person, "pro")
        assert (first.status, first.json["silent_code"]) == (402, "card-error")
        person.save_card()
        played(first, keyed(person, "pro"))
        assert paid(person) == [59.99]
        assert keyed(person, "pro", "two").status == 200

    def test_is_in_flight_while_it_is_charged(self, world: World) -> None:
        person = subscribed(world)
        inside: list[Reply] = []
        really = world.runtime.gateway.charge

        def slow(ask: Any) -> Any:
            inside.append(keyed(person, "pro"))
            return really(ask)

        with patch.object(world.runtime.gateway, "charge", slow):
            first = keyed(person, "pro")
        assert (first.status, [one.status for one in inside]) == (200, [409])
        played(first, keyed(person, "pro"))
        assert len(paid(person)) == 2

    def test_that_waits_for_the_bank_is_told_so_until_it_is_decided(self, world: World) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        authenticate(
            world, person.pay(person.check("basic").json, chosen_period="MONTH").json["client_secret"], success=True
        )
        world.settle()
        first = keyed(person, "pro")
        assert (first.status, keyed(person, "pro").json) == (202, first.json)
        authenticate(world, first.json["client_secret"], success=True)
        world.settle()
        run(world)
        last = keyed(person, "pro")
        assert (last.status, last.json["plans"][0]["id"]) == (200, PRO)
        played(last, keyed(person, "pro"))
        assert len(paid(person)) == 2

    def test_that_waits_for_the_bank_is_paid_by_another_card_under_another_key(self, world: World) -> None:
        person = authenticated(world, ALWAYS_ASKS)
        waiting = person.pay(person.check("basic").json, chosen_period="MONTH").json
        authenticate(world, waiting["client_secret"], success=True)
        world.settle()
        assert keyed(person, "pro").status == 202
        refused(keyed(person, "pro", "two"), 409, "payment-in-flight")
        person.save_card()
        assert keyed(person, "pro", "two").json["plans"][0]["id"] == PRO
        assert keyed(person, "pro").status in (402, 410)
        assert len(paid(person)) == 2
        run(world)
        check_books(world)

    def test_that_is_too_little_to_be_charged_is_made_once(self, world: World) -> None:
        person = subscribed(world)
        until(world, HALF)
        first = keyed(person, "near")
        assert (first.status, first.json["plans"][0]["slug"]) == (200, "near")
        played(first, keyed(person, "near"))

    @pytest.mark.parametrize("plan", ["pro", "near"])
    def test_is_made_once_where_the_process_dies_before_its_answer_is_kept(self, world: World, plan: str) -> None:
        person = subscribed(world)
        until(world, HALF)
        with patch.object(once, "commit", side_effect=RuntimeError("killed")):
            assert keyed(person, plan).status == 500
        count = len(paid(person))
        first = keyed(person, plan)
        assert (first.status, first.json["plans"][0]["slug"], len(paid(person))) == (200, plan, count)
        played(first, keyed(person, plan))
        refused(keyed(person, "max"), 422, "idempotency-key-reused")

    @pytest.mark.parametrize("action", ["lose_answer", "refuse_connection"])
    def test_whose_charge_was_not_answered_goes_on_under_its_key(self, world: World, action: str) -> None:
        person = subscribed(world)
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": action, "times": 9}])
        assert (keyed(person, "pro").status, len(paid(person))) == (202, 1)
        world.misbehave(rules=[])
        first = keyed(person, "pro")
        assert (first.status, first.json["plans"][0]["slug"], len(paid(person))) == (200, "pro", 2)
        played(first, keyed(person, "pro"))
        run(world)
        check_books(world)


class TestADowngrade:
    def test_is_planned_once(self, world: World) -> None:
        person = subscribed(world, "pro")
        first = keyed(person, "basic")
        assert (first.status, first.json["planned"]["plan"]["slug"]) == (200, "basic")
        assert change(person, "pro").json["planned"] is None
        played(first, keyed(person, "basic"))
        assert shown(person)["planned"] is None

    def test_is_planned_once_where_the_process_dies_before_its_answer_is_kept(self, world: World) -> None:
        person = subscribed(world, "pro")
        with patch.object(once, "commit", side_effect=RuntimeError("killed")):
            assert keyed(person, "basic").status == 500
        assert change(person, "pro").json["planned"] is None
        assert keyed(person, "basic").json["planned"] is None
        assert shown(person)["planned"] is None

    def test_is_taken_back_once(self, world: World) -> None:
        person = subscribed(world, "pro")
        change(person, "basic")
        first = keyed(person, "pro")
        assert first.json["planned"] is None
        change(person, "basic")
        played(first, keyed(person, "pro"))
        assert shown(person)["planned"]["plan"]["slug"] == "basic"


class TestWhatIsSo:
    def test_is_answered_again_as_before(self, world: World) -> None:
        person = subscribed(world)
        first = keyed(person, "basic")
        assert first.status == 200
        changed(world, person, "pro")
        played(first, keyed(person, "basic"))
        assert shown(person)["plans"][0]["slug"] == "pro"


class TestATrial:
    def test_goes_on_with_another_plan_once(self, world: World) -> None:
        person = subscribed(world, "pro-trial")
        trial = {"trial_duration": 30, "trial_duration_unit": Unit.DAY}
        put(world.table, a_plan(world.now, world.academy_id, id=1200, slug="other-trial", **trial))
        first = keyed(person, "other-trial")
        assert (first.status, first.json["status"], first.json["plans"][0]["id"]) == (200, "FREE_TRIAL", 1200)
        assert changed(world, person, "pro")["planned"]["plan"]["slug"] == "pro"
        played(first, keyed(person, "other-trial"))
        assert shown(person)["planned"]["plan"]["slug"] == "pro"


class TestSeats:
    def test_are_paid_for_once(self, world: World) -> None:
        owner = an_owner(world, checking={"team_seats": 7})
        first = resized(owner, seats=9, per_member_cap=3)
        assert (first.status, first.json["seats_limit"], first.json["per_member_cap"]) == (200, 9, 3)
        assert owner.put(team_path_of(owner), {"seats": 10, "per_member_cap": None}).status == 200
        played(first, resized(owner, seats=9, per_member_cap=3))
        assert (team(owner)["seats_limit"], team(owner)["per_member_cap"], len(paid(owner))) == (10, None, 3)
        refused(resized(owner, seats=11, per_member_cap=3), 422, "idempotency-key-reused")
        run(world)
        check_books(world)

    @pytest.mark.parametrize("first", [{"seats": 9}, {"seats": 6}, {"seats": 7}, {"per_member_cap": 3}])
    def test_take_no_key_that_was_used_for_another(self, world: World, first: dict[str, Any]) -> None:
        """Whether that was paid for, planned, as it was, or about no seats at all."""
        owner = an_owner(world, checking={"team_seats": 7})
        assert resized(owner, **first).status == 200
        before = team(owner)
        for body in ({"seats": 8}, {**first, "per_member_cap": 4}, {"auto_recharge_enabled": False}):
            refused(resized(owner, **body), 422, "idempotency-key-reused")
        assert team(owner) == before

    def test_that_wait_for_the_bank_take_no_key_that_was_used_for_another(self, world: World) -> None:
        owner = an_owner(world, checking={"team_seats": 7})
        waiting = owner.save_card(ALWAYS_ASKS).json["client_secret"]
        authenticate(world, waiting, success=True)
        assert resized(owner, seats=9).status == 202
        refused(resized(owner, seats=8), 422, "idempotency-key-reused")
        assert resized(owner, seats=9).status == 202
        assert len(world.at_stripe("payment_intent")) == 2

    def test_are_fewer_once(self, world: World) -> None:
        owner = an_owner(world, checking={"team_seats": 7})
        first = resized(owner, seats=5)
        assert (first.status, first.json["planned_seats"]) == (200, 5)
        assert resized(owner, "two", seats=7).json["planned_seats"] == 7
        played(first, resized(owner, seats=5))
        assert team(owner)["planned_seats"] == 7

    def test_that_stay_are_answered_again_as_before(self, world: World) -> None:
        owner = an_owner(world, checking={"team_seats": 7})
        first = resized(owner, seats=7)
        assert first.status == 200
        resized(owner, "two", seats=8)
        played(first, resized(owner, seats=7))
        assert team(owner)["planned_seats"] == 8

    def test_that_are_declined_stay_so_and_leave_the_cap(self, world: World) -> None:
        owner = an_owner(world, checking={"team_seats": 7})
        owner.save_card(REFUSED)
        first = resized(owner, seats=9, per_member_cap=3)
        assert first.status == 402
        owner.save_card()
        played(first, resized(owner, seats=9, per_member_cap=3))
        assert (team(owner)["seats_limit"], team(owner)["per_member_cap"]) == (7, None)

    def test_bring_their_cap_where_the_process_dies_before_it(self, world: World) -> None:
        owner = an_owner(world, checking={"team_seats": 7})
        with patch("chalicelib.entrypoints.academy.teams.set_rules", side_effect=RuntimeError("killed")):
            assert resized(owner, seats=9, per_member_cap=3).status == 500
        answer = resized(owner, seats=9, per_member_cap=3)
        assert (answer.status, answer.json["seats_limit"], answer.json["per_member_cap"]) == (200, 9, 3)
        assert len(paid(owner)) == 2

    def test_leave_a_cap_alone_that_was_set_since(self, world: World) -> None:
        owner = an_owner(world)
        first = resized(owner, per_member_cap=3)
        assert first.json["per_member_cap"] == 3
        owner.put(team_path_of(owner), {"per_member_cap": 4})
        played(first, resized(owner, per_member_cap=3))
        assert team(owner)["per_member_cap"] == 4
