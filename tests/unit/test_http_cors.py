"""Which origins a browser may call from."""

from __future__ import annotations

import pytest

from chalicelib.entrypoints import _cors
from tests.http_calls import some_settings

SHOP = "https://shop.example"


class TestHeaders:
    def test_echo_an_origin_of_the_settings(self) -> None:
        found = _cors.headers(SHOP, some_settings(allowed_origins=f"https://other.example, {SHOP}"))
        assert found["Access-Control-Allow-Origin"] == SHOP
        assert found["Vary"] == "Origin"
        assert "Retry-After" in found["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in found

    def test_echo_any_origin_where_all_are_allowed(self) -> None:
        assert _cors.headers(SHOP, some_settings(allowed_origins="*"))["Access-Control-Allow-Origin"] == SHOP

    @pytest.mark.parametrize(
        "origin",
        [
            None,
            "null",
            "https://shop.example.evil.example",
            "https://evil.example",
            "http://shop.example",
            "https://shop.example:444",
            "https://SHOP.example",
            "http://localhost:3000",
            "",
        ],
    )
    def test_allow_nothing_to_others(self, origin: str | None) -> None:
        assert _cors.headers(origin, some_settings(allowed_origins=SHOP)) == {"Vary": "Origin"}

    @pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8080", "http://localhost"])
    def test_allow_ones_own_machine_in_the_local_run(self, origin: str) -> None:
        assert _cors.headers(origin, some_settings(stage="local"))["Access-Control-Allow-Origin"] == origin

    @pytest.mark.parametrize(
        "origin",
        [
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "https://localhost:3000x",
            "http://localhost:",
        ],
    )
    def test_do_not_take_others_for_ones_own_machine(self, origin: str) -> None:
        assert _cors.headers(origin, some_settings(stage="local")) == {"Vary": "Origin"}

    def test_are_never_made_of_what_is_no_origin(self) -> None:
        for origin in ("https://a.example\r\nSet-Cookie: x=1", "https://a.example/path", "javascript:alert(1)", "*"):
            assert _cors.headers(origin, some_settings(allowed_origins="*")) == {"Vary": "Origin"}


class TestPreflight:
    def test_names_methods_headers_and_how_long(self) -> None:
        found = _cors.preflight_headers(SHOP, ["PUT", "GET"], some_settings(allowed_origins=SHOP))
        assert found["Access-Control-Allow-Methods"] == "GET, PUT"
        assert found["Access-Control-Max-Age"] == "7200"
        allowed = found["Access-Control-Allow-Headers"].split(", ")
        assert {"Authorization", "X-Api-Key", "Content-Type", "Academy", "Idempotency-Key", "Accept-Language"} <= set(
            allowed
        )

    def test_grants_nothing_to_others(self) -> None:
        found = _cors.preflight_headers("https://evil.example", ["GET"], some_settings(allowed_origins=SHOP))
        assert found == {"Vary": "Origin"}
