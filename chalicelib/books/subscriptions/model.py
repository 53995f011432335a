"""Subscriptions, financings and their terms. Amounts are minor units of the terms' currency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from chalicelib.kernel.documents import Document
from chalicelib.kernel.periods import Span, Unit, boundary
from chalicelib.kernel.quotes import Line

ADD_ON_PREFIX = "add_on_"
"""What the link of an item begins with that was bought beside the plan."""
PER_TEAM = "PER_TEAM"


class Status(StrEnum):
    FREE_TRIAL = "FREE_TRIAL"
    ACTIVE = "ACTIVE"
    CANCELLED = "CANCELLED"
    DEPRECATED = "DEPRECATED"
    PAYMENT_ISSUE = "PAYMENT_ISSUE"
    ERROR = "ERROR"
    FULLY_PAID = "FULLY_PAID"
    PAUSED = "PAUSED"
    EXPIRED = "EXPIRED"


class Fate(StrEnum):
    """What refunds and disputes of its payment do to a holding."""

    LIVE = "live"
    SUSPENDED = "suspended"
    ENDING = "ending"
    ENDED = "ended"


class HeldBack(Document):
    """What refunds and disputes made of a holding, and how it was before: the money may stay after all.

    `fates`: what each invoice of it that was refunded or disputed does to it; the worst of them is its `fate`.
    """

    fate: Fate
    fates: Mapping[str, Fate] = {}
    since: datetime
    status: Status
    status_message: str | None
    access_until: datetime | None
    next_payment_at: datetime | None


class Dunning(Document):
    """A payment of a holding that was refused: since when, how often on our schedule, with which card, and why.

    `hard`: the card cannot succeed any more, so nothing is tried until it is another. `recovery`: the digest of the
    secret of the link by which the customer finishes what the bank asked for. `card_saved_at`: another card was saved
    since, with which it is tried at once.
    """

    since: datetime
    failures: int
    payment_method_id: str | None
    code: str
    hard: bool
    next_attempt_at: datetime
    card_saved_at: datetime | None = None
    recovery: str | None = None


class Pause(Document):
    """No payment and no access from the end of what is paid until `until`; then a new period begins.

    That is `days` after `begins_at`, or before where its customer asks to go on, and until that is paid or refused.
    """

    asked_at: datetime
    days: int
    begins_at: datetime
    until: datetime


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
    """What a customer agreed to. `lines` are the lines of one period (or instalment) before discounts.

    `since`: unix seconds at which a change of plan brought these terms; 0 for those of the purchase.
    """

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
    since: int = 0

    @property
    def period(self) -> Span:
        return Span(self.pay_every, self.pay_every_unit)


class Raised(Document):
    """How much more a change made a period worth that was paid by then: in minor units, for its whole length.

    `invoice_id` asked for it; `since`: the period's beginning in unix seconds.
    """

    invoice_id: int
    since: int
    value: int


class Prorated(Document):
    """What changes of the plan within one period came to, so that many cost what the last of them costs.

    `since`: the period's beginning in unix seconds. `owed`: each change's difference times the seconds that were left,
    in minor units times seconds. `billed`: the minor units that were asked for of it. `raised`: what each change did to
    the value of this period, and of the one that was paid ahead.
    """

    since: int
    owed: int = 0
    billed: int = 0
    raised: tuple[Raised, ...] = ()

    @property
    def invoice_ids(self) -> tuple[int, ...]:
        """The invoices of these changes, the oldest first."""
        return tuple(dict.fromkeys(one.invoice_id for one in self.raised))


class SeatsChange(Document):
    """How many seats there were, and how many there are from then on."""

    before: int
    after: int
    at: datetime


class Subscription(Document):
    """A plan paid by the period, a free one, or a trial. Access lasts until `paid_until`; None: without end.

    `origin` is the anchor of the calendar: the n-th period ends at the n-th boundary from it, and `periods_paid` of
    them are paid. Of both kinds of holding: `payments` counts what was ever paid, by which coupons serve;
    `open_invoice_id` is the invoice of a payment that is under way or was refused, `retry_at` before when it is not
    looked at again; `refills` are the latest refills, by item, in unix seconds; `lots_until` is the end that its open
    lots have (None: as they were granted); `told` names the notices that were sent; `ended_at`: it is over, and what
    was claimed for it is free; `recovered` is the digest of the link by which its latest refused payment could be
    finished, which says afterwards that it is paid; `reissued` counts the invoices of the next payment that are spent:
    their money came while it was held back, and went back.

    `planned`: the terms that the next payment brings. `credit`: minor units that the next invoices take off first.
    `change_invoice_id`: the invoice of a change that is being paid; `changes` counts those that were begun.
    `seats_log`: the latest changes of the number of its seats.
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
    payments: int = 1
    open_invoice_id: int | None = None
    dunning: Dunning | None = None
    retry_at: datetime | None = None
    refills: Mapping[str, int] = {}
    lots_until: datetime | None = None
    told: tuple[str, ...] = ()
    cancel_reason: str | None = None
    ended_at: datetime | None = None
    seats_told: str | None = None
    recovered: str | None = None
    reissued: int = 0
    pause: Pause | None = None
    planned: Terms | None = None
    credit: int = 0
    prorated: Prorated | None = None
    changes: int = 0
    change_invoice_id: int | None = None
    seats_log: tuple[SeatsChange, ...] = ()

    @property
    def paid_through(self) -> datetime | None:
        """Until when units are refilled: what is paid; None: without end."""
        return self.paid_until

    @property
    def access_until(self) -> datetime | None:
        return _access(self, self.paid_until)


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
    payments: int = 1
    open_invoice_id: int | None = None
    dunning: Dunning | None = None
    retry_at: datetime | None = None
    refills: Mapping[str, int] = {}
    lots_until: datetime | None = None
    told: tuple[str, ...] = ()
    cancel_reason: str | None = None
    ended_at: datetime | None = None
    seats_told: str | None = None
    recovered: str | None = None
    reissued: int = 0

    @property
    def paid_through(self) -> datetime | None:
        """Until when units are refilled: the next instalment's day, or after the last one the end of the access.

        Whether that instalment will be asked for or not: one that is cancelled has what was paid, and no more.
        """
        if self.installments_paid >= self.how_many_installments:
            return self.plan_expires_at
        return min(self.plan_expires_at, boundary(self.origin, Span(1, Unit.MONTH), self.installments_paid))

    @property
    def access_until(self) -> datetime | None:
        """The plan's end for who pays their instalments; who cancelled them has what was paid."""
        return _access(self, self.paid_through if self.status is Status.CANCELLED else self.plan_expires_at)


Holding = Subscription | Financing

GRACE_DAYS = 8
"""How long access lasts after a payment was refused: a day longer than its schedule, whose last refusal ends it."""


def _access(holding: Holding, paid: datetime | None) -> datetime | None:
    """When access ends: what is paid, or the grace of a refused payment; at once while a payment is disputed.

    A payment that is refused after a pause has no grace: there was no access that could go on.
    """
    if holding.ended_at is not None:
        return holding.ended_at if paid is None else min(paid, holding.ended_at)
    if holding.held_back is not None and holding.held_back.fate is Fate.SUSPENDED:
        since = holding.held_back.since.replace(microsecond=0)
        return since if paid is None else min(paid, since)
    was_paused = isinstance(holding, Subscription) and holding.pause is not None
    if holding.status is Status.PAYMENT_ISSUE and holding.dunning is not None and paid is not None and not was_paused:
        return max(holding.paid_through or paid, holding.dunning.since + timedelta(days=GRACE_DAYS))
    return paid
