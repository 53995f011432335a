"""Setup intents: a card is checked, authenticated where its bank asks, and attached to its customer."""

from typing import Any

from local.stripe_standin import charging, intents, objects, payment_methods
from local.stripe_standin.call import Call
from local.stripe_standin.errors import Refusal
from local.stripe_standin.forms import BOOL, MAP, STR, merged_metadata

Json = dict[str, Any]

CREATE: Json = {
    "customer": STR,
    "payment_method": STR,
    "payment_method_types": [STR],
    "automatic_payment_methods": intents.AUTOMATIC,
    "usage": STR,
    "confirm": BOOL,
    "metadata": MAP,
    "description": STR,
    "return_url": STR,
}
CONFIRM: Json = {"payment_method": STR, "return_url": STR}
CANCEL: Json = {"cancellation_reason": STR}
CANCELABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "processing")
REASONS = ("abandoned", "duplicate", "requested_by_customer")
AUTHENTICATION_MESSAGE = (
    "We are unable to authenticate your payment method. Please choose a different payment method and try again."
)


def create(call: Call) -> Json:
    params = call.params
    intent = objects.setup_intent(call)
    if params.get("usage") not in (None, "off_session", "on_session"):
        raise Refusal(400, "Invalid usage: must be one of on_session or off_session", param="usage")
    intent["usage"] = params.get("usage") or "off_session"
    intent["description"] = params.get("description")
    intent["metadata"] = merged_metadata({}, params.get("metadata"))
    if params.get("customer"):
        intent["customer"] = call.find("customer", params["customer"], param="customer")["id"]
    intents.choose_types(call, intent)
    if params.get("return_url") and not params.get("confirm"):
        message = "`return_url` can only be used together with `confirm`."
        raise Refusal(400, message, param="return_url")
    if params.get("confirm"):
        intents.demand_return_url(call, intent)
        if not params.get("payment_method"):
            raise Refusal(400, _missing(intent), code="parameter_missing", param="payment_method")
    if params.get("payment_method"):
        _choose(call, intent)
    call.store.put(intent)
    call.emit("setup_intent.created", intent)
    if params.get("confirm"):
        _attempt(call, intent)
    return intent


def retrieve(call: Call) -> Json:
    return call.find("setup_intent", call.ids[0])


def confirm(call: Call) -> Json:
    intent = call.find("setup_intent", call.ids[0])
    if intent["status"] in ("succeeded", "canceled"):
        ended = "already succeeded" if intent["status"] == "succeeded" else "been canceled"
        raise intents.unexpected_state(intent, f"You cannot confirm this SetupIntent because it has {ended}.")
    if not call.params.get("payment_method") and not intent["payment_method"]:
        raise intents.unexpected_state(intent, _missing(intent))
    intents.demand_return_url(call, intent)
    if call.params.get("payment_method"):
        _choose(call, intent)
    _attempt(call, intent)
    return intent


def cancel(call: Call) -> Json:
    intent = call.find("setup_intent", call.ids[0])
    reason = call.params.get("cancellation_reason")
    if reason not in (None, *REASONS):
        message = f"Invalid cancellation_reason: must be one of {', '.join(REASONS)}"
        raise Refusal(400, message, param="cancellation_reason")
    if intent["status"] not in CANCELABLE:
        raise intents.cannot_cancel(intent, CANCELABLE)
    intent["status"] = "canceled"
    intent["cancellation_reason"] = reason
    intent["next_action"] = None
    call.emit("setup_intent.canceled", intent)
    return intent


def authenticate(call: Call, intent: Json, *, success: bool) -> Json:
    """The bank's page: the cardholder proved who they are, or did not."""
    if intent["status"] != "requires_action":
        raise intents.unexpected_state(intent, "This SetupIntent is not waiting for authentication.")
    method = call.find("payment_method", intent["payment_method"])
    intent["next_action"] = None
    if success:
        call.store.hidden[method["id"]]["set_up"] = True
        _succeed(call, intent, method)
        return intent
    code = "setup_intent_authentication_failure"
    _fail(call, intent, charging.authentication_failure(AUTHENTICATION_MESSAGE, code, method))
    return intent


def _choose(call: Call, intent: Json) -> None:
    ident, customer = call.params["payment_method"], intent["customer"]
    method = intents.usable_method(call, ident, customer=customer, kind="setup_intent")
    intent["payment_method"] = method["id"]
    intent["status"] = "requires_confirmation"


def _attempt(call: Call, intent: Json) -> None:
    method = call.find("payment_method", intent["payment_method"])
    payment_methods.demand_unspent(call, method)
    card = payment_methods.card_of(call, method)
    intent["latest_attempt"] = call.store.new_id("setatt")
    intent["last_setup_error"] = None
    if card.decline and card.declines_on_setup:
        _fail(call, intent, charging.error_of(card.decline, method))
        raise charging.card_error(card.decline, {"setup_intent": intent, "payment_method": method})
    if card.authentication != "never":
        intent["status"] = "requires_action"
        intent["next_action"] = intents.next_action(intent, call.params.get("return_url"))
        call.emit("setup_intent.requires_action", intent)
        return
    _succeed(call, intent, method)


def _succeed(call: Call, intent: Json, method: Json) -> None:
    intent["status"] = "succeeded"
    if intent["customer"] and method["customer"] is None:
        payment_methods.attach_to(call, method, intent["customer"])
    call.emit("setup_intent.succeeded", intent)


def _fail(call: Call, intent: Json, error: Json) -> None:
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["last_setup_error"] = error
    call.emit("setup_intent.setup_failed", intent)


def _missing(intent: Json) -> str:
    return (
        "You cannot confirm this SetupIntent because it's missing a payment method. Update the SetupIntent with a "
        "payment method and then confirm it again."
    )
