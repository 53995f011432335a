"""YAML as a second media type of a body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.entrypoints import _wiring
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import BODY_BYTES_MAX, Answer, Call
from chalicelib.entrypoints._yaml import MalformedYaml, read_yaml, yaml_text
from tests.http_calls import a_route, a_runtime, an_event, served

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)

READ: list[tuple[str, Any]] = [
    ("", {}),
    ("# only a comment", {}),
    ("a: 1", {"a": 1}),
    ("a: [1, -2, 0.5, 1e3, .5]", {"a": [1, -2, 0.5, 1000.0, 0.5]}),
    ("a: null\nb: ~\nc:", {"a": None, "b": None, "c": None}),
    ("a: true\nb: False", {"a": True, "b": False}),
    ("a: 'true'\nb: \"1\"\nc: '~'", {"a": "true", "b": "1", "c": "~"}),
    ("a: 2025-02-04T22:04:29Z\nb: 2025-02-04", {"a": "2025-02-04T22:04:29Z", "b": "2025-02-04"}),
    ("NO: 0.7\non: yes", {"NO": 0.7, "on": "yes"}),
    ("a: 0x1f\nb: 1_000\nc: 12:30:00", {"a": "0x1f", "b": "1_000", "c": "12:30:00"}),
    ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
    ("a: ñ", {"a": "ñ"}),
]
MALFORMED: dict[str, str | bytes] = {
    "an anchor": "a: &x [1]\nb: 1",
    "an alias": "a: &x [1]\nb: *x",
    "an alias of nothing": "a: *x",
    "a merge": "a: &x {b: 1}\nc: {<<: *x}",
    "a tag": "a: !!python/object/apply:os.system ['ls']",
    "a tag of text": "a: !!str 1",
    "its own tag": "a: !ruby 1",
    "a name twice": "a: 1\na: 2",
    "a name twice inside": "a: {b: 1, b: 1}",
    "a name that is a number": "1: 2",
    "a name that is null": "~: 2",
    "a name that is a list": "? [a]\n: 2",
    "two documents": "a: 1\n---\na: 2",
    "nothing that is YAML": "a: [1",
    "a tabulator": "a:\n\t- 1",
    "a control character": "a: \x01",
    "not UTF-8": b"a: \xff",
    "infinity": "a: .inf",
    "no number": "a: .nan",
    "a number too large": "a: 1e400",
    "a number of 400 digits": "a: " + "7" * 400,
    "half a character": 'a: "\\ud800"',
    "17 lists": "[" * 17 + "]" * 17,
    "100,000 lists": "[" * 100_000,
    "a name of lists": "? " + "[" * 10_000,
}


class TestReading:
    @pytest.mark.parametrize(("text", "value"), READ)
    def test_gives_what_json_could_say(self, text: str, value: Any) -> None:
        assert read_yaml(text.encode()) == value

    @pytest.mark.parametrize("kind", MALFORMED)
    def test_refuses_what_it_could_not(self, kind: str) -> None:
        text = MALFORMED[kind]
        with pytest.raises(MalformedYaml):
            read_yaml(text if isinstance(text, bytes) else text.encode())

    def test_says_in_which_line(self) -> None:
        with pytest.raises(MalformedYaml, match=r"the name a stands twice, again in line 3"):
            read_yaml(b"a: 1\nb: 2\na: 3")


class TestWriting:
    @given(JSON)
    @settings(max_examples=400, deadline=None)
    def test_is_read_as_the_same(self, value: Any) -> None:
        assert read_yaml(yaml_text({"value": value}).encode()) == {"value": value}

    @given(JSON)
    @settings(max_examples=400, deadline=None)
    def test_is_read_as_the_same_by_others(self, value: Any) -> None:
        assert yaml.safe_load(yaml_text({"value": value})) == {"value": value}

    @pytest.mark.parametrize(
        "text", ["1e5", "NO", "on", "~", "", "null", "2025-02-04", "1", ".5", "-", "a: b", "0x1f", "\x85", "\u2028 a"]
    )
    def test_quotes_text_that_looks_like_something_else(self, text: str) -> None:
        written = yaml_text({text: text})
        assert read_yaml(written.encode()) == yaml.safe_load(written) == {text: text}

    def test_writes_a_list_that_stands_twice_twice(self) -> None:
        one = [1, 2]
        assert yaml_text({"a": one, "b": one}) == "a: [1, 2]\nb: [1, 2]\n"


class Thing(Input):
    how_many: int = 1


def make(call: Call, body: Annotated[Thing, "application/yaml"]) -> Answer:
    """Make a thing."""
    return Answer(200, body.how_many)


def make_of_json(call: Call, body: Thing) -> Answer:
    """Make a thing."""
    return Answer(200, body.how_many)


class TestABodyOfEitherType:
    @pytest.fixture(autouse=True)
    def runtime(self) -> Iterator[None]:
        _wiring.install(a_runtime())
        yield
        _wiring.install(None)

    @staticmethod
    def answer(body: str, media: str, handler: Any = make) -> Any:
        return served(a_route(handler), an_event(body=body, headers={"Content-Type": media}))

    @pytest.mark.parametrize("media", ["application/yaml", "application/yaml; charset=utf-8", "Application/YAML"])
    def test_is_read_by_its_type(self, media: str) -> None:
        assert self.answer("how_many: 4", media).json == 4
        assert self.answer('{"how_many": 5}', "application/json").json == 5

    @pytest.mark.parametrize(
        ("body", "media", "status", "slug"),
        [
            ("how_many: x", "application/yaml", 400, "invalid-request"),
            ("how_many: '4'", "application/yaml", 400, "invalid-request"),
            ("[1]", "application/yaml", 400, "invalid-request"),
            ("null", "application/yaml", 400, "invalid-request"),
            ("a: *b", "application/yaml", 400, "malformed-yaml"),
            ("how_many: 4", "application/json", 400, "malformed-json"),
            ("how_many: 4", "text/plain", 415, "unsupported-media-type"),
            ("a: " + "x" * BODY_BYTES_MAX, "application/yaml", 413, "request-too-large"),
        ],
    )
    def test_is_refused_like_any_other(self, body: str, media: str, status: int, slug: str) -> None:
        found = self.answer(body, media)
        assert (found.status, found.json["slug"]) == (status, slug)

    def test_is_json_alone_where_the_route_says_nothing(self) -> None:
        assert self.answer("how_many: 4", "application/yaml", make_of_json).json["slug"] == "unsupported-media-type"
