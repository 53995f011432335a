"""A small shop for tests: one of each thing that can be sold. Builders with valid defaults say only what matters."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog.model import (
    CountryPrice,
    Coupon,
    FinancingOption,
    Period,
    Plan,
    PlanItem,
    PlanStatus,
    ResourceSet,
    Service,
    ServiceItem,
    ServicePrice,
    ServiceType,
    SetKind,
    Strategy,
)
from chalicelib.dynamo.table import Table
from chalicelib.kernel.periods import Unit

CHAT, MENTORING, COURSES, SEAT, EVENTS = 93, 52, 45, 70, 60
BASIC, BOOTCAMP, FREE, TRIAL, TEAM = 1001, 1002, 1003, 1004, 1005
MENTOR_SET, COHORT_SET = 1, 5


def a_service(**changed: Any) -> Service:
    values = {"id": CHAT, "slug": "ai-chat", "title": "AI Chat", "type": ServiceType.VOID, "private": False}
    return Service.model_validate(values | changed)


def an_item(**changed: Any) -> ServiceItem:
    values = {"id": 1, "service_id": CHAT, "how_many": 5000, "is_renewable": True}
    return ServiceItem.model_validate(values | changed)


def a_plan(now: datetime, academy_id: int, **changed: Any) -> Plan:
    values = {
        "id": BASIC,
        "academy_id": academy_id,
        "slug": "basic",
        "title": "Basic",
        "status": PlanStatus.ACTIVE,
        "currency": "USD",
        "prices": {Period.MONTH: Decimal("59.99"), Period.YEAR: Decimal("479.99")},
        "items": (
            PlanItem(link_id=1, item_id=1, service_id=CHAT),
            PlanItem(link_id=2, item_id=2, service_id=MENTORING),
            PlanItem(link_id=3, item_id=3, service_id=COURSES),
        ),
        "cohort_set_id": COHORT_SET,
        "mentorship_service_set_id": MENTOR_SET,
        "created_at": now,
    }
    return Plan.model_validate(values | changed)


def a_price(academy_id: int, **changed: Any) -> ServicePrice:
    values = {
        "id": 900,
        "academy_id": academy_id,
        "service_id": MENTORING,
        "currency": "USD",
        "price_per_unit": Decimal(50),
        "bundle_size": 1,
        "max_items": 20,
        "max_amount": Decimal(1000),
        "discount_ratio": Decimal("0.90"),
        "countries": {"MX": CountryPrice(ratio=Decimal("0.70")), "ES": CountryPrice(ratio=Decimal("0.85"))},
        "set_ids": {SetKind.MENTORSHIP_SERVICE: (MENTOR_SET,)},
    }
    return ServicePrice.model_validate(values | changed)


def a_coupon(now: datetime, academy_id: int, **changed: Any) -> Coupon:
    values = {
        "id": 500,
        "academy_id": academy_id,
        "slug": "half",
        "discount_value": Decimal("0.5"),
        "offered_at": now,
        "plan_ids": (BASIC,),
    }
    return Coupon.model_validate(values | changed)


def open_shop(table: Table, academy_id: int, now: datetime) -> None:
    """Services, items, prices, and plans of each kind."""
    rows: list[Any] = [
        a_service(),
        a_service(id=MENTORING, slug="mentorship-service", title="Mentorship", type=ServiceType.MENTORSHIP_SERVICE_SET),
        a_service(id=COURSES, slug="all-courses", title="All courses", type=ServiceType.COHORT_SET),
        a_service(id=SEAT, slug="seat", title="Seat", type=ServiceType.SEAT),
        a_service(id=EVENTS, slug="events", title="Events", type=ServiceType.EVENT_TYPE_SET, private=True),
        an_item(),
        an_item(id=2, service_id=MENTORING, how_many=2, is_team_allowed=True),
        an_item(id=3, service_id=COURSES, how_many=-1),
        ResourceSet(id=MENTOR_SET, academy_id=academy_id, kind=SetKind.MENTORSHIP_SERVICE, slug="mentors", name="M"),
        ResourceSet(id=COHORT_SET, academy_id=academy_id, kind=SetKind.COHORT, slug="cohorts", name="C"),
        a_price(academy_id),
        a_price(
            academy_id,
            id=901,
            service_id=CHAT,
            price_per_unit=Decimal("0.01"),
            bundle_size=100,
            max_items=50_000,
            max_amount=Decimal(500),
            discount_ratio=Decimal(1),
            countries={},
            set_ids={},
        ),
        a_price(academy_id, id=902, service_id=SEAT, price_per_unit=Decimal(199), max_items=100, set_ids={}),
        FinancingOption(id=10, academy_id=academy_id, monthly_price=Decimal(299), how_many_months=12, currency="USD"),
        a_plan(now, academy_id),
        a_plan(
            now,
            academy_id,
            id=BOOTCAMP,
            slug="bootcamp",
            is_renewable=False,
            prices={},
            financing_option_ids=(10,),
            time_of_life=12,
            time_of_life_unit=Unit.MONTH,
        ),
        a_plan(now, academy_id, id=FREE, slug="free", prices={Period.MONTH: Decimal(0), Period.YEAR: Decimal(0)}),
        a_plan(
            now,
            academy_id,
            id=TRIAL,
            slug="pro-trial",
            prices={Period.MONTH: Decimal(39)},
            trial_duration=7,
            trial_duration_unit=Unit.DAY,
        ),
        a_plan(
            now,
            academy_id,
            id=TEAM,
            slug="team",
            prices={Period.MONTH: Decimal(2999)},
            seat_service_id=SEAT,
            seats_included=5,
            consumption_strategy=Strategy.BOTH,
            add_on_service_ids=(CHAT,),
        ),
    ]
    put(table, *rows)


def put(table: Table, *rows: Any) -> None:
    """Put further rows of the catalog."""
    for row in rows:
        catalog.create(table, row)
