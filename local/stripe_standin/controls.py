"""Orders of a test or a demonstration: how to misbehave, and what people at Stripe's pages do.

    POST   /_control {"rules": [{"match": "POST /v1/refunds", "action": ..., "times": 1}], "webhooks": {...}}
    DELETE /_control                                 behave again
    POST   /_control/authenticate/{intent}           {"success": true}: the bank's page
    POST   /_control/process/{payment_intent}        {"success": true}: the network decides (see stay_processing)
    POST   /_control/refund/{payment_intent}         {"amount": 100}: somebody at the dashboard; no amount: the rest
    POST   /_control/fail_refund/{refund}            the bank sends a refund back
    POST   /_control/dispute/{payment_intent}        {"outcome": "open" | "won" | "lost"}
    POST   /_control/checkout/{session}              {"outcome": "paid" | "async" | "async_paid" | "async_failed"}
    GET    /_control/requests                        the last calls
    POST   /_control/settle                          {"timeout_seconds": 30}: wait for webhooks (server only)

Each `POST /_control` replaces all orders. Actions: `lose_answer` does the work and hangs up; `refuse_connection`
hangs up; `error_429` and `error_500` refuse; `stay_processing` leaves a payment processing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.stripe_standin import checkout, disputes, payments, refunds, setups
from local.stripe_standin.call import Call
from local.stripe_standin.deliveries import Orders
from local.stripe_standin.errors import Refusal, unrecognized
from local.stripe_standin.routes import matches

Json = dict[str, Any]

ACTIONS = ("lose_answer", "error_429", "error_500", "refuse_connection", "stay_processing")
COPIES_MAX = 100


@dataclass
class Rule:
    """What to do with the next `times` calls that match."""

    method: str
    parts: tuple[str, ...]
    action: str
    times: int


class Rules:
    """The misbehaviour that was ordered; the first rule that matches and is not used up counts."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def replace(self, rules: list[Json]) -> None:
        self._rules = [_rule(given) for given in rules]

    def take(self, method: str, path: str) -> str | None:
        """The action for this call, which uses up one time of its rule; None is normal."""
        if not self._rules:
            return None
        parts = tuple(path.strip("/").split("/"))
        for rule in self._rules:
            if rule.times > 0 and rule.method == method and matches(rule.parts, parts):
                rule.times -= 1
                return rule.action
        return None


def webhook_orders(given: Json) -> Orders:
    unknown = set(given) - {"copies", "shuffle", "delay_seconds", "drop"}
    if unknown:
        raise Refusal(400, f"Unknown orders for webhooks: {', '.join(sorted(unknown))}")
    orders = Orders(**given)
    if not 1 <= orders.copies <= COPIES_MAX or orders.delay_seconds < 0:
        raise Refusal(400, f"copies must be 1 to {COPIES_MAX}, delay_seconds at least 0")
    return orders


def act(call: Call, verb: str, body: Json) -> Json:
    """Do what somebody at the bank, on Stripe's page or at its dashboard does to the object `call.ids[0]`."""
    action = _ACTS.get(verb)
    if action is None:
        raise unrecognized("POST", call.path)
    return action(call, body)


def _authenticate(call: Call, body: Json) -> Json:
    ident, success = call.ids[0], bool(body.get("success", True))
    if ident.startswith("seti_"):
        return setups.authenticate(call, call.find("setup_intent", ident), success=success)
    return payments.authenticate(call, call.find("payment_intent", ident), success=success)


def _process(call: Call, body: Json) -> Json:
    intent = call.find("payment_intent", call.ids[0])
    return payments.finish(call, intent, success=bool(body.get("success", True)))


def _refund(call: Call, body: Json) -> Json:
    call.find("payment_intent", call.ids[0])
    call.params["payment_intent"] = call.ids[0]
    if body.get("amount") is not None:
        call.params["amount"] = int(body["amount"])
    return refunds.create(call)


def _dispute(call: Call, body: Json) -> Json:
    intent = call.find("payment_intent", call.ids[0])
    outcome = body.get("outcome", "open")
    if outcome not in ("won", "lost", "open"):
        raise Refusal(400, "outcome must be won, lost or open", param="outcome")
    if not intent["latest_charge"]:
        raise Refusal(400, f"{intent['id']} has no charge to dispute.")
    return disputes.decide(call, call.find("charge", intent["latest_charge"]), outcome=outcome)


def _checkout(call: Call, body: Json) -> Json:
    outcome = body.get("outcome", "paid")
    if outcome not in ("paid", "async", "async_paid", "async_failed"):
        raise Refusal(400, "outcome must be paid, async, async_paid or async_failed", param="outcome")
    return checkout.finish(call, call.find("checkout.session", call.ids[0]), outcome=outcome)


def _fail_refund(call: Call, _body: Json) -> Json:
    return refunds.fail(call, call.find("refund", call.ids[0]))


_ACTS: dict[str, Callable[[Call, Json], Json]] = {
    "authenticate": _authenticate,
    "process": _process,
    "refund": _refund,
    "dispute": _dispute,
    "checkout": _checkout,
    "fail_refund": _fail_refund,
}


def _rule(given: Json) -> Rule:
    method, _, path = str(given.get("match", "")).partition(" ")
    action, times = given.get("action"), given.get("times", 1)
    if not method or not path.startswith("/") or action not in ACTIONS or not isinstance(times, int):
        raise Refusal(400, f"A rule needs match, action ({', '.join(ACTIONS)}) and times: {given}")
    return Rule(method.upper(), tuple(path.strip("/").split("/")), action, times)
