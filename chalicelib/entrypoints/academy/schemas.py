"""The academy's dialect: money as numbers in major units, -1 for unlimited, ids as integers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import asdict

from chalicelib.books.billing.model import AppliedCoupon, Buyer, Invoice, Refund
from chalicelib.books.catalog.model import (
    Coupon,
    FinancingOption,
    Group,
    Offer,
    Period,
    Plan,
    PricedItem,
    ResourceSet,
    Service,
    ServiceItem,
    ServicePrice,
    SetKind,
)
from chalicelib.books.catalog.pricing import country_price
from chalicelib.books.identity.model import Academy
from chalicelib.entrypoints._http import Instant, Output
from chalicelib.kernel.money import Money, currency
from chalicelib.kernel.quotes import Line

REFUND_STATUSES = {"succeeded": "SUCCEEDED", "failed": "FAILED", "canceled": "FAILED"}


def major(amount: int, code: str) -> float:
    """Minor units as the dialect's number. The only place where money becomes a float, and only to be shown."""
    return float(Money(amount, code).major)


def shown_price(exact: Decimal, code: str) -> float:
    """A price that is shown: rounded half up to the minor unit (D5). What is charged is computed from the exact one."""
    return float(Money.of(exact, code).major)


class CurrencyOut(Output):
    code: str
    name: str


class AcademyOut(Output):
    id: int
    name: str
    slug: str


class PermissionOut(Output):
    name: str
    codename: str


class GroupOut(Output):
    name: str
    permissions: list[PermissionOut]


class ServiceOut(Output):
    """A service. `owner` is null for services of nobody."""

    id: int
    slug: str
    title: str
    description: str
    icon_url: str | None
    owner: int | None
    private: bool
    type: str
    consumer: str
    session_duration: int | None
    groups: list[GroupOut]


class FeatureOut(Output):
    lang: str
    title: str | None
    one_line_desc: str | None
    description: str | None


class ServiceItemOut(Output):
    """What a plan grants: `how_many` -1 is unlimited."""

    id: int
    unit_type: str
    how_many: int
    sort_priority: int
    is_renewable: bool
    renew_at: int
    renew_at_unit: str
    is_team_allowed: bool
    service: ServiceOut
    features: list[FeatureOut]


class FinancingOptionOut(Output):
    id: int
    monthly_price: float
    how_many_months: int
    currency: CurrencyOut


class SmallPlanOut(Output):
    """A plan as a bag shows it."""

    id: int
    title: str | None
    slug: str
    status: str
    time_of_life: int
    time_of_life_unit: str | None
    trial_duration: int
    trial_duration_unit: str | None
    service_items: list[ServiceItemOut]
    financing_options: list[FinancingOptionOut]
    has_available_cohorts: bool


class SeatPriceOut(Output):
    """What each further seat costs a month, by its academy service."""

    id: int
    price_per_unit: float
    currency: CurrencyOut


class AddOnOut(SeatPriceOut):
    """What can be bought with a plan; `price_per_unit` is for each month of the period."""

    service: str
    title: str


class PlanOut(SmallPlanOut):
    """A plan as a customer chooses it; prices are those of the country that was asked for.

    `seat_service_price` is that of each seat beyond `seats_included`; null: there are no others.
    """

    currency: CurrencyOut
    price_per_month: float | None
    price_per_quarter: float | None
    price_per_half: float | None
    price_per_year: float | None
    is_renewable: bool
    is_onboarding: bool
    has_waiting_list: bool
    consumption_strategy: str
    seats_included: int
    seat_service_price: SeatPriceOut | None
    add_ons: list[AddOnOut]
    owner: AcademyOut


class SetOut(Output):
    id: int
    slug: str
    name: str


class CouponOut(Output):
    slug: str
    discount_type: str
    discount_value: float
    referral_type: str
    referral_value: float
    auto: bool
    offered_at: Instant
    expires_at: Instant | None


class UserOut(Output):
    id: int
    first_name: str
    last_name: str
    email: str


class InvoiceLineOut(Output):
    id: str
    description: str
    amount: float


class CreditNoteOut(Output):
    """Money that went back. `status`: PENDING, SUCCEEDED or FAILED."""

    number: str | None
    amount: float
    status: str
    created_at: Instant


class InvoiceOut(Output):
    """An invoice. `stripe_id` is null where nothing was charged."""

    id: int
    amount: float
    amount_refunded: float
    currency: CurrencyOut
    paid_at: Instant | None
    created_at: Instant
    status: str
    stripe_id: str | None
    user: UserOut
    coupons: list[CouponOut]
    lines: list[InvoiceLineOut]
    credit_notes: list[CreditNoteOut]


def currency_out(code: str) -> CurrencyOut:
    found = currency(code)
    return CurrencyOut(code=found.code, name=found.name)


def academy_out(academy: Academy) -> AcademyOut:
    return AcademyOut(id=academy.id, name=academy.name, slug=academy.slug)


def service_out(service: Service) -> ServiceOut:
    return ServiceOut(
        id=service.id,
        slug=service.slug,
        title=service.title,
        description=service.description,
        icon_url=service.icon_url,
        owner=service.owner_id,
        private=service.private,
        type=service.type,
        consumer=service.consumer,
        session_duration=service.session_seconds,
        groups=[_group_out(group) for group in service.groups],
    )


def item_out(found: PricedItem) -> ServiceItemOut:
    return service_item_out(found.item, found.service)


