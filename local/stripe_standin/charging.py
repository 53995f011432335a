"""What happens when a card is asked for money or for permission: the rules of the test cards."""

from dataclasses import replace
from typing import Any, Literal

from local.stripe_standin import money_objects
from local.stripe_standin.call import Call
from local.stripe_standin.cards import AUTHENTICATION_REQUIRED, Card, Decline
from local.stripe_standin.errors import Refusal

Json = dict[str, Any]

Verdict = Literal["pass", "needs_action", "refuse"]


def needs_authentication(card: Card, *, off_session: bool, set_up: bool) -> bool:
    """Whether the bank wants the cardholder for this payment."""
    if card.authentication == "never":
        return False
    if card.authentication == "always":
        return True
    if card.authentication == "unless_set_up":
        return not set_up
    return not off_session


def open_charge(call: Call, intent: Json, method: Json) -> Json:
    """A pending charge, known and pointed to by its intent."""
    charge = call.store.put(money_objects.charge(call, intent, method))
    intent["latest_charge"] = charge["id"]
    return charge


def succeed(call: Call, charge: Json, *, authenticated: bool) -> None:
    """The money moves; its balance transaction follows in a later event, as with asynchronous capture."""
    charge["status"] = "succeeded"
    charge["paid"] = charge["captured"] = True
    charge["amount_captured"] = charge["amount"]
    charge["outcome"] = money_objects.approved()
    charge["receipt_url"] = f"https://pay.stripe.com/receipts/payment/{charge['id']}"
    if authenticated:
        charge["payment_method_details"]["card"]["three_d_secure"] = {
            "authentication_flow": "challenge",
            "electronic_commerce_indicator": "05",
            "exemption_indicator": None,
            "result": "authenticated",
            "result_reason": None,
            "transaction_id": charge["id"],
            "version": "2.2.0",
        }
    call.emit("charge.succeeded", charge)
    charge["balance_transaction"] = call.store.new_id("txn")
    call.emit("charge.updated", charge, {"balance_transaction": None})


def fail(call: Call, charge: Json, decline: Decline) -> None:
    charge["status"] = "failed"
    charge["outcome"] = money_objects.refused(decline)
    charge["failure_code"] = decline.code
    charge["failure_message"] = decline.message
    call.emit("charge.failed", charge)


def charge_decline(card: Card, *, off_session: bool, set_up: bool) -> Decline | None:
    """Why a charge would be refused now; None where it passes or only needs the cardholder."""
    if off_session and needs_authentication(card, off_session=True, set_up=set_up):
        return AUTHENTICATION_REQUIRED
    return card.decline


def error_of(decline: Decline, method: Json, *, charge: str | None = None) -> Json:
    """The error as an intent remembers it (`last_payment_error`, `last_setup_error`)."""
    error = card_error(decline, {"payment_method": dict(method)}).error
    if charge:
        error["charge"] = charge
    return error


def card_error(decline: Decline, extra: Json) -> Refusal:
    """Stripe's 402: the decline with the objects that it concerns."""
    details: Json = {"decline_code": decline.decline_code, **extra}
    if decline.advice_code:
        details["advice_code"] = decline.advice_code
    if decline.code == "incorrect_cvc":
        details["param"] = "cvc"
    return Refusal(402, decline.message, kind="card_error", code=decline.code, executed=True, extra=details)


def authentication_failure(message: str, code: str, method: Json) -> Json:
    """The error of an intent whose cardholder failed to authenticate."""
    refusal = Refusal(402, message, code=code)
    return {**refusal.error, "payment_method": dict(method)}


def not_handled(decline: Decline = AUTHENTICATION_REQUIRED) -> Decline:
    """The decline of a payment that asked to fail rather than to wait for the cardholder."""
    message = (
        "This payment required an authentication action to complete, but `error_on_requires_action` was set. When "
        "you're ready, you can upgrade your integration to handle actions at "
        "https://stripe.com/docs/payments/payment-intents/upgrade-to-handle-actions."
    )
    return replace(decline, message=message)
