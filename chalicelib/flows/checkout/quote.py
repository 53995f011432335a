"""What a bag holds: the ways to pay a plan, each priced, and what paying it will deliver. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.books.catalog.coupons import serves_renewal
from chalicelib.books.catalog.model import (
    Coupon,
    DiscountType,
    FinancingOption,
    Offer,
    Period,
    PricedItem,
    Service,
    Strategy,
)
from chalicelib.books.catalog.pricing import DraftLine, MultipleCurrenciesFound, instalment_lines, period_lines, priced
from chalicelib.books.subscriptions.model import ADD_ON_PREFIX, TermCoupon, TermItem, Terms, TermSet
from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.periods import Span, Unit, after
from chalicelib.kernel.quotes import Priced

GRANTS_MAX = 38
"""What one purchase may grant: two writes each, which must fit one transaction of a hundred with all else: claims,
holding, receipt, and the rewards of two coupons with their mails.
"""


class PlanNotReady(DomainError):
    slug = "the-plan-was-chosen-is-not-ready-too-be-sold"
    detail = "The plan cannot be sold as it is: it has no price, or grants more than one purchase may."


class Trial(Document):
    """A free beginning. `first_charge_at` as it would be if it began at the quote."""

    duration: int
    unit: Unit
    first_charge_at: datetime

    @property
    def span(self) -> Span:
        return Span(self.duration, self.unit)


class Way(Document):
    """One way to pay: a period, or a number of instalments (`option_id`); what is due now, and at a renewal."""

    period: Period | None = None
    instalments: int | None = None
    option_id: int | None = None
    priced: Priced
    renewal_amount: int | None = None


class CouponRefused(Document):
    slug: str
    reason: str


class Content(Document):
    """Everything that a bag froze. `terms` are completed by the way that is chosen."""

    offer: Offer
    country: str | None
    currency: str
    seats: int
    extra_seats: int
    add_ons: Mapping[int, int] = {}
    coupons: tuple[Coupon, ...] = ()
    coupons_refused: tuple[CouponRefused, ...] = ()
    ways: tuple[Way, ...]
    trial: Trial | None = None
    free: bool = False
    life: tuple[int, Unit] | None = None

    def period_way(self, period: Period) -> Way | None:
        return next((way for way in self.ways if way.period is period), None)

    def instalment_way(self, count: int) -> Way | None:
        return next((way for way in self.ways if way.instalments == count), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the customer asked for, beside the plan."""

    country: str | None = None
    seats: int = 1
    extra_seats: int = 0
    add_ons: Mapping[int, int] = field(default_factory=dict)


def offered_periods(offer: Offer) -> tuple[Period, ...]:
    """The periods that the plan can be paid by (D24).

    A renewable plan: those with a price. Another: the one that is as long as the plan's life, or its only price.
    """
    plan = offer.plan
    periods = tuple(period for period in Period if period in plan.prices)
    if plan.is_renewable or not periods:
        return periods
    life = plan.life
    if life is not None and life.unit in (Unit.MONTH, Unit.YEAR):
        whole = tuple(period for period in periods if period.months == life.months)
        if whole:
            return whole
    return periods if len(periods) == 1 else ()


def currency_of(offer: Offer, wanted: Wanted) -> str:
    """The currency that the plan has in the customer's country. Raises PlanNotReady."""
    for period in offered_periods(offer):
        return _drafts_of_period(offer, period, wanted)[0].price.currency
    if not offer.financing_options or offer.plan.is_renewable:
        raise PlanNotReady
    return _drafts_of_option(offer, offer.financing_options[0], wanted)[0].price.currency


def quote(
    offer: Offer,
    wanted: Wanted,
    *,
    coupons: Sequence[Coupon],
    refused: Sequence[CouponRefused],
    trial_open: bool,
    now: datetime,
) -> Content:
    """Price every way to pay the plan. Raises PlanNotReady, MultipleCurrenciesFound, and what limits units."""
    plan = offer.plan
    if len(offer.items) + len(wanted.add_ons) > GRANTS_MAX:
        raise PlanNotReady
    ways = [_period_way(offer, period, wanted, coupons, now) for period in offered_periods(offer)]
    if not plan.is_renewable:
        ways += [_instalment_way(offer, option, wanted, coupons) for option in offer.financing_options]
    if not ways:
        raise PlanNotReady
    currencies = sorted({way.priced.currency for way in ways})
    if len(currencies) > 1:
        raise MultipleCurrenciesFound(currencies=" and ".join(currencies))
    free = all(way.priced.full_amount == 0 for way in ways)
    trial = None
    if trial_open and plan.trial is not None and plan.is_renewable and not free:
        first_charge = after(now, plan.trial)
        trial = Trial(duration=plan.trial.every, unit=plan.trial.unit, first_charge_at=first_charge)
    return Content(
        offer=offer,
        country=wanted.country,
        currency=currencies[0],
        seats=wanted.seats,
        extra_seats=wanted.extra_seats,
        add_ons=dict(wanted.add_ons),
        coupons=tuple(coupons),
        coupons_refused=tuple(refused),
        ways=tuple(ways),
        trial=trial,
        free=free,
        life=None if plan.life is None else (plan.life.every, plan.life.unit),
    )


