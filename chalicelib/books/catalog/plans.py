"""What a plan may be, and what surprises whoever sells it (document 3, D21, D24, D71). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from chalicelib.books.catalog.model import (
    SET_KIND_OF,
    FinancingOption,
    Offer,
    Period,
    Plan,
    PlanRevision,
    PlanStatus,
)
from chalicelib.books.catalog.prices import InvalidCountryPrices, checked_currency, checked_price
from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.periods import Span, Unit

SLUG_CHARACTERS_MAX = 60
RESERVED_SLUGS = frozenset({"serviceitem"})
"""Words that stand in the place of a plan's slug in a path."""
TITLE_CHARACTERS_MAX = 100
DURATION_MAX = 1000
SEATS_MAX = 10_000
CAPACITY_MAX = 1_000_000
UPCOMING_MAX = 10
DEFAULT_LIFE = DEFAULT_TRIAL = Span(1, Unit.MONTH)
FOR_SALE = frozenset({PlanStatus.ACTIVE, PlanStatus.UNLISTED})
"""What customers can buy (D24)."""
PRICE_FIELDS = {f"price_per_{period.value.lower()}": period for period in Period}


class InvalidPlanSlug(DomainError):
    slug = "invalid-slug"
    detail = "{given} is no plan's slug: 1 to 60 letters, digits and hyphens, not digits only, not serviceitem."


class InvalidTimeOfLife(DomainError):
    slug = "invalid-time-of-life"
    detail = "A plan's life is a number from 1 to 1000 with its unit, both or neither; one that ends must have it."


class InvalidTrial(DomainError):
    slug = "invalid-trial-duration"
    detail = "A trial lasts 0 to 1000 of its unit."


class InvalidSeats(DomainError):
    slug = "invalid-seats-included"
    detail = "A plan includes 1 to 10000 seats."


class InvalidCapacity(DomainError):
    slug = "invalid-capacity"
    detail = "A plan has room for 1 to 1000000 customers, or for everybody (null)."


class InvalidAppliesFrom(DomainError):
    slug = "invalid-applies-from"
    detail = "{why}"


class PlanDeleted(DomainError):
    kind = Kind.CONFLICT
    slug = "plan-is-deleted"
    detail = "The plan was deleted and is kept for what was sold of it."


class PlanHasSubscriptions(DomainError):
    slug = "plan-has-active-subscriptions"
    detail = "Customers have this plan. Make it UNLISTED or DISCONTINUED: they keep it, and it is sold no more."


class Warned(Document):
    """A consequence of what was asked for that may surprise. It was done all the same."""

    slug: str
    detail: str


def checked_plan(plan: Plan) -> Plan:
    """The plan as it is kept. Raises what it may not be."""
    text = plan.slug
    letters = text.isascii() and text.replace("-", "").isalnum()
    if not letters or len(text) > SLUG_CHARACTERS_MAX or text.isdigit() or text in RESERVED_SLUGS:
        raise InvalidPlanSlug(given=repr(text[:SLUG_CHARACTERS_MAX]))
    for price in plan.prices.values():
        checked_price(price, plan.currency)
    _check_countries(plan)
    if (plan.time_of_life is None) is not (plan.time_of_life_unit is None) and plan.time_of_life != 0:
        raise InvalidTimeOfLife
    if not 0 <= (plan.time_of_life or 0) <= DURATION_MAX or (not plan.is_renewable and plan.life is None):
        raise InvalidTimeOfLife
    if not 0 <= plan.trial_duration <= DURATION_MAX:
        raise InvalidTrial
    if not 1 <= plan.seats_included <= SEATS_MAX:
        raise InvalidSeats
    if plan.capacity is not None and not 1 <= plan.capacity <= CAPACITY_MAX:
        raise InvalidCapacity
    return plan.model_copy(update={"currency": checked_currency(plan.currency)})


def with_changes(plan: Plan, changes: Mapping[str, Any]) -> Plan:
    """The plan with these fields. `prices` are those of some periods, None for one that is offered no more."""
    prices = {**plan.prices, **changes.get("prices", {})}
    kept = {period: price for period, price in prices.items() if price is not None}
    return plan.model_copy(update={**changes, "prices": kept})


