"""An academy's price of a service, as customers and as staff see it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from chalicelib.books.catalog.academy_services import surprises
from chalicelib.books.catalog.model import PricedWithSets, SetKind
from chalicelib.books.catalog.pricing import country_price, highest_amount
from chalicelib.books.identity.model import Academy
from chalicelib.entrypoints._http import Output
from chalicelib.entrypoints.academy.schemas import (
    AcademyOut,
    CurrencyOut,
    ServiceOut,
    SetOut,
    academy_out,
    currency_out,
    service_out,
    sets_out,
    shown_price,
)
from chalicelib.entrypoints.staff.inputs import exceptions_out
from chalicelib.entrypoints.staff.plan_schemas import WarningOut


class ServicePriceOut(Output):
    """The price of a service at an academy, in the country that was asked for."""

    id: int
    academy: AcademyOut
    service: ServiceOut
    currency: CurrencyOut
    price_per_unit: float
    bundle_size: int
    max_items: int
    max_amount: float
    discount_ratio: float
    pricing_ratio_exceptions: dict[str, Any]
    available_mentorship_service_sets: list[SetOut]
    available_event_type_sets: list[SetOut]
    available_cohort_sets: list[SetOut]


class ChangedPriceOut(ServicePriceOut):
    warnings: list[WarningOut]


def price_out(found: PricedWithSets, academy: Academy, country: str | None) -> ServicePriceOut:
    """As it is shown to customers: in a country, rounded to the minor unit (D5)."""
    price = found.price
    unit = country_price(price.price_per_unit, price.currency, price.countries, country=country, field="price")
    return ServicePriceOut(
        id=price.id,
        academy=academy_out(academy),
        service=service_out(found.service),
        currency=currency_out(unit.currency),
        price_per_unit=shown_price(unit.amount, unit.currency),
        bundle_size=price.bundle_size,
        max_items=price.max_items,
        max_amount=float(highest_amount(price, country)),
        discount_ratio=float(price.discount_ratio),
        pricing_ratio_exceptions=exceptions_out(price.countries),
        available_mentorship_service_sets=sets_out(found.sets, SetKind.MENTORSHIP_SERVICE),
        available_event_type_sets=sets_out(found.sets, SetKind.EVENT_TYPE),
        available_cohort_sets=sets_out(found.sets, SetKind.COHORT),
    )


def staff_price_out(found: PricedWithSets, academy: Academy, country: str | None) -> ServicePriceOut:
    """As it was set, however small a part of a minor unit it is; in a country, as customers see it there."""
    shown = price_out(found, academy, country)
    if country is not None:
        return shown
    return shown.model_copy(update={"price_per_unit": float(found.price.price_per_unit)})


def changed_price_out(found: PricedWithSets, academy: Academy) -> ChangedPriceOut:
    """As it was set, with what surprises in it."""
    warnings = [WarningOut(slug=one.slug, detail=one.detail) for one in surprises(found.price)]
    return ChangedPriceOut(**asdict(staff_price_out(found, academy, None)), warnings=warnings)
