"""One request through `_dispatch`: what is refused before a handler runs, and what an answer always carries."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from chalice.app import Request

from chalicelib.dynamo.table import usage
from chalicelib.entrypoints import _dispatch, _observe, _wiring
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import BODY_BYTES_MAX, Access, Answer, Call, Output, Query, Route
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.meter import count_stripe_call
from tests.http_calls import NOW, a_route, a_runtime, an_event, served

ORIGIN = {"Content-Type": "application/json", "Origin": "https://shop.example"}


class Thing(Input):
    how_many: int = 1
    name: str = "thing"


class Filter(Query):
    limit: int = 20
    name: str | None = None


class Made(Output):
    how_many: int


class Refused(DomainError):
    kind = Kind.CONFLICT
    slug = "thing-refused"
    detail = "No thing {thing}."


@pytest.fixture(autouse=True)
def runtime() -> Iterator[None]:
    _wiring.install(a_runtime(allowed_origins=("https://shop.example",)))
    yield
    _wiring.install(None)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    _observe.start_logging(plain=True, stream=stream)
    yield stream
    _observe.start_logging()


def make(call: Call, body: Thing) -> Answer:
    """Make things."""
    return Answer(200, Made(how_many=body.how_many))


def find(call: Call, query: Filter) -> Answer:
    """Find things."""
    return Answer(200, {"limit": query.limit, "name": query.name})


def read(call: Call, thing: int, slug: str) -> Answer:
    """Read a thing."""
    return Answer(200, [thing, slug])


def refuse(call: Call) -> Answer:
    """Refuse."""
    raise Refused(thing=7)


def fail(call: Call) -> Answer:
    """Fail with what must not be told."""
    raise RuntimeError("charge of ada@example.com with 4242 4242 4242 4242 and sk_test_4eC39HqLyjWDarjtT1zdp7dc")


def making() -> Route:
    return a_route(make)


class TestBody:
    def test_is_parsed(self) -> None:
        assert served(making(), an_event(body='{"how_many": 3}')).json == {"how_many": 3}

    def test_is_optional_where_no_field_is_required(self) -> None:
        assert served(making(), an_event(body=None)).json == {"how_many": 1}
        assert served(making(), an_event(body="", headers={})).json == {"how_many": 1}

    def test_may_spell_characters_in_pairs_and_name_halves_in_words(self) -> None:
        def echo(call: Call, body: Thing) -> Answer:
            """Echo."""
            return Answer(200, {"name": body.name})

        body = '{"name": "\\ud83d\\ude00 \\\\ud800 \\u00e9"}'
        assert served(a_route(echo), an_event(body=body)).json == {"name": "\U0001f600 \\ud800 \u00e9"}

    def test_in_base64_is_the_same_body(self) -> None:
        encoded = base64.b64encode(b'{"how_many": 3, "name": "\xc3\xa9"}').decode()
        assert served(making(), an_event(body=encoded, base64=True)).json == {"how_many": 3}

    @pytest.mark.parametrize(
        ("body", "slug"),
        [
            ('{"how_many": ', "malformed-json"),
            ("how_many=3", "malformed-json"),
            (b'{"name": "\xff"}', "malformed-json"),
            (b"\xff\xfe{\x00}\x00", "malformed-json"),
            ('{"how_many": NaN}', "malformed-json"),
            ('{"how_many": -Infinity}', "malformed-json"),
            ('{"how_many": 1, "how_many": 2}', "malformed-json"),
            ('{"other": {"a": 1, "a": 2}}', "malformed-json"),
            ('{"other": ' + "[" * 17 + "]" * 17 + "}", "malformed-json"),
            ('{"other": ' + '{"a":' * 60_000 + "1" + "}" * 60_000 + "}", "request-too-large"),
            ("[" * 100_000, "malformed-json"),
            ('{"how_many": ' + "9" * 5000 + "}", "malformed-json"),
            ('{"how_many": 1e999}', "malformed-json"),
            ('{"other": -1e999}', "malformed-json"),
            ('{"other": ' + "9" * 301 + "}", "malformed-json"),
            ('{"how_many": 1.5}', "invalid-request"),
            ('{"how_many": "3"}', "invalid-request"),
            ('{"how_many": true}', "invalid-request"),
            ('{"how_many": null}', "invalid-request"),
            ('{"name": "\\ud800"}', "malformed-json"),
            ('{"name": "\\uD83D x \\uDE00"}', "malformed-json"),
            ('{"name": "\\\\\\udfff"}', "malformed-json"),
            ("[]", "invalid-request"),
            ("3", "invalid-request"),
            ("null", "invalid-request"),
        ],
    )
    def test_that_cannot_be_read_is_refused(self, body: str | bytes, slug: str) -> None:
        found = served(making(), an_event(body=body))
        assert found.json["slug"] == slug
        assert found.status == found.json["status"] == found.json["status_code"] == (413 if "large" in slug else 400)
        assert found.headers["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize(
        "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; b=1", ""]
    )
    def test_of_another_type_is_refused(self, media: str) -> None:
        found = served(making(), an_event(body="{}", headers={"content-type": media}))
        assert (found.status, found.json["slug"]) == (415, "unsupported-media-type")

    @pytest.mark.parametrize(
        "media", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"]
    )
    def test_of_a_kind_of_json_is_taken(self, media: str) -> None:
        assert served(making(), an_event(body="{}", headers={"Content-Type": media})).status == 200

    def test_of_256_kilobytes_is_taken_and_one_byte_more_is_not(self) -> None:
        padding = BODY_BYTES_MAX - len('{"name":""}')
        assert served(making(), an_event(body='{"name":"' + "x" * padding + '"}')).status == 200
        found = served(making(), an_event(body='{"name":"' + "x" * (padding + 1) + '"}'))
        assert (found.status, found.json["slug"]) == (413, "request-too-large")

    def test_is_measured_before_credentials_are_looked_at(self) -> None:
        route = a_route(make, access=Access.PERSON)
        assert served(route, an_event(body="x" * (BODY_BYTES_MAX + 1))).status == 413
        refused = served(route, an_event(body="{}"))
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"].startswith("Token ")

    def test_limit_counts_bytes_behind_base64_and_is_the_routes_own(self) -> None:
        route = a_route(make, body_bytes_max=20)
        assert served(route, an_event(body=base64.b64encode(b" " * 20).decode(), base64=True)).status == 200
        assert served(route, an_event(body=base64.b64encode(b" " * 21).decode(), base64=True)).status == 413
        assert served(route, an_event(body="é" * 11)).status == 413

    def test_reaches_a_handler_byte_for_byte(self) -> None:
        seen: list[bytes] = []

        def keep(call: Call) -> Answer:
            """Keep."""
            seen.append(call.raw_body)
            return Answer(200)

        route = a_route(keep, raw=True)
        raw = '{"id": "evt_1",\r\n  "é": "\\u00e9"}'.encode()
        served(route, an_event(body=raw.decode()))
        served(route, an_event(body=base64.b64encode(raw).decode(), base64=True))
        served(route, an_event(body=base64.b64encode(b"\xff\x00").decode(), base64=True))
        assert seen == [raw, raw, b"\xff\x00"]


class TestQuery:
    def test_is_read_from_text(self) -> None:
        route = a_route(find, method="GET")
        assert served(route, an_event("GET", query={"limit": ["5"], "name": [""]})).json == {"limit": 5, "name": ""}
        assert served(route, an_event("GET")).json == {"limit": 20, "name": None}

    def test_with_a_repeated_name_is_refused_and_its_values_are_not_repeated(self) -> None:
        found = served(a_route(find, method="GET"), an_event("GET", query={"limit": ["5", "6"]}))
        assert (found.status, found.json["slug"]) == (400, "repeated-parameter")
        assert found.json["detail"] == "The parameter limit is given more than once."

    def test_that_cannot_be_read_names_its_field(self) -> None:
        found = served(a_route(find, method="GET"), an_event("GET", query={"limit": ["many"]}))
        assert found.status == 400
        assert [problem["field"] for problem in found.json["errors"]] == ["limit"]


class TestVariables:
    def test_are_read_and_percent_signs_undone_once(self) -> None:
        route = a_route(read, method="GET", path="/things/{thing}/{slug}")
        event = an_event("GET", variables={"thing": "9007199254740991", "slug": "a%2520%C3%A9"})
        assert served(route, event).json == [9007199254740991, "a%20é"]

    @pytest.mark.parametrize("thing", ["x", "-1", "1.0", "9007199254740992", "9" * 30, "%FF", "٣", "", " 1", "1_0"])
    def test_that_are_no_ids_are_refused(self, thing: str) -> None:
        route = a_route(read, method="GET", path="/things/{thing}/{slug}")
        found = served(route, an_event("GET", variables={"thing": thing, "slug": "a"}))
        assert (found.status, found.json["slug"]) == (400, "invalid-request")
        assert found.json["errors"][0]["field"] == "thing"


class TestCall:
    def test_says_when_with_which_headers_and_under_which_id(self) -> None:
        seen: list[Call] = []

        def keep(call: Call) -> Answer:
            """Keep."""
            seen.append(call)
            return Answer(204)

        event = an_event(headers={"ACADEMY": "4", "X-Request-Id": "the caller's own"}, query={"a": ["b"]})
        assert served(a_route(keep), event).headers["X-Request-Id"] == "gateway-request"
        (call,) = seen
        assert (call.request_id, call.now, call.caller) == ("gateway-request", NOW, None)
        assert call.headers["academy"] == "4"
        assert (call.method, call.path, call.raw_query) == ("POST", "/things", {"a": "b"})

    def test_gets_a_new_id_where_there_is_no_gateway(self) -> None:
        first, second = (served(making(), an_event(request_id=None)).headers["X-Request-Id"] for _ in range(2))
        assert len(first) == len(second) == 32
        assert first != second


class TestAnswer:
    def test_always_carries_its_headers(self) -> None:
        for handler in (make, refuse, fail):
            headers = served(a_route(handler), an_event(body="{}", headers=ORIGIN)).headers
            assert headers["X-Request-Id"] == "gateway-request"
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
            assert headers["Vary"] == "Origin"

    @pytest.mark.parametrize(
        ("answer", "text", "media"),
        [
            (Answer(201, Made(how_many=2)), '{"how_many":2}', "application/json"),
            (Answer(200, [Made(how_many=2)]), '[{"how_many":2}]', "application/json"),
            (Answer(200, {"a": 59.99, "b": None}), '{"a":59.99,"b":null}', "application/json"),
            (Answer(200, "a: 1\n", {"Content-Type": "application/yaml"}), "a: 1\n", "application/yaml"),
            (Answer(200, b"a: 1\n", {"Content-Type": "application/yaml"}), "a: 1\n", "application/yaml"),
            (Answer(200, "plain"), "plain", "text/plain; charset=utf-8"),
            (Answer(204), "", None),
        ],
    )
    def test_is_rendered_by_the_kind_of_its_body(self, answer: Answer, text: str, media: str | None) -> None:
        def give(call: Call) -> Answer:
            """Give."""
            return answer

        found = served(a_route(give), an_event())
        assert (found.status, found.text, found.headers.get("Content-Type")) == (answer.status, text, media)

    def test_may_set_its_own_cache_control(self) -> None:
        def give(call: Call) -> Answer:
            """Give."""
            return Answer(200, {}, {"Cache-Control": "public, max-age=60"})

        assert served(a_route(give), an_event()).headers["Cache-Control"] == "public, max-age=60"

    def test_that_is_no_json_is_a_defect(self) -> None:
        def give(call: Call) -> Answer:
            """Give."""
            return Answer(200, {"x": float("nan")})

        assert served(a_route(give), an_event()).status == 500

    def test_of_a_binary_type_is_left_as_bytes(self) -> None:
        def give(call: Call) -> Answer:
            """Give."""
            return Answer(200, b"\x89PNG\xff", {"Content-Type": "image/png"})

        assert _dispatch.respond(a_route(give), Request(an_event())).body == b"\x89PNG\xff"


class TestRefusal:
    def test_has_the_one_shape(self) -> None:
        assert served(a_route(refuse), an_event()).json == {
            "type": "/docs/errors#thing-refused",
            "title": "Conflict",
            "status": 409,
            "detail": "No thing 7.",
            "slug": "thing-refused",
            "status_code": 409,
        }


class TestDefect:
    def test_tells_the_caller_its_request_id_and_nothing_else(self) -> None:
        found = served(a_route(fail), an_event())
        assert found.status == 500
        assert found.json["slug"] == "internal-error"
        assert found.json["detail"] == "Something went wrong on our side; request gateway-request."

    def test_is_logged_with_its_traceback_and_without_what_is_secret(self, log: io.StringIO) -> None:
        served(a_route(fail), an_event(body='{"password": "hunter2"}', query={"email": ["x@y.example"]}))
        text = log.getvalue()
        assert "RuntimeError: charge of [scrubbed] with [scrubbed] and [scrubbed]" in text
        assert "test_http_dispatch.py" in text
        for secret in ("ada@", "4242", "sk_test", "hunter2", "x@y"):
            assert secret not in text

    def test_of_settings_is_an_answer_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken() -> Any:
            raise ValueError("no jwt_secret")

        monkeypatch.setattr(_dispatch, "runtime", broken)
        found = served(making(), an_event(headers=ORIGIN))
        assert found.status == 500
        assert "Access-Control-Allow-Origin" not in found.headers
        assert _dispatch.preflight({"POST": making()}, Request(an_event("OPTIONS"))).status_code == 204


class TestLogLine:
    def test_says_what_the_request_was_and_cost(self, log: io.StringIO) -> None:
        def spend(call: Call) -> Answer:
            """Spend."""
            used = usage.get()
            assert used is not None
            used.calls, used.units = 3, 4.5
            count_stripe_call()
            return Answer(202)

        served(a_route(spend, path="/things/{thing}"), an_event(query={"academy": ["4"]}, variables={"thing": "99"}))
        (line,) = log.getvalue().splitlines()
        assert "POST /things/{thing} 202" in line
        for part in (
            "request_id=gateway-request",
            "academy_id=4",
            "table_calls=3",
            "table_units=4.5",
            "stripe_calls=1",
        ):
            assert part in line
        assert "99" not in line
        assert usage.get() is None

    def test_names_the_refusal(self, log: io.StringIO) -> None:
        served(a_route(refuse), an_event())
        assert "409" in log.getvalue()
        assert "slug=thing-refused" in log.getvalue()

    def test_starts_from_zero_for_each_request(self, log: io.StringIO) -> None:
        def spend(call: Call) -> Answer:
            """Spend."""
            count_stripe_call()
            return Answer(200)

        for _ in range(2):
            served(a_route(spend), an_event())
        assert log.getvalue().count("stripe_calls=1") == 2

    def test_is_json_with_metrics_in_a_deployed_stage(self, capsys: pytest.CaptureFixture[str]) -> None:
        _observe.start_logging()
        served(a_route(fail), an_event())
        failure, line, metrics = (json.loads(text) for text in capsys.readouterr().out.splitlines())
        assert failure["exception_name"] == "RuntimeError"
        assert "ada@" not in failure["exception"]
        assert (line["route"], line["status"], line["slug"]) == ("/things", 500, "internal-error")
        assert line["level"] == "INFO"
        assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Purser"
        assert (metrics["Requests"], metrics["Failures"], metrics["route"]) == ([1.0], [1.0], "POST /things")

    def test_covers_the_lines_of_libraries(self, log: io.StringIO) -> None:
        logging.getLogger("some.library").warning("retrying with Bearer %s", "abcdef123456")
        assert log.getvalue().endswith("retrying with Bearer [scrubbed]\n")
