"""The calls that the stand-in knows: method, path, accepted and required parameters, and the verb."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.stripe_standin import (
    checkout,
    customers,
    disputes,
    endpoints,
    event_log,
    payment_methods,
    payments,
    refunds,
    setups,
)
from local.stripe_standin.call import Call
from local.stripe_standin.forms import STR
from local.stripe_standin.listing import PAGING

Json = dict[str, Any]
Verb = Callable[[Call], Json]


@dataclass(frozen=True)
class Route:
    """One call; `*` in the path is an id."""

    method: str
    path: str
    verb: Verb
    spec: Json = field(default_factory=dict)
    required: tuple[str, ...] = ()


BY_PAYMENT: Json = {**PAGING, "payment_intent": STR, "charge": STR}
CHARGES: Json = {**PAGING, "payment_intent": STR, "customer": STR}
CUSTOMERS = "/v1/customers"
METHODS = "/v1/payment_methods"
SETUPS = "/v1/setup_intents"
PAYMENTS = "/v1/payment_intents"
SESSIONS = "/v1/checkout/sessions"
ENDPOINTS = "/v1/webhook_endpoints"

ROUTES: tuple[Route, ...] = (
    Route("POST", CUSTOMERS, customers.create, customers.FIELDS),
    Route("GET", CUSTOMERS, customers.list_all, {**PAGING, "email": STR}),
    Route("GET", f"{CUSTOMERS}/*", customers.retrieve),
    Route("POST", f"{CUSTOMERS}/*", customers.update, customers.FIELDS),
    Route("DELETE", f"{CUSTOMERS}/*", customers.delete),
    Route("GET", f"{CUSTOMERS}/*/payment_methods", customers.list_payment_methods, {**PAGING, "type": STR}),
    Route("POST", METHODS, payment_methods.create, payment_methods.CREATE, ("type",)),
    Route("GET", f"{METHODS}/*", payment_methods.retrieve),
    Route("POST", f"{METHODS}/*", payment_methods.update, payment_methods.UPDATE),
    Route("POST", f"{METHODS}/*/attach", payment_methods.attach, {"customer": STR}, ("customer",)),
    Route("POST", f"{METHODS}/*/detach", payment_methods.detach),
    Route("POST", SETUPS, setups.create, setups.CREATE),
    Route("GET", f"{SETUPS}/*", setups.retrieve),
    Route("POST", f"{SETUPS}/*/confirm", setups.confirm, setups.CONFIRM),
    Route("POST", f"{SETUPS}/*/cancel", setups.cancel, setups.CANCEL),
    Route("POST", PAYMENTS, payments.create, payments.CREATE, ("amount", "currency")),
    Route("GET", PAYMENTS, payments.list_all, {**PAGING, "customer": STR}),
    Route("GET", f"{PAYMENTS}/*", payments.retrieve),
    Route("POST", f"{PAYMENTS}/*/confirm", payments.confirm, payments.CONFIRM),
    Route("POST", f"{PAYMENTS}/*/cancel", payments.cancel, payments.CANCEL),
    Route("GET", "/v1/charges", event_log.list_charges, CHARGES),
    Route("GET", "/v1/charges/*", event_log.retrieve_charge),
    Route("POST", "/v1/refunds", refunds.create, refunds.CREATE),
    Route("GET", "/v1/refunds", refunds.list_all, BY_PAYMENT),
    Route("GET", "/v1/refunds/*", refunds.retrieve),
    Route("GET", "/v1/disputes", disputes.list_all, BY_PAYMENT),
    Route("GET", "/v1/disputes/*", disputes.retrieve),
    Route("GET", "/v1/events", event_log.list_all, event_log.FILTERS),
    Route("GET", "/v1/events/*", event_log.retrieve),
    Route("POST", SESSIONS, checkout.create, checkout.CREATE, ("mode", "line_items")),
    Route("GET", f"{SESSIONS}/*", checkout.retrieve),
    Route("POST", f"{SESSIONS}/*/expire", checkout.expire),
    Route("POST", ENDPOINTS, endpoints.create, endpoints.CREATE, ("url", "enabled_events")),
    Route("GET", ENDPOINTS, endpoints.list_all, PAGING),
    Route("GET", f"{ENDPOINTS}/*", endpoints.retrieve),
    Route("POST", f"{ENDPOINTS}/*", endpoints.update, endpoints.UPDATE),
    Route("DELETE", f"{ENDPOINTS}/*", endpoints.delete),
)

_Key = tuple[str, int]
_BY_LENGTH: dict[_Key, list[tuple[tuple[str, ...], Route]]] = {}
for _route in ROUTES:
    _parts = tuple(_route.path.strip("/").split("/"))
    _BY_LENGTH.setdefault((_route.method, len(_parts)), []).append((_parts, _route))


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The route of a call and the ids in its path."""
    parts = tuple(path.strip("/").split("/"))
    for pattern, route in _BY_LENGTH.get((method, len(parts)), ()):
        if matches(pattern, parts):
            return route, tuple(part for want, part in zip(pattern, parts, strict=True) if want == "*")
    return None


def matches(pattern: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Whether a path is one of a pattern's, where `*` stands for one segment."""
    if len(pattern) != len(parts):
        return False
    return all(want in ("*", part) for want, part in zip(pattern, parts, strict=True))
