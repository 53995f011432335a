"""Requests as API Gateway hands them to the app, and the people who send them."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.place import STRIPE_KEY, WEBHOOK_SECRET, Place
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewUser
from chalicelib.entrypoints._dispatch import template_of

CARD = {"card_number": "4242424242424242", "exp_month": "10", "exp_year": "40", "cvc": "123"}

Send = Callable[[], Any]
"""Hands one ready request over and answers the body. Raises WrongAnswer for another status than was expected."""

_numbers = count(1)


class WrongAnswer(Exception):
    """What was to be measured did not happen."""


@dataclass(frozen=True, slots=True)
class Person:
    user_id: int
    token: str


def a_person(place: Place) -> Person:
    now = place.runtime.clock()
    email = f"person{next(_numbers)}@example.com"
    user = identity.create_user(
        place.runtime.table, NewUser(email=email, first_name="Ada", last_name="Lovelace"), now=now
    )
    token = identity.issue_token(place.runtime.table, user, now=now, expires_at=now + timedelta(days=30))
    return Person(user.id, token)


def a_payer(place: Place) -> Person:
    """A person with a saved card."""
    person = a_person(place)
    request("POST", "/v2/payments/card", person=person, body={**CARD, "academy": place.academy_id})()
    return person


def request(method: str, path: str, *, person: Person | None = None, body: Any = None, status: int = 200) -> Send:
    """A request that is ready to be sent: building it is not what is measured."""
    headers = {"Content-Type": "application/json", "Host": "api.example.com", "X-Forwarded-For": "192.0.2.1"}
    if person is not None:
        headers["Authorization"] = f"Token {person.token}"
    return _send(_event(method, path, headers, None if body is None else json.dumps(body)), status)


def webhook(payload: str, *, secret: str = WEBHOOK_SECRET, status: int = 200) -> Send:
    """An event of Stripe's, signed now."""
    at = int(time.time())
    mac = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={at},v1={mac}"}
    return _send(_event("POST", "/stripe/webhook", headers, payload), status)


def stripe_event(kind: str, about: Mapping[str, Any]) -> tuple[str, str]:
    """The id and the text of an event, as Stripe writes them."""
    ident = f"evt_bench{next(_numbers):016d}"
    event = {
        "id": ident,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "data": {"object": dict(about)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": "req_bench", "idempotency_key": None},
        "type": kind,
    }
    return ident, json.dumps(event, indent=2)


def stripe_call(place: Place, method: str, path: str, order: Any = None) -> Any:
    """A call of the stand-in's own, such as an order to misbehave."""
    asked = urllib.request.Request(  # noqa: S310  # the address is our own stand-in's
        place.stripe_url + path,
        data=None if order is None else json.dumps(order).encode(),
        method=method,
        headers={"Authorization": f"Bearer {STRIPE_KEY}"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as answer:
        return json.load(answer)


def _send(event: dict[str, Any], status: int) -> Send:
    from app import app

    def send() -> Any:
        answer = app(event, None)
        if answer["statusCode"] != status:
            raise WrongAnswer(f"{answer['statusCode']} instead of {status}: {answer['body']}")
        return json.loads(answer["body"])

    return send


def _event(method: str, path: str, headers: Mapping[str, str], body: str | None) -> dict[str, Any]:
    parts = urlsplit(path)
    template = template_of(parts.path)
    if template is None:
        raise WrongAnswer(f"{path} is not served")
    named = zip(template.split("/"), parts.path.split("/"), strict=True)
    return {
        "requestContext": {"httpMethod": method, "resourcePath": template, "requestId": "bench"},
        "headers": dict(headers),
        "multiValueQueryStringParameters": parse_qs(parts.query) or None,
        "pathParameters": {name[1:-1]: value for name, value in named if name.startswith("{")} or None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": False,
    }
