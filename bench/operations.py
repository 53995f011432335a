"""What is measured: each journey of the figures, ready to be done once.

The plan is the demonstration's `4geeks-plus-subscription` with seven kinds of units, three of them unlimited, so a
payment delivers seven lots. Whoever pays is new each time, since a plan can be held once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol, runtime_checkable

from bench.place import Place
from bench.requests import Person, Send, WrongAnswer, a_payer, request, stripe_call, stripe_event, webhook
from chalicelib.entrypoints import workers

PLAN = "4geeks-plus-subscription"
SERVICE = "ai-conversation-message"
BALANCE = "/v1/payments/me/service/consumable"
STAYS_PROCESSING = {"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Operation:
    """`prepare` makes what is needed and answers what is then timed.

    `whole_ms` and `own_ms` are the most that it may cost in CPU, with and without the libraries; `calls` the most that
    it may call the table beyond finding the caller.
    """

    name: str
    prepare: Callable[[], Send]
    whole_ms: float | None = None
    own_ms: float | None = None
    calls: int | None = None


def operations(place: Place) -> tuple[Operation, ...]:
    """Every operation of the figures."""
    holder = a_holder(place)
    shopper = a_payer(place)
    return (
        Operation("balance", lambda: request("GET", BALANCE, person=holder), whole_ms=6, calls=1),
        Operation("checking", lambda: checking(shopper), whole_ms=12, own_ms=3),
        Operation("pay", lambda: paying(place), whole_ms=20, own_ms=3, calls=4),
        Operation("consume", lambda: consuming(holder), whole_ms=10, own_ms=3, calls=2),
        Operation("webhook received", lambda: receiving(place), whole_ms=2.5, own_ms=3, calls=1),
        Operation("webhook received and fulfilled", lambda: fulfilling(place), whole_ms=10),
        Operation("buy units", lambda: buying(place, shopper)),
        Operation("catalog read", lambda: request("GET", f"/v1/payments/service?academy={place.academy_id}")),
    )


def a_holder(place: Place) -> Person:
    """Somebody who has paid the plan."""
    person = a_payer(place)
    bag = checking(person)()
    pay_request(person, bag)()
    return person


def checking(person: Person, plan: str = PLAN) -> Send:
    body = {"type": "PREVIEW", "plans": [plan], "country_code": "US", "service_items": []}
    return request("PUT", "/v2/payments/checking", person=person, body=body)


def paying(place: Place) -> Send:
    person = a_payer(place)
    return pay_request(person, checking(person)())


def pay_request(person: Person, bag: Any, *, status: int = 200) -> Send:
    body = {"token": bag["token"], "chosen_period": "MONTH", "coupons": []}
    return request("POST", "/v2/payments/pay", person=person, body=body, status=status)


def consuming(person: Person) -> Send:
    path = f"/v1/payments/me/service/{SERVICE}/consumptionsession/use-{next(_numbers)}"
    return request("PUT", path, person=person, status=201)


def buying(place: Place, person: Person) -> Send:
    body = {"service": "mentorship-service", "how_many": 2, "academy": place.academy_id, "country_code": "US"}
    return request("POST", "/v1/payments/consumable/checkout", person=person, body=body, status=201)


def receiving(place: Place) -> Send:
    """An event about a payment of usual size; what is in it is not looked at when it is received."""
    payments = stripe_call(place, "GET", "/v1/payment_intents?limit=1")["data"]
    return webhook(stripe_event("payment_intent.succeeded", payments[0])[1])


def fulfilling(place: Place) -> Send:
    """A payment that the network took its time over: the event is received, and then delivers."""
    person = a_payer(place)
    bag = checking(person)()
    stripe_call(place, "POST", "/_control", {"rules": [STAYS_PROCESSING]})
    pay_request(person, bag, status=202)()
    payment = stripe_call(place, "GET", "/v1/payment_intents?limit=1")["data"][0]
    stripe_call(place, "POST", f"/_control/process/{payment['id']}", {"success": True})
    payment = stripe_call(place, "GET", f"/v1/payment_intents/{payment['id']}")
    event_id, payload = stripe_event("payment_intent.succeeded", payment)
    receive = webhook(payload)
    batch = {"Records": [{"messageId": "1", "body": json.dumps({"event_id": event_id})}]}

    def send() -> Any:
        receive()
        return workers.handle_inbox(batch)

    return _Delivered(send, person)


@runtime_checkable
class Checked(Protocol):
    """What is sent, and then looked at."""

    def __call__(self) -> Any:
        """Sends."""

    def check(self) -> None:
        """Raises WrongAnswer where it had no effect."""


@dataclass(frozen=True, slots=True)
class _Delivered:
    """Sends, and `check` makes sure that the units are there."""

    send: Send
    person: Person

    def __call__(self) -> Any:
        return self.send()

    def check(self) -> None:
        if not request("GET", BALANCE, person=self.person)()["voids"]:
            raise WrongAnswer("the event delivered nothing")


def check(send: Send) -> None:
    """Outside the timing: whether what was sent had the effect that its answer does not show."""
    if isinstance(send, Checked):
        send.check()
