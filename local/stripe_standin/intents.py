"""What setup and payment intents share: whose card it is, which next step they ask for, what they refuse."""

from typing import Any

from local.stripe_standin import payment_methods
from local.stripe_standin.call import Call
from local.stripe_standin.errors import Refusal
from local.stripe_standin.forms import BOOL, STR

Json = dict[str, Any]

AUTOMATIC: Json = {"enabled": BOOL, "allow_redirects": STR}
NAMES = {"payment_intent": "PaymentIntent", "setup_intent": "SetupIntent"}
REDIRECT_MESSAGE = (
    "This {name} is configured to accept payment methods enabled in your Dashboard. Because some of these payment "
    "methods might redirect your customer off of your page, you must provide a `return_url`. If you don't want to "
    "accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and "
    "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents."
)


def choose_types(call: Call, intent: Json) -> None:
    """Which kinds of method the intent accepts: those named, or (the default) what the Dashboard enables."""
    types = call.params.get("payment_method_types")
    automatic = call.params.get("automatic_payment_methods")
    if types and automatic and automatic.get("enabled"):
        message = "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."
        raise Refusal(400, message, param="automatic_payment_methods")
    if types:
        unknown = [kind for kind in types if kind != "card"]
        if unknown:
            message = f"The payment method type provided: {unknown[0]} is invalid."
            raise Refusal(400, message, param="payment_method_types")
        return
    allowed = (automatic or {}).get("allow_redirects") or "always"
    intent["automatic_payment_methods"] = {"allow_redirects": allowed, "enabled": True}


def demand_return_url(call: Call, intent: Json) -> None:
    """Confirming on session with redirect-based methods possible needs a page to come back to."""
    automatic = intent["automatic_payment_methods"]
    redirects = automatic is not None and automatic["allow_redirects"] != "never"
    if redirects and not call.params.get("return_url"):
        raise Refusal(400, REDIRECT_MESSAGE.format(name=NAMES[intent["object"]]))


def usable_method(call: Call, ident: str, *, customer: str | None, kind: str) -> Json:
    """The payment method, where this customer (or nobody) may use it."""
    method = payment_methods.named(call, ident, param="payment_method")
    payment_methods.demand_unspent(call, method)
    if method["customer"] is not None and method["customer"] != customer:
        if customer is None:
            message = (
                f"The payment method supplied ({method['id']}) belongs to a Customer. Please include the Customer in "
                f"the `customer` parameter on the {NAMES[kind]}."
            )
        else:
            message = (
                f"The PaymentMethod {method['id']} does not belong to the Customer you supplied {customer}. Please "
                "use this PaymentMethod with the Customer that it belongs to instead."
            )
        raise Refusal(400, message, param="payment_method", executed=True)
    return method


def next_action(intent: Json, return_url: str | None) -> Json:
    """The step that the cardholder must take: a redirect where the caller can take one, else Stripe.js."""
    if return_url:
        url = f"https://hooks.stripe.com/3d_secure_2/hosted?{intent['object']}={intent['id']}"
        return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": ""}}


def unexpected_state(intent: Json, message: str) -> Refusal:
    kind = intent["object"]
    code = f"{kind}_unexpected_state"
    return Refusal(400, message, code=code, executed=True, extra={kind: intent})


def cannot_cancel(intent: Json, cancelable: tuple[str, ...]) -> Refusal:
    name = NAMES[intent["object"]]
    message = (
        f"You cannot cancel this {name} because it has a status of {intent['status']}. Only a {name} with one of the "
        f"following statuses may be canceled: {', '.join(cancelable)}."
    )
    return unexpected_state(intent, message)
