"""Misbehaviour by order, who may call, what was called, and a restart."""

import base64
import json
import random
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import stripe

from local.stripe_standin.machine import ConnectionDropped, Standin
from tests.contract.test_standin_harness import SECRET_KEY, START, TRANSPORTS, Shop, error_of, opened, refused

AUTHORIZED = {"Authorization": f"Bearer {SECRET_KEY}"}


@pytest.fixture(params=TRANSPORTS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with opened(request.param) as opened_shop:
        yield opened_shop


def misbehave(shop: Shop, action: str, *, match: str = "POST /v1/customers", times: int = 1) -> None:
    shop.order(rules=[{"match": match, "action": action, "times": times}])


class TestRules:
    def test_a_lost_answer_did_the_work(self, shop: Shop) -> None:
        misbehave(shop, "lose_answer")
        refused(stripe.APIConnectionError, shop.a_customer)
        assert len(shop.v1.customers.list().data) == 1

    def test_a_refused_connection_did_not(self, shop: Shop) -> None:
        misbehave(shop, "refuse_connection")
        error = refused(stripe.APIConnectionError, shop.a_customer)
        assert error.should_retry
        assert shop.v1.customers.list().data == []

    @pytest.mark.parametrize(
        ("action", "kind", "status"),
        [("error_429", stripe.RateLimitError, 429), ("error_500", stripe.APIError, 500)],
    )
    def test_errors_did_not_either(self, shop: Shop, action: str, kind: type[stripe.StripeError], status: int) -> None:
        misbehave(shop, action)
        error = refused(kind, shop.a_customer)
        assert error.http_status == status
        assert error_of(error)["type"] in ("invalid_request_error", "api_error")
        assert shop.v1.customers.list().data == []
        assert shop.a_customer().id

    def test_the_librarys_retries_get_the_first_answer(self, shop: Shop) -> None:
        misbehave(shop, "lose_answer", times=2)
        made = shop.library(retries=2).v1.customers.create({"email": "a@example.com"})
        assert made.last_response and made.last_response.headers["Idempotent-Replayed"] == "true"
        assert [customer.id for customer in shop.v1.customers.list().data] == [made.id]

    def test_a_star_stands_for_one_segment(self, shop: Shop) -> None:
        ident = shop.a_customer().id
        misbehave(shop, "error_500", match="GET /v1/customers/*", times=1)
        assert shop.v1.customers.list().data
        refused(stripe.APIError, shop.v1.customers.retrieve, ident)
        assert shop.v1.customers.retrieve(ident).id == ident

    def test_orders_replace_each_other_and_end(self, shop: Shop) -> None:
        misbehave(shop, "error_500", times=10)
        shop.order(webhooks={"copies": 2})
        assert shop.a_customer().id
        misbehave(shop, "error_500", times=10)
        assert shop.control("DELETE")[0] == 200
        assert shop.a_customer().id

    def test_nonsense_is_refused(self, shop: Shop) -> None:
        rules = [{"match": "x", "action": "y"}]
        bodies: tuple[dict[str, Any], ...] = ({"rules": rules}, {"webhooks": {"copies": 0}}, {"rule": []})
        for body in bodies:
            assert shop.control("POST", **body)[0] == 400
        assert shop.control("POST", "/_control/dance/pi_1")[0] == 404
        assert shop.control("POST", "/_control/authenticate/pi_1")[0] == 404


class TestRequests:
    def test_they_are_told_with_exactly_these_fields(self, shop: Shop) -> None:
        shop.v1.customers.create({"email": "a@example.com"}, {"idempotency_key": "k1"})
        shop.v1.customers.list({"limit": 3})
        misbehave(shop, "lose_answer")
        refused(stripe.APIConnectionError, shop.a_customer)
        status, told = shop.control("GET", "/_control/requests")
        first, second, third = told
        assert status == 200
        assert set(first) == {
            "method",
            "path",
            "query",
            "body",
            "idempotency_key",
            "stripe_version",
            "status",
        }
        assert (first["method"], first["path"], first["status"]) == ("POST", "/v1/customers", 200)
        assert parse_qs(first["body"]) == {"email": ["a@example.com"]}
        assert (first["idempotency_key"], first["stripe_version"]) == ("k1", "2026-10-28.endive")
        assert (second["method"], second["query"], second["body"]) == ("GET", "limit=3", "")
        assert third["status"] is None


class TestWhoMayCall:
    def test_the_key_is_needed(self, shop: Shop) -> None:
        error = refused(stripe.AuthenticationError, shop.library(key="sk_test_other").v1.customers.list)
        assert "Invalid API Key provided: sk_test_" in error_of(error)["message"]

    def test_basic_works_too(self) -> None:
        standin = Standin(secret_key=SECRET_KEY)
        basic = {"Authorization": "Basic " + base64.b64encode(f"{SECRET_KEY}:".encode()).decode()}
        assert standin.handle("GET", "/v1/customers", "", basic, START)[0] == 200
        assert standin.handle("GET", "/v1/customers", "", {}, START)[0] == 401

    def test_unknown_calls_are_unrecognized(self, shop: Shop) -> None:
        error = refused(stripe.InvalidRequestError, shop.v1.products.list)
        assert error.http_status == 404
        assert error_of(error)["message"].startswith("Unrecognized request URL (GET: /v1/products)")

    def test_a_connected_account_changes_nothing(self, shop: Shop) -> None:
        made = shop.library(account="acct_1").v1.customers.create({})
        assert shop.v1.customers.retrieve(made.id).id == made.id
        assert [told["stripe_account"] for told in shop.standin.requests()] == ["acct_1", None]


class TestRestart:
    def test_everything_is_there_again(self, shop: Shop) -> None:
        customer = shop.a_customer().id
        card = shop.a_card(customer, "pm_card_authenticationRequiredOnSetup").id
        paid = shop.a_payment()
        waiting = shop.pay(customer=customer, payment_method=card)
        kept = shop.v1.customers.create({"name": "Kept"}, {"idempotency_key": "k1"})
        again = Standin(secret_key=SECRET_KEY, rng=random.Random(2))
        again.load(json.loads(json.dumps(shop.standin.dump())))
        assert again.dump() == shop.standin.dump()
        _, replayed = again.handle(
            "POST", "/v1/customers", "name=Kept", {**AUTHORIZED, "Idempotency-Key": "k1"}, shop.clock.now
        )
        assert replayed["id"] == kept.id
        assert (
            again.control("POST", f"/_control/authenticate/{waiting.id}", {"success": True}, shop.clock.now)[0] == 200
        )
        _, listed = again.handle("GET", f"/v1/payment_intents?customer={paid.customer}", "", AUTHORIZED, shop.clock.now)
        assert [intent["id"] for intent in listed["data"]] == [paid.id]

    def test_ids_do_not_repeat_by_default(self) -> None:
        idents = {
            Standin(secret_key=SECRET_KEY).handle("POST", "/v1/customers", "", AUTHORIZED, START)[1]["id"]
            for _ in range(3)
        }
        assert len(idents) == 3

    def test_one_seed_gives_one_history(self) -> None:
        dumps = []
        for _ in range(2):
            with opened("inprocess", seed=7) as shop:
                shop.a_payment()
                world = shop.standin.dump()["world"]
                dumps.append([json.loads(text)["type"] for text in world["events"]] + list(world["store"]["hidden"]))
        assert dumps[0] == dumps[1]


class TestServer:
    def test_a_keep_alive_connection_is_quick_and_survives(self) -> None:
        with opened("http") as shop, requests.Session() as session:
            for _ in range(5):
                answer = session.get(f"{shop.url}/v1/customers", headers=AUTHORIZED, timeout=5)
                assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")

    def test_settling_is_an_order_too(self) -> None:
        with opened("http") as shop:
            assert shop.order("/_control/settle", timeout_seconds=2) == {"settled": True}

    def test_it_listens_on_loopback_only(self) -> None:
        with opened("http") as shop:
            assert shop.url and shop.url.startswith("http://127.0.0.1:")
            request = urllib.request.Request(f"{shop.url}/_control", data=b"{", method="POST")  # noqa: S310
            with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request, timeout=5):  # noqa: S310
                pass
            assert caught.value.code == 400
            caught.value.close()

    def test_in_process_a_dropped_answer_is_an_exception(self) -> None:
        standin = Standin(secret_key=SECRET_KEY)
        standin.control(
            "POST",
            "/_control",
            {"rules": [{"match": "GET /v1/customers", "action": "refuse_connection"}]},
            START,
        )
        with pytest.raises(ConnectionDropped):
            standin.handle("GET", "/v1/customers", "", AUTHORIZED, START)
