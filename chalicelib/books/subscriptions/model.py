"""Subscriptions, financings and their terms. Amounts are minor units of the terms' currency."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from chalicelib.kernel.documents import Document
from chalicelib.kernel.periods import Span, Unit
from chalicelib.kernel.quotes import Line


class Status(StrEnum):
    FREE_TRIAL = "FREE_TRIAL"
    ACTIVE = "ACTIVE"
    CANCELLED = "CANCELLED"
    DEPRECATED = "DEPRECATED"
    PAYMENT_ISSUE = "PAYMENT_ISSUE"
    ERROR = "ERROR"
    FULLY_PAID = "FULLY_PAID"
    EXPIRED = "EXPIRED"


class Fate(StrEnum):
    """What refunds and disputes of its payment do to a holding."""

    LIVE = "live"
    SUSPENDED = "suspended"
    ENDING = "ending"
    ENDED = "ended"


class HeldBack(Document):
    """What a refund or a dispute made of a holding, and how it was before: the money may stay after all."""

    fate: Fate
    since: datetime
    status: Status
    status_message: str | None
    access_until: datetime | None
    next_payment_at: datetime | None


class TermSet(Document):
    """A set that units are for."""

    kind: str
    id: int
    slug: str


class TermItem(Document):
    """One thing that the plan grants, as it was at purchase. `pooled`: to the team's pool, not to the person."""

    link_id: str
    service_id: int
    service_slug: str
    service_type: str
    session_seconds: int | None = None
    set: TermSet | None = None
    how_many: int
    is_renewable: bool
    renew_at: int = 1
    renew_at_unit: Unit = Unit.MONTH
    pooled: bool = False

    @property
    def renewal(self) -> Span:
        return Span(self.renew_at, self.renew_at_unit)


class TermCoupon(Document):
    """A coupon that was applied, with what its later uses depend on. `renewals` as in the catalog's coupon."""

    slug: str
    discount_type: str
    discount_value: Decimal
    renewals: int | None
    expires_at: datetime | None


class Terms(Document):
    """What a customer agreed to. `lines` are the lines of one period (or instalment) before discounts."""

    plan_id: int
    plan_slug: str
    plan_title: str | None
    plan_version: int
    academy_id: int
    currency: str
    country: str | None
    pay_every: int
    pay_every_unit: Unit
    full_amount: int
    lines: tuple[Line, ...]
    coupons: tuple[TermCoupon, ...] = ()
    items: tuple[TermItem, ...]
    seats: int = 1
    strategy: str = "PER_SEAT"
    cohort_set_id: int | None = None
    mentorship_service_set_id: int | None = None
    event_type_set_id: int | None = None

    @property
    def period(self) -> Span:
        return Span(self.pay_every, self.pay_every_unit)


class Subscription(Document):
    """A plan paid by the period, a free one, or a trial. Access lasts until `paid_until`; None: without end.

    `origin` is the anchor of the calendar: the n-th period ends at the n-th boundary from it.
    """

    id: int
    user_id: int
    status: Status
    status_message: str | None = None
    terms: Terms
    origin: datetime
    periods_paid: int
    paid_at: datetime
    paid_until: datetime | None
    next_payment_at: datetime | None
    trial_ends_at: datetime | None = None
    invoice_ids: tuple[int, ...]
    created_at: datetime
    held_back: HeldBack | None = None

    @property
    def access_until(self) -> datetime | None:
        return self.paid_until


class Financing(Document):
    """A plan paid by instalments, the first one at purchase. `plan_expires_at` ends the access."""

    id: int
    user_id: int
    status: Status
    status_message: str | None = None
    terms: Terms
    origin: datetime
    how_many_installments: int
    installments_paid: int
    monthly_amount: int
    paid_at: datetime
    next_payment_at: datetime | None
    plan_expires_at: datetime
    invoice_ids: tuple[int, ...]
    created_at: datetime
    held_back: HeldBack | None = None

    @property
    def access_until(self) -> datetime | None:
        return self.plan_expires_at


Holding = Subscription | Financing