def terms_of(content: Content, way: Way) -> Terms:
    """What the customer agrees to by paying this way: prices before discounts, coupons, items, seats, all frozen."""
    plan = content.offer.plan
    span = way.period.span if way.period is not None else Span(1, Unit.MONTH)
    return Terms(
        plan_id=plan.id,
        plan_slug=plan.slug,
        plan_title=plan.title,
        plan_version=plan.version,
        academy_id=plan.academy_id,
        currency=way.priced.currency,
        country=content.country,
        pay_every=span.every,
        pay_every_unit=span.unit,
        full_amount=way.priced.full_amount,
        lines=way.priced.lines,
        coupons=tuple(_term_coupon(coupon) for coupon in content.coupons),
        items=(
            *(_term_item(content.offer, found) for found in content.offer.items),
            *_add_on_items(content),
        ),
        seats=content.seats,
        strategy=plan.consumption_strategy,
        cohort_set_id=plan.cohort_set_id,
        mentorship_service_set_id=plan.mentorship_service_set_id,
        event_type_set_id=plan.event_type_set_id,
    )


def _period_way(offer: Offer, period: Period, wanted: Wanted, coupons: Sequence[Coupon], now: datetime) -> Way:
    drafts = period_lines(offer, period, country=wanted.country, extra_seats=wanted.extra_seats, add_ons=wanted.add_ons)
    renewal = None
    if offer.plan.is_renewable:
        due = after(now, period.span)
        staying = [coupon for coupon in coupons if serves_renewal(coupon, number=1, at=due)]
        renewal = _priced(drafts, staying).amount
    return Way(period=period, priced=_priced(drafts, coupons), renewal_amount=renewal)


def _instalment_way(offer: Offer, option: FinancingOption, wanted: Wanted, coupons: Sequence[Coupon]) -> Way:
    drafts = _drafts_of_option(offer, option, wanted)
    return Way(instalments=option.how_many_months, option_id=option.id, priced=_priced(drafts, coupons))


def _drafts_of_period(offer: Offer, period: Period, wanted: Wanted) -> tuple[DraftLine, ...]:
    return period_lines(offer, period, country=wanted.country, extra_seats=wanted.extra_seats, add_ons=wanted.add_ons)


def _drafts_of_option(offer: Offer, option: FinancingOption, wanted: Wanted) -> tuple[DraftLine, ...]:
    return instalment_lines(
        offer, option, country=wanted.country, extra_seats=wanted.extra_seats, add_ons=wanted.add_ons
    )


def _priced(drafts: Sequence[DraftLine], coupons: Sequence[Coupon]) -> Priced:
    return priced(drafts, [coupon for coupon in coupons if coupon.discount_type is not DiscountType.NO_DISCOUNT])


def _term_coupon(coupon: Coupon) -> TermCoupon:
    return TermCoupon(
        slug=coupon.slug,
        discount_type=coupon.discount_type,
        discount_value=coupon.discount_value,
        renewals=coupon.renewals,
        expires_at=coupon.expires_at,
    )


def _term_item(offer: Offer, found: PricedItem) -> TermItem:
    strategy = offer.plan.consumption_strategy
    return _frozen(
        offer,
        found.service,
        link_id=str(found.link_id),
        how_many=found.item.how_many,
        renewal=(found.item.is_renewable, found.item.renew_at, found.item.renew_at_unit),
        pooled=strategy is not Strategy.PER_SEAT and found.item.is_team_allowed,
    )


def _add_on_items(content: Content) -> list[TermItem]:
    """Add-ons are priced by the month, so they are renewed by the month."""
    services = {service.id: service for service in content.offer.add_on_services}
    return [
        _frozen(
            content.offer,
            services[service_id],
            link_id=f"{ADD_ON_PREFIX}{service_id}",
            how_many=how_many,
            renewal=(True, 1, Unit.MONTH),
            pooled=False,
        )
        for service_id, how_many in content.add_ons.items()
        if how_many
    ]


def _frozen(
    offer: Offer, service: Service, *, link_id: str, how_many: int, renewal: tuple[bool, int, Unit], pooled: bool
) -> TermItem:
    of_set = offer.set_of(service)
    is_renewable, renew_at, renew_at_unit = renewal
    return TermItem(
        link_id=link_id,
        service_id=service.id,
        service_slug=service.slug,
        service_type=service.type,
        session_seconds=service.session_seconds,
        set=None if of_set is None else TermSet(kind=of_set.kind, id=of_set.id, slug=of_set.slug),
        how_many=how_many,
        is_renewable=is_renewable,
        renew_at=renew_at,
        renew_at_unit=renew_at_unit,
        pooled=pooled,
    )
