"""Events: what they say, and how they are found again."""

from collections.abc import Iterator

import pytest
import stripe

from local.stripe_standin.events import API_VERSION, EVENT_KEPT_SECONDS
from tests.contract.test_standin_harness import TRANSPORTS, Shop, opened, refused


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with opened(request.param) as opened_shop:
        yield opened_shop


def test_an_event_shows_the_object_as_it_was_then(shop: Shop) -> None:
    intent = shop.pay(payment_method="pm_card_authenticationRequired")
    shop.order(f"/_control/authenticate/{intent.id}", success=True)
    statuses = {e.type: e.data.object.status for e in shop.v1.events.list({"type": "payment_intent.*"}).data}
    assert statuses == {
        "payment_intent.created": "requires_confirmation",
        "payment_intent.requires_action": "requires_action",
        "payment_intent.succeeded": "succeeded",
    }


def test_an_event_says_which_request_made_it(shop: Shop) -> None:
    made = shop.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "k1"})
    (event,) = shop.v1.events.list().data
    assert event.request.to_dict() == {
        "id": made.last_response.headers["Request-Id"],
        "idempotency_key": "k1",
    }
    assert (event.api_version, event.created, event.livemode) == (API_VERSION, shop.clock.now, False)
    assert event.data.object.id == made.id
    assert shop.v1.events.retrieve(event.id).type == "customer.created"


def test_types_choose(shop: Shop) -> None:
    shop.a_payment()
    wanted = ["charge.succeeded", "payment_intent.succeeded"]
    assert {e.type for e in shop.v1.events.list({"types": wanted}).data} == set(wanted)
    assert [e.type for e in shop.v1.events.list({"type": "customer.created"}).data] == ["customer.created"]
    refused(stripe.InvalidRequestError, shop.v1.events.list, {"type": "a", "types": ["b"]})


def test_pages_and_times_choose(shop: Shop) -> None:
    shop.a_customer()
    shop.clock.advance(60)
    shop.a_payment()
    young = shop.v1.events.list({"created": {"gte": shop.clock.now}, "limit": 100}).data
    assert len(young) == 6
    page = shop.v1.events.list({"limit": 2, "starting_after": young[1].id}).data
    assert [event.id for event in page] == [young[2].id, young[3].id]
    back = shop.v1.events.list({"limit": 1, "ending_before": young[1].id}).data
    assert [event.id for event in back] == [young[0].id]


def test_delivery_chooses() -> None:
    with opened("inprocess") as shop:
        customer = shop.a_customer().id
        first = shop.standin.take_delivery(shop.clock.now)
        assert first
        shop.standin.report_delivery(first.id, delivered=True, now=shop.clock.now)
        shop.v1.customers.update(customer, {"name": "Grace"})
        done = shop.v1.events.list({"delivery_success": True}).data
        undone = shop.v1.events.list({"delivery_success": False}).data
    assert [event.type for event in done] == ["customer.created"]
    assert [event.type for event in undone] == ["customer.updated"]
    assert (done[0].pending_webhooks, undone[0].pending_webhooks) == (0, 1)


def test_a_page_goes_on_after_an_event_that_was_delivered_meanwhile() -> None:
    with opened("inprocess") as shop:
        for _ in range(3):
            shop.a_customer()
        newest, middle, oldest = shop.v1.events.list().data
        for _ in range(2):
            taken = shop.standin.take_delivery(shop.clock.now)
            assert taken
            shop.standin.report_delivery(taken.id, delivered=taken.id == "wd_2", now=shop.clock.now)
        undelivered = {"delivery_success": False}
        assert [e.id for e in shop.v1.events.list(undelivered).data] == [newest.id, oldest.id]
        rest = shop.v1.events.list({**undelivered, "starting_after": middle.id}).data
        assert [event.id for event in rest] == [oldest.id]
        back = shop.v1.events.list({**undelivered, "ending_before": middle.id}).data
        assert [event.id for event in back] == [newest.id]


def test_after_thirty_days_an_event_is_gone(shop: Shop) -> None:
    shop.a_customer()
    (old,) = shop.v1.events.list().data
    shop.clock.advance(EVENT_KEPT_SECONDS + 1)
    shop.a_customer()
    assert old.id not in [event.id for event in shop.v1.events.list().data]
    assert refused(stripe.InvalidRequestError, shop.v1.events.retrieve, old.id).code == "resource_missing"
