"""Payment intents: from a promise to pay to a charge, or to the reason why not."""

from typing import Any

from local.stripe_standin import charging, disputes, intents, listing, objects, payment_methods
from local.stripe_standin.call import Call
from local.stripe_standin.cards import DECLINED, Decline
from local.stripe_standin.currencies import check_amount
from local.stripe_standin.errors import Refusal
from local.stripe_standin.forms import BOOL, INT, MAP, STR, merged_metadata

Json = dict[str, Any]

CREATE: Json = {
    "amount": INT,
    "currency": STR,
    "customer": STR,
    "payment_method": STR,
    "payment_method_types": [STR],
    "automatic_payment_methods": intents.AUTOMATIC,
    "confirm": BOOL,
    "off_session": BOOL,
    "setup_future_usage": STR,
    "metadata": MAP,
    "description": STR,
    "receipt_email": STR,
    "statement_descriptor_suffix": STR,
    "return_url": STR,
    "error_on_requires_action": BOOL,
}
CONFIRM: Json = {
    "payment_method": STR,
    "off_session": BOOL,
    "setup_future_usage": STR,
    "receipt_email": STR,
    "return_url": STR,
    "error_on_requires_action": BOOL,
}
CANCEL: Json = {"cancellation_reason": STR}
CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")
REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
CONFIRM_ONLY = ("off_session", "error_on_requires_action", "return_url")
AUTHENTICATION_MESSAGE = (
    "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod "
    "to attempt to fulfill this PaymentIntent again."
)


def create(call: Call) -> Json:
    intent = draft(call)
    confirming = call.params.get("confirm")
    for name in CONFIRM_ONLY:
        if call.params.get(name) and not confirming:
            message = f"`{name}` can only be used when `confirm` is true."
            raise Refusal(400, message, param=name)
    if confirming:
        _demand_confirmable(call, intent)
        if not call.params.get("payment_method"):
            raise Refusal(400, _missing(intent), code="parameter_missing", param="payment_method")
    if call.params.get("payment_method"):
        _choose(call, intent)
    call.store.put(intent)
    call.emit("payment_intent.created", intent)
    if confirming:
        attempt(call, intent)
    return intent


def draft(call: Call) -> Json:
    """A payment intent of the given parameters that nothing knows of yet."""
    params = call.params
    currency = check_amount(params["amount"], params["currency"])
    intent = objects.payment_intent(call, amount=params["amount"], currency=currency)
    if params.get("customer"):
        intent["customer"] = call.find("customer", params["customer"], param="customer")["id"]
    for field in ("description", "receipt_email", "statement_descriptor_suffix"):
        intent[field] = params.get(field)
    intent["metadata"] = merged_metadata({}, params.get("metadata"))
    _set_usage(call, intent)
    intents.choose_types(call, intent)
    return intent


def retrieve(call: Call) -> Json:
    return call.find("payment_intent", call.ids[0])


def list_all(call: Call) -> Json:
    return listing.page_of(call, "payment_intent", customer=call.params.get("customer"))


def confirm(call: Call) -> Json:
    intent = call.find("payment_intent", call.ids[0])
    if intent["status"] == "succeeded":
        message = (
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
        )
        raise intents.unexpected_state(intent, message)
    if intent["status"] not in ("requires_payment_method", "requires_confirmation", "requires_action"):
        message = (
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be confirmed: requires_confirmation, requires_action."
        )
        raise intents.unexpected_state(intent, message)
    if not call.params.get("payment_method") and not intent["payment_method"]:
        raise intents.unexpected_state(intent, _missing(intent))
    _demand_confirmable(call, intent)
    _set_usage(call, intent)
    intent["receipt_email"] = call.params.get("receipt_email") or intent["receipt_email"]
    if call.params.get("payment_method"):
        _choose(call, intent)
    attempt(call, intent)
    return intent


def cancel(call: Call) -> Json:
    intent = call.find("payment_intent", call.ids[0])
    reason = call.params.get("cancellation_reason")
    if reason not in (None, *REASONS):
        message = f"Invalid cancellation_reason: must be one of {', '.join(REASONS)}"
        raise Refusal(400, message, param="cancellation_reason")
    if intent["status"] not in CANCELABLE:
        raise intents.cannot_cancel(intent, CANCELABLE)
    intent["status"] = "canceled"
    intent["canceled_at"] = call.now
    intent["cancellation_reason"] = reason
    intent["next_action"] = None
    call.emit("payment_intent.canceled", intent)
    return intent


def attempt(call: Call, intent: Json) -> None:
    """Ask the card for the money: it moves, waits for the cardholder, waits for the network, or is refused."""
    method = call.find("payment_method", intent["payment_method"])
    payment_methods.demand_unspent(call, method)
    card = payment_methods.card_of(call, method)
    off_session = bool(call.params.get("off_session"))
    set_up = bool(call.store.hidden[method["id"]].get("set_up"))
    intent["last_payment_error"] = intent["next_action"] = None
    if not off_session and charging.needs_authentication(card, off_session=False, set_up=set_up):
        if call.params.get("error_on_requires_action"):
            _refuse(call, intent, method, charging.not_handled())
        intent["status"] = "requires_action"
        intent["next_action"] = intents.next_action(intent, call.params.get("return_url"))
        call.emit("payment_intent.requires_action", intent)
        return
    decline = charging.charge_decline(card, off_session=off_session, set_up=set_up)
    if decline:
        _refuse(call, intent, method, decline)
    if call.stays_processing:
        wait(call, intent, method)
        return
    succeed(call, intent, charging.open_charge(call, intent, method), authenticated=False)


