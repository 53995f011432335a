"""Bags, invoices, customers. Amounts are minor units of the invoice's currency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.kernel.documents import Document
from chalicelib.kernel.money import Money
from chalicelib.kernel.quotes import Line

BAG_LIVES = timedelta(minutes=60)
PENDING_SWEEP_AFTER = timedelta(minutes=15)
PENDING_GIVE_UP_AFTER = timedelta(hours=24)
ORDER_SWEEP_AFTER = timedelta(minutes=2)
IN_FLIGHT = timedelta(seconds=25)
"""How long one call may work on a payment; after that another may take it up."""


class Buyer(Document):
    user_id: int
    email: str
    first_name: str
    last_name: str


class BagKind(StrEnum):
    BAG = "BAG"
    PREVIEW = "PREVIEW"
    CHARGE = "CHARGE"
    INVITED = "INVITED"


class BagState(StrEnum):
    """PAYING: one payment of it is under way, and no other can begin."""

    CHECKING = "CHECKING"
    PAYING = "PAYING"
    PAID = "PAID"


class Bag(Document):
    """What somebody is about to buy, frozen at its quote. Its state is an attribute of its row."""

    id: int
    token: str
    kind: BagKind
    academy_id: int
    buyer: Buyer
    currency: str
    country: str | None
    created_at: datetime
    expires_at: datetime


class InvoiceStatus(StrEnum):
    PENDING = "PENDING"
    FULFILLED = "FULFILLED"
    REJECTED = "REJECTED"
    VOIDED = "VOIDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    DISPUTED = "DISPUTED"


PAID_STATUSES = frozenset(
    {
        InvoiceStatus.FULFILLED,
        InvoiceStatus.PARTIALLY_REFUNDED,
        InvoiceStatus.REFUNDED,
        InvoiceStatus.DISPUTED,
    }
)


class InvoiceKind(StrEnum):
    """The first three are purchases; a renewal is a further period of a subscription, or the first after a trial."""

    PLAN = "plan"
    UNITS = "units"
    CHANGE = "change"
    RENEWAL = "renewal"
    INSTALMENT = "instalment"


class AppliedCoupon(Document):
    """A coupon as it was when it was applied, in the words of the documents."""

    slug: str
    discount_type: str
    discount_value: str
    referral_type: str
    referral_value: str
    auto: bool
    offered_at: datetime
    expires_at: datetime | None


class PaymentRef(Document):
    """How an invoice is paid: at which account of the processor, by whom, with what. Set before the first call.

    `unanswered`: the call that charged it has ended without learning what became of it, so another may take it up.
    `present`: its customer can authenticate now. `scheduled`: the attempt is ours, by the schedule of the holding.
    """

    account: str
    customer_id: str
    payment_method_id: str
    card_brand: str
    card_last4: str
    key: str
    attempt: int = 1
    attempted_at: datetime
    unanswered: bool = False
    present: bool = True
    scheduled: bool = False
    payment_id: str | None = None
    charge_id: str | None = None


class PlanAction(StrEnum):
    """What a refund does to the plan that its invoice paid for."""

    CANCEL_NOW = "cancel_now"
    CANCEL_AT_PERIOD_END = "cancel_at_period_end"
    KEEP = "keep"


class RefundLine(Document):
    """How much of one line of an invoice goes back."""

    id: str
    amount: int


class RefundOrder(Document):
    """A refund that staff asked for, written down before the processor is asked.

    `refund_id` is the processor's once it has it, `refusal` why it refused. `plan_action` None: what an invoice that
    ends up fully refunded does by default.
    """

    id: int
    amount: int
    lines: tuple[RefundLine, ...] = ()
    reason: str | None = None
    note: str | None = None
    plan_action: PlanAction | None = None
    ordered_by: str
    ordered_at: datetime
    refund_id: str | None = None
    refusal: str | None = None

    @property
    def is_open(self) -> bool:
        return self.refund_id is None and self.refusal is None


class TakenBack(Document):
    """Units of a service that a refund took back. `spent`: due back too, but used before. -1: unlimited ones ended."""

    service: str
    how_many: int
    spent: int


class Refund(Document):
    """A refund as the processor has it. `number` is its credit note's, given when we first see it."""

    id: str
    amount: int
    status: str
    created_at: datetime
    order_id: int | None = None
    number: str | None = None
    taken_back: tuple[TakenBack, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the money went back, or is on its way."""
        return self.status not in ("failed", "canceled")


class Standing(StrEnum):
    """A person's reputation: the worst of its marks. Nobody whose standing is not GOOD can buy."""

    GOOD = "GOOD"
    BAD = "BAD"
    FRAUD = "FRAUD"


class Whence(Document):
    """From where something was asked: evidence should the payment be disputed."""

    ip: str | None = None
    user_agent: str | None = None


class Dispute(Document):
    id: str
    amount: int
    status: str
    reason: str
    updated_at: datetime


class Invoice(Document):
    """What is owed and for what. `payment` is None where nothing is to be charged.

    `reversed_units`: for each entry that granted what was bought, the units of it that refunds and lost disputes have
    taken back, those included that had been spent. `revoked_units`: for each lot that it paid for, the units that staff
    took and those that ran out. `undelivered`: the money came when what it was for was gone, so that nothing was
    delivered and all of it is to go back. `returning`: the payment of which that was decided, before it goes back.
    """

    id: int
    kind: InvoiceKind
    status: InvoiceStatus
    academy_id: int
    buyer: Buyer
    bag_id: int
    currency: str
    amount: int
    lines: tuple[Line, ...]
    coupons: tuple[AppliedCoupon, ...] = ()
    country: str | None = None
    conversion_info: Mapping[str, str] = {}
    plan_slug: str | None = None
    subscription_id: int | None = None
    financing_id: int | None = None
    payment: PaymentRef | None = None
    rejection: str | None = None
    created_at: datetime
    paid_at: datetime | None = None
    refunds: tuple[Refund, ...] = ()
    refund_orders: tuple[RefundOrder, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    reversed_units: Mapping[str, int] = {}
    revoked_units: Mapping[str, int] = {}
    whence: Whence | None = None
    undelivered: bool = False
    returning: str | None = None

    @property
    def is_purchase(self) -> bool:
        """Whether a customer asked for it; else it follows from what was bought before."""
        return self.kind in (InvoiceKind.PLAN, InvoiceKind.UNITS, InvoiceKind.CHANGE)

    @property
    def is_paid(self) -> bool:
        """Its money was taken, whatever became of it since."""
        return self.undelivered or self.status in PAID_STATUSES

    @property
    def total(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def amount_refunded(self) -> int:
        """What went back to the customer, or is on its way, in minor units."""
        return sum(refund.amount for refund in self.refunds if refund.holds)

    @property
    def open_orders(self) -> tuple[RefundOrder, ...]:
        """Refunds that were asked for and that nobody knows the outcome of yet."""
        return tuple(order for order in self.refund_orders if order.is_open)


class SavedCard(Document):
    """The card that is charged. What the bank and the person know it by; never its number.

    `exp_*` are shown; `bank_exp_*` are the processor's when it was saved, by which a later change of it is seen.
    """

    payment_method_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    bank_exp_month: int = 0
    bank_exp_year: int = 0
    fingerprint: str | None = None


class Customer(Document):
    """A person at one account of the processor.

    `setup_id`: a card whose authentication is awaited. `generation` counts its customers that the processor deleted.
    """

    user_id: int
    account: str
    customer_id: str | None = None
    card: SavedCard | None = None
    setup_id: str | None = None
    generation: int = 0
    updated_at: datetime
