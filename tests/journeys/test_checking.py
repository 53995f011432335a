"""Checking and paying: prices by country, coupons, periods, seats and trials; what is quoted is what is charged."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.catalog.model import CountryPrice, DiscountType, Period, PlanStatus
from tests.books import check_books
from tests.shop import BOOTCAMP, CHAT, TRIAL, a_coupon, a_plan, put
from tests.world import Reply, World


def add_plan(world: World, slug: str = "extra", **changed: Any) -> None:
    put(world.table, a_plan(world.now, world.academy_id, **{"id": 2001, "slug": slug, **changed}))


def add_coupon(world: World, **changed: Any) -> None:
    put(world.table, a_coupon(world.now, world.academy_id, **changed))


def refused(answer: Reply, status: int, slug: str) -> bool:
    return (answer.status, answer.json["slug"]) == (status, slug)


def charged(world: World, answer: Reply) -> int:
    """What Stripe took for the invoice of an answer, in minor units."""
    (payment,) = world.charges(answer.json["id"])
    amount: int = payment["amount"]
    return amount


class TestWhatIsQuotedIsCharged:
    @pytest.mark.parametrize(
        ("country", "month", "year"),
        [
            ("US", 59.99, 479.99),
            ("ES", 50.99, 407.99),
            ("es", 50.99, 407.99),
            ("MX", 25.0, 300.0),
            ("FR", 59.99, 479.99),
        ],
    )
    @pytest.mark.parametrize("period", ["MONTH", "YEAR"])
    def test_by_country(self, world: World, country: str, month: float, year: float, period: str) -> None:
        prices = {"price_per_month": Decimal(25), "price_per_year": Decimal(300)}
        countries = {"ES": CountryPrice(ratio=Decimal("0.85")), "MX": CountryPrice(prices=prices)}
        add_plan(world, countries=countries)
        person = world.paying()
        bag = person.check("extra", country_code=country).json
        assert (bag["amount_per_month"], bag["amount_per_year"]) == (month, year)
        answer = person.pay(bag, chosen_period=period)
        assert answer.json["amount"] == (month if period == "MONTH" else year)
        assert charged(world, answer) == round(answer.json["amount"] * 100)

    def test_in_the_currency_of_a_country(self, world: World) -> None:
        prices = {"price_per_month": Decimal(1000), "price_per_year": Decimal(9000)}
        add_plan(world, countries={"JP": CountryPrice(prices=prices, currency="JPY")})
        person = world.paying()
        bag = person.check("extra", country_code="JP").json
        assert (bag["amount_per_month"], bag["currency"]["code"]) == (1000.0, "JPY")
        answer = person.pay(bag, chosen_period="MONTH")
        (payment,) = world.charges(answer.json["id"])
        assert (payment["amount"], payment["currency"]) == (1000, "jpy")

    def test_by_instalments(self, world: World) -> None:
        add_coupon(world, plan_ids=(BOOTCAMP,), discount_value=Decimal("0.1"))
        person = world.paying()
        bag = person.check("bootcamp", coupons=["half"]).json
        assert bag["installments"] == [{"how_many_months": 12, "amount": 299.0, "discounted_amount": 269.1}]
        answer = person.pay(bag, how_many_installments=12)
        assert (answer.json["amount"], charged(world, answer)) == (269.1, 26910)

    @pytest.mark.parametrize(
        ("kind", "value", "month", "year"),
        [
            (DiscountType.PERCENT_OFF, "0.5", 30.0, 240.0),
            (DiscountType.PERCENT_OFF, "0.333", 40.01, 320.15),
            (DiscountType.FIXED_PRICE, "10", 49.99, 469.99),
            (DiscountType.HAGGLING, "59", 0.99, 420.99),
            (DiscountType.NO_DISCOUNT, "0.5", 59.99, 479.99),
        ],
    )
    def test_with_a_coupon(self, world: World, kind: DiscountType, value: str, month: float, year: float) -> None:
        add_coupon(world, discount_type=kind, discount_value=Decimal(value))
        person = world.paying()
        bag = person.check("basic", coupons=["half"]).json
        assert (bag["discounted_amount_per_month"], bag["discounted_amount_per_year"]) == (month, year)
        assert (bag["amount_per_month"], bag["amount_per_year"]) == (59.99, 479.99)
        answer = person.pay(bag, chosen_period="YEAR", coupons=[{"slug": "half"}])
        assert (answer.json["amount"], charged(world, answer)) == (year, round(year * 100))

    @pytest.mark.parametrize(
        ("period", "amount"), [("MONTH", 2999 + 2 * 199 + 1), ("YEAR", 30000 + 12 * (2 * 199 + 1))]
    )
    def test_with_seats_and_add_ons(self, world: World, period: str, amount: float) -> None:
        prices = {Period.MONTH: Decimal(2999), Period.YEAR: Decimal(30000)}
        add_plan(world, prices=prices, seat_service_id=70, seats_included=5, add_on_service_ids=(CHAT,))
        person = world.paying()
        bag = person.check("extra", team_seats=7, service_items=[{"service": "ai-chat", "how_many": 100}]).json
        assert bag[f"amount_per_{period.lower()}"] == amount
        answer = person.pay(bag, chosen_period=period)
        assert (answer.json["amount"], charged(world, answer)) == (amount, amount * 100)

    def test_whatever_happens_to_the_catalog_meanwhile(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        quote = person.get(f"/v1/payments/me/bag/{bag['id']}/quote").json
        world.advance(minutes=59)
        answer = person.pay(bag, chosen_period="MONTH")
        assert answer.json["amount"] == next(way["amount"] for way in quote["ways"] if way["period"] == "MONTH")

    def test_and_the_trace_adds_up(self, world: World) -> None:
        add_coupon(world, discount_value=Decimal("0.333"))
        person = world.paying()
        bag = person.check("basic", coupons=["half"], country_code="US").json
        quote = person.get(f"/v1/payments/me/bag/{bag['id']}/quote").json
        for way in quote["ways"]:
            assert round(sum(line["amount"] for line in way["lines"]), 2) == way["amount"]
            for line in way["lines"]:
                exact, remainder = Decimal(line["exact_amount"]), Decimal(line["remainder"])
                assert exact + remainder == Decimal(str(line["amount"])).quantize(Decimal("0.01"))
                assert abs(remainder) <= Decimal("0.005")
                assert [step["rule"] for step in line["steps"]] == ["base-price", "percent-off", "round-half-up"]
                assert Decimal(line["steps"][-2]["result"]) == exact

    def test_another_persons_quote_is_not_found(self, world: World) -> None:
        bag = world.person().check("basic").json
        answer = world.person().get(f"/v1/payments/me/bag/{bag['id']}/quote")
        assert refused(answer, 404, "bag-not-found")


class TestCoupons:
    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"how_many_offers": 0}, "disabled"),
            ({"offered_at": timedelta(days=1)}, "not-yet-offered"),
            ({"expires_at": timedelta(0)}, "expired"),
            ({"plan_ids": (TRIAL,)}, "not-for-this-plan"),
            ({"allowed_user_id": 7}, "not-for-you"),
            ({"referral_type": "PERCENTAGE"}, "no-referrals-for-this-plan"),
            ({"discount_type": DiscountType.FIXED_PRICE, "currency": "EUR"}, "other-currency"),
        ],
    )
    def test_that_do_not_serve_are_left_off_and_named(self, world: World, changed: dict[str, Any], reason: str) -> None:
        values = {name: world.now + value if isinstance(value, timedelta) else value for name, value in changed.items()}
        add_coupon(world, **values)
        bag = world.person().check("basic", coupons=["half"]).json
        assert (bag["coupons"], bag["coupons_refused"]) == ([], [{"slug": "half", "reason": reason}])
        assert bag["discounted_amount_per_month"] == 59.99

    def test_that_nobody_knows_are_named_too(self, world: World) -> None:
        bag = world.person().check("basic", coupons=["nothing"]).json
        assert bag["coupons_refused"] == [{"slug": "nothing", "reason": "unknown"}]

    def test_of_ones_own_do_not_serve(self, world: World) -> None:
        seller = world.person()
        add_coupon(world, seller_user_id=seller.user_id)
        assert seller.check("basic", coupons=["half"]).json["coupons_refused"][0]["reason"] == "own-coupon"
        assert world.person().check("basic", coupons=["half"]).json["coupons_refused"] == []

    def test_that_are_automatic_apply_by_themselves_the_oldest_only(self, world: World) -> None:
        add_coupon(world, id=502, slug="newer", auto=True, discount_value=Decimal("0.9"))
        add_coupon(world, id=501, slug="older", auto=True, discount_value=Decimal("0.1"))
        bag = world.person().check("basic").json
        assert [coupon["slug"] for coupon in bag["coupons"]] == ["older"]
        assert bag["discounted_amount_per_month"] == 53.99

    def test_automatic_and_given_multiply(self, world: World) -> None:
        add_coupon(world, id=501, slug="auto", auto=True, discount_value=Decimal("0.1"))
        add_coupon(world)
        assert world.person().check("basic", coupons=["half"]).json["discounted_amount_per_month"] == 27.0

    def test_more_than_one_given_is_refused(self, world: World) -> None:
        assert refused(world.person().check("basic", coupons=["a", "b"]), 400, "too-many-coupons")

    def test_that_are_not_on_the_bag_are_refused_at_pay(self, world: World) -> None:
        add_coupon(world)
        person = world.paying()
        bag = person.check("basic").json
        answer = person.pay(bag, chosen_period="MONTH", coupons=[{"slug": "half"}])
        assert refused(answer, 400, "coupon-not-in-bag")
        assert person.pay(bag, chosen_period="MONTH", coupons=[]).status == 200

    def test_serve_each_person_once(self, world: World) -> None:
        add_coupon(world, plan_ids=())
        person = world.paying()
        assert person.pay(person.check("basic", coupons=["half"]).json, chosen_period="MONTH").json["amount"] == 30.0
        again = person.check("team", coupons=["half"]).json
        assert again["coupons_refused"] == [{"slug": "half", "reason": "already-used-by-you"}]
        assert world.person().check("basic", coupons=["half"]).json["coupons_refused"] == []

    def test_the_last_use_goes_to_who_pays_first(self, world: World) -> None:
        add_coupon(world, how_many_offers=1)
        one, other = world.paying(), world.paying()
        bags = [person.check("basic", coupons=["half"]).json for person in (one, other)]
        assert one.pay(bags[0], chosen_period="MONTH").status == 200
        late = other.pay(bags[1], chosen_period="MONTH")
        assert refused(late, 409, "coupon-used-up")
        assert other.invoices() == [] and len(world.at_stripe("payment_intent")) == 1
        checked = other.check("basic", coupons=["half"]).json
        assert checked["coupons_refused"] == [{"slug": "half", "reason": "used-up"}]
        world.settle()
        check_books(world)

    def test_a_use_comes_back_with_a_decline(self, world: World) -> None:
        add_coupon(world, how_many_offers=1)
        person = world.person()
        person.save_card("4000000000000341")
        assert person.pay(person.check("basic", coupons=["half"]).json, chosen_period="MONTH").status == 402
        other = world.paying()
        assert other.pay(other.check("basic", coupons=["half"]).json, chosen_period="MONTH").json["amount"] == 30.0
        world.settle()
        check_books(world)

    @pytest.mark.parametrize("expires_in", [40, 20])
    def test_the_renewals_amount_says_whether_it_still_serves(self, world: World, expires_in: int) -> None:
        add_coupon(world, expires_at=world.now + timedelta(days=expires_in))
        bag = world.person().check("basic", coupons=["half"]).json
        assert bag["renewal_amount"] == {"MONTH": 30.0 if expires_in == 40 else 59.99, "YEAR": 479.99}

    def test_of_the_whole_price_need_no_card_and_no_stripe(self, world: World) -> None:
        add_coupon(world, discount_value=Decimal(1))
        person = world.person()
        before = len(world.standin.requests())
        answer = person.pay(person.check("basic", coupons=["half"]).json, chosen_period="MONTH")
        assert (answer.status, answer.json["amount"], answer.json["stripe_id"]) == (200, 0.0, None)
        assert person.units("ai-chat") == 5000
        assert len(world.standin.requests()) == before

    def test_that_leave_too_little_to_charge_are_refused_at_pay(self, world: World) -> None:
        add_coupon(world, discount_type=DiscountType.FIXED_PRICE, discount_value=Decimal("59.50"))
        person = world.paying()
        bag = person.check("basic", coupons=["half"]).json
        assert bag["discounted_amount_per_month"] == 0.49
        assert refused(person.pay(bag, chosen_period="MONTH"), 400, "amount-is-too-low")
        assert person.pay(bag, chosen_period="YEAR").json["amount"] == 420.49


class TestBags:
    def test_expire_after_an_hour(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        world.advance(hours=1)
        assert refused(person.pay(bag, chosen_period="MONTH"), 410, "bag-expired")
        assert person.invoices() == []

    def test_that_were_paid_answer_long_after_their_expiry(self, world: World) -> None:
        person = world.paying()
        bag = person.check("basic").json
        paid = person.pay(bag, chosen_period="MONTH")
        world.advance(days=20)
        assert person.pay(bag, chosen_period="MONTH").json["id"] == paid.json["id"]

    @pytest.mark.parametrize("change", ["another person", "another secret", "no token at all"])
    def test_are_their_owners_only(self, world: World, change: str) -> None:
        owner, other = world.paying(), world.paying()
        bag = owner.check("basic").json
        token = bag["token"][:-1] + ("0" if bag["token"][-1] != "0" else "1")
        given = {"another person": bag["token"], "another secret": token, "no token at all": "nothing"}[change]
        payer = other if change == "another person" else owner
        assert refused(payer.pay({"token": given}, chosen_period="MONTH"), 404, "bag-not-found")

    @pytest.mark.parametrize(
        ("plan", "way", "slug"),
        [
            ("basic", {"chosen_period": "QUARTER"}, "period-disabled-for-bag"),
            ("basic", {"how_many_installments": 12}, "invalid-bag-configured-by-installments"),
            ("basic", {}, "missing-chosen-period"),
            ("basic", {"chosen_period": "WEEK"}, "invalid-chosen-period"),
            ("bootcamp", {"chosen_period": "MONTH"}, "period-disabled-for-bag"),
            ("bootcamp", {"how_many_installments": 11}, "invalid-bag-configured-by-installments"),
            ("bootcamp", {"how_many_installments": 0}, "invalid-how-many-installments"),
        ],
    )
    def test_are_paid_in_an_offered_way_only(self, world: World, plan: str, way: dict[str, Any], slug: str) -> None:
        person = world.paying()
        assert refused(person.pay(person.check(plan).json, **way), 400, slug)
        assert person.invoices() == []

    def test_list_the_periods_that_are_offered(self, world: World) -> None:
        bag = world.person().check("basic").json
        assert bag["available_periods"] == ["MONTH", "YEAR"]
        assert (bag["amount_per_quarter"], bag["discounted_amount_per_half"]) == (0.0, 0.0)

    def test_without_a_card_are_not_paid(self, world: World) -> None:
        person = world.person()
        bag = person.check("basic").json
        answer = person.pay(bag, chosen_period="MONTH")
        assert refused(answer, 402, "payment-method-required")
        assert person.save_card().status == 200
        assert person.pay(bag, chosen_period="MONTH").status == 200


class TestPlans:
    @pytest.mark.parametrize(
        ("status", "answered"),
        [("DRAFT", 404), ("DELETED", 404), ("DISCONTINUED", 404), ("ACTIVE", 200), ("UNLISTED", 200)],
    )
    def test_are_for_sale_by_their_status(self, world: World, status: str, answered: int) -> None:
        add_plan(world, status=PlanStatus(status))
        answer = world.person().check("extra")
        assert answer.status == answered
        assert answered == 200 or answer.json["slug"] == "some-items-not-found"

    @pytest.mark.parametrize(
        ("body", "status", "slug"),
        [
            ({"plans": []}, 400, "bag-is-empty"),
            ({"plans": ["nothing"]}, 404, "some-items-not-found"),
            ({"plans": ["basic", "team"]}, 400, "more-than-one-plan-selected"),
            ({"team_seats": 2}, 400, "plan-not-support-teams"),
            ({"service_items": [{"service": "ai-chat", "how_many": 100}]}, 400, "service-item-not-valid"),
        ],
    )
    def test_are_refused_for_what_they_do_not_offer(
        self, world: World, body: dict[str, Any], status: int, slug: str
    ) -> None:
        assert refused(world.person().check("basic", **body), status, slug)

    @pytest.mark.parametrize(("how_many", "slug"), [(99, "the-amount-of-items-is-too-low"), (50_001, "high")])
    def test_limit_their_add_ons(self, world: World, how_many: int, slug: str) -> None:
        answer = world.person().check("team", service_items=[{"service": "ai-chat", "how_many": how_many}])
        assert answer.status == 400 and slug in answer.json["slug"]

    @pytest.mark.parametrize(("plan", "way"), [("basic", "chosen_period"), ("bootcamp", "how_many_installments")])
    def test_are_bought_once(self, world: World, plan: str, way: str) -> None:
        """Two bags were checked before either was paid."""
        person = world.paying()
        one, other = person.check(plan).json, person.check(plan).json
        chosen = {way: "MONTH" if plan == "basic" else 12}
        slug = "plan-already-bought" if plan == "basic" else "plan-already-financed"
        assert person.pay(one, **chosen).status == 200
        assert refused(person.pay(other, **chosen), 400, slug)
        assert refused(person.check(plan), 400, slug)
        world.settle()
        assert len(world.at_stripe("payment_intent")) == 1
        check_books(world)

    def test_in_two_currencies_make_no_bag(self, world: World) -> None:
        add_plan(world, currency="EUR", seat_service_id=70, seats_included=1)
        assert refused(world.person().check("extra", team_seats=3), 400, "multiple-currencies-found")
