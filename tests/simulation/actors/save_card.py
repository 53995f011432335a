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
TO_BE_PAID = 0.5
"""How often it is by somebody whose payment was refused, and a good one."""
CARDS = (*GOOD, *GOOD, REFUSED, *[REFUSED_LATER] * 2, *[AUTHENTICATED] * 3, AUTHENTICATED_ONCE, DISPUTED)


def act(stage: Stage) -> None:
    refused = [person for person in stage.people if _is_refused(stage, person)]
    if refused and stage.rng.random() < TO_BE_PAID:
        save(stage, stage.somebody(refused), stage.rng.choice(GOOD))
    else:
        save(stage, stage.somebody(), stage.rng.choice(CARDS))


def _is_refused(stage: Stage, person: Customer) -> bool:
    """Whether a renewal or an instalment of theirs waits for another card."""
    rows = [row for kind in ("SUB#", "FIN#") for row in stage.memory.beginning(f"USER#{person.user_id}", kind)]
    return any('"dunning":{' in row["doc"]["S"] for row in rows)


def save(stage: Stage, customer: Customer, number: str) -> None:
    card = {"card_number": number, "exp_month": "10", "exp_year": "30", "cvc": "435"}
    if stage.rng.random() < BY_NAME:
        card = {"payment_method": TEST_CARDS[number]}
    stage.send(customer, Sent("POST", "/v2/payments/card", {**card, "academy": customer.academy_id}))
