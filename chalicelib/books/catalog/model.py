"""The types of the catalog. Prices and ratios are exact decimals in major units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from chalicelib.kernel.documents import Document
from chalicelib.kernel.periods import Span, Unit


class ServiceType(StrEnum):
    COHORT_SET = "COHORT_SET"
    MENTORSHIP_SERVICE_SET = "MENTORSHIP_SERVICE_SET"
    EVENT_TYPE_SET = "EVENT_TYPE_SET"
    VOID = "VOID"
    SEAT = "SEAT"


class Consumer(StrEnum):
    ADD_CODE_REVIEW = "ADD_CODE_REVIEW"
    LIVE_CLASS_JOIN = "LIVE_CLASS_JOIN"
    EVENT_JOIN = "EVENT_JOIN"
    JOIN_MENTORSHIP = "JOIN_MENTORSHIP"
    READ_LESSON = "READ_LESSON"
    AI_INTERACTION = "AI_INTERACTION"
    NO_SET = "NO_SET"


class PlanStatus(StrEnum):
    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    UNLISTED = "UNLISTED"
    DELETED = "DELETED"
    DISCONTINUED = "DISCONTINUED"


class Strategy(StrEnum):
    PER_SEAT = "PER_SEAT"
    PER_TEAM = "PER_TEAM"
    BOTH = "BOTH"


class Period(StrEnum):
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    HALF = "HALF"
    YEAR = "YEAR"

    @property
    def months(self) -> int:
        return {"MONTH": 1, "QUARTER": 3, "HALF": 6, "YEAR": 12}[self.value]

    @property
    def span(self) -> Span:
        return Span(1, Unit.YEAR) if self is Period.YEAR else Span(self.months, Unit.MONTH)


class SetKind(StrEnum):
    """Which kind of thing a set groups."""

    COHORT = "cohort"
    MENTORSHIP_SERVICE = "mentorship_service"
    EVENT_TYPE = "event_type"


SET_KIND_OF = {
    ServiceType.COHORT_SET: SetKind.COHORT,
    ServiceType.MENTORSHIP_SERVICE_SET: SetKind.MENTORSHIP_SERVICE,
    ServiceType.EVENT_TYPE_SET: SetKind.EVENT_TYPE,
}


class Permission(Document):
    name: str
    codename: str


class Group(Document):
    """A permission group that holders of the service have."""

    name: str
    permissions: tuple[Permission, ...] = ()


class Service(Document):
    """What can be owned. `owner_id` is an academy, or None: everyone's. `session_seconds`: how long one use lasts."""

    id: int
    slug: str
    title: str
    description: str = ""
    icon_url: str | None = None
    owner_id: int | None = None
    private: bool = True
    type: ServiceType = ServiceType.COHORT_SET
    consumer: Consumer = Consumer.NO_SET
    session_seconds: int | None = None
    groups: tuple[Group, ...] = ()


class Feature(Document):
    lang: str
    title: str | None = None
    one_line_desc: str | None = None
    description: str | None = None


class ServiceItem(Document):
    """How many units of a service, and how they renew. `how_many` is -1 for unlimited.

    `owner_id` is the academy that sells it, or None: everyone's.
    """

    id: int
    owner_id: int | None = None
    service_id: int
    how_many: int
    unit_type: str = "UNIT"
    sort_priority: int = 1
    is_renewable: bool = False
    is_team_allowed: bool = False
    renew_at: int = 1
    renew_at_unit: Unit = Unit.MONTH
    features: tuple[Feature, ...] = ()


class CountryPrice(Document):
    """What differs in a country: a ratio, or explicit prices by field name, and perhaps the currency."""

    ratio: Decimal | None = None
    prices: Mapping[str, Decimal] = {}
    currency: str | None = None


class Regional(Document):
    """What costs something else in some countries. They are known by upper-case codes, however they were written."""

    countries: Mapping[str, CountryPrice] = {}

    def __post_init__(self) -> None:
        if not all(code.isupper() for code in self.countries):
            force_setattr(self, "countries", {code.upper(): price for code, price in self.countries.items()})


