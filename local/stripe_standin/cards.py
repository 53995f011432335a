"""Stripe's published test cards: one table, found by `pm_card_*` name, `tok_*` name or number.

Source: https://docs.stripe.com/testing
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

Authentication = Literal["never", "unless_set_up", "set_up_already", "always"]


@dataclass(frozen=True)
class Decline:
    """How an issuer refuses: Stripe's error code, decline code, advice and message."""

    code: str
    decline_code: str
    message: str
    advice_code: str | None = "try_again_later"


@dataclass(frozen=True)
class Card:
    """One published test card and how it behaves."""

    name: str
    number: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    declines_on_setup: bool = True
    authentication: Authentication = "never"
    dispute_reason: str | None = None

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


DECLINED = Decline("card_declined", "generic_decline", "Your card was declined.")
INSUFFICIENT_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST = Decline("card_declined", "lost_card", "Your card was declined.", "do_not_try_again")
STOLEN = Decline("card_declined", "stolen_card", "Your card was declined.", "do_not_try_again")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.", "confirm_card_data")
CVC_MESSAGE = "Your card's security code is incorrect."
INCORRECT_CVC = Decline("incorrect_cvc", "incorrect_cvc", CVC_MESSAGE, "confirm_card_data")
PROCESSING_MESSAGE = "An error occurred while processing your card. Try again in a little bit."
PROCESSING = Decline("processing_error", "processing_error", PROCESSING_MESSAGE)
VELOCITY_MESSAGE = "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."
VELOCITY = Decline("card_declined", "card_velocity_exceeded", VELOCITY_MESSAGE)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
    None,
)

CARDS: tuple[Card, ...] = (
    Card("visa", "4242424242424242"),
    Card("visa_debit", "4000056655665556", funding="debit"),
    Card("mastercard", "5555555555554444", brand="mastercard"),
    Card("mastercard_debit", "5200828282828210", brand="mastercard", funding="debit"),
    Card("mastercard_prepaid", "5105105105105100", brand="mastercard", funding="prepaid"),
    Card("amex", "378282246310005", brand="amex"),
    Card("discover", "6011111111111117", brand="discover"),
    Card("diners", "3056930009020004", brand="diners"),
    Card("jcb", "3566002020360505", brand="jcb"),
    Card("unionpay", "6200000000000005", brand="unionpay"),
    Card("mx", "4000004840008001", country="MX"),
    Card("es", "4000007240000007", country="ES"),
    Card("gb", "4000008260000000", country="GB"),
    Card("visa_chargeDeclined", "4000000000000002", decline=DECLINED),
    Card("visa_chargeDeclinedInsufficientFunds", "4000000000009995", decline=INSUFFICIENT_FUNDS),
    Card("visa_chargeDeclinedLostCard", "4000000000009987", decline=LOST),
    Card("visa_chargeDeclinedStolenCard", "4000000000009979", decline=STOLEN),
    Card("visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975", decline=VELOCITY),
    Card("chargeDeclinedExpiredCard", "4000000000000069", decline=EXPIRED),
    Card("chargeDeclinedIncorrectCvc", "4000000000000127", decline=INCORRECT_CVC),
    Card("chargeDeclinedProcessingError", "4000000000000119", decline=PROCESSING),
    Card("chargeCustomerFail", "4000000000000341", decline=DECLINED, declines_on_setup=False),
    Card("authenticationRequiredOnSetup", "4000002500003155", authentication="unless_set_up"),
    Card("authenticationRequired", "4000002760003184", authentication="always"),
    Card("authenticationRequiredSetupForOffSession", "4000003800000446", authentication="set_up_already"),
    Card(
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        authentication="always",
        decline=INSUFFICIENT_FUNDS,
        declines_on_setup=False,
    ),
    Card("createDispute", "4000000000000259", dispute_reason="fraudulent"),
    Card("createDisputeProductNotReceived", "4000000000002685", dispute_reason="product_not_received"),
)

BY_NAME = {card.name: card for card in CARDS}
BY_NAME |= {card.name.removeprefix("visa_"): card for card in CARDS if card.name.startswith("visa_charge")}
BY_NUMBER = {card.number: card for card in CARDS}


def card_of_payment_method(ident: str) -> Card | None:
    """The card behind a `pm_card_*` name; None where `ident` is no such name."""
    return BY_NAME.get(ident.removeprefix("pm_card_")) if ident.startswith("pm_card_") else None


def card_of_token(token: str) -> Card | None:
    """The card behind a `tok_*` name; None where `token` is no such name."""
    return BY_NAME.get(token.removeprefix("tok_")) if token.startswith("tok_") else None
