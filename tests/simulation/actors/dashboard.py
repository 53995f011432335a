"""Dashboard: somebody refunds, sends a refund back, disputes, or takes away a card or a customer, at Stripe itself."""

from __future__ import annotations

from tests.simulation.stage import Stage


def act(stage: Stage) -> None:
    stage.rng.choice((refund, refund, refund, fail_refund, dispute, dispute, detach, delete_customer))(stage)


def refund(stage: Stage) -> None:
    """A part or the rest of a payment goes back."""
    charges = [
        charge for charge in stage.at_stripe("charge") if charge["status"] == "succeeded" and not charge["disputed"]
    ]
    left = [(charge, charge["amount"] - charge["amount_refunded"]) for charge in charges]
    left = [(charge, rest) for charge, rest in left if rest > 0]
    if left:
        charge, rest = stage.rng.choice(left)
        amount = stage.rng.choice((rest, stage.rng.randint(1, rest)))
        stage.at_dashboard(f"/_control/refund/{charge['payment_intent']}", {"amount": amount})


def fail_refund(stage: Stage) -> None:
    """The bank sends a refund back."""
    done = [refund for refund in stage.at_stripe("refund") if refund["status"] == "succeeded"]
    if done:
        stage.at_dashboard(f"/_control/fail_refund/{stage.rng.choice(done)['id']}", {})


def dispute(stage: Stage) -> None:
    """A holder disputes a payment, or a dispute is decided."""
    charges = [charge for charge in stage.at_stripe("charge") if charge["status"] == "succeeded"]
    if charges:
        charge = stage.rng.choice(charges)
        outcome = stage.rng.choice(("open", "won", "lost"))
        stage.at_dashboard(f"/_control/dispute/{charge['payment_intent']}", {"outcome": outcome})


def detach(stage: Stage) -> None:
    """A card is taken off its customer."""
    gone = {customer["id"] for customer in stage.at_stripe("customer") if customer.get("deleted")}
    attached = [found for found in stage.at_stripe("payment_method") if found["customer"] not in (None, *gone)]
    if attached:
        stage.at_api("POST", f"/v1/payment_methods/{stage.rng.choice(attached)['id']}/detach")


def delete_customer(stage: Stage) -> None:
    living = [customer for customer in stage.at_stripe("customer") if not customer.get("deleted")]
    if living:
        stage.at_api("DELETE", f"/v1/customers/{stage.rng.choice(living)['id']}")
