"""The server of `make run`, from outside: what it hands out, and what stands before the app."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest

from local.local_routes import ADVANCE_SECONDS_MAX
from tests.local_server import LocalServer, a_local_server

DAY = 86_400
TOKENS = {
    "student",
    "student_2",
    "student_3",
    "staff",
    "staff_readonly",
    "staff_other_academy",
    "platform",
    "platform_2",
    "studio",
    "ops",
}


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with a_local_server() as running:
        yield running


class TestDemoFile:
    def test_names_addresses_secrets_tokens_and_academies(self, server: LocalServer) -> None:
        stripe = {"stripe_api_url", "stripe_secret_key", "stripe_webhook_secret"}
        assert set(server.demo) == {"api_url", "tokens", "academy", "other_academy"} | stripe
        assert set(server.demo["tokens"]) == TOKENS
        assert server.demo["academy"] == {"id": 1, "name": "4Geeks Academy", "slug": "4geeks"}
        assert server.demo["other_academy"]["id"] == 2

    def test_is_readable_by_its_owner_only(self, server: LocalServer) -> None:
        assert server.process.demo_file.stat().st_mode & 0o077 == 0

    def test_has_an_operator_and_people_who_are_none(self, server: LocalServer) -> None:
        assert server.call("GET", "/ops/academies", token="ops").status == 200
        assert server.call("GET", "/ops/academies", token="staff").status == 403

    def test_has_staff_with_their_capabilities(self, server: LocalServer) -> None:
        staff = server.call("GET", "/ops/academies/1/staff", token="ops").json["data"]
        capabilities = {len(member["capabilities"]) for member in staff}
        reading = min(staff, key=lambda member: len(member["capabilities"]))
        assert len(staff) == len(capabilities) == 2
        assert all(name.startswith("read_") for name in reading["capabilities"])
        assert len(server.call("GET", "/ops/academies/2/staff", token="ops").json["data"]) == 1

    def test_has_a_key_for_the_studio_and_signed_tokens_for_the_platform(self, server: LocalServer) -> None:
        keys = server.call("GET", "/ops/api-keys", token="ops").json["data"]
        assert [key["scopes"] for key in keys] == [["studio"]]
        for name in ("platform", "platform_2"):
            headers = {"Authorization": f"Bearer {server.demo['tokens'][name]}"}
            assert server.call("GET", "/v1/payments/me/service/consumable", headers=headers).status == 200
        headers = {"X-Api-Key": server.demo["tokens"]["studio"]}
        assert server.call("GET", "/health", headers=headers).status == 200
        assert server.call("GET", "/health", headers={"X-Api-Key": "purser_key_other"}).status == 401


class TestCustomers:
    def test_are_new_people_each_time_with_two_kinds_of_credentials(self, server: LocalServer) -> None:
        one, other = (server.call("POST", "/_local/customers") for _ in range(2))
        assert (one.status, set(one.json)) == (201, {"token", "bearer", "user_id", "email"})
        assert one.json["user_id"] != other.json["user_id"]
        for headers in (f"Token {one.json['token']}", f"Bearer {one.json['bearer']}"):
            answer = server.call("GET", "/v1/payments/me/service/consumable", headers={"Authorization": headers})
            assert (answer.status, any(answer.json.values())) == (200, False)


class TestStatements:
    def test_are_fetched_by_a_link_that_works_from_here(self, server: LocalServer) -> None:
        linked = server.call("GET", "/v1/payments/me/statement?format=pdf", headers=server.customer()).json
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(linked["url"]) as answer:
            assert answer.read().startswith(b"%PDF-")

    def test_are_bytes_where_they_are_asked_for_by_their_type(self, server: LocalServer) -> None:
        where = urlsplit(server.demo["api_url"])
        connection = HTTPConnection(str(where.hostname), where.port, timeout=60)
        headers = {**server.customer(), "Accept": "application/pdf"}
        connection.request("GET", "/v1/payments/me/statement?format=pdf", headers=headers)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/pdf")
        assert answer.read().startswith(b"%PDF-")
        connection.close()


class TestClock:
    def test_moves_ahead_by_what_was_asked_for(self, server: LocalServer) -> None:
        before = server.call("GET", "/_local/clock").json["now"]
        moved = server.advance(40 * DAY)
        assert moved.status == 200
        assert 0 <= moved.json["now"] - before - 40 * DAY <= 30
        assert server.call("GET", "/_local/clock").json["now"] >= moved.json["now"]

    @pytest.mark.parametrize("seconds", [None, -1, 1.5, "9", True, 10**30])
    def test_refuses_nonsense_and_stands_still(self, server: LocalServer, seconds: object) -> None:
        before = server.call("GET", "/_local/clock").json["now"]
        answer = server.call("POST", "/_local/clock", {"advance_seconds": seconds})
        assert (answer.status, answer.json["slug"]) == (400, "invalid-request")
        assert server.call("GET", "/_local/clock").json["now"] - before <= 30

    def test_refuses_more_than_ten_years(self, server: LocalServer) -> None:
        assert server.advance(11 * 366 * DAY).status == 400

    def test_is_the_one_of_signatures_and_tokens(self, server: LocalServer) -> None:
        """To move it by years takes minutes, so a token that outlives them is believed where it says so itself."""
        made = server.call("POST", "/_local/customers").json
        person = {"Authorization": f"Token {made['token']}"}
        told = jwt.decode(made["bearer"], options={"verify_signature": False})
        assert told["exp"] - server.call("GET", "/_local/clock").json["now"] > ADVANCE_SECONDS_MAX
        assert server.advance(35 * DAY).status == 200
        assert server.call("GET", "/v1/payments/me/service/consumable", headers=person).status == 200
        card = {"card_number": "4242424242424242", "exp_month": "10", "exp_year": "40", "cvc": "435", "academy": 1}
        assert server.call("POST", "/v2/payments/card", card, headers=person).status == 200
        assert server.advance(0).status == 200
        handled = server.call("GET", "/ops/inbox?status=handled&limit=100", token="ops").json["data"]
        assert "setup_intent.succeeded" in {event["type"] for event in handled}


class TestTheReconcilers:
    def test_bring_what_no_webhook_brought(self, server: LocalServer) -> None:
        """A refund at Stripe's dashboard of which nobody hears."""
        person = server.customer()
        card = {"card_number": "4242424242424242", "exp_month": "10", "exp_year": "40", "cvc": "435", "academy": 1}
        assert server.call("POST", "/v2/payments/card", card, headers=person).status == 200
        units = {"service": "mentorship-service", "how_many": 1, "academy": 1}
        bought = server.call("POST", "/v1/payments/consumable/checkout", units, headers=person).json
        assert server.advance(0).status == 200
        stripe = Stripe(server)
        payment = next(
            one["id"]
            for one in stripe.call("GET", "/v1/payment_intents?limit=100")["data"]
            if one["metadata"]["invoice_id"] == str(bought["id"])
        )
        stripe.call("POST", "/_control", {"webhooks": {"drop": True}})
        stripe.call("POST", f"/_control/refund/{payment}", {"amount": 1000})
        stripe.call("DELETE", "/_control")
        path = f"/v1/payments/me/invoice/{bought['id']}"
        assert server.advance(0).status == 200
        assert server.call("GET", path, headers=person).json["amount_refunded"] == 0
        assert server.advance(DAY).status == 200
        assert server.call("GET", path, headers=person).json["amount_refunded"] == 10.0
        assert server.call("GET", "/ops/drift", token="ops").json["data"] == []


