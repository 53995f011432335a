"""Stripe's webhooks: the signature over the raw bytes, and what an event is about. Never imports the stripe library.

Signatures by hand (https://docs.stripe.com/webhooks#verify-manually): every `v1` against every secret, so that secrets
can be rolled; the tolerance holds towards the past and the future.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from chalicelib.kernel.errors import DomainError

EVENT_ID = re.compile(r"evt_[A-Za-z0-9_]{1,200}")
EVENT_TYPE = re.compile(r"[a-z0-9_.]{1,200}")
OBJECT_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
SIGNATURES_MAX = 20


class SignatureRefused(DomainError):
    slug = "invalid-signature"
    detail = "The signature does not verify."


class NoEvent(DomainError):
    slug = "invalid-event"
    detail = "The body is no Stripe event."


class Topic(StrEnum):
    """What an event makes us ask about."""

    PAYMENT = "payment"
    SETUP = "setup"
    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"
    CHECKOUT = "checkout"
    CARD = "card"
    CUSTOMER = "customer"


TOPICS = {
    "payment_intent.succeeded": Topic.PAYMENT,
    "payment_intent.payment_failed": Topic.PAYMENT,
    "payment_intent.processing": Topic.PAYMENT,
    "payment_intent.canceled": Topic.PAYMENT,
    "payment_intent.requires_action": Topic.PAYMENT,
    "setup_intent.succeeded": Topic.SETUP,
    "setup_intent.setup_failed": Topic.SETUP,
    "charge.refunded": Topic.CHARGE,
    "refund.created": Topic.REFUND,
    "refund.updated": Topic.REFUND,
    "refund.failed": Topic.REFUND,
    "charge.dispute.created": Topic.DISPUTE,
    "charge.dispute.updated": Topic.DISPUTE,
    "charge.dispute.closed": Topic.DISPUTE,
    "charge.dispute.funds_withdrawn": Topic.DISPUTE,
    "charge.dispute.funds_reinstated": Topic.DISPUTE,
    "checkout.session.completed": Topic.CHECKOUT,
    "checkout.session.async_payment_succeeded": Topic.CHECKOUT,
    "checkout.session.async_payment_failed": Topic.CHECKOUT,
    "checkout.session.expired": Topic.CHECKOUT,
    "payment_method.attached": Topic.CARD,
    "payment_method.detached": Topic.CARD,
    "payment_method.automatically_updated": Topic.CARD,
    "payment_method.updated": Topic.CARD,
    "customer.updated": Topic.CUSTOMER,
    "customer.deleted": Topic.CUSTOMER,
}
HANDLED_TYPES = tuple(TOPICS)


@dataclass(frozen=True, slots=True)
class Inbound:
    """What an event says it is about: hints, each to be asked for."""

    id: str
    type: str
    object_id: str | None
    previous_customer: str | None


def verify(raw: bytes, header: str, *, secrets: Sequence[str], now: datetime, tolerance_seconds: int) -> None:
    """Raise SignatureRefused unless one of the secrets signed these bytes at about this time."""
    stamps, signatures = _parts(header)
    if len(stamps) != 1 or not signatures or not stamps[0].isascii() or not stamps[0].isdigit():
        raise SignatureRefused
    if len(stamps[0]) > 12 or abs(now.timestamp() - int(stamps[0])) > tolerance_seconds:
        raise SignatureRefused
    signed = stamps[0].encode() + b"." + raw
    genuine = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        for signature in signatures[:SIGNATURES_MAX]:
            genuine |= hmac.compare_digest(expected, signature.encode("utf-8", "replace"))
    if not genuine or not secrets:
        raise SignatureRefused


def parse(raw: bytes) -> Inbound:
    """What a verified body is about. Raises NoEvent."""
    try:
        body: Any = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise NoEvent from error
    if not isinstance(body, dict) or body.get("object") != "event":
        raise NoEvent
    ident, kind = body.get("id"), body.get("type")
    if not isinstance(ident, str) or EVENT_ID.fullmatch(ident) is None:
        raise NoEvent
    if not isinstance(kind, str) or EVENT_TYPE.fullmatch(kind) is None:
        raise NoEvent
    data = body.get("data")
    data = data if isinstance(data, dict) else {}
    about = data.get("object")
    previous = data.get("previous_attributes")
    return Inbound(
        id=ident,
        type=kind,
        object_id=_text(about, "id"),
        previous_customer=_text(previous, "customer"),
    )


def _parts(header: str) -> tuple[list[str], list[str]]:
    stamps, signatures = [], []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            stamps.append(value)
        elif name == "v1":
            signatures.append(value)
    return stamps, signatures


def _text(found: Any, name: str) -> str | None:
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) and OBJECT_ID.fullmatch(value) is not None else None
