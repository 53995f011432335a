"""Disputes: the cardholder asks their bank for the money back, and the bank decides."""

from typing import Any, Literal

from local.stripe_standin import listing, money_objects
from local.stripe_standin.call import Call
from local.stripe_standin.errors import Refusal

Json = dict[str, Any]

Outcome = Literal["won", "lost", "open"]


def begin(call: Call, charge: Json, *, reason: str) -> Json:
    """Open a dispute over the whole charge: the amount and a fee leave the balance at once."""
    dispute = call.store.put(money_objects.dispute(call, charge, reason=reason))
    with call.update("charge.updated", charge):
        charge["disputed"] = True
    call.emit("charge.dispute.created", dispute)
    withdrawal = money_objects.dispute_transaction(call, dispute, withdrawn=True)
    dispute["balance_transactions"] = [withdrawal]
    call.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def decide(call: Call, charge: Json, *, outcome: Outcome) -> Json:
    """What a test orders: open a dispute, and decide it where `outcome` says how. A decided one stays decided."""
    found = next(call.store.newest_first("dispute", {"charge": charge["id"]}), None)
    if charge["status"] != "succeeded":
        raise Refusal(400, f"Charge {charge['id']} did not succeed and cannot be disputed.")
    dispute = found or begin(call, charge, reason="fraudulent")
    if outcome == "open" or dispute["status"] == outcome:
        return dispute
    if dispute["status"] in ("won", "lost"):
        raise Refusal(400, f"Dispute {dispute['id']} is already {dispute['status']}.")
    with call.update("charge.dispute.updated", dispute):
        dispute["status"] = outcome
    call.emit("charge.dispute.closed", dispute)
    if outcome == "won":
        returned = money_objects.dispute_transaction(call, dispute, withdrawn=False)
        dispute["balance_transactions"] = [*dispute["balance_transactions"], returned]
        call.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def retrieve(call: Call) -> Json:
    return call.find("dispute", call.ids[0])


def list_all(call: Call) -> Json:
    params = call.params
    return listing.page_of(call, "dispute", payment_intent=params.get("payment_intent"), charge=params.get("charge"))