def authenticate(call: Call, intent: Json, *, success: bool) -> Json:
    """The bank's page: the payment goes on, or the intent wants another payment method.

    One that was refused off-session for want of it is confirmed with that card, by its customer and present.
    """
    if _wants_its_customer(intent):
        intent["payment_method"] = intent["last_payment_error"]["payment_method"]["id"]
        intent["last_payment_error"] = None
    elif intent["status"] != "requires_action":
        raise intents.unexpected_state(intent, "This PaymentIntent is not waiting for authentication.")
    method = call.find("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if not success:
        code = "payment_intent_authentication_failure"
        _ask_again(call, intent, charging.authentication_failure(AUTHENTICATION_MESSAGE, code, method))
        return intent
    decline = payment_methods.card_of(call, method).decline
    if decline:
        charge = charging.open_charge(call, intent, method)
        charging.fail(call, charge, decline)
        _ask_again(call, intent, charging.error_of(decline, method, charge=charge["id"]))
        return intent
    if intent["setup_future_usage"] == "off_session":
        call.store.hidden[method["id"]]["set_up"] = True
    succeed(call, intent, charging.open_charge(call, intent, method), authenticated=True)
    return intent


def _wants_its_customer(intent: Json) -> bool:
    error = intent["last_payment_error"] or {}
    return intent["status"] == "requires_payment_method" and error.get("code") == "authentication_required"


def wait(call: Call, intent: Json, method: Json) -> None:
    """The network takes its time: the intent is processing until `finish`."""
    intent["status"] = "processing"
    notice = {"approval_requested": None, "completes_at": None}
    intent["processing"] = {"type": "card", "card": {"customer_notification": notice}}
    charge = charging.open_charge(call, intent, method)
    call.emit("charge.pending", charge)
    call.emit("payment_intent.processing", intent)


def finish(call: Call, intent: Json, *, success: bool) -> Json:
    """The network decides about a processing intent."""
    if intent["status"] != "processing":
        raise intents.unexpected_state(intent, "This PaymentIntent is not processing.")
    charge = call.find("charge", intent["latest_charge"])
    intent["processing"] = None
    if success:
        succeed(call, intent, charge, authenticated=False)
        return intent
    method = call.find("payment_method", intent["payment_method"])
    charging.fail(call, charge, DECLINED)
    _ask_again(call, intent, charging.error_of(DECLINED, method, charge=charge["id"]))
    return intent


def succeed(call: Call, intent: Json, charge: Json, *, authenticated: bool) -> None:
    method = call.find("payment_method", intent["payment_method"])
    charging.succeed(call, charge, authenticated=authenticated)
    intent["status"] = "succeeded"
    intent["amount_received"] = intent["amount"]
    if method["customer"] is None:
        if intent["customer"] and intent["setup_future_usage"]:
            payment_methods.attach_to(call, method, intent["customer"])
        else:
            call.store.hidden[method["id"]]["spent"] = True
    call.emit("payment_intent.succeeded", intent)
    reason = payment_methods.card_of(call, method).dispute_reason
    if reason:
        disputes.begin(call, charge, reason=reason)


def _refuse(call: Call, intent: Json, method: Json, decline: Decline) -> None:
    charge = charging.open_charge(call, intent, method)
    charging.fail(call, charge, decline)
    _ask_again(call, intent, charging.error_of(decline, method, charge=charge["id"]))
    extra = {"charge": charge["id"], "payment_intent": intent, "payment_method": method}
    raise charging.card_error(decline, extra)


def _ask_again(call: Call, intent: Json, error: Json) -> None:
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["last_payment_error"] = error
    call.emit("payment_intent.payment_failed", intent)


def _choose(call: Call, intent: Json) -> None:
    ident, customer = call.params["payment_method"], intent["customer"]
    method = intents.usable_method(call, ident, customer=customer, kind="payment_intent")
    intent["payment_method"] = method["id"]
    intent["status"] = "requires_confirmation"


def _demand_confirmable(call: Call, intent: Json) -> None:
    if not call.params.get("off_session"):
        intents.demand_return_url(call, intent)


def _set_usage(call: Call, intent: Json) -> None:
    usage = call.params.get("setup_future_usage")
    if usage not in (None, "off_session", "on_session"):
        message = "Invalid setup_future_usage: must be one of off_session or on_session"
        raise Refusal(400, message, param="setup_future_usage")
    intent["setup_future_usage"] = usage or intent["setup_future_usage"]


def _missing(intent: Json) -> str:
    customer = intent["customer"]
    whose = f"with {customer}, specify a payment method attached to this customer along with the customer ID."
    return "You cannot confirm this PaymentIntent because it's missing a payment method. " + (
        f"To confirm the PaymentIntent {whose}" if customer else "Update the PaymentIntent and confirm it again."
    )
