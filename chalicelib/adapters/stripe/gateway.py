"""Stripe as `billing.gateway.Gateway`.

Timeouts and retries fit the 29 seconds that API Gateway gives an answer: a charge waits 8 seconds and is tried twice,
any other call 4 seconds and twice, and saving a card, which makes the most calls, makes three.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.stripe.errors import declined, translated
from chalicelib.adapters.stripe.listing import event_of, listed, listed_all
from chalicelib.adapters.stripe.objects import (
    card_of,
    customer_of,
    dispute_of,
    payment_of,
    refund_of,
    setup_of,
)
from chalicelib.adapters.stripe.published_cards import TEST_CARDS
from chalicelib.books.billing.gateway import (
    Card,
    Charge,
    CustomerState,
    DisputeState,
    ListedEvent,
    NewCard,
    Payment,
    PaymentRefused,
    RawCardRefused,
    RefundAsk,
    RefundState,
    Setup,
    Unanswered,
    UnknownTestCard,
    Window,
)
from chalicelib.kernel.meter import count_stripe_call
from chalicelib.kernel.pages import Page
from chalicelib.settings import Settings

if TYPE_CHECKING:
    import stripe
    import urllib3

CALL_TIMEOUT_SECONDS = 4
CHARGE_TIMEOUT_SECONDS = 8
CALL_RETRIES = 1
ID_FORM = re.compile(r"[A-Za-z0-9_]{1,255}")


class StripeGateway:
    """One Stripe account. Holds its own client: no process-wide key, so two accounts never mix."""

    def __init__(self, settings: Settings, http_client: Any = None) -> None:
        self._settings = settings
        self._http_client = http_client

    @property
    def account(self) -> str:
        return self._settings.stripe_account

    @cached_property
    def _client(self) -> stripe.StripeClient:
        return self._made(timeout_seconds=CALL_TIMEOUT_SECONDS)

    @cached_property
    def _charging_client(self) -> stripe.StripeClient:
        """Banks take longer to decide than Stripe takes to answer."""
        return self._made(timeout_seconds=CHARGE_TIMEOUT_SECONDS)

    @cached_property
    def _connections(self) -> urllib3.PoolManager:
        from chalicelib.adapters.stripe.http import connections

        return connections()

    def _made(self, *, timeout_seconds: int) -> stripe.StripeClient:
        import stripe

        from chalicelib.adapters.stripe.http import Urllib3Client

        url = self._settings.stripe_url
        return stripe.StripeClient(
            self._settings.stripe_secret_key.get_secret_value(),
            http_client=self._http_client or Urllib3Client(self._connections, timeout_seconds=timeout_seconds),
            base_addresses={"api": url} if url else {},
            max_network_retries=CALL_RETRIES,
        )

    def create_customer(self, *, key: str, email: str, name: str, user_id: int) -> str:
        params = {"email": email, "name": name, "metadata": {"user_id": str(user_id)}}
        return str(self._ask("post", "customers", params, key=key)["id"])

    def customer(self, customer_id: str) -> CustomerState | None:
        found = self._found("customers", customer_id)
        return None if found is None else customer_of(found)

    def check_card(self, new: NewCard) -> None:
        if new.number is None:
            return
        if self._settings.live_mode:
            raise RawCardRefused
        if new.number not in TEST_CARDS:
            raise UnknownTestCard

    def set_up_card(self, new: NewCard, *, customer_id: str, key: str, metadata: Mapping[str, str]) -> Setup:
        method = self._method_of(new, key)
        params = {
            "customer": customer_id,
            "payment_method": method,
            "payment_method_types": ["card"],
            "usage": "off_session",
            "confirm": True,
            "metadata": dict(metadata),
            "expand": ["payment_method"],
        }
        return setup_of(self._ask("post", "setup_intents", params, key=key))

    def set_expiry(self, payment_method_id: str, *, month: int, year: int, key: str) -> None:
        params = {"card": {"exp_month": month, "exp_year": year}}
        self._ask("post", f"payment_methods/{_checked(payment_method_id)}", params, key=f"{key}-expiry")

    def setup(self, setup_id: str) -> Setup | None:
        found = self._found("setup_intents", setup_id, "payment_method")
        return None if found is None else setup_of(found)

    def card(self, payment_method_id: str) -> tuple[Card, str | None] | None:
        found = self._found("payment_methods", payment_method_id)
        return None if found is None or found["type"] != "card" else (card_of(found), found.get("customer"))

    def charge(self, charge: Charge) -> Payment:
        """Retried here and not by the library: once an answer was lost, only a definite one may say "not charged"."""
        import stripe

        lost = False
        for attempt in (1, 2):
            count_stripe_call()
            try:
                once = {"idempotency_key": charge.key, "max_network_retries": 0}
                path = "/v1/payment_intents"
                return payment_of(
                    self._charging_client.raw_request("post", path, **once, **_intent_params(charge)).data
                )
            except stripe.CardError as error:
                raise declined(error) from error
            except (stripe.APIConnectionError, stripe.APIError) as error:
                lost = True
                if attempt == 2:
                    raise Unanswered from error
            except stripe.IdempotencyError as error:
                raise Unanswered from error
            except stripe.StripeError as error:
                if lost or error.http_status == 409:
                    raise Unanswered from error
                with translated():
                    raise
        raise Unanswered

    def payment(self, payment_id: str) -> Payment | None:
        found = self._found("payment_intents", payment_id, "latest_charge")
        return None if found is None else payment_of(found)

    def payments_since(self, customer_id: str, since: datetime) -> list[Payment]:
        made = {"customer": customer_id, "created": {"gte": int(since.timestamp())}}
        found = listed_all(self._ask, "payment_intents", made | {"expand": ["data.latest_charge"]})
        return [payment_of(payment) for payment in found]

    def cancel_payment(self, payment_id: str, *, key: str) -> Payment:
        path = f"payment_intents/{_checked(payment_id)}/cancel"
        return payment_of(self._ask("post", path, {"expand": ["latest_charge"]}, key=key))

    def refund(self, payment_id: str, ask: RefundAsk) -> RefundState:
        params = {"payment_intent": payment_id, "amount": ask.amount.minor, "metadata": dict(ask.metadata)}
        reason = {} if ask.reason is None else {"reason": ask.reason}
        return refund_of(self._ask("post", "refunds", params | reason, key=ask.key))

    def refund_state(self, refund_id: str) -> RefundState | None:
        found = self._found("refunds", refund_id)
        return None if found is None else refund_of(found)

    def refunds_of(self, payment_id: str) -> list[RefundState]:
        return [refund_of(refund) for refund in listed_all(self._ask, "refunds", {"payment_intent": payment_id})]

    def charge_payment_id(self, charge_id: str) -> str | None:
        found = self._found("charges", charge_id)
        return None if found is None else found.get("payment_intent")

    def dispute(self, dispute_id: str) -> DisputeState | None:
        found = self._found("disputes", dispute_id)
        return None if found is None else dispute_of(found)

    def checkout_payment_id(self, session_id: str) -> str | None:
        found = self._found("checkout/sessions", session_id)
        return None if found is None else found.get("payment_intent")

    def events(self, window: Window, cursor: str | None) -> Page[ListedEvent]:
        return listed(self._ask, "events", event_of, window, cursor)

    def undelivered_events(self, window: Window, cursor: str | None) -> Page[ListedEvent]:
        return listed(self._ask, "events", event_of, window, cursor, delivery_success=False)

    def payments_made(self, window: Window, cursor: str | None) -> Page[Payment]:
        expand = ["data.latest_charge"]
        return listed(self._ask, "payment_intents", payment_of, window, cursor, expand=expand)

    def refunds_made(self, window: Window, cursor: str | None) -> Page[RefundState]:
        return listed(self._ask, "refunds", refund_of, window, cursor)

    def disputes_made(self, window: Window, cursor: str | None) -> Page[DisputeState]:
        return listed(self._ask, "disputes", dispute_of, window, cursor)

    def customers_made(self, window: Window, cursor: str | None) -> Page[CustomerState]:
        return listed(self._ask, "customers", customer_of, window, cursor)

    def _found(self, kind: str, ident: str, *expand: str) -> Mapping[str, Any] | None:
        """An object as it is now, or None where Stripe does not know it."""
        import stripe

        if ID_FORM.fullmatch(ident) is None:
            return None
        try:
            return self._ask("get", f"{kind}/{ident}", {"expand": expand})
        except PaymentRefused as refused:
            error = refused.__cause__
            if isinstance(error, stripe.InvalidRequestError) and (
                error.http_status == 404 or error.code == "resource_missing"
            ):
                return None
            raise

    def _ask(self, method: str, path: str, params: Mapping[str, Any], *, key: str | None = None) -> Mapping[str, Any]:
        """One answer of Stripe, read as the plain JSON that it is.

        Making the library's objects of it takes as long as all else of the call.
        """
        count_stripe_call()
        options = {} if key is None else {"idempotency_key": key}
        with translated():
            found: Mapping[str, Any] = self._client.raw_request(method, f"/v1/{path}", **options, **params).data
        return found

    def _method_of(self, new: NewCard, key: str) -> str:
        self.check_card(new)
        if new.number is not None:
            return TEST_CARDS[new.number]
        if new.token is not None:
            params = {"type": "card", "card": {"token": new.token}}
            return str(self._ask("post", "payment_methods", params, key=f"{key}-method")["id"])
        if new.payment_method is None:
            raise PaymentRefused
        return new.payment_method


def _checked(ident: str) -> str:
    """An id that is put into a path. Raises PaymentRefused where it is none."""
    if ID_FORM.fullmatch(ident) is None:
        raise PaymentRefused
    return ident


def _intent_params(charge: Charge) -> dict[str, Any]:
    params: dict[str, Any] = {
        "amount": charge.amount.minor,
        "currency": charge.amount.code.lower(),
        "customer": charge.customer_id,
        "payment_method": charge.payment_method_id,
        "payment_method_types": ["card"],
        "confirm": True,
        "description": charge.description,
        "metadata": dict(charge.metadata),
        "expand": ["latest_charge"],
    }
    # Present: the bank may ask the customer now, and the card stays good for later charges without them (D62).
    return params | ({"setup_future_usage": "off_session"} if charge.present else {"off_session": True})
