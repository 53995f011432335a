"""The application as Lambda runs it: through Chalice's own routing, and what never reaches it."""

from __future__ import annotations

import html.parser
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.test import Client

import app
from chalicelib.entrypoints import _dispatch, _http, _wiring
from chalicelib.entrypoints._http import Answer
from chalicelib.entrypoints._refusals import refusals
from chalicelib.entrypoints._served import SERVED
from local.options import ROOT
from tests.http_calls import a_runtime
from tests.moto_table import moto_table

ORIGIN = {"Origin": "http://localhost:3000"}


@pytest.fixture
def client() -> Iterator[Client]:
    """The application with a table that answers."""
    runtime = a_runtime(stage="local")
    with moto_table() as table:
        runtime.table = table
        _wiring.install(runtime)
        yield Client(app.app)
    _wiring.install(None)


@pytest.fixture
def lost() -> Iterator[Client]:
    """The application with a table that is away."""
    _wiring.install(a_runtime(stage="local"))
    yield Client(app.app)
    _wiring.install(None)


def outside(method: str, path: str, **more: Any) -> Answer:
    answer = _dispatch.outside(method, path, **more)
    assert answer is not None
    return answer


class TestHealth:
    def test_is_ok_when_the_table_answers(self, client: Client) -> None:
        found = client.http.get("/health", headers=ORIGIN)
        assert (found.status_code, found.json_body) == (200, {"status": "ok"})
        assert found.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"

    def test_is_503_in_the_one_shape_when_it_does_not(self, lost: Client) -> None:
        found = lost.http.get("/health", headers=ORIGIN)
        assert (found.status_code, found.json_body["slug"]) == (503, "try-again-later")
        assert found.headers["Retry-After"] == "2"
        assert found.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"

    def test_is_503_when_there_is_no_such_table(self, client: Client) -> None:
        _wiring.runtime().table.name = "elsewhere"
        try:
            assert client.http.get("/health").status_code == 503
        finally:
            _wiring.runtime().table.name = "purser-tests"


class TestPreflight:
    def test_names_the_methods_of_the_path(self, lost: Client) -> None:
        for path, methods in _dispatch.paths().items():
            found = lost.http.options(path.replace("{", "").replace("}", ""), headers=ORIGIN)
            assert (found.status_code, found.body) == (204, b"")
            assert found.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
            named = set(found.headers["Access-Control-Allow-Methods"].split(", "))
            assert named >= set(methods) or path != _chosen(path), path

    def test_of_another_origin_gets_no_allow_header(self, lost: Client) -> None:
        found = lost.http.options("/health", headers={"Origin": "https://evil.example"})
        assert found.status_code == 204
        assert not [name for name in found.headers if name.startswith("Access-Control")]