class ServicePrice(Regional):
    """An academy's price of a service (the documents' academy service). At most one for each academy and service."""

    id: int
    academy_id: int
    service_id: int
    currency: str
    price_per_unit: Decimal
    bundle_size: int = 1
    max_items: int = 1
    max_amount: Decimal = Decimal(1)
    discount_ratio: Decimal = Decimal(1)
    set_ids: Mapping[SetKind, tuple[int, ...]] = {}
    units_live: int | None = None
    units_live_unit: Unit = Unit.MONTH


class FinancingOption(Regional):
    """So many monthly payments of a price. `academy_id` None: everyone's."""

    id: int
    academy_id: int | None
    monthly_price: Decimal
    how_many_months: int
    currency: str


class ResourceSet(Document):
    """Cohorts, mentorship services or event types that are sold together."""

    id: int
    academy_id: int
    kind: SetKind
    slug: str
    name: str
    member_ids: tuple[int, ...] = ()


class Cohort(Document):
    id: int
    academy_id: int
    slug: str
    name: str
    available_as_saas: bool = False
    syllabus: str | None = None


class PlanItem(Document):
    """One service item linked to a plan; the service's id stands here so that one read can fetch both."""

    link_id: int
    item_id: int
    service_id: int


class PlanRevision(Document):
    """A change of a plan that is to come: the fields as they are stored, and from when they hold.

    Of its `prices` only the periods that change are here, None for one that is offered no more.
    """

    applies_from: datetime
    changes: Mapping[str, Any]


class Plan(Regional):
    """What a customer can subscribe to or pay by instalments.

    `version` counts what has held so far and `applies_from` says since when this one holds; `upcoming` are the changes
    that hold later, the soonest first. Whoever sells a plan takes it `at` the moment of the sale.
    """

    id: int
    academy_id: int
    slug: str
    title: str | None = None
    status: PlanStatus = PlanStatus.DRAFT
    currency: str
    is_renewable: bool = True
    is_onboarding: bool = False
    has_waiting_list: bool = False
    capacity: int | None = None
    exclude_from_referral_program: bool = True
    time_of_life: int | None = None
    time_of_life_unit: Unit | None = None
    trial_duration: int = 0
    trial_duration_unit: Unit = Unit.MONTH
    prices: Mapping[Period, Decimal] = {}
    items: tuple[PlanItem, ...] = ()
    financing_option_ids: tuple[int, ...] = ()
    cohort_set_id: int | None = None
    mentorship_service_set_id: int | None = None
    event_type_set_id: int | None = None
    consumption_strategy: Strategy = Strategy.PER_SEAT
    seat_service_id: int | None = None
    seats_included: int = 1
    add_on_service_ids: tuple[int, ...] = ()
    version: int = 1
    applies_from: datetime | None = None
    upcoming: tuple[PlanRevision, ...] = ()
    created_at: datetime

    def at(self, now: datetime) -> Plan:
        """The plan as it holds then."""
        return next(one for one in reversed(self.versions()) if one is self or (one.applies_from or now) <= now)

    def versions(self) -> tuple[Plan, ...]:
        """The plan as it is stored, and as each change to come will make it."""
        found = [self]
        for number, revision in enumerate(self.upcoming, 1):
            before = msgspec.to_builtins(found[-1])
            prices = {**before["prices"], **revision.changes.get("prices", {})}
            changed = {
                **before,
                **revision.changes,
                "prices": {period: price for period, price in prices.items() if price is not None},
                "version": self.version + number,
                "applies_from": revision.applies_from,
                "upcoming": self.upcoming[number:],
            }
            found.append(Plan.model_validate(changed))
        return tuple(found)

    @property
    def life(self) -> Span | None:
        if self.time_of_life and self.time_of_life_unit:
            return Span(self.time_of_life, self.time_of_life_unit)
        return None

    @property
    def trial(self) -> Span | None:
        return Span(self.trial_duration, self.trial_duration_unit) if self.trial_duration > 0 else None

    def set_id(self, kind: SetKind) -> int | None:
        return {
            SetKind.COHORT: self.cohort_set_id,
            SetKind.MENTORSHIP_SERVICE: self.mentorship_service_set_id,
            SetKind.EVENT_TYPE: self.event_type_set_id,
        }[kind]