def revised(plan: Plan, changes: Mapping[str, Any], *, applies_from: datetime | None, now: datetime) -> Plan:
    """The plan with a change that holds from now on, or from an instant to come; `changes` as `with_changes` has them.

    `plan` is as it is stored; changes that have come to hold meanwhile become part of it. Raises PlanDeleted,
    InvalidAppliesFrom, and what a plan may not be, now or when a change to come will hold.
    """
    held = plan.at(now)
    if held.status is PlanStatus.DELETED:
        raise PlanDeleted
    then = held if applies_from is None else held.at(applies_from)
    if checked_plan(with_changes(then, changes)) == then:
        return plan
    if applies_from is None or applies_from == now:
        numbered = {"version": held.version + 1, "applies_from": now}
        changed = with_changes(held, changes).model_copy(update=numbered)
    else:
        changed = held.model_copy(update={"upcoming": _with(held, changes, applies_from, now)})
    for version in changed.versions():
        checked_plan(version)
    return checked_plan(changed)


def superseded(before: Plan, after: Plan) -> tuple[Plan, ...]:
    """The versions that held and that the row does not show any more once it is `after`."""
    held = (version for version in before.versions() if version.version < after.version)
    return tuple(version.model_copy(update={"upcoming": ()}) for version in held)


def warnings(offer: Offer, *, trial_was_named: bool) -> list[Warned]:
    """What may surprise whoever sells this plan."""
    return list(_warnings(offer, trial_was_named))


def _check_countries(plan: Plan) -> None:
    """A price in another currency is given for every period that is sold, or by a ratio: no number stands for two."""
    for code, there in plan.countries.items():
        if there.currency in (None, plan.currency) or there.ratio is not None:
            continue
        missing = [name for name, period in PRICE_FIELDS.items() if period in plan.prices and name not in there.prices]
        if missing:
            raise InvalidCountryPrices(
                country=code, why=f"in {there.currency} it lacks {', '.join(missing)}, or a ratio"
            )


def _with(plan: Plan, changes: Mapping[str, Any], applies_from: datetime, now: datetime) -> tuple[PlanRevision, ...]:
    if applies_from < now:
        raise InvalidAppliesFrom(why="A change holds from now on, or from an instant to come.")
    if "slug" in changes:
        raise InvalidAppliesFrom(why="A slug is changed at once, or not at all.")
    if len(plan.upcoming) >= UPCOMING_MAX:
        raise InvalidAppliesFrom(why=f"At most {UPCOMING_MAX} changes can be to come.")
    plain = msgspec.to_builtins(dict(changes), str_keys=True)
    revision = PlanRevision(applies_from=applies_from, changes=plain)
    return tuple(sorted((*plan.upcoming, revision), key=lambda one: one.applies_from))


def _warnings(offer: Offer, trial_was_named: bool) -> Iterator[Warned]:
    plan = offer.plan
    priced = any(price > 0 for price in plan.prices.values())
    if plan.is_renewable and priced and plan.trial == DEFAULT_TRIAL and not trial_was_named:
        yield Warned(
            slug="trial-by-default",
            detail="The first month is a free trial, since no trial was given. trial_duration 0 sells without one.",
        )
    if not plan.prices and not (offer.financing_options and not plan.is_renewable):
        yield Warned(slug="no-price", detail="The plan has no price yet, so that nobody can buy it.")
    yield from _dearer(plan)
    yield from _longer_than_life(plan, offer.financing_options)
    for option in offer.financing_options:
        if option.currency != plan.currency:
            yield Warned(
                slug="option-in-other-currency",
                detail=f"A financing option is in {option.currency} and the plan in {plan.currency}: "
                "a purchase has one currency, so that nobody can buy it.",
            )
    counts = [option.how_many_months for option in offer.financing_options]
    for count in sorted({count for count in counts if counts.count(count) > 1}):
        yield Warned(
            slug="same-instalments-twice",
            detail=f"Two financing options have {count} instalments: customers get the first of them.",
        )
    for item in offer.items:
        kind = SET_KIND_OF.get(item.service.type)
        if kind is not None and plan.set_id(kind) is None:
            yield Warned(
                slug="no-set-for-service",
                detail=f"The plan has no {kind} set: units of {item.service.slug} are for no set.",
            )


def _dearer(plan: Plan) -> Iterator[Warned]:
    periods = [period for period in Period if plan.prices.get(period, 0) > 0]
    for short, long in pairwise(periods):
        if plan.prices[long] * short.months > plan.prices[short] * long.months:
            yield Warned(
                slug="longer-period-dearer",
                detail=f"A month costs more when paid by the {long.lower()} than when paid by the {short.lower()}.",
            )


def _longer_than_life(plan: Plan, options: Sequence[FinancingOption]) -> Iterator[Warned]:
    life = plan.life
    if plan.is_renewable or life is None or life.unit not in (Unit.MONTH, Unit.YEAR):
        return
    for option in options:
        if option.how_many_months > life.months:
            yield Warned(
                slug="more-instalments-than-life",
                detail=f"{option.how_many_months} instalments are paid for a plan that lives {life.months} months: "
                "access lasts until a month after the last.",
            )
