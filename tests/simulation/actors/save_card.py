"""Save a card: of every kind that behaves otherwise."""

from __future__ import annotations

from chalicelib.adapters.stripe.published_cards import TEST_CARDS
from tests.simulation.stage import Customer, Sent, Stage

GOOD = ("4242424242424242", "5555555555554444", "378282246310005")
REFUSED, REFUSED_LATER = "4000000000000002", "4000000000000341"
AUTHENTICATED, AUTHENTICATED_ONCE = "4000002760003184", "4000002500003155"
DISPUTED = "4000000000000259"
BY_NAME = 0.6
"""How often a front end sends Stripe's name of the card: a number comes with an expiry, which is another call."""
CARDS = (*GOOD, *GOOD, REFUSED, *[REFUSED_LATER] * 2, *[AUTHENTICATED] * 3, AUTHENTICATED_ONCE, DISPUTED)


def act(stage: Stage) -> None:
    customer = stage.somebody()
    save(stage, customer, stage.rng.choice(CARDS))


def save(stage: Stage, customer: Customer, number: str) -> None:
    card = {"card_number": number, "exp_month": "10", "exp_year": "30", "cvc": "435"}
    if stage.rng.random() < BY_NAME:
        card = {"payment_method": TEST_CARDS[number]}
    stage.send(customer, Sent("POST", "/v2/payments/card", {**card, "academy": customer.academy_id}))
