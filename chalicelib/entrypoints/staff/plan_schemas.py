"""A plan as staff send and see it (document 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from chalicelib.books.catalog.model import Cohort, Offer, Period, PlanStatus, ServicePrice, SetKind, Strategy
from chalicelib.books.catalog.plans import (
    CAPACITY_MAX,
    DURATION_MAX,
    PRICE_FIELDS,
    SEATS_MAX,
    TITLE_CHARACTERS_MAX,
    Warned,
)
from chalicelib.books.catalog.prices import country_prices
from chalicelib.books.identity.model import Academy
from chalicelib.entrypoints._http import Instant, Output
from chalicelib.entrypoints.academy.inputs import Ident
from chalicelib.entrypoints.academy.schemas import (
    AcademyOut,
    CurrencyOut,
    FinancingOptionOut,
    ServiceItemOut,
    SetOut,
    academy_out,
    currency_out,
    item_out,
    option_out,
    period_price,
    sets_out,
)
from chalicelib.entrypoints.staff.cohort_schemas import CohortOut, cohort_out
from chalicelib.entrypoints.staff.inputs import (
    CurrencyCode,
    Exceptions,
    Price,
    StaffInput,
    When,
    exceptions_out,
    omitted,
    sent,
)
from chalicelib.flows.catalog.save_plan import NAMED_MAX
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.periods import Unit

Status = Literal["DRAFT", "ACTIVE", "UNLISTED", "DELETED", "DISCONTINUED"]
TimeUnit = Literal["DAY", "WEEK", "MONTH", "YEAR"]
PlanSlug = Annotated[str, Field(min_length=1, max_length=60)]
Duration = Annotated[int, Field(ge=0, le=DURATION_MAX)]
Idents = Annotated[list[Ident], Field(max_length=NAMED_MAX)]


CHOICES: Mapping[str, type[StrEnum]] = {
    "status": PlanStatus,
    "time_of_life_unit": Unit,
    "trial_duration_unit": Unit,
    "consumption_strategy": Strategy,
}


class OwnerIsFixed(DomainError):
    slug = "owner-is-fixed"
    detail = "A plan's owner is the academy that makes it, and stays it."


class ItemsAreLinked(DomainError):
    slug = "service-items-are-linked"
    detail = "Service items are linked to a plan by POST /v1/payments/academy/plan/serviceitem, and unlinked there."


class PlanChange(StaffInput):
    """What is left out stays. `applies_from`: from when it holds for whoever buys (from now on); never for what was
    sold. `pricing_ratio_exceptions` may name `price_per_month`, `_quarter`, `_half` and `_year`.
    """

    slugs: ClassVar[Mapping[str, str]] = {"slug": "invalid-slug", "currency": "currency-not-found"}

    slug: PlanSlug = omitted()
    title: str | None = Field(default=None, max_length=TITLE_CHARACTERS_MAX)
    currency: CurrencyCode = omitted()
    status: Status = omitted()
    is_renewable: bool = omitted()
    is_onboarding: bool = omitted()
    has_waiting_list: bool = omitted()
    capacity: Annotated[int, Field(ge=1, le=CAPACITY_MAX)] | None = None
    exclude_from_referral_program: bool = omitted()
    time_of_life: Duration | None = None
    time_of_life_unit: TimeUnit | None = None
    trial_duration: Duration = omitted()
    trial_duration_unit: TimeUnit = omitted()
    price_per_month: Price | None = None
    price_per_quarter: Price | None = None
    price_per_half: Price | None = None
    price_per_year: Price | None = None
    cohort_set: Ident | None = None
    mentorship_service_set: Ident | None = None
    event_type_set: Ident | None = None
    financing_options: Idents = omitted()
    consumption_strategy: Literal["PER_SEAT", "PER_TEAM", "BOTH"] = omitted()
    seat_service_price: Ident | None = None
    seats_included: Annotated[int, Field(ge=1, le=SEATS_MAX)] = omitted()
    add_ons: Idents = omitted()
    pricing_ratio_exceptions: Exceptions = omitted()
    applies_from: When = omitted()
    owner: Any = omitted()
    owner_id: Any = omitted()
    service_items: Any = omitted()


class PlanBody(PlanChange):
    """A new plan; what is left out has the default of document 3, and what that surprises with is in `warnings`."""

    missing_slugs: ClassVar[Mapping[str, str]] = {"currency": "currency-not-found"}

    slug: PlanSlug
    currency: CurrencyCode


class CohortSetOut(SetOut):
    cohorts: list[CohortOut]


class WarningOut(Output):
    slug: str
    detail: str


class StaffPlanOut(Output):
    """A plan, with prices of the country that was asked for. `version` holds since `applies_from`; `upcoming` says
    from when it changes, the soonest first.
    """

    id: int
    slug: str
    title: str | None
    status: str
    is_renewable: bool
    is_onboarding: bool
    has_waiting_list: bool
    capacity: int | None
    exclude_from_referral_program: bool
    time_of_life: int | None
    time_of_life_unit: str | None
    trial_duration: int
    trial_duration_unit: str
    price_per_half: float | None
    price_per_month: float | None
    price_per_quarter: float | None
    price_per_year: float | None
    currency: CurrencyOut
    owner: AcademyOut
    service_items: list[ServiceItemOut]
    financing_options: list[FinancingOptionOut]
    cohort_set: CohortSetOut | None
    mentorship_service_set: SetOut | None
    event_type_set: SetOut | None
    consumption_strategy: str
    seat_service_price: int | None
    seats_included: int
    add_ons: list[int]
    pricing_ratio_exceptions: dict[str, Any]
    version: int
    applies_from: Instant
    upcoming: list[Instant]


class WarnedPlanOut(StaffPlanOut):
    """A plan that was made or changed, with what may surprise of it (D21)."""

    warnings: list[WarningOut]


def plan_fields(body: PlanChange) -> dict[str, Any]:
    """What was sent, as fields of a plan; `prices` are those of the periods that were sent.

    Raises OwnerIsFixed, and what country prices may not be.
    """
    fields = sent(body)
    if fields.keys() & {"owner", "owner_id"}:
        raise OwnerIsFixed
    fields.pop("applies_from", None)
    if "pricing_ratio_exceptions" in fields:
        fields["countries"] = country_prices(fields.pop("pricing_ratio_exceptions"), PRICE_FIELDS)
    for name, kind in CHOICES.items():
        if fields.get(name) is not None:
            fields[name] = kind(fields[name])
    given = {period: fields.pop(name) for name, period in PRICE_FIELDS.items() if name in fields}
    if given:
        fields["prices"] = given
    return fields


def plan_out(
    offer: Offer,
    academy: Academy,
    *,
    prices: Sequence[ServicePrice],
    cohorts: Mapping[int, Cohort],
    country: str | None = None,
) -> StaffPlanOut:
    """`prices` are the academy's, to name them by their ids; `cohorts` those of the plan's cohort set."""
    plan = offer.plan
    price_ids = {price.service_id: price.id for price in prices}
    shown = {period: period_price(plan, period, country) for period in Period}
    currencies = [code for _, code in shown.values() if code is not None]
    return StaffPlanOut(
        id=plan.id,
        slug=plan.slug,
        title=plan.title,
        status=plan.status,
        is_renewable=plan.is_renewable,
        is_onboarding=plan.is_onboarding,
        has_waiting_list=plan.has_waiting_list,
        capacity=plan.capacity,
        exclude_from_referral_program=plan.exclude_from_referral_program,
        time_of_life=plan.time_of_life,
        time_of_life_unit=plan.time_of_life_unit,
        trial_duration=plan.trial_duration,
        trial_duration_unit=plan.trial_duration_unit,
        price_per_half=shown[Period.HALF][0],
        price_per_month=shown[Period.MONTH][0],
        price_per_quarter=shown[Period.QUARTER][0],
        price_per_year=shown[Period.YEAR][0],
        currency=currency_out(currencies[0] if currencies else plan.currency),
        owner=academy_out(academy),
        service_items=[item_out(found) for found in sorted(offer.items, key=lambda item: item.item.sort_priority)],
        financing_options=[option_out(option, country) for option in offer.financing_options],
        cohort_set=_cohort_set_out(offer, cohorts),
        mentorship_service_set=next(iter(sets_out(offer.sets, SetKind.MENTORSHIP_SERVICE)), None),
        event_type_set=next(iter(sets_out(offer.sets, SetKind.EVENT_TYPE)), None),
        consumption_strategy=plan.consumption_strategy,
        seat_service_price=None if plan.seat_service_id is None else price_ids.get(plan.seat_service_id),
        seats_included=plan.seats_included,
        add_ons=[price_ids[ident] for ident in plan.add_on_service_ids if ident in price_ids],
        pricing_ratio_exceptions=exceptions_out(plan.countries),
        version=plan.version,
        applies_from=plan.applies_from or plan.created_at,
        upcoming=[revision.applies_from for revision in plan.upcoming],
    )


def warned_out(shown: StaffPlanOut, warned: Sequence[Warned]) -> WarnedPlanOut:
    fields = {name: getattr(shown, name) for name in StaffPlanOut.__struct_fields__}
    return WarnedPlanOut(**fields, warnings=[WarningOut(slug=one.slug, detail=one.detail) for one in warned])


def _cohort_set_out(offer: Offer, cohorts: Mapping[int, Cohort]) -> CohortSetOut | None:
    found = next((one for one in offer.sets if one.kind is SetKind.COHORT), None)
    if found is None:
        return None
    members = [cohorts[ident] for ident in found.member_ids if ident in cohorts]
    return CohortSetOut(
        id=found.id,
        slug=found.slug,
        name=found.name,
        cohorts=[cohort_out(cohort) for cohort in members],
    )
