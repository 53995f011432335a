"""What an invoice will deliver when it is paid, written down before it is. Pure types."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from chalicelib.books.catalog.model import Coupon
from chalicelib.books.ledger.model import Unit
from chalicelib.books.subscriptions.model import Terms
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


class UnitsDelivery(Document):
    """So many units, for ever or for a time."""

    unit: Unit
    how_many: int
    live_every: int = 0
    live_unit: TimeUnit = TimeUnit.MONTH

    @property
    def live(self) -> Span | None:
        return Span(self.live_every, self.live_unit) if self.live_every else None


class RenewalDelivery(Document):
    """Further periods (or instalments) of a holding: the first of them begins, or is due, at `starts_at`."""

    holding_id: int
    financed: bool
    plan_id: int
    starts_at: datetime
    count: int = 1
    pooled: bool = False


class Delivery(Document):
    """What was reserved for an invoice, and what it delivers: exactly one of a plan, units and a renewal."""

    plan: PlanDelivery | None = None
    units: UnitsDelivery | None = None
    renewal: RenewalDelivery | None = None
    coupons: tuple[Coupon, ...] = ()
