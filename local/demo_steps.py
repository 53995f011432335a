"""What the scripted customer does. A step answers the lines that it has to say, and raises where one is not true."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from local.demo_calls import Disappointed, Found, Reply, eventually, expect, request

PLAN = "4geeks-plus-subscription"
GOOD_CARD = "4242424242424242"
CARD_THAT_IS_DECLINED = "4000000000000341"
CHAT, MENTORSHIP = "ai-conversation-message", "mentorship-service"


class Person:
    """A customer with a token of their own."""

    def __init__(self, found: Found) -> None:
        self._found = found
        made = request("POST", f"{found.api_url}/_local/customers")
        expect(made.status == 201, f"no customer was made: {made.body}")
        self.email = str(made.body["email"])
        self._headers = {"Authorization": f"Token {made.body['token']}"}

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        return request(method, self._found.api_url + path, body=body, headers=self._headers)

    def must(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's body. Raises Disappointed where it is a refusal."""
        reply = self.call(method, path, body)
        expect(200 <= reply.status < 300, f"{method} {path} answered {reply.status}: {reply.body}")
        return reply.body

    def save_card(self, number: str) -> Any:
        card = {"card_number": number, "exp_month": "10", "exp_year": "30", "cvc": "435"}
        return self.must("POST", "/v2/payments/card", {**card, "academy": self._found.academy_id})

    def check(self) -> Any:
        return self.must("PUT", "/v2/payments/checking", {"type": "PREVIEW", "plans": [PLAN], "country_code": "US"})

    def units(self, service: str) -> int:
        """What is left of a service; -1 is unlimited."""
        total = 0
        for group in self.must("GET", "/v1/payments/me/service/consumable").values():
            for entry in group:
                if service in (entry["slug"], entry["service"]["slug"]):
                    unit = int(entry["balance"]["unit"])
                    if unit == -1:
                        return -1
                    total += unit
        return total

    def invoices(self) -> int:
        return len(self.must("GET", "/v1/payments/me/invoice?limit=100"))


