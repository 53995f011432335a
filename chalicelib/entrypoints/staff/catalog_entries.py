"""Rows of the catalog as entries of a file: the fields by which they would be made, in the order of the bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chalicelib.books.catalog.model import (
    Cohort,
    Coupon,
    FinancingOption,
    Plan,
    PlanOffer,
    ResourceSet,
    Service,
    ServiceItem,
    ServicePrice,
    SetKind,
)
from chalicelib.books.catalog.plans import DEFAULT_LIFE, PRICE_FIELDS
from chalicelib.books.identity.model import Academy
from chalicelib.entrypoints.staff.academy_services import SET_FIELDS
from chalicelib.entrypoints.staff.inputs import exceptions_out
from chalicelib.flows.catalog.file import Names
from chalicelib.kernel.documents import Document

Fields = dict[str, Any]

DEFAULTS: Mapping[type[Document], Fields] = {
    Academy: {"main_currency": None},
    Service: {
        "description": "",
        "icon_url": None,
        "type": "COHORT_SET",
        "consumer": "NO_SET",
        "private": True,
        "session_duration": None,
        "groups": [],
    },
    Cohort: {"available_as_saas": False, "syllabus": None},
    ResourceSet: {"members": []},
    ServicePrice: {
        "bundle_size": 1,
        "max_items": 1,
        "max_amount": 1,
        "discount_ratio": 1,
        "pricing_ratio_exceptions": {},
        **{name: [] for name in SET_FIELDS},
    },
    ServiceItem: {
        "unit_type": "UNIT",
        "sort_priority": 1,
        "is_renewable": False,
        "is_team_allowed": False,
        "renew_at": 1,
        "renew_at_unit": "MONTH",
        "features": [],
    },
    FinancingOption: {"pricing_ratio_exceptions": {}},
    Plan: {
        "title": None,
        "status": "DRAFT",
        "is_renewable": True,
        "is_onboarding": False,
        "has_waiting_list": False,
        "capacity": None,
        "exclude_from_referral_program": True,
        "trial_duration": 1,
        "trial_duration_unit": "MONTH",
        **dict.fromkeys(PRICE_FIELDS, None),
        "cohort_set": None,
        "mentorship_service_set": None,
        "event_type_set": None,
        "financing_options": [],
        "consumption_strategy": "PER_SEAT",
        "seat_service_price": None,
        "seats_included": 1,
        "add_ons": [],
        "pricing_ratio_exceptions": {},
        "service_items": [],
    },
    Coupon: {
        "discount_type": "PERCENT_OFF",
        "currency": None,
        "referral_type": "NO_REFERRAL",
        "referral_value": 0,
        "auto": False,
        "how_many_offers": -1,
        "how_many_per_person": 1,
        "renewals": None,
        "plans": [],
        "expires_at": None,
    },
    PlanOffer: {"details": None, "show_modal": False, "expires_at": None, "translations": []},
}
"""What a new row has where its entry says nothing."""


def entry_out(row: Document, names: Names) -> Fields:
    """The entry that makes this row, without what it would have anyway. Amounts are numbers."""
    fields = all_fields(row, names)
    defaults = DEFAULTS[type(row)]
    if isinstance(row, Plan) and (row.time_of_life, row.time_of_life_unit) == (DEFAULT_LIFE.every, DEFAULT_LIFE.unit):
        defaults = {
            **defaults,
            "time_of_life": fields["time_of_life"],
            "time_of_life_unit": fields["time_of_life_unit"],
        }
    elif isinstance(row, Plan):
        defaults = {**defaults, "time_of_life_unit": None}
    return {name: value for name, value in fields.items() if name not in defaults or value != defaults[name]}


def all_fields(row: Document, names: Names) -> Fields:
    """Every field of the row's entry, also those that it would have anyway."""
    return _FIELDS[type(row)](row, names)


