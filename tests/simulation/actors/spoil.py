"""Spoil: at its bank a card that worked is lost, empty, or asks for its holder; or it works again."""

from __future__ import annotations

from tests.simulation.stage import Stage

BEHAVES_LIKE = (
    "visa",
    "visa_chargeDeclinedInsufficientFunds",
    "visa_chargeDeclinedInsufficientFunds",
    "visa_chargeDeclinedLostCard",
    "authenticationRequired",
    "authenticationRequired",
)
"""The published test cards that it behaves like from now on."""


def act(stage: Stage) -> None:
    attached = [method["id"] for method in stage.at_stripe("payment_method") if method["customer"] is not None]
    if attached:
        stage.spoil(stage.rng.choice(attached), stage.rng.choice(BEHAVES_LIKE))