class Stripe:
    """The stand-in of a running server, over the wire."""

    def __init__(self, server: LocalServer) -> None:
        where = urlsplit(server.demo["stripe_api_url"])
        self._address = (str(where.hostname), where.port)
        self._headers = {"Authorization": f"Bearer {server.demo['stripe_secret_key']}"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection(*self._address, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body), self._headers)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer


class TestMails:
    def test_of_a_purchase_can_be_read(self, server: LocalServer) -> None:
        person = server.call("POST", "/_local/customers").json
        headers = {"Authorization": f"Token {person['token']}"}
        card = {"card_number": "4242424242424242", "exp_month": "10", "exp_year": "40", "cvc": "435", "academy": 1}
        assert server.call("POST", "/v2/payments/card", card, headers=headers).status == 200
        units = {"service": "mentorship-service", "how_many": 1, "academy": 1}
        assert server.call("POST", "/v1/payments/consumable/checkout", units, headers=headers).status == 201
        assert server.advance(0).status == 200
        (mail,) = server.call("GET", f"/_local/mails?to={person['email'].upper()}").json
        assert set(mail) == {"to", "subject", "text", "html"}
        assert (mail["to"], "50.00" in mail["text"]) == (person["email"], True)

    def test_are_those_to_an_address(self, server: LocalServer) -> None:
        assert server.call("GET", "/_local/mails?to=nobody@example.com").json == []


