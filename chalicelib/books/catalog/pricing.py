"""What things cost. Pure: the same input gives the same amount, with a trace of how it came about.

A line is units times unit price (or a period), times the country's ratio, less discounts, computed exactly and rounded
half up once. What is quoted is what is charged. Each step that decided something is in the line's trace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext

from chalicelib.books.catalog.model import (
    CountryPrice,
    Coupon,
    DiscountType,
    FinancingOption,
    Offer,
    Period,
    ServicePrice,
)
from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.money import DECIMAL_DIGITS, Money, exact
from chalicelib.kernel.quotes import Line, Priced, Step

ADD_ON_LINE = "add_on"
"""What the id of an add-on's line begins with; its service follows."""
SEATS_LINE = "seats"


class MultipleCurrenciesFound(DomainError):
    slug = "multiple-currencies-found"
    detail = "One purchase has one currency, but this one would have {currencies}."


class TooFewItems(DomainError):
    slug = "the-amount-of-items-is-too-low"
    detail = "At least {least} units of this service are sold at once."


class TooManyItems(DomainError):
    slug = "the-amount-of-items-is-too-high"
    detail = "At most {most} units of this service are sold at once."


class AmountTooHigh(DomainError):
    slug = "the-amount-is-too-high"
    detail = "At most {most} {currency} of this service are sold at once."


class UnitPrice(Document):
    """An exact price in major units, its currency, and how it came about."""

    amount: Decimal
    currency: str
    steps: tuple[Step, ...]


class DraftLine(Document):
    """A line before its discounts."""

    id: str
    description: str
    quantity: int = 1
    months: int = 1
    price: UnitPrice


def country_price(
    base: Decimal, currency: str, countries: Mapping[str, CountryPrice], *, country: str | None, field: str
) -> UnitPrice:
    """The price in a country: its explicit price of this field, else its ratio, else the base price.

    A country's currency holds only where its explicit price or ratio decides.
    """
    base_step = Step(rule="base-price", input=field, result=f"{base} {currency}")
    found = countries.get(country.upper()) if country else None
    if found is None or country is None:
        return UnitPrice(amount=base, currency=currency, steps=(base_step,))
    code = (found.currency or currency).upper()
    if field in found.prices:
        amount = found.prices[field]
        step = Step(rule="country-price", input=country.upper(), result=f"{amount} {code}")
    elif found.ratio is not None:
        amount = exact(base, found.ratio)
        step = Step(rule="country-ratio", input=f"{country.upper()} {found.ratio}", result=f"{amount} {code}")
    else:
        return UnitPrice(amount=base, currency=currency, steps=(base_step,))
    return UnitPrice(amount=amount, currency=code, steps=(base_step, step))


def units_price(price: ServicePrice, *, how_many: int, country: str | None) -> DraftLine:
    """So many units of a service: unit price after the country rule, times the bulk ratio above one bundle."""
    unit = country_price(price.price_per_unit, price.currency, price.countries, country=country, field="price")
    steps = unit.steps
    amount = exact(unit.amount, how_many)
    if how_many > price.bundle_size and price.discount_ratio != 1:
        amount = exact(amount, price.discount_ratio)
        steps += (
            Step(
                rule="bulk-ratio",
                input=f"{how_many} units, bundle {price.bundle_size}, ratio {price.discount_ratio}",
                result=str(amount),
            ),
        )
    whole = UnitPrice(amount=amount, currency=unit.currency, steps=steps)
    return DraftLine(id=f"units:{price.service_id}", description="", quantity=how_many, price=whole)


def check_limits(price: ServicePrice, *, how_many: int, charged: Money, country: str | None) -> None:
    """The limits of one purchase of units, against what is charged. Raises TooFewItems, TooManyItems, AmountTooHigh."""
    if how_many < price.bundle_size:
        raise TooFewItems(least=price.bundle_size)
    if how_many > price.max_items:
        raise TooManyItems(most=price.max_items)
    most = highest_amount(price, country)
    if charged.major > most:
        raise AmountTooHigh(most=most, currency=charged.code)


