"""Customers: created, changed, deleted, listed."""

from typing import Any

from local.stripe_standin import listing, objects, payment_methods
from local.stripe_standin.call import Call
from local.stripe_standin.errors import Refusal, missing_resource
from local.stripe_standin.forms import MAP, STR, merged_metadata

Json = dict[str, Any]

FIELDS: Json = {
    "email": STR,
    "name": STR,
    "phone": STR,
    "description": STR,
    "metadata": MAP,
    "invoice_settings": {"default_payment_method": STR},
}


def create(call: Call) -> Json:
    customer = objects.customer(call)
    _change(call, customer)
    call.store.put(customer)
    call.emit("customer.created", customer)
    return customer


def retrieve(call: Call) -> Json:
    return call.find("customer", call.ids[0])


def update(call: Call) -> Json:
    customer = living(call)
    with call.update("customer.updated", customer):
        _change(call, customer)
    call.store.index(customer, "email")
    return customer


def delete(call: Call) -> Json:
    """The customer's cards are detached; the id answers with a tombstone for ever."""
    customer = living(call)
    for method in list(call.store.newest_first("payment_method", {"customer": customer["id"]})):
        payment_methods.let_go(call, method)
    tombstone = {"id": customer["id"], "object": "customer", "deleted": True}
    call.store.objects["customer"][customer["id"]] = tombstone
    call.emit("customer.deleted", customer)
    return tombstone


def list_all(call: Call) -> Json:
    return listing.page_of(call, "customer", email=call.params.get("email"))


def list_payment_methods(call: Call) -> Json:
    customer = living(call)
    kind = call.params.get("type")
    return listing.page_of(call, "payment_method", customer=customer["id"], type=kind)


def living(call: Call) -> Json:
    customer = call.find("customer", call.ids[0])
    if customer.get("deleted"):
        raise missing_resource("customer", customer["id"])
    return customer


def _change(call: Call, customer: Json) -> None:
    for field in ("email", "name", "phone", "description"):
        if field in call.params:
            customer[field] = call.params[field]
    settings = call.params.get("invoice_settings") or {}
    if "default_payment_method" in settings:
        chosen = settings["default_payment_method"]
        if chosen is not None:
            _demand_own_method(call, customer["id"], chosen)
        customer["invoice_settings"] = {**customer["invoice_settings"], "default_payment_method": chosen}
    customer["metadata"] = merged_metadata(customer["metadata"], call.params.get("metadata"))


def _demand_own_method(call: Call, customer_id: str, ident: str) -> None:
    param = "invoice_settings[default_payment_method]"
    method = call.find("payment_method", ident, param=param)
    if method["customer"] != customer_id:
        message = (
            f"The customer does not have a payment method with the ID {ident}. The payment method must be attached "
            "to the customer."
        )
        raise Refusal(400, message, code="resource_missing", param=param)
