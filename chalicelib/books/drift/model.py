"""Differences between the processor and us, and the walks that look for them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.documents import Document
from chalicelib.kernel.ids import derived

ERROR_CHARACTERS_MAX = 500


class DriftKind(StrEnum):
    """What differs. `MENDED_KINDS` are mended where they are found; the others are for a person to look at."""

    CHARGED_NOT_FULFILLED = "charged-not-fulfilled"
    CHARGE_WITHOUT_INVOICE = "charge-without-invoice"
    DUPLICATE_CHARGE = "duplicate-charge"
    AMOUNT = "amount"
    CUSTOMER_MISMATCH = "customer-mismatch"
    FULFILLED_NOT_CHARGED = "fulfilled-not-charged"
    REFUND_MISSING = "refund-missing"
    REFUND_UNKNOWN = "refund-unknown"
    DISPUTE_MISSING = "dispute-missing"
    DISPUTE_UNKNOWN = "dispute-unknown"
    DUPLICATE_CUSTOMER = "duplicate-customer"


MENDED_KINDS = frozenset({DriftKind.CHARGED_NOT_FULFILLED, DriftKind.REFUND_MISSING, DriftKind.DISPUTE_MISSING})


class DriftStatus(StrEnum):
    """`closed`: it went away by itself, or by whoever looked into it."""

    OPEN = "open"
    MENDED = "mended"
    CLOSED = "closed"


class Difference(Document):
    """What was expected and what was found, in words with amounts in minor units; and what it is about.

    `object_id` is the refund, dispute or customer at the processor, where it is about one.
    """

    kind: DriftKind
    expected: str
    found: str
    academy_id: int | None = None
    user_id: int | None = None
    invoice_id: int | None = None
    payment_id: str | None = None
    object_id: str | None = None

    @property
    def id(self) -> str:
        """The same whenever the same difference of the same things is found."""
        things = (self.user_id, self.invoice_id, self.payment_id, self.object_id)
        return derived("drift", self.kind, *things)


class Drift(Document):
    """A difference as it is kept. `times`: how often it was found; `error`: why it could not be mended."""

    id: str
    difference: Difference
    status: DriftStatus = DriftStatus.OPEN
    first_seen_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None = None
    times: int = 1
    error: str | None = None


def first_seen(difference: Difference, now: datetime) -> Drift:
    return Drift(id=difference.id, difference=difference, first_seen_at=now, last_seen_at=now)


def seen_again(drift: Drift, difference: Difference, now: datetime) -> Drift:
    """Open, whatever became of it before: it is here again."""
    return drift.model_copy(
        update={
            "difference": difference,
            "status": DriftStatus.OPEN,
            "last_seen_at": now,
            "ended_at": None,
            "times": drift.times + 1,
            "error": None,
        }
    )


def ended(drift: Drift, status: DriftStatus, now: datetime) -> Drift:
    """Mended, or gone."""
    return drift.model_copy(update={"status": status, "ended_at": now, "error": None})


def not_mended(drift: Drift, error: str) -> Drift:
    return drift.model_copy(update={"error": error[:ERROR_CHARACTERS_MAX]})


class WalkName(StrEnum):
    """What is looked through: the processor's events and those it could not deliver; what is new, what is not new any
    more and may have changed, and what is open.
    """

    EVENTS = "events"
    UNDELIVERED = "undelivered"
    NEW = "new"
    AGAIN = "again"
    OPEN = "open"


class Source(StrEnum):
    """The lists of one window of a walk, in the order in which they are read."""

    EVENTS = "events"
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    CUSTOMERS = "customers"
    INVOICES = "invoices"
    OPEN = "open"


class Walk(Document):
    """How far a list was read: the window at work, the list of it, and where that goes on.

    `source` is None where the window is done. `academy` is where the list of academies goes on, and `after` is the
    processor's cursor, or the table's.
    """

    name: WalkName
    since: datetime
    until: datetime
    source: Source | None
    academy: str | None = None
    after: str | None = None
