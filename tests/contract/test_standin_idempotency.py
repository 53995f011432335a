"""Idempotency keys: the first answer again, for a day, for the same question."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from local.stripe_standin.idempotency import KEPT_SECONDS
from tests.contract.test_standin_harness import TRANSPORTS, Shop, error_of, opened, refused


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with opened(request.param) as opened_shop:
        yield opened_shop


def keyed(key: str) -> dict[str, str]:
    return {"idempotency_key": key}


CARD = {
    "amount": 5999,
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": True,
    "payment_method_types": ["card"],
}


def pay(shop: Shop, key: str, **params: Any) -> Any:
    return shop.v1.payment_intents.create({**CARD, **params}, keyed(key))


def test_the_same_question_gets_the_first_answer(shop: Shop) -> None:
    first, second = pay(shop, "k1"), pay(shop, "k1")
    assert first.to_dict() == second.to_dict()
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert second.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    assert len(shop.v1.payment_intents.list().data) == 1
    event = shop.v1.events.list({"type": "payment_intent.created"}).data[0]
    assert event.request.idempotency_key == "k1"


def test_without_a_key_everything_happens_again(shop: Shop) -> None:
    assert shop.pay(payment_method="pm_card_visa").id != shop.pay(payment_method="pm_card_visa").id


def test_a_decline_is_remembered(shop: Shop) -> None:
    first = refused(stripe.CardError, pay, shop, "k1", payment_method="pm_card_chargeDeclined")
    second = refused(stripe.CardError, pay, shop, "k1", payment_method="pm_card_chargeDeclined")
    assert error_of(first) == error_of(second)
    assert len(shop.v1.charges.list().data) == 1


def test_other_parameters_are_refused(shop: Shop) -> None:
    pay(shop, "k1")
    error = refused(stripe.IdempotencyError, pay, shop, "k1", amount=100)
    assert (error.http_status, error_of(error)["type"]) == (400, "idempotency_error")
    assert "same parameters they were first used with" in error_of(error)["message"]


def test_another_endpoint_is_refused(shop: Shop) -> None:
    pay(shop, "k1")
    error = refused(stripe.IdempotencyError, shop.v1.customers.create, {}, keyed("k1"))
    assert "same endpoint" in error_of(error)["message"]


def test_a_key_is_forgotten_after_a_day(shop: Shop) -> None:
    first = pay(shop, "k1")
    shop.clock.advance(KEPT_SECONDS - 1)
    assert pay(shop, "k1").id == first.id
    shop.clock.advance(1)
    assert pay(shop, "k1").id != first.id


def test_validation_is_not_remembered(shop: Shop) -> None:
    for wrong in ({"amount": 10}, {"colour": "red"}, {"payment_method": "pm_nothing"}):
        refused(stripe.InvalidRequestError, pay, shop, "k1", **wrong)
    assert pay(shop, "k1").status == "succeeded"


def test_a_refused_state_is_remembered(shop: Shop) -> None:
    paid = pay(shop, "k1")
    shop.v1.refunds.create({"payment_intent": paid.id})
    params = {"payment_intent": paid.id}
    for _ in range(2):
        error = refused(stripe.InvalidRequestError, shop.v1.refunds.create, params, keyed("k2"))
        assert error.code == "charge_already_refunded"
    assert error.headers["Idempotent-Replayed"] == "true"


def test_a_wrong_secret_is_not_remembered(shop: Shop) -> None:
    stranger = shop.library(key="sk_test_wrong")
    error = refused(stripe.AuthenticationError, stranger.v1.customers.create, {}, keyed("k1"))
    assert error.http_status == 401
    assert shop.v1.customers.create({}, keyed("k1")).id


def test_too_many_requests_are_not_remembered(shop: Shop) -> None:
    shop.order(rules=[{"match": "POST /v1/payment_intents", "action": "error_429", "times": 1}])
    refused(stripe.RateLimitError, pay, shop, "k1")
    assert pay(shop, "k1").status == "succeeded"


def test_a_lost_answer_is_found_with_its_key(shop: Shop) -> None:
    shop.order(rules=[{"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 1}])
    refused(stripe.APIConnectionError, pay, shop, "k1")
    (made,) = shop.v1.payment_intents.list().data
    found = pay(shop, "k1")
    assert (found.id, found.last_response.headers["Idempotent-Replayed"]) == (made.id, "true")


def test_a_key_in_use_is_a_conflict(shop: Shop) -> None:
    with shop.standin.keys.executing("k1"):
        error = refused(stripe.APIError, pay, shop, "k1")
    assert (error.http_status, error_of(error)["code"]) == (409, "idempotency_key_in_use")
    assert pay(shop, "k1").status == "succeeded"


def test_many_at_once_make_one_payment(shop: Shop) -> None:
    outcomes: list[str] = []

    def run() -> None:
        try:
            outcomes.append(pay(shop, "k1").id)
        except stripe.APIError as error:
            outcomes.append(str(error.http_status))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (made,) = shop.v1.payment_intents.list().data
    assert len(outcomes) == 8
    assert set(outcomes) <= {made.id, "409"}


def test_a_key_on_a_get_means_nothing(shop: Shop) -> None:
    one = shop.v1.customers.list({}, keyed("k1"))
    shop.a_customer()
    two = shop.v1.customers.list({}, keyed("k1"))
    assert (len(one.data), len(two.data)) == (0, 1)