def most_units(price: ServicePrice, *, amount: Money, country: str | None) -> int:
    """How many units an amount buys at the price of a single one, within what is sold at once; 0: none.

    Bulk costs less: what so many are charged may leave some of the amount.
    """
    unit = units_price(price, how_many=1, country=country).price
    if unit.currency != amount.code or unit.amount <= 0:
        return 0
    most = min(amount.major, highest_amount(price, country))
    with localcontext() as context:
        context.prec = DECIMAL_DIGITS
        return min(int(most // unit.amount), price.max_items)


def highest_amount(price: ServicePrice, country: str | None) -> Decimal:
    """What one purchase of units may cost at most, in major units of the country's currency."""
    found = price.countries.get(country.upper()) if country else None
    explicit = found.prices.get("max_amount") if found is not None else None
    return price.max_amount if explicit is None else explicit


def period_lines(
    offer: Offer, period: Period, *, country: str | None, extra_seats: int, add_ons: Mapping[int, int]
) -> tuple[DraftLine, ...]:
    """The lines of a plan paid by the period: the plan, its extra seats, its add-ons (month price times months)."""
    plan = offer.plan
    field = f"price_per_{period.value.lower()}"
    price = country_price(plan.prices[period], plan.currency, plan.countries, country=country, field=field)
    first = DraftLine(
        id="plan", description=f"{plan.title or plan.slug}, {period.value.lower()}", months=period.months, price=price
    )
    return (first, *_extras(offer, months=period.months, country=country, extra_seats=extra_seats, add_ons=add_ons))


def instalment_lines(
    offer: Offer, option: FinancingOption, *, country: str | None, extra_seats: int, add_ons: Mapping[int, int]
) -> tuple[DraftLine, ...]:
    """The lines of one of a financing's monthly payments."""
    price = country_price(option.monthly_price, option.currency, option.countries, country=country, field="price")
    first = DraftLine(
        id="plan",
        description=f"{offer.plan.title or offer.plan.slug}, instalment 1 of {option.how_many_months}",
        price=price,
    )
    return (first, *_extras(offer, months=1, country=country, extra_seats=extra_seats, add_ons=add_ons))


def priced(drafts: Sequence[DraftLine], coupons: Sequence[Coupon] = ()) -> Priced:
    """Discount and round the lines.

    Every percentage multiplies, one after the other; then amounts off are taken from the lines in order, never below
    zero. Raises MultipleCurrenciesFound.
    """
    currencies = sorted({draft.price.currency for draft in drafts})
    if len(currencies) > 1:
        raise MultipleCurrenciesFound(currencies=" and ".join(currencies))
    with localcontext() as context:
        context.prec = DECIMAL_DIGITS
        return _discounted(drafts, coupons, currencies[0])


def _discounted(drafts: Sequence[DraftLine], coupons: Sequence[Coupon], code: str) -> Priced:
    amounts_off = sum(
        (c.discount_value for c in coupons if c.discount_type in (DiscountType.FIXED_PRICE, DiscountType.HAGGLING)),
        Decimal(0),
    )
    lines = []
    for draft in drafts:
        line, taken = _rounded(draft, coupons, amounts_off)
        amounts_off -= taken
        lines.append(line)
    return Priced(lines=tuple(lines), currency=code)


def _extras(
    offer: Offer, *, months: int, country: str | None, extra_seats: int, add_ons: Mapping[int, int]
) -> tuple[DraftLine, ...]:
    lines: list[DraftLine] = []
    if extra_seats > 0 and offer.seat_price is not None:
        seat = offer.seat_price
        unit = country_price(seat.price_per_unit, seat.currency, seat.countries, country=country, field="price")
        whole = exact(unit.amount, extra_seats, months)
        step = Step(rule="seats", input=f"{extra_seats} seats, {months} months", result=str(whole))
        price = UnitPrice(amount=whole, currency=unit.currency, steps=(*unit.steps, step))
        lines.append(
            DraftLine(
                id=SEATS_LINE,
                description=f"{extra_seats} further seats",
                quantity=extra_seats,
                months=months,
                price=price,
            )
        )
    services = {service.id: service for service in offer.add_on_services}
    for add_on in offer.add_on_prices:
        how_many = add_ons.get(add_on.service_id, 0)
        if not how_many:
            continue
        units = units_price(add_on, how_many=how_many, country=country)
        charged = Money.of(units.price.amount, units.price.currency)
        check_limits(add_on, how_many=how_many, charged=charged, country=country)
        whole = exact(units.price.amount, months)
        step = Step(rule="months", input=str(months), result=str(whole))
        price = UnitPrice(amount=whole, currency=units.price.currency, steps=(*units.price.steps, step))
        title = services[add_on.service_id].title
        lines.append(
            DraftLine(
                id=f"{ADD_ON_LINE}:{add_on.service_id}",
                description=f"{how_many} {title}",
                quantity=how_many,
                months=months,
                price=price,
            )
        )
    return tuple(lines)


def _rounded(draft: DraftLine, coupons: Sequence[Coupon], amounts_off: Decimal) -> tuple[Line, Decimal]:
    """The line, and how much of the amounts off it took (major units)."""
    amount = draft.price.amount
    code = draft.price.currency
    steps = list(draft.price.steps)
    full = Money.of(amount, code)
    for coupon in coupons:
        if coupon.discount_type is DiscountType.PERCENT_OFF:
            amount = exact(amount, Decimal(1) - coupon.discount_value)
            steps.append(Step(rule="percent-off", input=f"{coupon.slug} {coupon.discount_value}", result=str(amount)))
    taken = min(amount, amounts_off)
    if taken:
        amount -= taken
        steps.append(Step(rule="amount-off", input=str(taken), result=str(amount)))
    charged = Money.of(amount, code)
    remainder = charged.major - amount
    steps.append(Step(rule="round-half-up", input=str(amount), result=str(charged.major)))
    line = Line(
        id=draft.id,
        description=draft.description,
        quantity=draft.quantity,
        months=draft.months,
        unit_price=draft.price.amount,
        exact_amount=amount,
        remainder=remainder,
        full_amount=full.minor,
        amount=charged.minor,
        steps=tuple(steps),
    )
    return line, taken
