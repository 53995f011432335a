"""Stripe's errors as billing's. Nothing of Stripe's own text reaches a caller: it may quote what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from chalicelib.books.billing.gateway import (
    PaymentDeclined,
    PaymentDisputed,
    PaymentRefused,
    PaymentServiceBusy,
    PaymentServiceDown,
    PaymentUnauthorized,
)

if TYPE_CHECKING:
    import stripe

DISPUTED_CODE = "charge_disputed"
"""https://docs.stripe.com/error-codes#charge-disputed"""


@contextmanager
def translated() -> Iterator[None]:
    """Raise billing's errors for Stripe's. An answer that was lost is "down": for calls that move no money."""
    import stripe

    try:
        yield
    except stripe.CardError as error:
        raise declined(error) from error
    except stripe.RateLimitError as error:
        raise PaymentServiceBusy from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise PaymentUnauthorized from error
    except stripe.InvalidRequestError as error:
        raise (PaymentDisputed if error.code == DISPUTED_CODE else PaymentRefused) from error
    except stripe.StripeError as error:
        raise PaymentServiceDown from error


def declined(error: stripe.CardError) -> PaymentDeclined:
    """Why the bank declined, and which payment it was."""
    body: Any = error.json_body or {}
    found = body.get("error", {})
    intent = found.get("payment_intent") or {}
    return PaymentDeclined(code=found.get("code"), decline_code=found.get("decline_code"), payment_id=intent.get("id"))