def service_item_out(item: ServiceItem, service: Service) -> ServiceItemOut:
    return ServiceItemOut(
        id=item.id,
        unit_type=item.unit_type,
        how_many=item.how_many,
        sort_priority=item.sort_priority,
        is_renewable=item.is_renewable,
        renew_at=item.renew_at,
        renew_at_unit=item.renew_at_unit,
        is_team_allowed=item.is_team_allowed,
        service=service_out(service),
        features=[
            FeatureOut(lang=f.lang, title=f.title, one_line_desc=f.one_line_desc, description=f.description)
            for f in item.features
        ],
    )


def option_out(option: FinancingOption, country: str | None) -> FinancingOptionOut:
    price = country_price(option.monthly_price, option.currency, option.countries, country=country, field="price")
    return FinancingOptionOut(
        id=option.id,
        monthly_price=shown_price(price.amount, price.currency),
        how_many_months=option.how_many_months,
        currency=currency_out(price.currency),
    )


def small_plan_out(offer: Offer, country: str | None) -> SmallPlanOut:
    plan = offer.plan
    items = sorted(offer.items, key=lambda found: found.link_id)
    options = () if plan.is_renewable else offer.financing_options
    return SmallPlanOut(
        id=plan.id,
        title=plan.title,
        slug=plan.slug,
        status=plan.status,
        time_of_life=plan.time_of_life or 0,
        time_of_life_unit=plan.time_of_life_unit,
        trial_duration=plan.trial_duration,
        trial_duration_unit=plan.trial_duration_unit,
        service_items=[item_out(found) for found in items],
        financing_options=[option_out(option, country) for option in options],
        has_available_cohorts=plan.cohort_set_id is not None,
    )


def plan_out(offer: Offer, academy: Academy, country: str | None) -> PlanOut:
    plan = offer.plan
    prices = {period: period_price(plan, period, country) for period in Period}
    currencies = [code for _, code in prices.values() if code is not None]
    return PlanOut(
        **asdict(small_plan_out(offer, country)),
        currency=currency_out(currencies[0] if currencies else plan.currency),
        price_per_month=prices[Period.MONTH][0],
        price_per_quarter=prices[Period.QUARTER][0],
        price_per_half=prices[Period.HALF][0],
        price_per_year=prices[Period.YEAR][0],
        is_renewable=plan.is_renewable,
        is_onboarding=plan.is_onboarding,
        has_waiting_list=plan.has_waiting_list,
        consumption_strategy=plan.consumption_strategy,
        seats_included=plan.seats_included,
        seat_service_price=None if offer.seat_price is None else _seat_price_out(offer.seat_price, country),
        add_ons=[
            AddOnOut(**asdict(_seat_price_out(price, country)), service=service.slug, title=service.title)
            for price, service in zip(offer.add_on_prices, offer.add_on_services, strict=True)
        ],
        owner=academy_out(academy),
    )


def _seat_price_out(price: ServicePrice, country: str | None) -> SeatPriceOut:
    unit = country_price(price.price_per_unit, price.currency, price.countries, country=country, field="price")
    return SeatPriceOut(
        id=price.id, price_per_unit=shown_price(unit.amount, unit.currency), currency=currency_out(unit.currency)
    )


def coupon_out(coupon: Coupon | AppliedCoupon) -> CouponOut:
    return CouponOut(
        slug=coupon.slug,
        discount_type=coupon.discount_type,
        discount_value=float(coupon.discount_value),
        referral_type=coupon.referral_type,
        referral_value=float(coupon.referral_value),
        auto=coupon.auto,
        offered_at=coupon.offered_at,
        expires_at=coupon.expires_at,
    )


def user_out(buyer: Buyer) -> UserOut:
    return UserOut(id=buyer.user_id, first_name=buyer.first_name, last_name=buyer.last_name, email=buyer.email)


def invoice_out(invoice: Invoice) -> InvoiceOut:
    payment = invoice.payment
    return InvoiceOut(
        id=invoice.id,
        amount=major(invoice.amount, invoice.currency),
        amount_refunded=major(invoice.amount_refunded, invoice.currency),
        currency=currency_out(invoice.currency),
        paid_at=invoice.paid_at,
        created_at=invoice.created_at,
        status=invoice.status,
        stripe_id=None if payment is None else payment.charge_id or payment.payment_id,
        user=user_out(invoice.buyer),
        coupons=[coupon_out(coupon) for coupon in invoice.coupons],
        lines=[invoice_line_out(line, invoice.currency) for line in invoice.lines],
        credit_notes=[
            CreditNoteOut(
                number=refund.number,
                amount=major(refund.amount, invoice.currency),
                status=refund_status(refund),
                created_at=refund.created_at,
            )
            for refund in invoice.refunds
        ],
    )


def invoice_line_out(line: Line, code: str) -> InvoiceLineOut:
    return InvoiceLineOut(id=line.id, description=line.description, amount=major(line.amount, code))


def refund_status(refund: Refund | None) -> str:
    """Of a refund at Stripe, or of one that Stripe has not answered yet."""
    return "PENDING" if refund is None else REFUND_STATUSES.get(refund.status, "PENDING")


def period_price(plan: Plan, period: Period, country: str | None) -> tuple[float | None, str | None]:
    """What a period costs in a country, to be shown, and its currency; None, None where it is not offered."""
    if period not in plan.prices:
        return None, None
    field = f"price_per_{period.value.lower()}"
    price = country_price(plan.prices[period], plan.currency, plan.countries, country=country, field=field)
    return shown_price(price.amount, price.currency), price.currency


def _group_out(group: Group) -> GroupOut:
    permissions = [PermissionOut(name=found.name, codename=found.codename) for found in group.permissions]
    return GroupOut(name=group.name, permissions=permissions)


def sets_out(sets: Sequence[ResourceSet], kind: SetKind) -> list[SetOut]:
    """Those of one kind."""
    return [SetOut(id=found.id, slug=found.slug, name=found.name) for found in sets if found.kind is kind]
