"""What a bag holds: the ways to pay, each priced, the trial, and the terms of the way that is chosen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.catalog.model import (
    CountryPrice,
    Coupon,
    DiscountType,
    FinancingOption,
    Offer,
    Period,
    Plan,
    PricedItem,
    ResourceSet,
    ServiceType,
    SetKind,
    Strategy,
)
from chalicelib.books.catalog.pricing import AmountTooHigh, MultipleCurrenciesFound, TooFewItems
from chalicelib.flows.checkout.quote import (
    GRANTS_MAX,
    Content,
    CouponRefused,
    PlanNotReady,
    Wanted,
    currency_of,
    offered_periods,
    quote,
    terms_of,
)
from chalicelib.kernel.periods import Unit
from tests.shop import CHAT, MENTOR_SET, MENTORING, SEAT, a_coupon, a_plan, a_price, a_service, an_item

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ACADEMY = 4
SEAT_PRICE = a_price(ACADEMY, id=902, service_id=SEAT, price_per_unit=199, max_items=100, set_ids={})
CHAT_PRICE = a_price(
    ACADEMY,
    id=901,
    service_id=CHAT,
    price_per_unit="0.01",
    bundle_size=100,
    max_items=50_000,
    max_amount=500,
    discount_ratio=1,
    countries={},
    set_ids={},
)
MENTORS = ResourceSet(id=MENTOR_SET, academy_id=ACADEMY, kind=SetKind.MENTORSHIP_SERVICE, slug="mentors", name="M")
ALL_PERIODS = {Period.MONTH: 10, Period.QUARTER: 27, Period.HALF: 50, Period.YEAR: 96}
COUNTRIES = {"ES": CountryPrice(ratio=Decimal("0.85"), currency="EUR")}
TRIAL: dict[str, Any] = {"trial_duration": 1, "trial_duration_unit": Unit.MONTH}
BOOTCAMP: dict[str, Any] = {"is_renewable": False, "prices": {}, "time_of_life": 12, "time_of_life_unit": Unit.MONTH}


def an_option(**changed: Any) -> FinancingOption:
    values = {"id": 10, "academy_id": ACADEMY, "monthly_price": 299, "how_many_months": 12, "currency": "USD"}
    return FinancingOption.model_validate(values | changed)


def an_offer(*options: FinancingOption, items: tuple[PricedItem, ...] = (), **plan: Any) -> Offer:
    return Offer(
        plan=a_plan(NOW, ACADEMY, **plan),
        items=items,
        financing_options=options,
        sets=(MENTORS,),
        seat_price=SEAT_PRICE,
        add_on_prices=(CHAT_PRICE,),
        add_on_services=(a_service(),),
    )


def quoted(
    offer: Offer, *coupons: Coupon, wanted: Wanted | None = None, trial_open: bool = True, **refused: str
) -> Content:
    refusals = [CouponRefused(slug=slug, reason=reason) for slug, reason in refused.items()]
    return quote(offer, wanted or Wanted(), coupons=coupons, refused=refusals, trial_open=trial_open, now=NOW)


def due(content: Content) -> list[tuple[str | int | None, int, int | None]]:
    return [(way.period or way.instalments, way.priced.amount, way.renewal_amount) for way in content.ways]


class TestOfferedPeriods:
    @pytest.mark.parametrize(
        ("plan", "periods"),
        [
            ({"prices": ALL_PERIODS}, list(Period)),
            ({"prices": {Period.YEAR: 96, Period.MONTH: 10}}, [Period.MONTH, Period.YEAR]),
            ({"prices": {}}, []),
            ({**BOOTCAMP, "prices": ALL_PERIODS}, [Period.YEAR]),
            ({**BOOTCAMP, "prices": ALL_PERIODS, "time_of_life": 6}, [Period.HALF]),
            ({**BOOTCAMP, "prices": ALL_PERIODS, "time_of_life": 1, "time_of_life_unit": Unit.YEAR}, [Period.YEAR]),
            ({**BOOTCAMP, "prices": ALL_PERIODS, "time_of_life": 5}, []),
            ({**BOOTCAMP, "prices": ALL_PERIODS, "time_of_life": 30, "time_of_life_unit": Unit.DAY}, []),
            ({**BOOTCAMP, "prices": {Period.MONTH: 8999}, "time_of_life": 6}, [Period.MONTH]),
            ({**BOOTCAMP, "prices": {Period.MONTH: 8999}, "time_of_life": None}, [Period.MONTH]),
            (BOOTCAMP, []),
        ],
    )
    def test_are_those_with_a_price_or_the_one_as_long_as_the_plan(
        self, plan: dict[str, Any], periods: list[Period]
    ) -> None:
        assert list(offered_periods(an_offer(**plan))) == periods


class TestWays:
    def test_of_a_renewable_plan_are_its_periods(self) -> None:
        assert due(quoted(an_offer(an_option(), prices=ALL_PERIODS))) == [
            (Period.MONTH, 1000, 1000),
            (Period.QUARTER, 2700, 2700),
            (Period.HALF, 5000, 5000),
            (Period.YEAR, 9600, 9600),
        ]

    def test_of_another_are_one_payment_and_instalments(self) -> None:
        offer = an_offer(an_option(), an_option(id=11, how_many_months=3, monthly_price=999), **BOOTCAMP)
        assert due(quoted(offer)) == [(12, 29_900, None), (3, 99_900, None)]
        priced = an_offer(an_option(), **{**BOOTCAMP, "prices": {Period.MONTH: 2999}})
        assert due(quoted(priced)) == [(Period.MONTH, 299_900, None), (12, 29_900, None)]

    @pytest.mark.parametrize("plan", [{"prices": {}}, BOOTCAMP])
    def test_may_be_none(self, plan: dict[str, Any]) -> None:
        with pytest.raises(PlanNotReady):
            quoted(an_offer(**plan))
        with pytest.raises(PlanNotReady):
            currency_of(an_offer(**plan), Wanted())

    def test_may_be_none_where_one_purchase_would_grant_too_much(self) -> None:
        items = tuple(PricedItem(link_id=n, item=an_item(id=n), service=a_service()) for n in range(GRANTS_MAX))
        assert quoted(an_offer(items=items)).ways
        with pytest.raises(PlanNotReady):
            quoted(an_offer(items=items), wanted=Wanted(add_ons={CHAT: 100}))

    def test_are_found_again(self) -> None:
        content = quoted(an_offer(an_option(), **{**BOOTCAMP, "prices": {Period.YEAR: 2999}}))
        year, twelve = content.period_way(Period.YEAR), content.instalment_way(12)
        assert (year, twelve) == content.ways
        assert content.period_way(Period.MONTH) is None
        assert content.instalment_way(3) is None

    def test_have_one_currency_together(self) -> None:
        offer = an_offer(an_option(currency="EUR"), **{**BOOTCAMP, "prices": {Period.YEAR: 2999}})
        with pytest.raises(MultipleCurrenciesFound, match="EUR and USD"):
            quoted(offer)

    def test_have_one_currency_each(self) -> None:
        offer = an_offer().model_copy(update={"seat_price": SEAT_PRICE.model_copy(update={"currency": "EUR"})})
        with pytest.raises(MultipleCurrenciesFound):
            quoted(offer, wanted=Wanted(seats=2, extra_seats=1))


class TestCountries:
    def test_reach_periods_seats_and_instalments_in_any_case(self) -> None:
        plan = {**BOOTCAMP, "prices": {Period.YEAR: 1000}, "countries": COUNTRIES}
        offer = an_offer(an_option(countries=COUNTRIES), **plan)
        seats = SEAT_PRICE.model_copy(update={"countries": COUNTRIES})
        content = quoted(
            offer.model_copy(update={"seat_price": seats}), wanted=Wanted(country="es", seats=2, extra_seats=1)
        )
        assert content.currency == "EUR"
        assert due(content) == [(Period.YEAR, 85_000 + 12 * 16_915, None), (12, 25_415 + 16_915, None)]

    def test_decide_the_currency_that_coupons_are_looked_at_in(self) -> None:
        offer = an_offer(countries=COUNTRIES)
        assert currency_of(offer, Wanted(country="Es")) == "EUR"
        assert currency_of(offer, Wanted()) == "USD"
        financed = an_offer(an_option(countries=COUNTRIES), **BOOTCAMP)
        assert currency_of(financed, Wanted(country="es")) == "EUR"


class TestSeatsAndAddOns:
    def test_cost_their_month_times_the_months(self) -> None:
        wanted = Wanted(seats=3, extra_seats=2, add_ons={CHAT: 500})
        content = quoted(an_offer(prices=ALL_PERIODS), wanted=wanted)
        assert [amount for _, amount, _ in due(content)] == [
            own * 100 + months * (2 * 19_900 + 500) for own, months in ((10, 1), (27, 3), (50, 6), (96, 12))
        ]
        lines = content.ways[1].priced.lines
        assert [(line.id, line.quantity, line.months) for line in lines] == [
            ("plan", 1, 3),
            ("seats", 2, 3),
            (f"add_on:{CHAT}", 500, 3),
        ]

    def test_are_in_each_instalment(self) -> None:
        wanted = Wanted(seats=2, extra_seats=1, add_ons={CHAT: 100})
        assert due(quoted(an_offer(an_option(), **BOOTCAMP), wanted=wanted)) == [(12, 29_900 + 19_900 + 100, None)]

    def test_that_nobody_wants_cost_nothing(self) -> None:
        assert len(quoted(an_offer(), wanted=Wanted(add_ons={CHAT: 0})).ways[0].priced.lines) == 1

    def test_keep_the_limits_of_what_is_bought(self) -> None:
        with pytest.raises(TooFewItems):
            quoted(an_offer(), wanted=Wanted(add_ons={CHAT: 99}))
        dear = an_offer().model_copy(
            update={"add_on_prices": (CHAT_PRICE.model_copy(update={"max_amount": Decimal(4)}),)}
        )
        quoted(dear, wanted=Wanted(add_ons={CHAT: 400}))
        with pytest.raises(AmountTooHigh):
            quoted(dear, wanted=Wanted(add_ons={CHAT: 401}))


class TestCoupons:
    def test_that_stay_lower_the_renewal_too(self) -> None:
        content = quoted(an_offer(), a_coupon(NOW, ACADEMY, expires_at=NOW + timedelta(days=30)))
        assert due(content) == [(Period.MONTH, 3000, 3000), (Period.YEAR, 24_000, 47_999)]

    @pytest.mark.parametrize(("renewals", "month"), [(0, 5999), (1, 3000), (None, 3000)])
    def test_serve_as_many_renewals_as_they_say(self, renewals: int | None, month: int) -> None:
        content = quoted(an_offer(), a_coupon(NOW, ACADEMY, renewals=renewals))
        assert due(content)[0] == (Period.MONTH, 3000, month)

    def test_without_a_discount_change_nothing(self) -> None:
        plain = a_coupon(NOW, ACADEMY, discount_type=DiscountType.NO_DISCOUNT, discount_value=Decimal("0.5"))
        content = quoted(an_offer(), plain)
        assert due(content)[0] == (Period.MONTH, 5999, 5999)
        assert content.coupons == (plain,)

    def test_that_do_not_serve_are_named(self) -> None:
        assert quoted(an_offer(), old="expired").coupons_refused == (CouponRefused(slug="old", reason="expired"),)


class TestTrial:
    def test_is_shown_beside_the_normal_amounts(self) -> None:
        content = quoted(an_offer(**TRIAL))
        assert content.trial is not None
        assert (content.trial.duration, content.trial.unit) == (1, Unit.MONTH)
        assert content.trial.first_charge_at == datetime(2026, 2, 28, 12, tzinfo=UTC)
        assert due(content)[0] == (Period.MONTH, 5999, 5999)

    @pytest.mark.parametrize(
        "plan", [{"trial_duration": 0}, {**TRIAL, "prices": {Period.MONTH: 0}}, {**TRIAL, **BOOTCAMP}]
    )
    def test_is_not_offered_where_there_is_none_or_nothing_to_pay_later(self, plan: dict[str, Any]) -> None:
        assert quoted(an_offer(an_option(), **plan)).trial is None

    def test_is_offered_once(self) -> None:
        assert quoted(an_offer(**TRIAL), trial_open=False).trial is None


class TestFree:
    @pytest.mark.parametrize(
        ("prices", "free"),
        [({Period.MONTH: 0, Period.YEAR: 0}, True), ({Period.MONTH: 0, Period.YEAR: 1}, False), (ALL_PERIODS, False)],
    )
    def test_is_a_plan_without_a_price_above_zero(self, prices: dict[Period, int], free: bool) -> None:
        assert quoted(an_offer(prices=prices)).free is free

    def test_is_no_plan_that_a_coupon_made_so(self) -> None:
        content = quoted(an_offer(), a_coupon(NOW, ACADEMY, discount_value=1))
        assert due(content)[0] == (Period.MONTH, 0, 0)
        assert not content.free


class TestTermsOf:
    MENTORING_ITEM = PricedItem(
        link_id=2,
        item=an_item(id=2, service_id=MENTORING, how_many=2, is_team_allowed=True, renew_at=2),
        service=a_service(id=MENTORING, slug="mentorship", type=ServiceType.MENTORSHIP_SERVICE_SET, session_seconds=9),
    )
    CHAT_ITEM = PricedItem(link_id=1, item=an_item(is_renewable=False), service=a_service())

    def test_freeze_what_was_agreed(self) -> None:
        coupon = a_coupon(NOW, ACADEMY, renewals=3)
        offer = an_offer(version=7, countries={"MX": CountryPrice(ratio=Decimal("0.5"))})
        content = quoted(offer, coupon, wanted=Wanted(country="MX", seats=2, extra_seats=1))
        terms = terms_of(content, content.ways[1])
        assert (terms.plan_version, terms.currency, terms.country, terms.seats) == (7, "USD", "MX", 2)
        assert (terms.pay_every, terms.pay_every_unit) == (1, Unit.YEAR)
        assert terms.full_amount == 24_000 + 12 * 13_930  # a seat's own ratio in Mexico is 0.70
        assert [(one.slug, one.renewals, one.discount_value) for one in terms.coupons] == [("half", 3, Decimal("0.5"))]
        assert [line.full_amount for line in terms.lines] == [24_000, 167_160]

    @pytest.mark.parametrize(
        ("period", "every"), [(Period.MONTH, 1), (Period.QUARTER, 3), (Period.HALF, 6), (Period.YEAR, 1)]
    )
    def test_are_paid_by_the_period(self, period: Period, every: int) -> None:
        content = quoted(an_offer(prices=ALL_PERIODS))
        way = content.period_way(period)
        assert way is not None
        terms = terms_of(content, way)
        assert (terms.pay_every, terms.pay_every_unit) == (every, Unit.YEAR if period is Period.YEAR else Unit.MONTH)

    def test_of_instalments_are_paid_by_the_month(self) -> None:
        content = quoted(an_offer(an_option(), **BOOTCAMP))
        terms = terms_of(content, content.ways[0])
        assert (terms.pay_every, terms.pay_every_unit, terms.full_amount) == (1, Unit.MONTH, 29_900)

    @pytest.mark.parametrize(
        ("strategy", "pooled"),
        [(Strategy.PER_SEAT, [False, False]), (Strategy.PER_TEAM, [False, True]), (Strategy.BOTH, [False, True])],
    )
    def test_say_which_items_are_pooled(self, strategy: Strategy, pooled: list[bool]) -> None:
        """Items that are not allowed to teams stay with the person, whatever the strategy."""
        offer = an_offer(items=(self.CHAT_ITEM, self.MENTORING_ITEM), consumption_strategy=strategy)
        content = quoted(offer)
        assert [item.pooled for item in terms_of(content, content.ways[0]).items] == pooled

    def test_copy_the_items_with_their_sets(self) -> None:
        content = quoted(an_offer(items=(self.CHAT_ITEM, self.MENTORING_ITEM)))
        chat, mentoring = terms_of(content, content.ways[0]).items
        assert (chat.link_id, chat.how_many, chat.is_renewable, chat.set) == ("1", 5000, False, None)
        assert mentoring.set is not None
        assert (mentoring.set.kind, mentoring.set.id, mentoring.set.slug) == (SetKind.MENTORSHIP_SERVICE, 1, "mentors")
        assert (mentoring.renew_at, mentoring.renew_at_unit, mentoring.session_seconds) == (2, Unit.MONTH, 9)

    def test_grant_add_ons_by_the_month(self) -> None:
        content = quoted(an_offer(prices=ALL_PERIODS), wanted=Wanted(add_ons={CHAT: 500}))
        (item,) = terms_of(content, content.ways[-1]).items
        assert (item.link_id, item.how_many, item.is_renewable) == (f"add_on_{CHAT}", 500, True)
        assert (item.renew_at, item.renew_at_unit, item.pooled) == (1, Unit.MONTH, False)

    def test_do_not_follow_the_catalog(self) -> None:
        """What was quoted is a copy: it reads back the same from its JSON, whatever becomes of the plan."""
        content = quoted(an_offer(an_option(), items=(self.MENTORING_ITEM,)), a_coupon(NOW, ACADEMY))
        again = Content.model_validate_json(content.model_dump_json())
        assert again == content
        assert terms_of(again, again.ways[0]) == terms_of(content, content.ways[0])
        assert isinstance(again.offer.plan, Plan)
