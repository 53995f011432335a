"""Stripe's lists by windows of time, through the gateway and the real library: what the reconciler reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.adapters.stripe.events import parse
from chalicelib.adapters.stripe.gateway import StripeGateway
from chalicelib.adapters.stripe.listing import LISTED_MAX
from chalicelib.books.billing.gateway import PaymentRefused, PaymentServiceDown, PaymentStatus, Window
from chalicelib.kernel.pages import Page
from chalicelib.kernel.periods import utc
from chalicelib.settings import Settings
from tests.contract.test_standin_harness import SECRET_KEY, Shop, opened

SETTINGS = Settings.model_validate(
    {
        "table": "unused",
        "inbox_queue_url": "unused",
        "outbox_queue_url": "unused",
        "holdings_queue_url": "unused",
        "files_bucket": "unused",
        "mail_from": "billing@example.com",
        "stripe_secret_key": SECRET_KEY,
        "stripe_webhook_secrets": ("whsec_unused_0123456789",),
        "jwt_secret": "j" * 40,
    }
)
Listing = Callable[[Window, str | None], Page[Any]]


@pytest.fixture
def shop() -> Iterator[Shop]:
    with opened("inprocess") as opened_shop:
        yield opened_shop


@pytest.fixture
def gateway(shop: Shop) -> StripeGateway:
    return StripeGateway(SETTINGS, http_client=shop._http_client)


def now(shop: Shop) -> datetime:
    return utc(shop.clock.now)


def all_time(shop: Shop) -> Window:
    return Window(now(shop) - timedelta(days=365), now(shop) + timedelta(seconds=1))


def every_id(listing: Listing, window: Window) -> list[str]:
    """The ids of all pages."""
    found, cursor = [], None
    while True:
        page = listing(window, cursor)
        found += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


def sold(shop: Shop) -> dict[str, str]:
    """One of each kind, made now."""
    payment = shop.a_payment(metadata={"invoice_id": "7"})
    refund = shop.v1.refunds.create({"payment_intent": payment.id, "amount": 100})
    disputed = shop.a_payment()
    dispute = shop.order(f"/_control/dispute/{disputed.id}", outcome="open")
    return {"payment": payment.id, "refund": refund.id, "dispute": dispute["id"], "customer": payment.customer}


class TestWindows:
    def test_begin_with_their_first_second_and_end_before_their_last(self, shop: Shop, gateway: StripeGateway) -> None:
        made = sold(shop)
        at, second = now(shop), timedelta(seconds=1)
        for kind, listing in (
            ("payment", gateway.payments_made),
            ("refund", gateway.refunds_made),
            ("dispute", gateway.disputes_made),
            ("customer", gateway.customers_made),
        ):
            assert made[kind] in every_id(listing, Window(at, at + second)), kind
            assert every_id(listing, Window(at - second, at)) == [], kind
            assert every_id(listing, Window(at + second, at + 2 * second)) == [], kind

    def test_of_events_too(self, shop: Shop, gateway: StripeGateway) -> None:
        shop.a_customer()
        at, second = now(shop), timedelta(seconds=1)
        for listing in (gateway.events, gateway.undelivered_events):
            assert len(every_id(listing, Window(at, at + second))) == 1
            assert (
                every_id(listing, Window(at - second, at)) == every_id(listing, Window(at + second, at + second)) == []
            )


class TestPages:
    def test_follow_each_other_newest_first(self, shop: Shop, gateway: StripeGateway) -> None:
        made = []
        for _ in range(LISTED_MAX + 3):
            made.append(shop.a_customer().id)
            shop.clock.advance(1)
        page = gateway.customers_made(all_time(shop), None)
        assert (len(page.items), page.next_cursor) == (LISTED_MAX, made[3])
        assert every_id(gateway.customers_made, all_time(shop)) == made[::-1]

    def test_that_end_with_the_last_object_are_the_last(self, shop: Shop, gateway: StripeGateway) -> None:
        for _ in range(LISTED_MAX):
            shop.a_customer()
        assert gateway.customers_made(all_time(shop), None).next_cursor is None

    def test_after_what_is_gone_are_refused(self, shop: Shop, gateway: StripeGateway) -> None:
        for listing in (gateway.events, gateway.payments_made):
            with pytest.raises(PaymentRefused):
                listing(all_time(shop), "pi_gone")

    def test_that_stripe_does_not_answer_are_told_apart(self, shop: Shop, gateway: StripeGateway) -> None:
        shop.order(rules=[{"match": "GET /v1/refunds", "action": "error_500", "times": 9}])
        with pytest.raises(PaymentServiceDown):
            gateway.refunds_made(all_time(shop), None)


class TestObjects:
    def test_are_as_they_are_when_asked_for(self, shop: Shop, gateway: StripeGateway) -> None:
        made = sold(shop)
        window = all_time(shop)
        assert gateway.payment(made["payment"]) in gateway.payments_made(window, None).items
        assert gateway.refunds_made(window, None).items == (gateway.refund_state(made["refund"]),)
        assert gateway.disputes_made(window, None).items == (gateway.dispute(made["dispute"]),)
        assert gateway.customer(made["customer"]) in gateway.customers_made(window, None).items

    def test_of_payments_tell_when_they_were_paid(self, shop: Shop, gateway: StripeGateway) -> None:
        shop.a_payment()
        (payment,) = gateway.payments_made(all_time(shop), None).items
        assert (payment.status, payment.paid_at, payment.amount_received) == (PaymentStatus.SUCCEEDED, now(shop), 5999)

    def test_of_deleted_customers_are_left_out(self, shop: Shop, gateway: StripeGateway) -> None:
        shop.v1.customers.delete(shop.a_customer().id)
        assert gateway.customers_made(all_time(shop), None).items == ()


class TestEvents:
    def test_are_what_their_webhooks_bring(self, shop: Shop, gateway: StripeGateway) -> None:
        sold(shop)
        customer = shop.a_customer().id
        shop.v1.payment_methods.detach(shop.a_card(customer).id)
        brought = {}
        while outgoing := shop.standin.take_delivery(shop.clock.now):
            brought[json.loads(outgoing.payload)["id"]] = outgoing.payload.encode()
            shop.standin.report_delivery(outgoing.id, delivered=True, now=shop.clock.now)
        listed = gateway.events(all_time(shop), None).items
        assert {event.id for event in listed} == set(brought)
        assert any(event.previous_customer == customer for event in listed)
        for event in listed:
            inbound = parse(brought[event.id])
            assert (event.id, event.type) == (inbound.id, inbound.type)
            assert (event.object_id, event.previous_customer) == (inbound.object_id, inbound.previous_customer)
            # Of the list, an event says how many webhooks are pending now.
            whole = {**json.loads(brought[event.id]), "pending_webhooks": 0}
            assert json.loads(event.body) == whole

    def test_that_no_endpoint_took_are_listed_apart(self, shop: Shop, gateway: StripeGateway) -> None:
        shop.a_customer()
        outgoing = shop.standin.take_delivery(shop.clock.now)
        assert outgoing is not None
        shop.standin.report_delivery(outgoing.id, delivered=True, now=shop.clock.now)
        shop.order(webhooks={"drop": True})
        shop.a_customer()
        assert len(every_id(gateway.events, all_time(shop))) == 2
        assert len(every_id(gateway.undelivered_events, all_time(shop))) == 1
