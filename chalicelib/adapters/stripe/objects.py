"""Stripe's objects, as plain dictionaries, to billing's types.

Stripe's amounts are in its own smallest units, which for every currency of ours are ISO 4217's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.books.billing.gateway import (
    Card,
    CustomerState,
    DisputeState,
    Payment,
    PaymentStatus,
    RefundState,
    Setup,
)
from chalicelib.kernel.money import Money
from chalicelib.kernel.periods import utc

STATUSES = {
    "succeeded": PaymentStatus.SUCCEEDED,
    "processing": PaymentStatus.PROCESSING,
    "requires_capture": PaymentStatus.PROCESSING,
    "requires_confirmation": PaymentStatus.PROCESSING,
    "requires_action": PaymentStatus.REQUIRES_ACTION,
    "canceled": PaymentStatus.CANCELED,
}

Found = Mapping[str, Any]


def payment_of(intent: Found) -> Payment:
    """A PaymentIntent with `latest_charge` expanded."""
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, Mapping) else {"id": charge, "created": None}
    error = intent.get("last_payment_error") or {}
    succeeded = intent["status"] == "succeeded"
    return Payment(
        id=intent["id"],
        status=_status(intent, error),
        amount=Money(intent["amount"], intent["currency"].upper()),
        amount_received=intent["amount_received"],
        charge_id=charge["id"],
        customer_id=_id(intent.get("customer")),
        payment_method_id=_id(intent.get("payment_method")),
        client_secret=intent.get("client_secret"),
        created_at=utc(intent["created"]),
        paid_at=utc(charge["created"]) if succeeded and charge["created"] else None,
        metadata=dict(intent.get("metadata") or {}),
        decline_code=error.get("decline_code") or error.get("code"),
    )


def setup_of(intent: Found) -> Setup:
    """A SetupIntent with `payment_method` expanded. It has no card any more that was taken off its customer since."""
    status = _status(intent, intent.get("last_setup_error") or {})
    found = intent.get("payment_method")
    method: Found = found if isinstance(found, Mapping) else {}
    customer_id = _id(intent.get("customer"))
    attached = method.get("type") == "card" and _id(method.get("customer")) == customer_id
    return Setup(
        id=intent["id"],
        status=status,
        customer_id=customer_id,
        client_secret=intent.get("client_secret"),
        card=card_of(method) if attached and status is PaymentStatus.SUCCEEDED else None,
        metadata=dict(intent.get("metadata") or {}),
    )


def card_of(method: Found) -> Card:
    """A PaymentMethod of type card."""
    card = method["card"]
    return Card(
        payment_method_id=method["id"],
        brand=card["brand"],
        last4=card["last4"],
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
        fingerprint=card.get("fingerprint"),
    )


def customer_of(found: Found) -> CustomerState:
    return CustomerState(id=found["id"], deleted=bool(found.get("deleted")), metadata=dict(found.get("metadata") or {}))


def refund_of(found: Found) -> RefundState:
    return RefundState(
        id=found["id"],
        payment_id=_id(found.get("payment_intent")),
        amount=found["amount"],
        status=found["status"] or "pending",
        created_at=utc(found["created"]),
        metadata=dict(found.get("metadata") or {}),
    )


def dispute_of(found: Found) -> DisputeState:
    return DisputeState(
        id=found["id"],
        payment_id=_id(found.get("payment_intent")),
        amount=found["amount"],
        status=found["status"],
        reason=found["reason"],
        opened_at=utc(found["created"]),
        evidence_due_at=utc(due) if (due := (found.get("evidence_details") or {}).get("due_by")) else None,
    )


def _status(intent: Found, error: Found) -> PaymentStatus:
    """An intent that wants another payment method has failed, unless nothing was tried with it yet."""
    if intent["status"] == "requires_payment_method":
        return PaymentStatus.FAILED if error else PaymentStatus.PROCESSING
    return STATUSES[intent["status"]]


def _id(value: Any) -> str | None:
    """An id, whether the object was expanded or not."""
    found: str | None = value["id"] if isinstance(value, Mapping) else value
    return found
