"""Referral coupons and what they earn (facts 4.6): once, with the delivery, and no longer than the payment holds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.coupon_queries import persons_coupons
from chalicelib.books.catalog.model import Coupon, Period
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy
from chalicelib.dynamo.table import Table
from chalicelib.entrypoints import workers
from chalicelib.flows.checkout.quote import GRANTS_MAX
from chalicelib.flows.fulfillment.settle import settle
from tests.books import check_books
from tests.journeys.test_crash import outside_calls
from tests.journeys.test_large_plans import a_large_plan
from tests.shop import a_coupon, a_plan, put
from tests.staffing import Clerk, clerk, everything, refused
from tests.world import Person, World

OWN = "/v1/payments/me/coupon"
PERSONAL = "/v1/payments/me/user/coupons"
OPEN = 8000


def program(world: World) -> Clerk:
    """Staff of an academy whose plan `open` is in the referral program, at 60.00 a month."""
    prices = {Period.MONTH: Decimal(60), Period.YEAR: Decimal("479.99")}
    values = {"id": OPEN, "slug": "open", "exclude_from_referral_program": False, "prices": prices}
    put(world.table, a_plan(world.now, world.academy_id, **values))
    return clerk(world)


@pytest.fixture
def staff(world: World) -> Clerk:
    return program(world)


@pytest.fixture
def seller(world: World) -> Person:
    return world.paying()


def own(seller: Person) -> Any:
    answer = seller.get(f"{OWN}?academy={seller.world.academy_id}")
    assert answer.status == 200, answer.text
    return answer.json


def bring(world: World, slug: str, *, plan: str = "open") -> tuple[Person, int]:
    """Somebody who paid a month of the plan with this coupon, and the invoice."""
    buyer = world.paying()
    paid = buyer.pay(buyer.check(plan, coupons=[slug]).json, chosen_period="MONTH")
    assert paid.status == 200 and [coupon["slug"] for coupon in paid.json["coupons"]] == [slug], paid.text
    world.settle()
    return buyer, paid.json["id"]


def earned(seller: Person) -> list[Coupon]:
    return [found.coupon for found in persons_coupons(seller.world.table, seller.user_id, limit=99).items]


def personal(person: Person) -> list[tuple[str, bool, bool]]:
    return [(c["slug"], c["is_valid"], c["auto"]) for c in person.get(PERSONAL).json]


def mails_to(person: Person) -> list[str]:
    return [mail.subject for mail, _ in person.world.mailer.sent if mail.to == person.email]


def a_referral(world: World, seller: Person, **changed: Any) -> None:
    values = {"plan_ids": (), "seller_user_id": seller.user_id, "referral_type": "PERCENTAGE", "referral_value": "0.1"}
    put(world.table, a_coupon(world.now, world.academy_id, **{**values, **changed}))


class TestTheOwnCoupon:
    def test_is_made_once_for_each_academy(self, world: World, staff: Clerk, seller: Person) -> None:
        coupon = own(seller)
        assert coupon == {
            "slug": coupon["slug"],
            "discount_type": "PERCENT_OFF",
            "discount_value": 0.1,
            "referral_type": "PERCENTAGE",
            "referral_value": 0.1,
            "auto": False,
            "offered_at": "2026-11-21T12:00:00Z",
            "expires_at": None,
            "academy": world.academy_id,
            "currency": None,
            "how_many_offers": -1,
        }
        world.advance(days=1)
        before = everything(world)
        assert own(seller) == coupon
        assert everything(world) == before
        other = identity.create_academy(world.table, NewAcademy(name="Lakeside", slug="lakeside"), now=world.now)
        there = seller.get(f"{OWN}?academy=lakeside").json
        assert there["academy"] == other.id and there["slug"] != coupon["slug"]
        assert staff.get(f"/v1/payments/academy/coupon/{coupon['slug']}").json["renewals"] == 0

    def test_is_made_once_by_two_who_ask_at_once(self, world: World, seller: Person) -> None:
        real, raced = Table.get, list[Any]()

        def get(table: Table, key: Any) -> Any:
            row = real(table, key)
            if key.sk.startswith("COUPON#referral-") and not raced:
                raced.append(None)
                raced.append(own(seller))
            return row

        with patch.object(Table, "get", get):
            assert own(seller) == raced[1]

    def test_needs_an_academy_that_is_there(self, seller: Person) -> None:
        refused(seller.get(OWN), 400, "academy-required")
        refused(seller.get(f"{OWN}?academy=9"), 404, "academy-not-found")

    def test_serves_others_and_not_its_owner(self, world: World, staff: Clerk, seller: Person) -> None:
        slug = own(seller)["slug"]
        assert seller.check("open", coupons=[slug]).json["coupons_refused"] == [{"slug": slug, "reason": "own-coupon"}]
        bag = world.person().check("open", coupons=[slug]).json
        assert (bag["discounted_amount_per_month"], bag["renewal_amount"]["MONTH"]) == (54.0, 60.0)

    def test_serves_no_plan_outside_the_program(self, world: World, staff: Clerk, seller: Person) -> None:
        slug = own(seller)["slug"]
        bag = world.person().check("basic", coupons=[slug]).json
        assert bag["coupons_refused"] == [{"slug": slug, "reason": "no-referrals-for-this-plan"}]


class TestAReward:
    def test_is_a_share_of_the_price_before_discounts(self, world: World, staff: Clerk, seller: Person) -> None:
        world.settle()
        _, invoice_id = bring(world, own(seller)["slug"])
        (coupon,) = earned(seller)
        assert coupon.slug.startswith(f"reward-{invoice_id:016d}-") and coupon.academy_id == world.academy_id
        assert (coupon.discount_type, coupon.discount_value, coupon.currency) == ("FIXED_PRICE", Decimal("6.00"), "USD")
        assert (coupon.how_many_offers, coupon.how_many_per_person, coupon.renewals) == (1, 1, 0)
        assert (coupon.allowed_user_id, coupon.seller_user_id, coupon.auto) == (seller.user_id, None, False)
        assert (coupon.offered_at, coupon.expires_at) == (world.now, world.now + timedelta(days=90))
        assert personal(seller) == [(coupon.slug, True, False)]
        assert mails_to(seller) == ["You earned 6.00 USD"]
        check_books(world)

    @pytest.mark.parametrize(
        ("changes", "reward"),
        [
            ({"referral_value": "0.1"}, "6.00"),
            ({"referral_value": "0.123456"}, "7.41"),
            ({"referral_value": "0.00075"}, "0.05"),
            ({"referral_value": "0.00074"}, "0.04"),
            ({"referral_value": "1"}, "30.00"),
            ({"referral_value": "0"}, None),
            ({"referral_value": "0.00008"}, None),
            ({"referral_type": "FIXED_PRICE", "referral_value": "20", "currency": "USD"}, "20.00"),
            ({"referral_type": "FIXED_PRICE", "referral_value": "20.005", "currency": "USD"}, "20.01"),
            ({"referral_type": "FIXED_PRICE", "referral_value": "31", "currency": "USD"}, "30.00"),
            ({"referral_type": "NO_REFERRAL", "referral_value": "0"}, None),
            ({"discount_value": "0"}, "6.00"),
        ],
    )
    def test_is_rounded_once_and_never_more_than_was_paid(
        self, world: World, staff: Clerk, seller: Person, changes: Any, reward: str | None
    ) -> None:
        """The price is 60.00, and the coupon takes half of it off."""
        a_referral(world, seller, **changes)
        bring(world, "half")
        assert [str(coupon.discount_value) for coupon in earned(seller)] == ([] if reward is None else [reward])
        check_books(world)

    def test_of_two_coupons_is_together_no_more_than_was_paid(self, world: World, staff: Clerk, seller: Person) -> None:
        other = world.person()
        a_referral(world, other, id=1, slug="first", auto=True, referral_value="0.3", discount_value="0.5")
        a_referral(world, seller, id=2, referral_value="0.3", discount_value="0.2")
        buyer = world.paying()
        paid = buyer.pay(buyer.check("open", coupons=["half"]).json, chosen_period="MONTH").json
        assert paid["amount"] == 24.0
        world.settle()
        assert [str(c.discount_value) for c in (*earned(other), *earned(seller))] == ["18.00", "6.00"]
        check_books(world)

    def test_is_in_the_currency_that_was_paid(self, world: World, staff: Clerk, seller: Person) -> None:
        countries = {"JP": {"prices": {"price_per_month": Decimal(1005)}, "currency": "JPY"}}
        put(
            world.table,
            a_plan(
                world.now,
                world.academy_id,
                id=8001,
                slug="abroad",
                countries=countries,
                exclude_from_referral_program=False,
                prices={"MONTH": Decimal(10)},
            ),
        )
        buyer = world.paying()
        bag = buyer.check("abroad", coupons=[own(seller)["slug"]], country_code="JP").json
        assert buyer.pay(bag, chosen_period="MONTH").status == 200
        (coupon,) = earned(seller)
        assert (str(coupon.discount_value), coupon.currency) == ("101", "JPY")

    @pytest.mark.parametrize("way", ["free by the coupon", "a trial", "a free plan"])
    def test_is_not_had_where_nothing_is_paid(self, world: World, staff: Clerk, seller: Person, way: str) -> None:
        changes: dict[str, dict[str, Any]] = {
            "free by the coupon": {},
            "a trial": {"trial_duration": 7, "trial_duration_unit": "DAY"},
            "a free plan": {"prices": {"MONTH": Decimal(0)}},
        }
        values = {"id": 8001, "slug": "another", "exclude_from_referral_program": False, **changes[way]}
        put(world.table, a_plan(world.now, world.academy_id, **values))
        a_referral(world, seller, discount_value="1" if way == "free by the coupon" else "0.5")
        bring(world, "half", plan="another")
        assert earned(seller) == []
        check_books(world)

    def test_needs_a_payment_that_succeeds(self, world: World, staff: Clerk, seller: Person) -> None:
        buyer = world.person()
        buyer.save_card("4000000000000341")
        bag = buyer.check("open", coupons=[own(seller)["slug"]]).json
        assert buyer.pay(bag, chosen_period="MONTH").status == 402
        world.settle()
        assert earned(seller) == []
        check_books(world)

    def test_is_made_once_whoever_delivers(self, world: World, staff: Clerk, seller: Person) -> None:
        """The answer is lost, so that the event and the repeated call both deliver."""
        buyer, slug = world.paying(), own(seller)["slug"]
        bag = buyer.check("open", coupons=[slug]).json
        world.settle()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}])
        assert buyer.pay(bag, chosen_period="MONTH").status == 202
        real, raced = settle, list[bool]()

        def overtaken(context: Any, stored: Any, payment: Any, **more: Any) -> Any:
            if not raced:
                raced.append(True)
                assert buyer.pay(bag, chosen_period="MONTH").status == 200
            return real(context, stored, payment, **more)

        world.advance(seconds=60)
        world.deliver()
        with patch("chalicelib.flows.reconcile.handle_event.settle", overtaken):
            for nudge in world.queue.inbox:
                workers.work_event(world.runtime, nudge)
        world.settle()
        assert raced and len(earned(seller)) == 1
        assert mails_to(seller) == ["You earned 6.00 USD"]
        check_books(world)

    def test_of_somebody_without_an_account_keeps_no_buyer_from_the_plan(self, world: World, staff: Clerk) -> None:
        a_referral(world, Person(world, 77, "", ""))
        buyer, _ = bring(world, "half")
        assert buyer.units("ai-chat") == 5000
        check_books(world)

    def test_costs_one_read_more_and_no_transaction(self, world: World, staff: Clerk, seller: Person) -> None:
        buyer = world.paying()
        bag = buyer.check("open", coupons=[own(seller)["slug"]]).json
        with outside_calls(world) as outside:
            assert buyer.pay(bag, chosen_period="MONTH").status == 200
        calls = [call.removeprefix("table ") for call in outside.calls if call.startswith("table ")]
        assert calls == ["GetItem", "BatchGetItem", "TransactWriteItems", "GetItem", "TransactWriteItems"]

    def test_of_two_coupons_fits_the_transaction_of_the_largest_plan(
        self, world: World, staff: Clerk, seller: Person
    ) -> None:
        a_large_plan(world, items=GRANTS_MAX, exclude_from_referral_program=False)
        a_referral(world, world.person(), id=1, slug="first", auto=True, how_many_offers=9)
        a_referral(world, seller, id=2, how_many_offers=9)
        buyer = world.paying()
        bag = buyer.check("large", coupons=["half"]).json
        paid = buyer.pay(bag, chosen_period="MONTH", headers={"Idempotency-Key": "k"})
        assert paid.status == 200 and len(earned(seller)) == 1
        world.settle()
        check_books(world)
