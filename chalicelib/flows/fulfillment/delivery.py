"""What an invoice will deliver when it is paid, written down before it is. Pure types."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from chalicelib.books.catalog.model import Coupon
from chalicelib.books.ledger.model import Unit
from chalicelib.books.subscriptions.model import Prorated, Terms
from chalicelib.kernel.documents import Document
from chalicelib.kernel.periods import Span
from chalicelib.kernel.periods import Unit as TimeUnit


class Access(StrEnum):
    """How a plan is held."""

    SUBSCRIPTION = "subscription"
    TRIAL = "trial"
    FINANCING = "financing"


class PlanDelivery(Document):
    """A plan with its terms. `life` limits the access of what does not renew."""

    access: Access
    terms: Terms
    trial_every: int = 0
    trial_unit: TimeUnit = TimeUnit.DAY
    trial_fingerprint: str | None = None
    instalments: int = 1
    life_every: int = 0
    life_unit: TimeUnit = TimeUnit.MONTH

    @property
    def trial(self) -> Span:
        return Span(self.trial_every, self.trial_unit)

    @property
    def life(self) -> Span | None:
        return Span(self.life_every, self.life_unit) if self.life_every else None


class PoolDelivery(Document):
    """The pool of a team that units are for, and the month (its beginning in unix seconds) whose spend was reserved."""

    team_id: int
    month: int


class UnitsDelivery(Document):
    """So many units, for ever or for a time; for the buyer, or for the pool of a team of theirs."""

    unit: Unit
    how_many: int
    live_every: int = 0
    live_unit: TimeUnit = TimeUnit.MONTH
    pool: PoolDelivery | None = None

    @property
    def live(self) -> Span | None:
        return Span(self.live_every, self.live_unit) if self.live_every else None


class RenewalDelivery(Document):
    """Further periods (or instalments) of a holding: the first of them begins, or is due, at `starts_at`.

    `terms`: the digest of the terms that are paid for (None: not written down). `credit`: what the invoice takes of the
    holding's credit, in minor units.
    """

    holding_id: int
    financed: bool
    plan_id: int
    starts_at: datetime
    count: int = 1
    pooled: bool = False
    terms: str | None = None
    credit: int = 0


class ChangeDelivery(Document):
    """Other terms of a subscription, from `at` on, while it is as it was when its customer asked: under the terms of
    the digest `replaces`, paid until `paid_until`. `number` counts its changes.

    `restarts`: a new period begins then; else the one that is under way goes on. `prorated` as it is afterwards.
    `credit`: what the invoice takes of the holding's credit, `credited` what it adds to it, in minor units.
    """

    holding_id: int
    number: int
    terms: Terms
    at: datetime
    replaces: str
    paid_until: datetime
    restarts: bool
    prorated: Prorated | None = None
    credit: int = 0
    credited: int = 0
    pooled: bool = False


class Delivery(Document):
    """What was reserved for an invoice, and what it delivers: exactly one of a plan, units, a renewal, a change."""

    plan: PlanDelivery | None = None
    units: UnitsDelivery | None = None
    renewal: RenewalDelivery | None = None
    change: ChangeDelivery | None = None
    coupons: tuple[Coupon, ...] = ()