class Story:
    """What the steps share."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.customer = Person(found)
        self.bag: Any = None
        self.invoice: Any = None

    def charged(self, invoice_id: int) -> list[int]:
        """What Stripe took for an invoice, in cents; empty where there is no stand-in to ask."""
        return [
            intent["amount_received"]
            for intent in self.at_stripe("payment_intents")
            if intent["status"] == "succeeded" and intent["metadata"].get("invoice_id") == str(invoice_id)
        ]

    def at_stripe(self, things: str, **wanted: str) -> list[Any]:
        if self.found.stripe_api_url is None:
            raise Disappointed("this demonstration needs the stand-in: run the server without STRIPE_SECRET_KEY")
        url = f"{self.found.stripe_api_url}/v1/{things}?{urlencode({'limit': '100', **wanted})}"
        headers = {"Authorization": f"Bearer {self.found.stripe_secret_key}"}
        reply = request("GET", url, headers=headers)
        expect(reply.status == 200, f"the stand-in answered {reply.status}: {reply.body}")
        return list(reply.body["data"])


def looks(story: Story) -> list[str]:
    """A customer looks at the plan."""
    path = f"/v1/payments/serviceitem?plan={PLAN}"
    items = story.customer.must("GET", path)
    expect(len(items) == 7, f"{path} names {len(items)} things, not 7")
    names = ", ".join(f"{_count(item['how_many'])} {item['service']['slug']}" for item in items[:3])
    return [f"{PLAN} contains {names} and {len(items) - 3} more. Charged: nothing."]


def saves_a_card(story: Story) -> list[str]:
    """The customer saves a card."""
    details = story.customer.save_card(GOOD_CARD)["details"]
    (academy, card), *_ = details.items()
    expect(card["card_last4"] == GOOD_CARD[-4:], f"the saved card is {card}")
    return [f"{card['card_brand']} ending in {card['card_last4']} at {academy}. Charged: nothing."]


def checks(story: Story) -> list[str]:
    """The customer checks what it would cost."""
    story.bag = bag = story.customer.check()
    expect((bag["amount_per_month"], bag["amount_per_year"]) == (59.99, 479.99), f"the prices are {bag}")
    coupons = [coupon["slug"] for coupon in bag["coupons"]]
    expect(coupons == ["new-year-50"], f"the coupons are {coupons}")
    half = bag["discounted_amount_per_year"]
    return [f"{bag['amount_per_month']} a month or {bag['amount_per_year']} a year; with new-year-50 {half} a year."]


def pays(story: Story) -> list[str]:
    """The customer pays for a year, and by mistake twice."""
    body = {"token": story.bag["token"], "type": "PREVIEW", "country_code": "US", "chosen_period": "YEAR"}
    story.invoice = story.customer.must("POST", "/v2/payments/pay", body)
    again = story.customer.must("POST", "/v2/payments/pay", body)
    expect(story.invoice["id"] == again["id"], "the second payment made another invoice")
    charged = story.charged(story.invoice["id"])
    expect(charged == [24_000], f"Stripe took {charged} cents")
    eventually(lambda: story.customer.units(CHAT) == 5000, "5000 chat messages did not arrive")
    return [f"Invoice {story.invoice['id']} is {story.invoice['status']}. Charged: {_dollars(charged)}, once."]


def uses(story: Story) -> list[str]:
    """The customer uses a chat message, and the program asks twice."""
    path = f"/v1/payments/me/service/{CHAT}/consumptionsession/demonstration"
    first, again = story.customer.call("PUT", path), story.customer.call("PUT", path)
    expect((first.status, again.status) == (201, 200), f"the answers were {first.status} and {again.status}")
    left = story.customer.units(CHAT)
    expect(left == 4999, f"{left} messages are left")
    return [f"{left} of 5000 are left. Charged: nothing."]


def buys_ten_more(story: Story) -> list[str]:
    """The customer buys ten mentorship sessions with the saved card."""
    body = {"service": MENTORSHIP, "how_many": 10, "academy": story.found.academy_id, "country_code": "US"}
    invoice = story.customer.must("POST", "/v1/payments/consumable/checkout", body)
    charged = story.charged(invoice["id"])
    expect(charged == [45_000], f"Stripe took {charged} cents")
    eventually(lambda: story.customer.units(MENTORSHIP) == 10, "ten sessions did not arrive")
    return [f"10 sessions at 50.00 less ten percent. Charged: {_dollars(charged)}."]


def is_declined(story: Story) -> list[str]:
    """Somebody else pays with a card that the bank declines."""
    other = Person(story.found)
    other.save_card(CARD_THAT_IS_DECLINED)
    body = {"token": other.check()["token"], "type": "PREVIEW", "country_code": "US", "chosen_period": "MONTH"}
    reply = other.call("POST", "/v2/payments/pay", body)
    expect(reply.status == 402, f"the answer was {reply.status}: {reply.body}")
    expect(reply.body["silent_code"] == "card-error", f"the refusal is {reply.body}")
    expect(other.units(CHAT) == 0, "something was granted all the same")
    return [f'402 "{reply.body["detail"]}", and nothing was granted. Charged: nothing.']


def repeats_a_webhook(story: Story) -> list[str]:
    """Stripe sends the webhook of that payment again, twice."""
    before = (story.customer.units(CHAT), story.customer.units(MENTORSHIP), story.customer.invoices())
    events = story.at_stripe("events", type="payment_intent.succeeded")
    mine = [event for event in events if _invoice_of(event) == str(story.invoice["id"])]
    expect(len(mine) == 1, f"Stripe has {len(mine)} events of this payment")
    for _ in range(2):
        reply = _deliver(story, mine[0])
        expect(reply.status == 200, f"the webhook was answered with {reply.status}: {reply.body}")
    after = (story.customer.units(CHAT), story.customer.units(MENTORSHIP), story.customer.invoices())
    expect(before == after, f"it changed {before} to {after}")
    charged = story.charged(story.invoice["id"])
    expect(charged == [24_000], f"Stripe took {charged} cents")
    return ["Accepted both times, and nothing changed. Charged: nothing more."]


Step = Callable[[Story], list[str]]
STEPS: tuple[Step, ...] = (
    looks,
    saves_a_card,
    checks,
    pays,
    uses,
    buys_ten_more,
    is_declined,
    repeats_a_webhook,
)


def _deliver(story: Story, event: Any) -> Reply:
    """Post an event to the webhook as Stripe does. Source: https://docs.stripe.com/webhooks#verify-manually"""
    payload = json.dumps(event).encode()
    at = request("GET", f"{story.found.api_url}/_local/clock").body["now"]
    signed = f"{at}.".encode() + payload
    mac = hmac.new(story.found.stripe_webhook_secret.encode(), signed, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={at},v1={mac}"}
    return request("POST", f"{story.found.api_url}/stripe/webhook", raw=payload, headers=headers)


def _invoice_of(event: Any) -> str | None:
    found = event["data"]["object"]["metadata"].get("invoice_id")
    return None if found is None else str(found)


def _dollars(cents: list[int]) -> str:
    return f"{sum(cents) / 100:.2f} USD"


def _count(how_many: int) -> str:
    return "unlimited" if how_many == -1 else str(how_many)
