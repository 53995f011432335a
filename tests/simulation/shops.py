"""Two academies that sell the same services: the shop of the other tests, and a smaller neighbour."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.books.catalog import queries, store
from chalicelib.books.catalog.model import Coupon, FinancingOption, Period, PlanItem, ResourceSet, SetKind, Strategy
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import commit
from chalicelib.kernel.periods import Unit
from tests.shop import (
    BASIC,
    BOOTCAMP,
    CHAT,
    MENTOR_SET,
    MENTORING,
    SEAT,
    TRIAL,
    a_coupon,
    a_plan,
    a_price,
    an_item,
    open_shop,
    put,
)

ACADEMIES = (1, 2)
NEIGHBOUR_PLANS = 2000
SHORT, WEEKLY = 11, 9
"""A financing option of three instalments, and an item that comes each week."""
"""How far the neighbour's ids of plans are from those of the shop."""

PLANS = {
    1: {
        "basic": "period",
        "bootcamp": "instalments",
        "free": "free",
        "pro-trial": "period",
        "team": "period",
        "crew": "period",
    },
    2: {"n-basic": "period", "n-trial": "period"},
}
"""Each academy's plans, and how they are paid."""
SEATED = ("team", "crew")
"""Plans for several: one with a pool and copies, and one where each seat has a copy of everything."""
CREW = 1900
INSTALMENTS = (12, 3, 3)
"""Of `bootcamp`."""
HELD_AT_FIRST: tuple[tuple[str, dict[str, Any]], ...] = (
    ("crew", {"chosen_period": "MONTH"}),
    ("n-basic", {"chosen_period": "MONTH"}),
    ("bootcamp", {"how_many_installments": 3}),
    ("n-basic", {"chosen_period": "YEAR"}),
)
"""What the first people have from the beginning, and how they pay it."""
POOLED_AT_FIRST: tuple[str, dict[str, Any]] = ("team", {"chosen_period": "MONTH"})
"""What the first of them has too: a team with a pool, which is filled up."""
RECHARGED_AT_FIRST = {
    "auto_recharge_enabled": True,
    "recharge_threshold_amount": 60,
    "recharge_amount": 100,
    "max_period_spend": 500,
}
COUPONS = {1: ("half", "half", "gift", "few", "friend", "friend"), 2: ("n-half", "n-friend")}
SELLERS = (1, 2)
"""People who earn by purchases with `friend` and `n-friend`, each a customer of one of the academies."""
REFERRED = ("basic", "bootcamp", "team")
SERVICES = ("mentorship-service", "ai-chat")


def open_both(table: Table, now: datetime) -> None:
    first, second = ACADEMIES
    for academy_id in ACADEMIES:
        slug = f"academy-{academy_id}"
        identity.create_academy(
            table, NewAcademy(id=academy_id, name=slug.title(), slug=slug, main_currency="USD"), now=now
        )
    open_shop(table, first, now)
    put(
        table,
        FinancingOption(id=SHORT, academy_id=first, monthly_price=Decimal(399), how_many_months=3, currency="USD"),
        an_item(id=WEEKLY, service_id=MENTORING, how_many=3, renew_at=1, renew_at_unit=Unit.WEEK),
    )
    for slug in REFERRED:
        plan = queries.plan(table, slug, now=now)
        changes: dict[str, Any] = {"exclude_from_referral_program": False}
        if slug == "bootcamp":
            changes["financing_option_ids"] = (*plan.financing_option_ids, SHORT)
        commit(table, [store.changed(plan.model_copy(update=changes), version=1)])
    plans = (BASIC, BOOTCAMP, TRIAL)
    put(
        table,
        a_plan(
            now,
            first,
            id=CREW,
            slug="crew",
            prices={Period.MONTH: Decimal(79)},
            seat_service_id=SEAT,
            seats_included=3,
            consumption_strategy=Strategy.PER_SEAT,
        ),
        a_coupon(now, first, how_many_offers=1, plan_ids=plans),
        a_coupon(now, first, id=501, slug="gift", discount_value=Decimal(1), how_many_offers=1, plan_ids=plans),
        a_coupon(now, first, id=502, slug="few", discount_value=Decimal("0.1"), plan_ids=plans),
        _referral(now, first, 503, "friend", referral_type="PERCENTAGE", referral_value=Decimal("0.3")),
        _referral(now, second, 551, "n-friend", referral_type="FIXED_PRICE", referral_value=5, how_many_offers=3),
        ResourceSet(id=MENTOR_SET, academy_id=second, kind=SetKind.MENTORSHIP_SERVICE, slug="mentors", name="M"),
        a_price(second, id=950, price_per_unit=Decimal(30)),
        a_plan(
            now,
            second,
            id=BASIC + NEIGHBOUR_PLANS,
            slug="n-basic",
            cohort_set_id=None,
            exclude_from_referral_program=False,
            items=(
                PlanItem(link_id=1, item_id=1, service_id=CHAT),
                PlanItem(link_id=2, item_id=WEEKLY, service_id=MENTORING),
            ),
        ),
        a_plan(
            now,
            second,
            id=TRIAL + NEIGHBOUR_PLANS,
            slug="n-trial",
            cohort_set_id=None,
            prices={Period.MONTH: Decimal(19)},
            trial_duration=7,
            trial_duration_unit=Unit.DAY,
        ),
        a_coupon(now, second, id=550, slug="n-half", how_many_offers=1, plan_ids=(BASIC + NEIGHBOUR_PLANS,)),
    )


def _referral(now: datetime, academy_id: int, ident: int, slug: str, **more: Any) -> Coupon:
    """A tenth off any plan that is in the referral program."""
    values = {"id": ident, "slug": slug, "discount_value": Decimal("0.1"), "plan_ids": (), "currency": "USD"}
    return a_coupon(now, academy_id, seller_user_id=SELLERS[academy_id - 1], **values, **more)
