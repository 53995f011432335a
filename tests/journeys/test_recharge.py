"""A team's pool that runs low is filled up by itself, once, with its owner's card, within a month's limit (D74)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.dynamo.writes import commit
from chalicelib.entrypoints import workers
from chalicelib.flows.checkout.begin import begin
from chalicelib.flows.metering import consume as consuming
from chalicelib.flows.teams import tend_recharge as tending
from tests.books import check_books
from tests.recharges import (
    NINETY,
    bought,
    emptied,
    key_of,
    recharged,
    recharges,
    recharging,
    spent,
    use,
    with_two_units,
)
from tests.recurring import live, mails, paid, run
from tests.staffing import refused
from tests.teams import CHAT, MENTORING, path_of, seated, team
from tests.world import Person, Reply, World, batch


@pytest.fixture
def owner(world: World) -> Person:
    return recharging(world)


@pytest.fixture
def member(owner: Person, world: World) -> Person:
    found = world.person()
    seated(owner, found)
    return found


def tended(world: World, *keys: Any) -> None:
    """The worker is nudged about these rows, whatever else waits."""
    workers.handle_holdings(batch({"pk": key.pk, "sk": key.sk} for key in keys))


class TestAPoolThatRunsLow:
    def test_is_filled_up_by_the_owners_card(self, owner: Person, member: Person, world: World) -> None:
        assert use(member, "one").status == 201
        run(world)
        assert (owner.units(MENTORING), member.units(MENTORING), bought(owner)) == (3, 3, [NINETY])
        assert (spent(owner), recharges(owner)) == ("90.00", [])
        assert mails(world, "Your receipt, 90.00 USD") == [owner.email]
        (intent,) = [one for one in world.at_stripe("payment_intent") if one["amount"] == 9000]
        assert intent["setup_future_usage"] is None
        (invoice, *_) = owner.invoices()
        assert invoice["amount"] == NINETY
        check_books(world)

    def test_is_filled_up_though_the_nudge_is_lost(self, owner: Person, member: Person, world: World) -> None:
        world.queue.lost = True
        use(member, "one")
        world.queue.lost = False
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (3, [NINETY])

    def test_is_filled_up_though_the_use_dies_as_soon_as_it_is_written(self, owner: Person, world: World) -> None:
        with patch.object(consuming, "look_again", lambda *_: None):
            assert use(owner, "one").status == 201
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (3, [NINETY])

    def test_is_not_filled_up_again_while_that_is_being_paid(self, owner: Person, world: World) -> None:
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 9}])
        for name in ("one", "two"):
            assert use(owner, name).status == 201
            run(world)
        world.misbehave()
        live(world, 2)
        assert (owner.units(MENTORING), bought(owner), spent(owner)) == (2, [NINETY], "90.00")
        check_books(world)

    def test_is_filled_up_once_a_crossing(self, owner: Person, member: Person, world: World) -> None:
        for name in ("one", "two", "three"):
            assert use(member, name).status == 201
            run(world)
        assert (owner.units(MENTORING), bought(owner)) == (3, [NINETY, NINETY])
        check_books(world)

    def test_is_not_while_enough_is_left(self, world: World) -> None:
        owner = recharging(world, recharge_threshold_amount=49.99)
        assert use(owner, "one").status == 201
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (1, [])
        assert use(owner, "two").status == 201
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (2, [NINETY])

    def test_keeps_what_was_bought_when_the_plan_refills_it(self, owner: Person, world: World) -> None:
        use(owner, "one")
        live(world, 31)
        assert (owner.units(MENTORING), paid(owner)) == (4, [2999.0, NINETY, 2999.0])
        check_books(world)

    def test_leaves_each_members_cap_as_it_is(self, owner: Person, member: Person, world: World) -> None:
        assert owner.put(path_of(owner), {"per_member_cap": 1}).status == 200
        assert use(member, "one").status == 201
        run(world)
        refused(use(member, "two"), 402, "per-member-cap-reached")
        assert owner.units(MENTORING) == 3

    def test_is_not_filled_up_with_what_has_no_limit(self, world: World) -> None:
        owner = recharging(world, recharge_threshold_amount=500)
        assert bought(owner) == [NINETY]
        assert use(owner, "chat", CHAT).status == 201
        run(world)
        assert (bought(owner), recharges(owner)) == ([NINETY], [])


class TestUsesAtOnce:
    def test_that_both_leave_it_low_buy_once(self, owner: Person, member: Person, world: World) -> None:
        raced: list[Reply] = []

        def late(*args: Any) -> None:
            if not raced:
                raced.append(Reply(0, {}, ""))
                raced.append(use(member, "first"))
            commit(*args)

        with patch.object(consuming, "commit", late):
            assert use(owner, "second").status == 201
        assert raced[1].status == 201
        assert len(recharges(owner)) == 1
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (2, [NINETY])
        check_books(world)

    def test_of_which_neither_sees_that_both_leave_it_low(self, world: World) -> None:
        owner = recharging(world, recharge_threshold_amount=0)
        member = world.person()
        seated(owner, member)
        raced: list[Reply] = []

        def late(*args: Any) -> None:
            if not raced:
                raced.append(Reply(0, {}, ""))
                raced.append(use(member, "first"))
            commit(*args)

        with patch.object(consuming, "commit", late):
            assert use(owner, "second").status == 201
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (2, [NINETY])

    def test_a_refused_one_finds_a_pool_that_ran_empty_otherwise(self, world: World) -> None:
        owner = emptied(world)
        refused(use(owner, "three"), 402, "insufficient-credits")
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (2, [NINETY])


class TestTheWorker:
    def test_told_twice_buys_once(self, owner: Person, member: Person, world: World) -> None:
        use(member, "one")
        (key,) = map(key_of, recharges(owner))
        tended(world, key, key)
        tended(world, key)
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (3, [NINETY])

    def test_twice_at_once_buys_once(self, owner: Person, member: Person, world: World) -> None:
        use(member, "one")
        (key,) = map(key_of, recharges(owner))
        raced: list[int] = []

        def late(*args: Any, **named: Any) -> Any:
            if not raced:
                raced.append(1)
                tended(world, key)
            return begin(*args, **named)

        with patch.object(tending, "begin", late):
            tended(world, key)
        run(world)
        assert (owner.units(MENTORING), bought(owner), len(world.at_stripe("payment_intent"))) == (3, [NINETY], 2)
        check_books(world)

    def test_buys_nothing_where_enough_came_meanwhile(self, owner: Person, member: Person, world: World) -> None:
        session = use(member, "one").json["id"]
        path = f"/v1/payments/me/service/{MENTORING}/consumptionsession/{session}/cancel"
        assert member.put(path).status == 200
        run(world)
        assert (owner.units(MENTORING), bought(owner), recharges(owner)) == (2, [], [])

    @pytest.mark.parametrize("action", ["error_429", "error_500", "refuse_connection", "lose_answer"])
    def test_tries_again_where_stripe_is_away(self, owner: Person, member: Person, world: World, action: str) -> None:
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": action, "times": 1_000_000}])
        use(member, "one")
        for _ in range(3):
            run(world)
            world.advance(minutes=11)
        world.misbehave()
        run(world)
        assert (owner.units(MENTORING), bought(owner), spent(owner)) == (3, [NINETY], "90.00")
        assert team(owner)["auto_recharge_enabled"]
        check_books(world)


class TestTheLimitOfAMonth:
    def test_lets_the_rest_wait_for_the_next_one(self, owner: Person, world: World) -> None:
        recharged(owner, max_period_spend=100)
        use(owner, "one")
        run(world)
        assert (owner.units(MENTORING), spent(owner)) == (3, "90.00")
        assert [use(owner, name).status for name in ("two", "three")] == [201, 201]
        live(world, 3)
        (waiting,) = recharges(owner)
        assert (owner.units(MENTORING), spent(owner)) == (1, "90.00")
        assert waiting.due_at.isoformat() == team(owner)["spend_period_end"].replace("Z", "+00:00")
        owner.world.advance(days=28)
        run(world)
        assert (bought(owner), spent(owner), recharges(owner)) == ([NINETY], "0.00", [])  # the refill came first
        assert [use(owner, name).status for name in ("four", "five")] == [201, 201]
        run(world)
        assert (bought(owner), spent(owner)) == ([NINETY, NINETY], "90.00")
        check_books(world)

    def test_that_is_raised_is_looked_at_at_once(self, owner: Person, world: World) -> None:
        recharged(owner, max_period_spend=80)
        use(owner, "one")
        run(world)
        assert (bought(owner), len(recharges(owner))) == ([], 1)
        recharged(owner, max_period_spend=90)
        assert (bought(owner), spent(owner), recharges(owner)) == ([NINETY], "90.00", [])

    def test_holds_for_two_units_at_once(self, world: World) -> None:
        owner = with_two_units(world)
        with patch.object(world.queue, "lost", True):
            answer = owner.put(
                path_of(owner),
                {
                    "auto_recharge_enabled": True,
                    "recharge_threshold_amount": 100,
                    "recharge_amount": 100,
                    "max_period_spend": 150,
                },
            )
        assert answer.status == 200, answer.text
        first, second = map(key_of, recharges(owner))
        raced: list[int] = []

        def late(*args: Any, **named: Any) -> Any:
            if not raced:
                raced.append(1)
                tended(world, second)
            return begin(*args, **named)

        with patch.object(tending, "begin", late):
            tended(world, first)
        run(world)
        assert len(bought(owner)) == 1
        assert spent(owner) in ("90.00", "100.00")
        assert len(recharges(owner)) == 1
        check_books(world)

    def test_is_for_all_units_together_and_without_one_buys_both(self, world: World) -> None:
        owner = with_two_units(world)
        recharged(owner, recharge_threshold_amount=100)
        assert (sorted(bought(owner)), spent(owner)) == ([NINETY, 100.0], "190.00")
        assert (owner.units(CHAT), owner.units(MENTORING)) == (16000, 4)
        check_books(world)
