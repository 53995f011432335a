"""Headers that decide something: in their form, and once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib.entrypoints import _wiring
from chalicelib.entrypoints._http import Answer, Call
from tests.http_calls import a_route, a_runtime, an_event, served


@pytest.fixture(autouse=True)
def runtime() -> Iterator[None]:
    _wiring.install(a_runtime())
    yield
    _wiring.install(None)


def answer(call: Call) -> Answer:
    """Answer."""
    return Answer(200)


class TestHeaders:
    @pytest.mark.parametrize(
        "several",
        [
            {"Authorization": ["Token a", "Token b"]},
            {"Academy": ["1"], "academy": ["2"]},
            {"stripe-signature": ["t=1,v1=a", "t=1,v1=a"]},
        ],
    )
    def test_that_decide_something_are_given_once(self, several: dict[str, list[str]]) -> None:
        event = an_event(body="{}") | {"multiValueHeaders": several}
        found = served(a_route(answer), event)
        assert (found.status, found.json["slug"]) == (400, "repeated-header")

    def test_that_decide_nothing_may_come_twice(self) -> None:
        several = {"Via": ["a", "b"], "Authorization": ["Token a"], "Content-Type": ["application/json"]}
        assert served(a_route(answer), an_event(body="{}") | {"multiValueHeaders": several}).status == 200


class TestIdempotencyKey:
    @pytest.mark.parametrize("key", ["", "x" * 256, "clé", "a\tb", "a\x7f", "\u2028"])
    def test_of_a_wrong_form_is_refused_where_it_counts(self, key: str) -> None:
        event = an_event(body="{}", headers={"Content-Type": "application/json", "Idempotency-Key": key})
        found = served(a_route(answer, keyed=True), event)
        assert (found.status, found.json["slug"]) == (400, "invalid-idempotency-key")
        assert served(a_route(answer), event).status == 200

    @pytest.mark.parametrize("key", ["x", "x" * 255, "a b ~!", "0f1e-2d"])
    def test_of_a_right_form_passes(self, key: str) -> None:
        headers = {"Content-Type": "application/json", "IDEMPOTENCY-KEY": key}
        assert served(a_route(answer, keyed=True), an_event(body="{}", headers=headers)).status == 200
