"""Whatever is done in whatever order: the stand-in's own books balance."""

import random
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from tests.contract.test_standin_harness import Shop, error_of, opened

STEPS = 60
CARDS = ("visa", "chargeDeclined", "authenticationRequired", "createDispute", "chargeCustomerFail")


class Walk:
    """Random calls and orders, most of which Stripe accepts and some of which it refuses."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.rng = random.Random(seed)
        self.intents: list[str] = []
        self.refunds: list[str] = []

    def step(self) -> None:
        self.shop.clock.advance(self.rng.randrange(100))
        actions: list[Callable[[], Any]] = [
            self.pay,
            self.pay,
            self.refund,
            self.dispute,
            self.decide,
            self.send_back,
        ]
        try:
            self.rng.choice(actions)()
        except stripe.CardError as error:
            self.intents.append(error_of(error)["payment_intent"]["id"])
        except stripe.InvalidRequestError:
            return

    def pay(self) -> None:
        name = f"pm_card_{self.rng.choice(CARDS)}"
        off_session = self.rng.random() < 0.5
        amount = self.rng.randrange(50, 10_000)
        self.intents.append(self.shop.pay(payment_method=name, amount=amount, off_session=off_session).id)

    def refund(self) -> None:
        if self.intents:
            amount = self.rng.randrange(1, 6_000)
            made = self.shop.v1.refunds.create({"payment_intent": self.rng.choice(self.intents), "amount": amount})
            self.refunds.append(made.id)

    def dispute(self) -> None:
        if self.intents:
            outcome = self.rng.choice(("open", "won", "lost"))
            self.shop.control("POST", f"/_control/dispute/{self.rng.choice(self.intents)}", outcome=outcome)

    def decide(self) -> None:
        if self.intents:
            success = self.rng.random() < 0.7
            self.shop.control("POST", f"/_control/authenticate/{self.rng.choice(self.intents)}", success=success)

    def send_back(self) -> None:
        if self.refunds:
            self.shop.control("POST", f"/_control/fail_refund/{self.rng.choice(self.refunds)}")


@pytest.mark.parametrize("seed", range(5))
def test_charges_refunds_and_events_agree(seed: int) -> None:
    with opened("inprocess", seed=seed) as shop:
        walk = Walk(shop, seed)
        for _ in range(STEPS):
            walk.step()
        objects = shop.standin.dump()["world"]["store"]["objects"]
        events = list(shop.v1.events.list({"limit": 100}).auto_paging_iter())
    for charge in objects["charge"]:
        given = [refund for refund in objects["refund"] if refund["charge"] == charge["id"]]
        returned = sum(refund["amount"] for refund in given if refund["status"] == "succeeded")
        assert charge["amount_refunded"] == returned <= charge["amount"]
        assert charge["refunded"] == (returned == charge["amount"])
    for intent in objects["payment_intent"]:
        charges = [charge for charge in objects["charge"] if charge["payment_intent"] == intent["id"]]
        paid = sum(charge["amount_captured"] for charge in charges)
        assert intent["amount_received"] == paid == (intent["amount"] if intent["status"] == "succeeded" else 0)
    types = [event.type for event in events]
    assert types.count("payment_intent.created") == len(objects["payment_intent"])
    assert types.count("charge.succeeded") == sum(charge["paid"] for charge in objects["charge"])
    assert types.count("charge.dispute.created") == len(objects["dispute"])
    assert [event.created for event in events] == sorted((event.created for event in events), reverse=True)
