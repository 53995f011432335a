"""Disputes freeze and give back or take; what was spent of refunded units follows the policy of the deployment."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest

from tests.books import check_books
from tests.journeys.test_catalog import staff
from tests.journeys.test_staff_refunds import USE, bought, refund, refused, subscribed, use
from tests.shop import open_shop
from tests.world import Person, World, a_world


def dispute(world: World, outcome: str) -> None:
    payment = world.at_stripe("payment_intent")[0]["id"]
    world.control(f"/_control/dispute/{payment}", {"outcome": outcome})


def everything(person: Person) -> list[int]:
    return [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")]


def held(person: Person) -> list[tuple[str, str | None]]:
    found = person.get("/v1/payments/me/subscription").json["subscriptions"]
    return [(one["status"], one["status_message"]) for one in found]


class TestADispute:
    def test_freezes_what_the_payment_granted(self, world: World) -> None:
        person, _ = subscribed(world)
        use(person, "mentorship-service")
        dispute(world, "open")
        world.settle()
        assert everything(person) == [0, 0, 0]
        assert refused(person.put(USE.format(service="mentorship-service")), 402, "insufficient-credits")
        assert held(person) == [("PAYMENT_ISSUE", "The payment is disputed.")]
        shown = person.get("/v1/payments/me/service/consumable").json["mentorship_service_sets"]
        assert [(entry["balance"]["unit"], entry["held"]) for entry in shown] == [(0, 1)]
        check_books(world)

    def test_leaves_other_purchases_alone(self, world: World) -> None:
        person, _ = subscribed(world)
        assert person.buy().status == 201
        world.settle()
        dispute(world, "open")
        world.settle()
        assert everything(person) == [0, 10, 0]
        use(person, "mentorship-service")
        check_books(world)

    def test_that_is_won_gives_everything_back(self, world: World) -> None:
        person, _ = subscribed(world)
        use(person, "ai-chat", 2)
        dispute(world, "open")
        world.settle()
        dispute(world, "won")
        world.settle()
        assert everything(person) == [4998, 2, -1]
        assert held(person) == [("ACTIVE", None)]
        assert person.buy().status == 201
        world.settle()
        check_books(world)

    def test_that_is_lost_takes_everything(self, world: World) -> None:
        person, _ = subscribed(world)
        dispute(world, "open")
        world.settle()
        dispute(world, "lost")
        world.settle()
        assert (everything(person), held(person)) == ([0, 0, 0], [])
        check_books(world)

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_ends_the_same_whatever_order_it_is_told_in(self, world: World, order: tuple[int, ...]) -> None:
        person, _ = bought(world)
        for outcome in ("open", "won"):
            dispute(world, outcome)
        world.deliver()
        nudges = world.queue.inbox
        third = -(-len(nudges) // 3)
        parts = [nudges[start : start + third] for start in range(0, len(nudges), third)]
        for part in order:
            world.queue.inbox = list(reversed(parts[part % len(parts)]))
            world.work()
        assert person.units("mentorship-service") == 10
        check_books(world)

    def test_after_a_partial_refund_takes_the_rest_once(self, world: World) -> None:
        person, invoice_id = bought(world)
        assert refund(staff(world, "issue_refund"), invoice_id, amount=225).status == 201
        assert person.units("mentorship-service") == 5
        dispute(world, "open")
        world.settle()
        assert person.units("mentorship-service") == 0
        dispute(world, "lost")
        world.settle()
        assert person.units("mentorship-service") == 0
        check_books(world)

    @pytest.mark.parametrize("used", [4, 10])
    def test_freezes_uses_that_come_back(self, world: World, used: int) -> None:
        """Whether something of the grant was left or not. A use of the one unit once took the frozen ones with it."""
        person, _ = bought(world)
        sessions = use(person, "mentorship-service", used)
        dispute(world, "open")
        world.settle()
        path = USE.format(service="mentorship-service")
        assert person.put(f"{path}/{sessions[0]}/cancel").status == 200
        assert person.units("mentorship-service") == 0
        assert refused(person.put(path), 402, "insufficient-credits")
        check_books(world)
        dispute(world, "won")
        world.settle()
        assert person.units("mentorship-service") == 11 - used
        check_books(world)

    def test_tells_staff_once(self, world: World) -> None:
        clerk, other = staff(world, "issue_refund"), staff(world, "read_invoice")
        bought(world)
        dispute(world, "open")
        world.settle()
        dispute(world, "lost")
        world.settle()
        told = [(mail.to, mail.subject) for mail, _ in world.mailer.sent if mail.to in (clerk.email, other.email)]
        assert told == [(clerk.email, "A payment of 450.00 USD is disputed")]

    def test_is_told_to_who_may_refund_among_many_staff(self, world: World) -> None:
        """The staff are listed with the newest first, and most of them teach."""
        clerk = staff(world, "issue_refund")
        world.advance(seconds=1)
        for _ in range(120):
            staff(world, "read_service")
        bought(world)
        dispute(world, "open")
        world.settle()
        assert [mail.to for mail, _ in world.mailer.sent if "disputed" in mail.subject] == [clerk.email]


class TestTheReputation:
    def test_of_who_disputes_refuses_purchases_until_it_is_won(self, world: World) -> None:
        person, _ = bought(world)
        bag = person.check("basic").json
        dispute(world, "open")
        world.settle()
        assert refused(person.buy(), 402, "fraud-or-bad-reputation")
        assert refused(person.pay(bag, chosen_period="MONTH"), 402, "fraud-or-bad-reputation")
        dispute(world, "won")
        world.settle()
        assert person.pay(bag, chosen_period="MONTH").status == 200
        assert person.buy().status == 201

    def test_stays_marked_after_a_lost_one(self, world: World) -> None:
        person, _ = bought(world)
        dispute(world, "open")
        dispute(world, "lost")
        world.settle()
        assert refused(person.buy(), 402, "fraud-or-bad-reputation")

    def test_is_seen_and_set_by_operators(self, world: World) -> None:
        person, _ = bought(world)
        operator = world.person(operator=True)
        path = f"/ops/users/{person.user_id}/reputation"
        assert operator.get(path).json == {"user": person.user_id, "standing": "GOOD", "marks": []}
        dispute(world, "lost")
        world.settle()
        (mark,) = operator.get(path).json["marks"]
        assert (mark["cause"][:3], mark["standing"]) == ("du_", "FRAUD")
        assert operator.put(path, {"standing": "GOOD"}).json["marks"] == []
        assert person.buy().status == 201
        assert operator.put(path, {"standing": "BAD"}).json["standing"] == "BAD"
        assert refused(person.buy(), 402, "fraud-or-bad-reputation")
        assert person.get(path).status == 403
        assert operator.get("/ops/users/99/reputation").status == 404


@pytest.fixture(params=["debt", "block"])
def strict(request: pytest.FixtureRequest) -> Iterator[World]:
    with a_world(open_shop, spent_policy=request.param) as world:
        yield world


@pytest.fixture
def debt() -> Iterator[World]:
    with a_world(open_shop, spent_policy="debt") as world:
        yield world


@pytest.fixture
def block() -> Iterator[World]:
    with a_world(open_shop, spent_policy="block") as world:
        yield world


class TestSpentUnitsAsADebt:
    def test_are_paid_by_the_next_purchase_first(self, debt: World) -> None:
        person, invoice_id = bought(debt)
        use(person, "mentorship-service", 6)
        assert refund(staff(debt, "issue_refund"), invoice_id).status == 201
        assert person.units("mentorship-service") == 0
        assert person.buy(how_many=4).status == 201
        assert person.units("mentorship-service") == 0
        assert person.buy(how_many=10).status == 201
        assert person.units("mentorship-service") == 8
        debt.settle()
        check_books(debt)

    def test_come_off_what_is_there_already(self, debt: World) -> None:
        person, invoice_id = bought(debt)
        use(person, "mentorship-service", 6)
        assert person.buy(how_many=10).status == 201
        assert refund(staff(debt, "issue_refund"), invoice_id).status == 201
        assert person.units("mentorship-service") == 4
        use(person, "mentorship-service", 4)
        assert refused(person.put(USE.format(service="mentorship-service")), 402, "insufficient-credits")
        debt.settle()
        check_books(debt)

    def test_are_forgotten_when_the_refund_fails(self, debt: World) -> None:
        person, invoice_id = bought(debt)
        use(person, "mentorship-service", 6)
        assert refund(staff(debt, "issue_refund"), invoice_id).status == 201
        (made,) = debt.at_stripe("refund")
        debt.control(f"/_control/fail_refund/{made['id']}", {})
        debt.settle()
        assert person.units("mentorship-service") == 4
        check_books(debt)

    def test_that_were_paid_come_back_when_the_refund_fails(self, debt: World) -> None:
        person, invoice_id = bought(debt)
        use(person, "mentorship-service", 6)
        assert refund(staff(debt, "issue_refund"), invoice_id).status == 201
        assert person.buy(how_many=10).status == 201
        assert person.units("mentorship-service") == 4
        (made,) = debt.at_stripe("refund")
        debt.control(f"/_control/fail_refund/{made['id']}", {})
        debt.settle()
        assert person.units("mentorship-service") == 14
        check_books(debt)

    def test_do_not_touch_another_service(self, debt: World) -> None:
        person, invoice_id = bought(debt)
        use(person, "mentorship-service", 6)
        assert refund(staff(debt, "issue_refund"), invoice_id).status == 201
        assert person.pay(person.check("basic").json, chosen_period="MONTH").status == 200
        assert everything(person) == [5000, 0, -1]
        debt.settle()
        check_books(debt)


class TestSpentUnitsThatBlock:
    def test_refuse_purchases_until_the_refund_fails(self, block: World) -> None:
        person, invoice_id = bought(block)
        use(person, "mentorship-service", 6)
        assert refund(staff(block, "issue_refund"), invoice_id).status == 201
        assert refused(person.buy(), 402, "fraud-or-bad-reputation")
        (made,) = block.at_stripe("refund")
        block.control(f"/_control/fail_refund/{made['id']}", {})
        block.settle()
        assert person.buy().status == 201
        block.settle()
        check_books(block)

    def test_of_a_lost_dispute_mark_twice(self, block: World) -> None:
        person, _ = bought(block)
        use(person, "mentorship-service", 6)
        dispute(block, "lost")
        block.settle()
        operator = block.person(operator=True)
        marks = operator.get(f"/ops/users/{person.user_id}/reputation").json["marks"]
        assert [mark["standing"] for mark in marks] == ["FRAUD", "BAD"]
        check_books(block)

    def test_are_not_needed_where_nothing_was_spent(self, block: World) -> None:
        person, invoice_id = bought(block)
        assert refund(staff(block, "issue_refund"), invoice_id).status == 201
        assert person.buy().status == 201


def test_uses_that_come_back_pay_what_is_owed(strict: World) -> None:
    person, invoice_id = bought(strict)
    sessions = use(person, "mentorship-service", 6)
    assert refund(staff(strict, "issue_refund"), invoice_id).status == 201
    for session in sessions:
        assert person.put(f"{USE.format(service='mentorship-service')}/{session}/cancel").status == 200
    assert person.units("mentorship-service") == 0
    strict.settle()
    check_books(strict)


class TestUsesThatComeBack:
    def test_pay_what_was_refunded_before_they_can_be_used(self, world: World) -> None:
        """Three units are in use when all ten are refunded; a use that is cancelled then does not come back."""
        person, invoice_id = bought(world)
        sessions = use(person, "mentorship-service", 3)
        assert refund(staff(world, "issue_refund"), invoice_id).status == 201
        path = USE.format(service="mentorship-service")
        assert person.put(f"{path}/{sessions[0]}/cancel").status == 200
        assert person.units("mentorship-service") == 0
        world.settle()
        check_books(world)

    def test_come_back_beyond_what_was_refunded(self, world: World) -> None:
        person, invoice_id = bought(world)
        sessions = use(person, "mentorship-service", 8)
        assert refund(staff(world, "issue_refund"), invoice_id, amount=225).json["taken_back"] == [
            {"service": "mentorship-service", "how_many": 2, "spent": 3}
        ]
        path = USE.format(service="mentorship-service")
        left = []
        for session in sessions[:5]:
            assert person.put(f"{path}/{session}/cancel").status == 200
            left.append(person.units("mentorship-service"))
        assert left == [0, 0, 0, 1, 2]
        world.settle()
        check_books(world)
