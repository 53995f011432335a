"""Checkout sessions: Stripe's own payment page, for one payment."""

from dataclasses import replace
from typing import Any, Literal

from local.stripe_standin import charging, objects, payment_methods, payments
from local.stripe_standin.call import Call
from local.stripe_standin.cards import BY_NAME
from local.stripe_standin.currencies import check_amount
from local.stripe_standin.errors import Refusal
from local.stripe_standin.forms import INT, MAP, STR, merged_metadata

Json = dict[str, Any]

Outcome = Literal["paid", "async", "async_paid", "async_failed"]

PRICE_DATA: Json = {
    "currency": STR,
    "unit_amount": INT,
    "product_data": {"name": STR, "description": STR, "metadata": MAP},
}
CREATE: Json = {
    "mode": STR,
    "line_items": [{"price_data": PRICE_DATA, "quantity": INT}],
    "customer": STR,
    "customer_email": STR,
    "success_url": STR,
    "cancel_url": STR,
    "metadata": MAP,
    "payment_intent_data": {
        "metadata": MAP,
        "description": STR,
        "receipt_email": STR,
        "setup_future_usage": STR,
    },
    "payment_method_types": [STR],
    "client_reference_id": STR,
    "expires_at": INT,
    "locale": STR,
}
OPEN_SECONDS = 86_400
OPEN_SECONDS_MIN = 1_800


def create(call: Call) -> Json:
    params = call.params
    if params["mode"] != "payment":
        raise Refusal(400, "Invalid mode: the stand-in knows payment", param="mode")
    amount, currency = _total(params["line_items"])
    check_amount(amount, currency)
    expires_at = params.get("expires_at") or call.now + OPEN_SECONDS
    if not OPEN_SECONDS_MIN <= expires_at - call.now <= OPEN_SECONDS:
        message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise Refusal(400, message, param="expires_at")
    session = objects.checkout_session(call, amount=amount, currency=currency, expires_at=expires_at)
    if params.get("customer"):
        session["customer"] = call.find("customer", params["customer"], param="customer")["id"]
    for field in ("customer_email", "success_url", "cancel_url", "client_reference_id", "locale"):
        session[field] = params.get(field)
    session["metadata"] = merged_metadata({}, params.get("metadata"))
    call.store.put(session)
    call.world.open_sessions[session["id"]] = expires_at
    call.store.hidden[session["id"]] = {"payment_intent_data": params.get("payment_intent_data") or {}}
    return session


def retrieve(call: Call) -> Json:
    return call.find("checkout.session", call.ids[0])


def expire(call: Call) -> Json:
    session = call.find("checkout.session", call.ids[0])
    if session["status"] != "open":
        message = (
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{session['status']}."
        )
        raise Refusal(400, message, executed=True)
    _close(call, session)
    return session


def expire_overdue(call: Call) -> None:
    """Close the open sessions whose time has passed."""
    for ident, expires_at in list(call.world.open_sessions.items()):
        if expires_at <= call.now:
            _close(call, call.find("checkout.session", ident))


def finish(call: Call, session: Json, *, outcome: Outcome) -> Json:
    """The customer on Stripe's page: pays by card, or by something whose money comes (or fails to come) later.

    `async` leaves the payment processing; a later `async_paid` or `async_failed` decides it, and on an open session
    these two do both steps.
    """
    if session["status"] == "open":
        _pay(call, session, at_once=outcome == "paid")
    elif session["payment_status"] != "unpaid" or session["status"] == "expired" or outcome in ("paid", "async"):
        raise Refusal(400, f"This Checkout Session has a status of {session['status']}.")
    if outcome not in ("async_paid", "async_failed"):
        return session
    success = outcome == "async_paid"
    intent = call.find("payment_intent", session["payment_intent"])
    payments.finish(call, intent, success=success)
    if success:
        session["payment_status"] = "paid"
    call.emit(f"checkout.session.async_payment_{'succeeded' if success else 'failed'}", session)
    return session


def _pay(call: Call, session: Json, *, at_once: bool) -> None:
    data = call.store.hidden[session["id"]]["payment_intent_data"]
    params = {
        **data,
        "amount": session["amount_total"],
        "currency": session["currency"],
        "customer": session["customer"],
        "payment_method_types": ["card"],
    }
    paying = replace(call, params=params)
    intent = call.store.put(payments.draft(paying))
    method = payment_methods.make(call, BY_NAME["visa"])
    intent["payment_method"] = method["id"]
    call.emit("payment_intent.created", intent)
    if at_once:
        charge = charging.open_charge(call, intent, method)
        payments.succeed(paying, intent, charge, authenticated=False)
        session["payment_status"] = "paid"
    else:
        payments.wait(call, intent, method)
    session["payment_intent"] = intent["id"]
    session["status"] = "complete"
    call.world.open_sessions.pop(session["id"], None)
    session["url"] = None
    details = {"address": objects.no_address(), "business_name": None, "individual_name": None, "name": None}
    email = session["customer_email"]
    if session["customer"]:
        email = call.find("customer", session["customer"]).get("email")
    session["customer_details"] = {
        **details,
        "email": email,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
    call.emit("checkout.session.completed", session)


def _close(call: Call, session: Json) -> None:
    session["status"] = "expired"
    call.world.open_sessions.pop(session["id"], None)
    session["url"] = None
    call.emit("checkout.session.expired", session)


def _total(items: list[Json]) -> tuple[int, str]:
    """The sum over the lines (minor units) and their one currency."""
    total, currencies = 0, set()
    for index, item in enumerate(items):
        name = f"line_items[{index}]"
        price = item.get("price_data") or {}
        for field in ("currency", "unit_amount", "product_data"):
            if price.get(field) is None:
                param = f"{name}[price_data][{field}]"
                message = f"Missing required param: {param}."
                raise Refusal(400, message, code="parameter_missing", param=param)
        quantity = item.get("quantity")
        if quantity is None or quantity < 1:
            raise Refusal(400, "Quantity is required.", code="parameter_missing", param=f"{name}[quantity]")
        total += price["unit_amount"] * quantity
        currencies.add(price["currency"].lower())
    if len(currencies) != 1:
        raise Refusal(400, "All line items must have one and the same currency.", param="line_items")
    return total, currencies.pop()