class TestGateway:
    def test_answers_unknown_addresses_and_methods_itself(self, server: LocalServer) -> None:
        for method, path, status, slug in (
            ("GET", "/nowhere", 404, "route-not-found"),
            ("GET", "/_local/nowhere", 404, "route-not-found"),
            ("DELETE", "/health", 405, "method-not-allowed"),
            ("DELETE", "/_local/clock", 405, "method-not-allowed"),
            ("BREW", "/health", 405, "method-not-allowed"),
        ):
            answer = server.call(method, path)
            assert (answer.status, answer.json["slug"]) == (status, slug), (method, path)
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert ("Allow" in answer.headers) == (status == 405)

    def test_refuses_bodies_that_a_gateway_would(self, server: LocalServer) -> None:
        too_long = b" " * (10 * 1024 * 1024 + 1)
        for path in ("/v2/payments/pay", "/_local/clock"):
            answer = server.call("POST", path, too_long)
            assert (answer.status, answer.json["slug"]) == (413, "request-too-large"), path

    def test_refuses_a_body_without_a_length(self, server: LocalServer) -> None:
        answer = server.call("POST", "/v2/payments/pay", b"{}", headers={"Transfer-Encoding": "chunked"})
        assert answer.status == 400

    @pytest.mark.parametrize(
        ("headers", "slug"),
        [
            ([("Authorization", "Token student"), ("Authorization", "Token student_2")], "repeated-header"),
            ([("Content-Length", "2"), ("Content-Length", "0")], "invalid-request"),
            ([("Content-Length", "9" * 5000)], "invalid-request"),
            ([("Content-Length", "-1")], "invalid-request"),
        ],
    )
    def test_refuses_headers_that_mean_two_things_or_nothing(
        self, server: LocalServer, headers: list[tuple[str, str]], slug: str
    ) -> None:
        where = urlsplit(server.demo["api_url"])
        connection = HTTPConnection(str(where.hostname), where.port, timeout=60)
        try:
            connection.putrequest("POST", "/v2/payments/card")
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["slug"]) == (400, slug)
        finally:
            connection.close()

    def test_answers_head_without_a_body(self, server: LocalServer) -> None:
        answer = server.call("HEAD", "/health")
        assert (answer.status, answer.text) == (405, "")

    @pytest.mark.parametrize("path", ["/health", "/_local/clock"])
    def test_lets_pages_of_this_machine_call(self, server: LocalServer, path: str) -> None:
        origin = {"Origin": "http://localhost:3000"}
        preflight = server.call("OPTIONS", path, headers={**origin, "Access-Control-Request-Method": "GET"})
        assert (preflight.status, preflight.text) == (204, "")
        for answer in (preflight, server.call("GET", path, headers=origin)):
            assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        elsewhere = server.call("GET", path, headers={"Origin": "http://example.com"})
        assert "Access-Control-Allow-Origin" not in elsewhere.headers

    def test_survives_what_is_no_request(self, server: LocalServer) -> None:
        where = urlsplit(server.demo["api_url"])
        with socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=10) as raw:
            raw.sendall(b"nonsense\r\n\r\n")
            assert b" 400 " in raw.recv(200).split(b"\r\n")[0]
        assert server.call("GET", "/health").status == 200

    def test_is_quick_over_a_kept_connection(self, server: LocalServer) -> None:
        """With Nagle's algorithm on, or with unbuffered writes, each of these takes 40 ms more."""
        where = urlsplit(server.demo["api_url"])
        connection = HTTPConnection(str(where.hostname), where.port, timeout=10)
        took = []
        for _ in range(20):
            began = time.perf_counter()
            connection.request("GET", "/_local/clock")
            connection.getresponse().read()
            took.append(time.perf_counter() - began)
        connection.close()
        assert min(took[1:]) < 0.03


class TestCatalog:
    def test_sells_the_plan_of_the_document(self, server: LocalServer) -> None:
        body = {"type": "PREVIEW", "plans": ["4geeks-plus-subscription"], "country_code": "US"}
        bag = server.call("PUT", "/v2/payments/checking", body, headers=server.customer()).json
        items = bag["plans"][0]["service_items"]
        assert [item["service"]["id"] for item in items] == [45, 106, 93, 52, 109, 48, 111]
        assert [item["how_many"] for item in items] == [-1, -1, 5000, 2, 3, 5000, -1]
        assert [item["sort_priority"] for item in items] == [6, 1, 2, 3, 1, 1, 1]
        assert [item["is_team_allowed"] for item in items] == [False, False, False, True, True, True, True]
        assert [item["service"]["private"] for item in items] == [True, True, True, True, False, True, True]
        assert [group["name"] for group in items[6]["service"]["groups"]] == ["Student"]
        assert (bag["amount_per_month"], bag["amount_per_year"]) == (59.99, 479.99)
        assert [coupon["slug"] for coupon in bag["coupons"]] == ["new-year-50"]

    @pytest.mark.parametrize(
        ("plan", "month", "trial"),
        [("community-free", 0.0, 0), ("pro-trial", 39.0, 7), ("team-plan", 2999.0, 0), ("premium-bootcamp", 0.0, 0)],
    )
    def test_sells_the_other_plans(self, server: LocalServer, plan: str, month: float, trial: int) -> None:
        body = {"type": "PREVIEW", "plans": [plan], "country_code": "US"}
        answer = server.call("PUT", "/v2/payments/checking", body, headers=server.customer())
        assert answer.status in (200, 201), answer.text
        bag = answer.json
        assert (bag["amount_per_month"], bag["plans"][0]["trial_duration"]) == (month, trial)
        assert bag["plans"][0]["status"] == "ACTIVE"
        assert bag["coupons"] == []

    def test_sells_the_bootcamp_in_twelve_instalments(self, server: LocalServer) -> None:
        body = {"type": "PREVIEW", "plans": ["premium-bootcamp"], "country_code": "US"}
        bag = server.call("PUT", "/v2/payments/checking", body, headers=server.customer()).json
        options = bag["plans"][0]["financing_options"]
        assert [(option["monthly_price"], option["how_many_months"]) for option in options] == [(299.0, 12)]
