"""The payment processor as billing sees it. Amounts are Money; instants are aware UTC.

Two kinds of failure are told apart, since they ask for opposite things: a refusal (`PaymentDeclined` and its kin: the
processor answered, nothing was or will be charged) and `Unanswered` (nobody knows: the charge may have happened, so
the invoice stays pending and is asked for).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.money import Money
from chalicelib.kernel.pages import Page


class PaymentDeclined(DomainError):
    """The card was declined. `decline_code` is the bank's reason, for the schedule of retries, never shown."""

    kind = Kind.PAYMENT_REQUIRED
    slug = "card-error"
    detail = "Card declined"
    silent_code = "card-error"

    def __init__(
        self, *, code: str | None = None, decline_code: str | None = None, payment_id: str | None = None
    ) -> None:
        super().__init__()
        self.code = code
        self.decline_code = decline_code
        self.payment_id = payment_id


class PaymentRefused(DomainError):
    """The processor understood and refused; nothing was charged."""

    kind = Kind.PAYMENT_REQUIRED
    slug = "invalid-request"
    detail = "The payment service refused the request."
    silent_code = "invalid-request"


class PaymentDisputed(PaymentRefused):
    """A refund was refused, since the holder disputes the payment or has won a dispute of it: the bank has the say."""


class PaymentUnauthorized(DomainError):
    """The processor does not accept our key; nothing was charged."""

    kind = Kind.PAYMENT_REQUIRED
    slug = "authentication-error"
    detail = "The payment service does not accept this shop's credentials."
    silent_code = "authentication-error"


class PaymentServiceBusy(DomainError):
    """The processor asked us to slow down; nothing was charged."""

    kind = Kind.PAYMENT_REQUIRED
    slug = "rate-limit-error"
    detail = "The payment service is busy. Nothing was charged; try again in a moment."
    silent_code = "rate-limit-error"
    retry_after_seconds = 5


class PaymentServiceDown(DomainError):
    """The processor cannot be reached, for something that moves no money."""

    kind = Kind.LATER
    slug = "payment-service-are-down"
    detail = "The payment service does not answer. Nothing was charged; try again in a moment."
    silent_code = "payment-service-are-down"
    retry_after_seconds = 5


class RawCardRefused(DomainError):
    slug = "raw-card-refused"
    detail = "Card numbers are not accepted here: send a payment method, a setup intent or a token."


class UnknownTestCard(DomainError):
    slug = "unknown-test-card"
    detail = "Test mode knows Stripe's published test card numbers only."


class Unanswered(Exception):
    """Nobody knows whether the charge happened: the answer was lost, or the call. Ask again under the same key."""


class PaymentStatus(StrEnum):
    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A saved card: nothing of it but what a person recognizes it by."""

    payment_method_id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    fingerprint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCard:
    """What a customer sent of a card: exactly one of the four. `number` passes in test mode only, by its digits."""

    number: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    token: str | None = None
    payment_method: str | None = None
    setup_intent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A card's setup: `card` where it succeeded, `client_secret` where the bank wants authentication."""

    id: str
    status: PaymentStatus
    customer_id: str | None
    client_secret: str | None
    card: Card | None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Money to take. `key` makes a repeat the same charge; `present`: the customer can authenticate now."""

    key: str
    amount: Money
    customer_id: str
    payment_method_id: str
    description: str
    metadata: Mapping[str, str]
    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment as the processor has it now."""

    id: str
    status: PaymentStatus
    amount: Money
    amount_received: int
    charge_id: str | None
    customer_id: str | None
    payment_method_id: str | None
    client_secret: str | None
    created_at: datetime
    paid_at: datetime | None
    metadata: Mapping[str, str]
    decline_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAsk:
    """Money to give back. `key` makes a repeat the same refund; `reason` is one of REFUND_REASONS."""

    amount: Money
    key: str
    metadata: Mapping[str, str]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundState:
    id: str
    payment_id: str | None
    amount: int
    status: str
    created_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeState:
    """`status` is the processor's: needs_response, under_review, won, lost, warning_... Evidence is taken until
    `evidence_due_at`.
    """

    id: str
    payment_id: str | None
    amount: int
    status: str
    reason: str
    opened_at: datetime | None = None
    evidence_due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerState:
    id: str
    deleted: bool
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """An event as the processor lists it: what a webhook of it says, and its body."""

    id: str
    type: str
    object_id: str | None
    previous_customer: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Window:
    """When something was created at the processor: at or after `since` and before `until`, in whole seconds."""

    since: datetime
    until: datetime


