"""A reward is used once, and no longer than the payment holds that earned it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.dynamo.table import Table
from tests.books import check_books
from tests.journeys.test_referrals import bring, earned, own, personal, program
from tests.journeys.test_staff_refunds import refund
from tests.staffing import Clerk, refused
from tests.world import Person, Reply, World


@pytest.fixture
def staff(world: World) -> Clerk:
    return program(world)


@pytest.fixture
def seller(world: World) -> Person:
    return world.paying()


def spent(seller: Person, slug: str) -> Reply:
    return seller.pay(seller.check("basic", coupons=[slug]).json, chosen_period="MONTH")


class TestARewardIsUsed:
    def test_once_by_its_owner_in_its_currency(self, world: World, staff: Clerk, seller: Person) -> None:
        bring(world, own(seller)["slug"])
        (coupon,) = earned(seller)
        other = world.person().check("basic", coupons=[coupon.slug]).json
        assert other["coupons_refused"] == [{"slug": coupon.slug, "reason": "not-for-you"}]
        bag = seller.check("basic", coupons=[coupon.slug]).json
        assert (bag["discounted_amount_per_month"], bag["renewal_amount"]["MONTH"]) == (53.99, 59.99)
        assert seller.pay(bag, chosen_period="MONTH").json["amount"] == 53.99
        assert personal(seller) == [(coupon.slug, False, False)]
        again = seller.check("team", coupons=[coupon.slug]).json
        assert again["coupons_refused"] == [{"slug": coupon.slug, "reason": "used-up"}]
        world.settle()
        check_books(world)

    def test_within_ninety_days(self, world: World, staff: Clerk, seller: Person) -> None:
        bring(world, own(seller)["slug"])
        (coupon,) = earned(seller)
        world.advance(days=90, seconds=-1)
        assert personal(seller)[0][1]
        world.advance(seconds=1)
        assert not personal(seller)[0][1]
        refused_now = seller.check("basic", coupons=[coupon.slug]).json["coupons_refused"]
        assert refused_now == [{"slug": coupon.slug, "reason": "expired"}]


class TestAPaymentThatIsGivenBack:
    def test_whole_takes_the_reward_back(self, world: World, staff: Clerk, seller: Person) -> None:
        _, invoice_id = bring(world, own(seller)["slug"])
        (coupon,) = earned(seller)
        quoted = seller.check("basic", coupons=[coupon.slug]).json
        assert refund(staff.person, invoice_id).status == 201
        world.settle()
        assert personal(seller) == [(coupon.slug, False, False)]
        bag = seller.check("basic", coupons=[coupon.slug]).json
        assert bag["coupons_refused"] == [{"slug": coupon.slug, "reason": "revoked"}]
        refused(seller.pay(quoted, chosen_period="MONTH"), 409, "coupon-used-up")
        assert staff.get(f"/v1/payments/academy/coupon/{coupon.slug}").json["is_revoked"]
        check_books(world)

    def test_in_part_leaves_it_until_it_is_whole(self, world: World, staff: Clerk, seller: Person) -> None:
        _, invoice_id = bring(world, own(seller)["slug"])
        refund(staff.person, invoice_id, "one", amount=53.99)
        world.settle()
        assert personal(seller)[0][1]
        refund(staff.person, invoice_id, "two")
        world.settle()
        assert not personal(seller)[0][1]
        check_books(world)

    def test_leaves_a_use_of_it_as_it_is(self, world: World, staff: Clerk, seller: Person) -> None:
        _, invoice_id = bring(world, own(seller)["slug"])
        (coupon,) = earned(seller)
        assert spent(seller, coupon.slug).json["amount"] == 53.99
        before = seller.invoices()
        refund(staff.person, invoice_id)
        world.settle()
        assert seller.invoices() == before and seller.units("ai-chat") == 5000
        check_books(world)

    def test_while_it_is_being_used_leaves_no_second_use(self, world: World, staff: Clerk, seller: Person) -> None:
        """The use was reserved, the payment fails, and the use comes back: to a reward that is gone."""
        _, invoice_id = bring(world, own(seller)["slug"])
        (coupon,) = earned(seller)
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
        assert spent(seller, coupon.slug).status == 202
        intent = world.at_stripe("payment_intent")[-1]["id"]
        refund(staff.person, invoice_id)
        world.settle()
        assert staff.get(f"/v1/payments/academy/coupon/{coupon.slug}").json["times_used"] == 1
        world.control(f"/_control/process/{intent}", {"success": False})
        world.settle()
        now = staff.get(f"/v1/payments/academy/coupon/{coupon.slug}").json
        assert (now["times_used"], now["is_revoked"]) == (0, True)
        assert seller.check("basic", coupons=[coupon.slug]).json["coupons_refused"][0]["reason"] == "revoked"
        check_books(world)

    def test_and_fails_at_the_bank_gives_it_back(self, world: World, staff: Clerk, seller: Person) -> None:
        bring(world, own(seller)["slug"])
        payment = world.at_stripe("payment_intent")[-1]["id"]
        back = world.control(f"/_control/refund/{payment}", {})
        world.settle()
        assert not personal(seller)[0][1]
        world.control(f"/_control/fail_refund/{back['id']}", {})
        world.settle()
        assert personal(seller)[0][1]
        assert spent(seller, earned(seller)[0].slug).json["amount"] == 53.99
        world.settle()
        check_books(world)

    @pytest.mark.parametrize(("outcome", "valid"), [("open", True), ("won", True), ("lost", False)])
    def test_by_a_dispute(self, world: World, staff: Clerk, seller: Person, outcome: str, valid: bool) -> None:
        bring(world, own(seller)["slug"])
        payment = world.at_stripe("payment_intent")[-1]["id"]
        world.control(f"/_control/dispute/{payment}", {"outcome": outcome})
        world.settle()
        assert personal(seller)[0][1] is valid
        check_books(world)

    def test_while_staff_change_the_reward_loses_neither(self, world: World, staff: Clerk, seller: Person) -> None:
        _, invoice_id = bring(world, own(seller)["slug"])
        (coupon,) = earned(seller)
        path = f"/v1/payments/academy/coupon/{coupon.slug}"
        real, raced = Table.get_many, list[bool]()

        def get_many(table: Table, keys: Any) -> Any:
            rows = real(table, keys)
            if any(key.sk == f"COUPON#{coupon.slug}" for key in rows) and not raced:
                raced.append(True)
                assert staff.put(path, {"discount_value": 7}).status == 200
            return rows

        with patch.object(Table, "get_many", get_many):
            assert refund(staff.person, invoice_id).status == 201
        now = staff.get(path).json
        assert raced and (now["discount_value"], now["is_revoked"]) == (7.0, True)