class DiscountType(StrEnum):
    NO_DISCOUNT = "NO_DISCOUNT"
    PERCENT_OFF = "PERCENT_OFF"
    FIXED_PRICE = "FIXED_PRICE"
    HAGGLING = "HAGGLING"


class ReferralType(StrEnum):
    NO_REFERRAL = "NO_REFERRAL"
    PERCENTAGE = "PERCENTAGE"
    FIXED_PRICE = "FIXED_PRICE"


class Coupon(Document):
    """A discount. Its value is 0 to 1 for PERCENT_OFF, an amount off in `currency` for the others.

    `how_many_offers`: uses in total, -1 without limit, 0 disabled. `renewals`: None serves renewals until the coupon
    expires, N the next N renewals whatever its expiry. What `seller_user_id` earns by a purchase with it is 0 to 1 of
    the price for PERCENTAGE, an amount in `currency` for FIXED_PRICE. `revoked`: what earned it was given back.
    """

    id: int
    academy_id: int
    slug: str
    discount_type: DiscountType = DiscountType.PERCENT_OFF
    discount_value: Decimal
    currency: str | None = None
    referral_type: ReferralType = ReferralType.NO_REFERRAL
    referral_value: Decimal = Decimal(0)
    auto: bool = False
    how_many_offers: int = -1
    how_many_per_person: int = 1
    renewals: int | None = None
    allowed_user_id: int | None = None
    seller_user_id: int | None = None
    plan_ids: tuple[int, ...] = ()
    offered_at: datetime
    expires_at: datetime | None = None
    revoked: bool = False

    def __post_init__(self) -> None:
        if not self.discount_value.is_finite() or self.discount_value < 0:
            raise ValueError("a discount takes nothing off, or something")
        if self.discount_type is DiscountType.PERCENT_OFF and self.discount_value > 1:
            raise ValueError("a percentage off is a ratio of at most 1")

    @property
    def is_automatic(self) -> bool:
        """Whether it is applied without being given: to anybody's purchase, so that one person's never is."""
        return self.auto and self.allowed_user_id is None

    @property
    def has_amounts(self) -> bool:
        """Whether it is worth something in its currency only."""
        amount_off = self.discount_type in (DiscountType.FIXED_PRICE, DiscountType.HAGGLING)
        return amount_off or self.referral_type is ReferralType.FIXED_PRICE


class OfferText(Document):
    """What a plan offer says in one language."""

    lang: str
    title: str | None = None
    description: str | None = None
    short_description: str | None = None


class PlanOffer(Document):
    """Whoever looks at the original plan is shown the suggested one, until `expires_at` (None: for good)."""

    id: int
    academy_id: int
    original_plan_id: int
    suggested_plan_id: int
    details: str | None = None
    show_modal: bool = False
    expires_at: datetime | None = None
    translations: tuple[OfferText, ...] = ()

    def is_live(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


class PricedItem(Document):
    """A plan's service item together with its service."""

    link_id: int
    item: ServiceItem
    service: Service


class Offer(Document):
    """A plan with everything that selling it needs, as it is at one moment."""

    plan: Plan
    items: tuple[PricedItem, ...]
    financing_options: tuple[FinancingOption, ...]
    sets: tuple[ResourceSet, ...]
    seat_price: ServicePrice | None = None
    add_on_prices: tuple[ServicePrice, ...] = ()
    add_on_services: tuple[Service, ...] = ()

    def set_of(self, service: Service) -> ResourceSet | None:
        """The set that a service's units are for: the plan's set of that kind, if it has one."""
        kind = SET_KIND_OF.get(service.type)
        ident = None if kind is None else self.plan.set_id(kind)
        return next((found for found in self.sets if found.id == ident and found.kind is kind), None)