def number(amount: Decimal) -> int | float:
    """As short as it can be written: 50, 59.99."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def _settings(row: Academy, names: Names) -> Fields:
    return {"main_currency": row.main_currency}


def _service(row: Service, names: Names) -> Fields:
    return {
        "slug": row.slug,
        "title": row.title,
        "description": row.description,
        "icon_url": row.icon_url,
        "type": row.type.value,
        "consumer": row.consumer.value,
        "private": row.private,
        "session_duration": row.session_seconds,
        "groups": [
            {
                "name": group.name,
                "permissions": [{"name": one.name, "codename": one.codename} for one in group.permissions],
            }
            for group in row.groups
        ],
    }


def _cohort(row: Cohort, names: Names) -> Fields:
    return {
        "slug": row.slug,
        "name": row.name,
        "available_as_saas": row.available_as_saas,
        "syllabus": row.syllabus,
    }


def _set(row: ResourceSet, names: Names) -> Fields:
    members: list[Any] = list(row.member_ids)
    if row.kind is SetKind.COHORT:
        members = [names.cohorts[ident] for ident in row.member_ids if ident in names.cohorts]
    return {"kind": row.kind.value, "slug": row.slug, "name": row.name, "members": members}


def _price(row: ServicePrice, names: Names) -> Fields:
    return {
        "service": names.services[row.service_id],
        "currency": row.currency,
        "price_per_unit": number(row.price_per_unit),
        "bundle_size": row.bundle_size,
        "max_items": row.max_items,
        "max_amount": number(row.max_amount),
        "discount_ratio": number(row.discount_ratio),
        "pricing_ratio_exceptions": exceptions_out(row.countries),
        **{
            name: [names.sets[kind, ident] for ident in row.set_ids.get(kind, ()) if (kind, ident) in names.sets]
            for name, kind in SET_FIELDS.items()
        },
    }


def _item(row: ServiceItem, names: Names) -> Fields:
    return {
        "key": names.items[row.id],
        "service": names.services[row.service_id],
        "how_many": row.how_many,
        "unit_type": row.unit_type,
        "sort_priority": row.sort_priority,
        "is_renewable": row.is_renewable,
        "is_team_allowed": row.is_team_allowed,
        "renew_at": row.renew_at,
        "renew_at_unit": row.renew_at_unit.value,
        "features": [_texts(feature) for feature in row.features],
    }


def _option(row: FinancingOption, names: Names) -> Fields:
    return {
        "key": names.options[row.id],
        "monthly_price": number(row.monthly_price),
        "how_many_months": row.how_many_months,
        "currency": row.currency,
        "pricing_ratio_exceptions": exceptions_out(row.countries),
    }


def _plan(row: Plan, names: Names) -> Fields:
    prices = {name: row.prices.get(period) for name, period in PRICE_FIELDS.items()}
    seat = row.seat_service_id
    return {
        "slug": row.slug,
        "title": row.title,
        "currency": row.currency,
        "status": row.status.value,
        "is_renewable": row.is_renewable,
        "is_onboarding": row.is_onboarding,
        "has_waiting_list": row.has_waiting_list,
        "capacity": row.capacity,
        "exclude_from_referral_program": row.exclude_from_referral_program,
        "time_of_life": row.time_of_life,
        "time_of_life_unit": None if row.time_of_life_unit is None else row.time_of_life_unit.value,
        "trial_duration": row.trial_duration,
        "trial_duration_unit": row.trial_duration_unit.value,
        **{name: None if price is None else number(price) for name, price in prices.items()},
        "cohort_set": _set_slug(row, SetKind.COHORT, names),
        "mentorship_service_set": _set_slug(row, SetKind.MENTORSHIP_SERVICE, names),
        "event_type_set": _set_slug(row, SetKind.EVENT_TYPE, names),
        "financing_options": [names.options[one] for one in row.financing_option_ids if one in names.options],
        "consumption_strategy": row.consumption_strategy.value,
        "seat_service_price": None if seat is None else names.services[seat],
        "seats_included": row.seats_included,
        "add_ons": [names.services[ident] for ident in row.add_on_service_ids],
        "pricing_ratio_exceptions": exceptions_out(row.countries),
        "service_items": [names.items[link.item_id] for link in row.items],
    }


def _coupon(row: Coupon, names: Names) -> Fields:
    return {
        "slug": row.slug,
        "discount_type": row.discount_type.value,
        "discount_value": number(row.discount_value),
        "currency": row.currency,
        "referral_type": row.referral_type.value,
        "referral_value": number(row.referral_value),
        "auto": row.auto,
        "how_many_offers": row.how_many_offers,
        "how_many_per_person": row.how_many_per_person,
        "renewals": row.renewals,
        "plans": [names.plans[ident] for ident in row.plan_ids if ident in names.plans],
        "offered_at": _instant(row.offered_at),
        "expires_at": _instant(row.expires_at),
    }


def _offer(row: PlanOffer, names: Names) -> Fields:
    return {
        "original_plan": names.plans[row.original_plan_id],
        "suggested_plan": names.plans[row.suggested_plan_id],
        "details": row.details,
        "show_modal": row.show_modal,
        "expires_at": _instant(row.expires_at),
        "translations": [_texts(text) for text in row.translations],
    }


def _set_slug(plan: Plan, kind: SetKind, names: Names) -> str | None:
    ident = plan.set_id(kind)
    return None if ident is None else names.sets.get((kind, ident))


def _texts(row: Document) -> Fields:
    """The texts of one language that are there."""
    found = {name: getattr(row, name) for name in row.__struct_fields__}
    return {name: text for name, text in found.items() if text is not None}


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_FIELDS: Mapping[type[Document], Callable[[Any, Names], Fields]] = {
    Academy: _settings,
    Service: _service,
    Cohort: _cohort,
    ResourceSet: _set,
    ServicePrice: _price,
    ServiceItem: _item,
    FinancingOption: _option,
    Plan: _plan,
    Coupon: _coupon,
    PlanOffer: _offer,
}
