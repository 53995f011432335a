"""Payment methods: made from test tokens, attached to a customer once, changed, detached for good."""

from datetime import UTC, datetime
from typing import Any

from local.stripe_standin import charging, objects
from local.stripe_standin.call import Call
from local.stripe_standin.cards import Card, card_of_payment_method, card_of_token
from local.stripe_standin.errors import Refusal
from local.stripe_standin.forms import INT, MAP, STR, merged_metadata

Json = dict[str, Any]

ADDRESS: Json = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), STR)
BILLING: Json = {"address": ADDRESS, "email": STR, "name": STR, "phone": STR, "tax_id": STR}
CREATE: Json = {
    "type": STR,
    "card": {"token": STR, "number": STR, "exp_month": INT, "exp_year": INT, "cvc": STR},
    "billing_details": BILLING,
    "metadata": MAP,
    "allow_redisplay": STR,
}
UPDATE: Json = {
    "card": {"exp_month": INT, "exp_year": INT},
    "billing_details": BILLING,
    "metadata": MAP,
    "allow_redisplay": STR,
}
EXPIRY_YEARS_MAX = 50
RAW_CARD_MESSAGE = (
    "Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you use test tokens that "
    "map to the test card you are using, see https://stripe.com/docs/testing. To enable testing raw card data APIs, "
    "see https://support.stripe.com/questions/enabling-access-to-raw-card-data-apis."
)
SPENT_MESSAGE = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, shared with a "
    "connected account without Customer attachment, or was detached from a Customer. It may not be used again. To use "
    "a PaymentMethod multiple times, you must attach it to a Customer first."
)


def create(call: Call) -> Json:
    if call.params["type"] != "card":
        message = f"Invalid type: the stand-in knows card, not {call.params['type']}"
        raise Refusal(400, message, param="type")
    card = call.params.get("card")
    if not card:
        raise Refusal(400, "Missing required param: card.", code="parameter_missing", param="card")
    if "token" not in card:
        raise Refusal(402, RAW_CARD_MESSAGE)
    token = card["token"] or ""
    test_card = card_of_token(token)
    if test_card is None:
        message = f"No such token: '{token}'"
        raise Refusal(400, message, code="resource_missing", param="card[token]")
    method = make(call, test_card)
    method["billing_details"] = objects.billing_details(call.params.get("billing_details"))
    method["metadata"] = merged_metadata({}, call.params.get("metadata"))
    method["allow_redisplay"] = call.params.get("allow_redisplay") or "unspecified"
    return method


def retrieve(call: Call) -> Json:
    return call.find("payment_method", call.ids[0])


def update(call: Call) -> Json:
    method = call.find("payment_method", call.ids[0])
    if method["customer"] is None:
        message = "You must save this PaymentMethod to a customer before you can update it."
        raise Refusal(400, message)
    changed = call.params.get("card") or {}
    month = changed.get("exp_month") or method["card"]["exp_month"]
    year = changed.get("exp_year") or method["card"]["exp_year"]
    if changed:
        _demand_future(call.now, month=month, year=year)
    with call.update("payment_method.updated", method):
        method["card"] = {**method["card"], "exp_month": month, "exp_year": year}
        details = call.params.get("billing_details")
        if details:
            merged = {**method["billing_details"], **details}
            if "address" in details:
                merged["address"] = {**method["billing_details"]["address"], **(details["address"] or {})}
            method["billing_details"] = merged
        method["allow_redisplay"] = call.params.get("allow_redisplay") or method["allow_redisplay"]
        method["metadata"] = merged_metadata(method["metadata"], call.params.get("metadata"))
    return method


def attach(call: Call) -> Json:
    customer = call.find("customer", call.params["customer"], param="customer")
    method = named(call, call.ids[0])
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] is not None:
        raise Refusal(400, "The payment method you provided has already been attached to a customer.", executed=True)
    demand_unspent(call, method)
    card = card_of(call, method)
    if card.decline and card.declines_on_setup:
        raise charging.card_error(card.decline, {"payment_method": method})
    attach_to(call, method, customer["id"])
    return method


def detach(call: Call) -> Json:
    method = call.find("payment_method", call.ids[0])
    if method["customer"] is None:
        message = "The payment method you provided is not attached to a customer so detachment is impossible."
        raise Refusal(400, message, executed=True)
    customer = call.find("customer", method["customer"])
    if customer["invoice_settings"]["default_payment_method"] == method["id"]:
        with call.update("customer.updated", customer):
            customer["invoice_settings"] = {**customer["invoice_settings"], "default_payment_method": None}
    let_go(call, method)
    return method


def named(call: Call, ident: str, *, param: str | None = None) -> Json:
    """The payment method of this id; a `pm_card_*` name makes a new one of that test card."""
    card = card_of_payment_method(ident)
    return make(call, card) if card else call.find("payment_method", ident, param=param)


def make(call: Call, card: Card) -> Json:
    method = call.store.put(objects.payment_method(call, card))
    call.store.hidden[method["id"]] = {"card": card.name}
    return method


def card_of(call: Call, method: Json) -> Card:
    card = card_of_payment_method("pm_card_" + call.store.hidden[method["id"]]["card"])
    assert card is not None
    return card


def attach_to(call: Call, method: Json, customer_id: str) -> None:
    method["customer"] = customer_id
    method["card"] = {**method["card"], "checks": {**method["card"]["checks"], "cvc_check": "pass"}}
    call.store.index(method, "customer")
    call.emit("payment_method.attached", method)


def let_go(call: Call, method: Json) -> None:
    former = method["customer"]
    method["customer"] = None
    call.store.hidden[method["id"]]["spent"] = True
    call.emit("payment_method.detached", method, {"customer": former})


def demand_unspent(call: Call, method: Json) -> None:
    """A detached method, or one used once without a customer, is refused for ever."""
    if method["customer"] is None and call.store.hidden[method["id"]].get("spent"):
        raise Refusal(400, SPENT_MESSAGE, param="payment_method", executed=True)


def _demand_future(now: int, *, month: int, year: int) -> None:
    today = datetime.fromtimestamp(now, UTC)
    if not today.year <= year <= today.year + EXPIRY_YEARS_MAX:
        message = "Your card's expiration year is invalid."
        raise Refusal(402, message, kind="card_error", code="invalid_expiry_year", param="exp_year")
    if not 1 <= month <= 12 or (year == today.year and month < today.month):
        message = "Your card's expiration month is invalid."
        raise Refusal(402, message, kind="card_error", code="invalid_expiry_month", param="exp_month")
