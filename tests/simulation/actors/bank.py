"""Bank: a holder authenticates or does not, the network decides what was processing; or a page tries another card."""

from __future__ import annotations

from typing import Any

from tests.simulation.stage import Stage

SUCCESS = 0.7
FAILED_AUTHENTICATION = "payment_intent_authentication_failure"
WANTS_ITS_HOLDER = "authentication_required"
AGAIN = 0.5
"""How often whoever holds the secret of a failed payment confirms it with another card, past us."""


def act(stage: Stage) -> None:
    rng = stage.rng
    asked = [
        ("authenticate", thing)
        for kind in ("payment_intent", "setup_intent")
        for thing in stage.at_stripe(kind)
        if thing["status"] == "requires_action" or _wants_its_holder(thing)
    ]
    asked += [("process", thing) for thing in stage.at_stripe("payment_intent") if thing["status"] == "processing"]
    failed = [thing for thing in stage.at_stripe("payment_intent") if _secret_is_out(thing)]
    if failed and rng.random() < AGAIN:
        stage.at_api("POST", f"/v1/payment_intents/{rng.choice(failed)['id']}/confirm", "payment_method=pm_card_visa")
    elif asked:
        verb, thing = rng.choice(asked)
        success = rng.random() < SUCCESS
        stage.at_dashboard(f"/_control/{verb}/{thing['id']}", {"success": success})


def _secret_is_out(payment: dict[str, Any]) -> bool:
    """A payment that failed when its customer, who was given its secret for that, did not authenticate."""
    error = payment["last_payment_error"] or {}
    codes = (FAILED_AUTHENTICATION, WANTS_ITS_HOLDER)
    return payment["status"] == "requires_payment_method" and error.get("code") in codes


def _wants_its_holder(thing: dict[str, Any]) -> bool:
    """A payment that we asked for in its holder's absence; they have a link with its secret."""
    error = thing.get("last_payment_error") or {}
    return thing["status"] == "requires_payment_method" and error.get("code") == WANTS_ITS_HOLDER
