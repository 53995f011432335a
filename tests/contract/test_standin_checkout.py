"""Checkout sessions and webhook endpoints."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.contract.test_standin_harness import TRANSPORTS, Shop, opened, refused

URL = "http://127.0.0.1:9/hook"


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with opened(request.param) as opened_shop:
        yield opened_shop


def a_session(shop: Shop, **params: Any) -> Any:
    price = {"currency": "gbp", "unit_amount": 2000, "product_data": {"name": "Five classes"}}
    whole = {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 2}],
        "success_url": "https://example.com/ok",
        "metadata": {"invoice_id": "1"},
        "payment_intent_data": {"metadata": {"invoice_id": "1"}},
        **params,
    }
    return shop.v1.checkout.sessions.create(whole)


class TestSessions:
    def test_one_is_open_and_unpaid(self, shop: Shop) -> None:
        made = a_session(shop, client_reference_id="7")
        assert (made.status, made.payment_status, made.amount_total, made.currency) == (
            "open",
            "unpaid",
            4000,
            "gbp",
        )
        assert (made.payment_intent, made.client_reference_id) == (None, "7")
        assert made.url.endswith(made.id)
        assert shop.v1.checkout.sessions.retrieve(made.id).metadata["invoice_id"] == "1"

    def test_the_customer_pays(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        made = a_session(shop, customer=customer)
        shop.order(f"/_control/checkout/{made.id}", outcome="paid")
        done = shop.v1.checkout.sessions.retrieve(made.id, {"expand": ["payment_intent"]})
        assert (done.status, done.payment_status) == ("complete", "paid")
        assert (done.payment_intent.status, done.payment_intent.customer) == ("succeeded", customer)
        assert done.payment_intent.metadata["invoice_id"] == "1"
        assert done.customer_details.email == "ada@example.com"
        assert shop.event_types()[-2:] == ["payment_intent.succeeded", "checkout.session.completed"]
        assert shop.control("POST", f"/_control/checkout/{made.id}", outcome="paid")[0] == 400

    @pytest.mark.parametrize(
        ("outcome", "paid", "last"),
        [("async_paid", "paid", "succeeded"), ("async_failed", "unpaid", "failed")],
    )
    def test_the_money_comes_later_or_not(self, shop: Shop, outcome: str, paid: str, last: str) -> None:
        made = a_session(shop)
        pending = shop.order(f"/_control/checkout/{made.id}", outcome="async")
        assert (pending["status"], pending["payment_status"]) == ("complete", "unpaid")
        assert shop.v1.payment_intents.retrieve(pending["payment_intent"]).status == "processing"
        assert shop.order(f"/_control/checkout/{made.id}", outcome=outcome)["payment_status"] == paid
        assert shop.event_types()[-1] == f"checkout.session.async_payment_{last}"
        at_once = a_session(shop)
        assert shop.order(f"/_control/checkout/{at_once.id}", outcome=outcome)["payment_status"] == paid

    def test_one_is_expired_by_hand_or_by_the_clock(self, shop: Shop) -> None:
        by_hand, by_clock = a_session(shop), a_session(shop, expires_at=shop.clock.now + 3600)
        assert shop.v1.checkout.sessions.expire(by_hand.id).status == "expired"
        refused(stripe.InvalidRequestError, shop.v1.checkout.sessions.expire, by_hand.id)
        shop.clock.advance(3600)
        assert shop.v1.checkout.sessions.retrieve(by_clock.id).status == "expired"
        assert shop.event_types().count("checkout.session.expired") == 2

    def test_an_overdue_one_is_not_paid(self, shop: Shop) -> None:
        made = a_session(shop)
        shop.clock.advance(86_400)
        assert shop.control("POST", f"/_control/checkout/{made.id}", outcome="paid")[0] == 400

    def test_bad_ones_are_refused(self, shop: Shop) -> None:
        cases: tuple[dict[str, Any], ...] = (
            {"mode": "subscription"},
            {"expires_at": shop.clock.now + 60},
            {"line_items": [{"quantity": 1}]},
            {
                "line_items": [
                    {
                        "price_data": {"currency": "usd", "unit_amount": 1, "product_data": {"name": "x"}},
                        "quantity": 1,
                    }
                ]
            },
        )
        for params in cases:
            refused(stripe.InvalidRequestError, lambda p=params: a_session(shop, **p))


class TestWebhookEndpoints:
    def test_the_secret_is_shown_once(self, shop: Shop) -> None:
        made = shop.v1.webhook_endpoints.create({"url": URL, "enabled_events": ["*"], "description": "ours"})
        assert made.secret.startswith("whsec_")
        found = shop.v1.webhook_endpoints.retrieve(made.id)
        assert (found.url, found.status, found.description) == (URL, "enabled", "ours")
        assert "secret" not in found.to_dict()
        assert [endpoint.id for endpoint in shop.v1.webhook_endpoints.list().data] == [made.id]

    def test_it_is_changed_and_deleted(self, shop: Shop) -> None:
        made = shop.v1.webhook_endpoints.create({"url": URL, "enabled_events": ["*"]})
        assert shop.v1.webhook_endpoints.update(made.id, {"disabled": True}).status == "disabled"
        assert shop.v1.webhook_endpoints.delete(made.id).deleted
        refused(stripe.InvalidRequestError, shop.v1.webhook_endpoints.retrieve, made.id)
