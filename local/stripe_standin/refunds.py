"""Refunds: money given back, whole or in part, and the refund that the bank later sends back."""

from typing import Any

from local.stripe_standin import listing, money_objects
from local.stripe_standin.call import Call
from local.stripe_standin.currencies import shown
from local.stripe_standin.errors import Refusal
from local.stripe_standin.forms import INT, MAP, STR, merged_metadata

Json = dict[str, Any]

CREATE: Json = {"payment_intent": STR, "charge": STR, "amount": INT, "reason": STR, "metadata": MAP}
REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(call: Call) -> Json:
    params = call.params
    reason = params.get("reason")
    if reason not in (None, *REASONS):
        raise Refusal(400, f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    charge = _charge(call)
    left = charge["amount"] - charge["amount_refunded"]
    amount = params.get("amount")
    if amount is not None and amount < 1:
        message = "This value must be greater than or equal to 1."
        raise Refusal(400, message, code="parameter_invalid_integer", param="amount")
    _demand_refundable(call, charge, left=left, amount=amount)
    refund = money_objects.refund(call, charge, amount=amount or left, reason=reason)
    refund["metadata"] = merged_metadata({}, params.get("metadata"))
    call.store.put(refund)
    call.emit("refund.created", refund)
    previous = {name: charge[name] for name in ("amount_refunded", "refunded")}
    _set_refunded(charge, charge["amount_refunded"] + refund["amount"])
    call.emit("charge.refunded", charge, {k: v for k, v in previous.items() if charge[k] != v})
    return refund


def retrieve(call: Call) -> Json:
    return call.find("refund", call.ids[0])


def list_all(call: Call) -> Json:
    params = call.params
    return listing.page_of(call, "refund", payment_intent=params.get("payment_intent"), charge=params.get("charge"))


def fail(call: Call, refund: Json) -> Json:
    """The bank could not credit the cardholder: the money is ours again."""
    if refund["status"] != "succeeded":
        raise Refusal(400, f"This refund has a status of {refund['status']} and cannot fail.")
    charge = call.find("charge", refund["charge"])
    with call.update("refund.updated", refund):
        refund["status"] = "failed"
        refund["failure_reason"] = "expired_or_canceled_card"
        refund["failure_balance_transaction"] = call.store.new_id("txn")
    call.emit("refund.failed", refund)
    with call.update("charge.updated", charge):
        _set_refunded(charge, charge["amount_refunded"] - refund["amount"])
    return refund


def _charge(call: Call) -> Json:
    charge_id, intent_id = call.params.get("charge"), call.params.get("payment_intent")
    if charge_id:
        return call.find("charge", charge_id, param="charge")
    if not intent_id:
        message = "One of the following params should be provided for this request: payment_intent or charge."
        raise Refusal(400, message, code="parameter_missing", param="payment_intent")
    intent = call.find("payment_intent", intent_id, param="payment_intent")
    if intent["status"] != "succeeded":
        message = f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
        raise Refusal(400, message, code="payment_intent_unexpected_state", param="payment_intent", executed=True)
    return call.find("charge", intent["latest_charge"])


def _demand_refundable(call: Call, charge: Json, *, left: int, amount: int | None) -> None:
    ident, currency = charge["id"], charge["currency"]
    if charge["status"] != "succeeded":
        message = f"Charge {ident} did not succeed and cannot be refunded."
        raise Refusal(400, message, code="charge_not_refundable", executed=True)
    disputes = call.store.newest_first("dispute", {"charge": ident})
    if any(dispute["status"] != "won" for dispute in disputes):
        message = f"Charge {ident} has been charged back; cannot issue a refund."
        raise Refusal(400, message, code="charge_disputed", executed=True)
    if left == 0:
        message = f"Charge {ident} has already been refunded."
        raise Refusal(400, message, code="charge_already_refunded", executed=True)
    if amount is not None and amount > left:
        message = (
            f"Refund amount ({shown(amount, currency)}) is greater than unrefunded amount on charge "
            f"({shown(left, currency)})"
        )
        raise Refusal(400, message, param="amount", executed=True)


def _set_refunded(charge: Json, amount: int) -> None:
    charge["amount_refunded"] = amount
    charge["refunded"] = amount == charge["amount"]