class TestOpenapi:
    def test_names_every_route_though_it_is_the_first_request_of_its_process(self) -> None:
        program = (
            "from chalice.test import Client; import app; from chalicelib.entrypoints import _wiring;"
            "from tests.http_calls import a_runtime; _wiring.install(a_runtime());"
            "print(*sorted(Client(app.app).http.get('/openapi.json').json_body['paths']))"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
        assert done.stdout.splitlines()[-1].split() == sorted(SERVED)

    def test_is_served_and_saved_by_its_etag(self, lost: Client) -> None:
        found = lost.http.get("/openapi.json")
        assert found.status_code == 200
        assert found.headers["Content-Type"] == "application/json"
        assert found.json_body["openapi"] == "3.1.0"
        again = lost.http.get("/openapi.json", headers={"If-None-Match": f'"x", W/{found.headers["ETag"]}'})
        assert (again.status_code, again.body, again.headers["ETag"]) == (304, b"", found.headers["ETag"])
        assert lost.http.get("/openapi.json", headers={"If-None-Match": '"x"'}).status_code == 200


class TestDocs:
    def test_load_nothing_from_elsewhere(self, lost: Client) -> None:
        for path in ("/docs", "/docs/errors"):
            found = lost.http.get(path, headers={"Accept": "text/html"})
            assert found.headers["Content-Type"] == "text/html; charset=utf-8"
            assert "default-src 'none'" in found.headers["Content-Security-Policy"]
            for address in _Links(found.body.decode()).loaded:
                assert "//" not in address
                name = address.removeprefix("docs/")
                assert lost.http.get(f"/docs/{name}", headers={"Accept": "*/*"}).status_code == 200
        for asset in ("docs.css", "docs.js"):
            assert b"//" not in lost.http.get(f"/docs/{asset}").body.replace(b"///", b"")

    def test_page_is_small(self, lost: Client) -> None:
        parts = ("/docs", "/docs/docs.css", "/docs/docs.js")
        assert sum(len(lost.http.get(part).body) for part in parts) < 60_000

    def test_files_are_only_those_of_the_page(self, lost: Client) -> None:
        for asset in ("docs.html", "..%2Fdocs.py", "%2e%2e", "docs.js.map"):
            found = lost.http.get(f"/docs/{asset}")
            assert (found.status_code, found.json_body["slug"]) == (404, "route-not-found")

    def test_errors_has_a_row_to_link_to_for_each_slug(self, lost: Client) -> None:
        text = lost.http.get("/docs/errors").body.decode()
        for refusal in refusals():
            assert text.count(f'id="{refusal.slug}"') == 1
        assert "<!-- rows -->" not in text


class TestBodiesThroughChalice:
    def test_of_other_types_are_refused_in_the_one_shape(self, lost: Client) -> None:
        path, method = _a_path_with_a_body()
        found = lost.http.request(method, path, headers={"Content-Type": "text/plain", **ORIGIN}, body=b"x")
        assert found.headers["Content-Type"] == "application/problem+json"
        assert found.status_code in (400, 401, 415)
        assert found.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"

    def test_that_the_gateway_took_for_binary_arrive(self, lost: Client) -> None:
        path, method = _a_path_with_a_body()
        headers = {"content-type": "application/octet-stream", **ORIGIN}
        assert lost.http.request(method, path, headers=headers, body=b"\xff\x00").status_code in (400, 401, 415)


class TestOutside:
    """What the local server answers as API Gateway would."""

    @pytest.mark.parametrize("path", ["/nothing", "/", "/health/more", "/HEALTH", "/health//", "//health", "/docs/a/b"])
    def test_an_unknown_address_is_404(self, lost: Client, path: str) -> None:
        found = outside("GET", path, origin="http://localhost:3000")
        assert found.status == 404
        assert json.loads(found.body)["slug"] == "route-not-found"
        assert found.headers["Content-Type"] == "application/problem+json"
        assert found.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
        assert len(found.headers["X-Request-Id"]) == 32

    def test_a_wrong_method_is_405_and_names_the_right_ones(self, lost: Client) -> None:
        found = outside("DELETE", "/health?x=1")
        assert (found.status, found.headers["Allow"]) == (405, "GET, OPTIONS")
        assert json.loads(found.body)["detail"] == "This address does not answer DELETE."

    def test_a_body_above_ten_megabytes_is_413(self, lost: Client) -> None:
        assert outside("GET", "/health", body_bytes=10 * 1024 * 1024 + 1).status == 413

    def test_a_fixed_part_of_a_path_wins_over_a_variable(self, lost: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        known = {"/a/{x}/c": ("m", ("GET",)), "/a/b/{y}": ("m", ("POST",)), "/{z}/b/c": ("m", ("GET",))}
        monkeypatch.setattr(_dispatch, "SERVED", known)
        assert outside("GET", "/a/b/c").headers["Allow"] == "OPTIONS, POST"
        assert _dispatch.outside("GET", "/a/x/c") is None
        assert outside("GET", "/a/x/d").status == 404

    def test_all_else_is_passed_on(self, lost: Client) -> None:
        for method, path in (
            ("GET", "/health"),
            ("GET", "/health/"),
            ("OPTIONS", "/docs/x.js"),
            ("GET", "/docs/errors?a=1"),
        ):
            assert _dispatch.outside(method, path, body_bytes=10 * 1024 * 1024) is None


class TestEventFunctions:
    def test_hand_over_the_event_and_hand_back_what_failed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        failures = {"batchItemFailures": [{"itemIdentifier": "m2"}]}
        seen: list[Any] = []
        failing, kept = _keeping(seen, failures), _keeping(seen, None)
        _module(monkeypatch, "workers", handle_inbox=failing, handle_outbox=failing, handle_holdings=failing)
        _module(monkeypatch, "schedules", sweep=kept, renew=kept, catch_up=kept, compare=kept)
        event = {"Records": [{"messageId": "m1", "body": "{}", "receiptHandle": "r"}]}
        assert app.inbox_worker(event, None) == failures
        assert app.outbox_worker(event, None) == failures
        assert app.holdings_worker(event, None) == failures
        names = "version account region detail detail-type source time id resources"
        tick = dict.fromkeys(names.split())
        for scheduled in (app.sweep_tick, app.renew_tick, app.catch_up_tick, app.compare_tick):
            scheduled(tick, None)
        assert seen == [event] * 3 + [tick] * 4

    def test_are_those_that_the_template_knows(self) -> None:
        workers = {"inbox_worker", "outbox_worker", "holdings_worker"}
        ticks = {"sweep_tick", "renew_tick", "catch_up_tick", "compare_tick"}
        assert {source.name for source in app.app.event_sources} == workers | ticks


class TestPaths:
    def test_refuse_two_handlers_of_one_method(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_http, "ROUTES", [*_http.ROUTES, _http.ROUTES[0]])
        with pytest.raises(ValueError, match="registered twice"):
            _dispatch.paths.__wrapped__()


class _Links(html.parser.HTMLParser):
    """What a page loads by itself."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert "style" not in given
        for name in ("src", "href"):
            if tag in ("script", "link", "img", "iframe") and given.get(name):
                self.loaded.append(str(given[name]))


def _chosen(path: str) -> str | None:
    """The path that its own text with plain variables leads to: another where a fixed part has the variable's name."""
    return _dispatch.template_of(path.replace("{", "").replace("}", ""))


def _a_path_with_a_body() -> tuple[str, str]:
    route = next(route for route in _http.ROUTES if route.body is not None)
    return route.path.replace("{", "").replace("}", ""), route.method


def _module(monkeypatch: pytest.MonkeyPatch, name: str, **functions: Any) -> None:
    made = types.ModuleType(f"chalicelib.entrypoints.{name}")
    vars(made).update(functions)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setattr(sys.modules["chalicelib.entrypoints"], name, made, raising=False)


def _keeping(seen: list[Any], answer: Any) -> Any:
    def handle(event: Any) -> Any:
        seen.append(event)
        return answer

    return handle