class Gateway(Protocol):
    """The processor. Reads answer None for what it does not know. `account` names the processor's account.

    Reads and everything that moves no money raise PaymentServiceDown where it cannot be reached.
    """

    @property
    def account(self) -> str: ...

    def create_customer(self, *, key: str, email: str, name: str, user_id: int) -> str:
        """Make a customer and answer its id. The same key answers the same customer."""
        ...

    def customer(self, customer_id: str) -> CustomerState | None: ...

    def check_card(self, new: NewCard) -> None:
        """Raise RawCardRefused or UnknownTestCard for a card number that is never sent on."""
        ...

    def set_up_card(self, new: NewCard, *, customer_id: str, key: str, metadata: Mapping[str, str]) -> Setup:
        """Attach a card for later use without its holder.

        Raises PaymentDeclined, PaymentRefused.
        """
        ...

    def set_expiry(self, payment_method_id: str, *, month: int, year: int, key: str) -> None:
        """Set an attached card's expiry. Raises PaymentDeclined or PaymentRefused where it is not accepted."""
        ...

    def setup(self, setup_id: str) -> Setup | None: ...

    def card(self, payment_method_id: str) -> tuple[Card, str | None] | None:
        """A card, and the customer that it is attached to."""
        ...

    def charge(self, charge: Charge) -> Payment:
        """Take money. Raises PaymentDeclined and its kin (not charged), or Unanswered (nobody knows)."""
        ...

    def payment(self, payment_id: str) -> Payment | None: ...

    def payments_since(self, customer_id: str, since: datetime) -> list[Payment]:
        """A customer's payments created at or after an instant, read from the list, which has them at once."""
        ...

    def cancel_payment(self, payment_id: str, *, key: str) -> Payment:
        """Make sure that a payment never succeeds. Raises PaymentRefused where it has already."""
        ...

    def refund(self, payment_id: str, ask: RefundAsk) -> RefundState:
        """Give money back. Raises PaymentRefused where the processor will not, or has nothing left to give back."""
        ...

    def refund_state(self, refund_id: str) -> RefundState | None: ...

    def refunds_of(self, payment_id: str) -> list[RefundState]: ...

    def charge_payment_id(self, charge_id: str) -> str | None:
        """The payment that a charge belongs to."""
        ...

    def dispute(self, dispute_id: str) -> DisputeState | None: ...

    def checkout_payment_id(self, session_id: str) -> str | None:
        """The payment of a hosted checkout session, once it has one."""
        ...

    def events(self, window: Window, cursor: str | None) -> Page[ListedEvent]:
        """A page of the events of a window, newest first. Kept for 30 days only.

        Of this list and those below: `cursor` is the page before's `next_cursor`. Raises PaymentRefused where what it
        names is gone.
        """
        ...

    def undelivered_events(self, window: Window, cursor: str | None) -> Page[ListedEvent]:
        """A page of the events that some endpoint has not taken (yet)."""
        ...

    def payments_made(self, window: Window, cursor: str | None) -> Page[Payment]: ...

    def refunds_made(self, window: Window, cursor: str | None) -> Page[RefundState]: ...

    def disputes_made(self, window: Window, cursor: str | None) -> Page[DisputeState]: ...

    def customers_made(self, window: Window, cursor: str | None) -> Page[CustomerState]:
        """A page of the customers of a window that were not deleted."""
        ...
