"""A body that is one thing or a list of it, and one that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from chalicelib.entrypoints import _wiring
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Answer, Call
from tests.http_calls import Served, a_route, a_runtime, an_event, served


class Thing(Input):
    slugs: ClassVar[dict[str, str]] = {"name": "invalid-name-of-thing"}

    how_many: int = 1
    name: str = "thing"


def make(call: Call, body: Thing | list[Thing]) -> Answer:
    """Make things."""
    return Answer(200, [thing.how_many for thing in body] if isinstance(body, list) else body.how_many)


@pytest.fixture(autouse=True)
def runtime() -> Iterator[None]:
    _wiring.install(a_runtime())
    yield
    _wiring.install(None)


def answer(body: str | None, *, bodies_max: int = 3) -> Any:
    return served(a_route(make, bodies_max=bodies_max), an_event(body=body))


class TestABodyOfOneOrSeveral:
    @pytest.mark.parametrize(
        ("body", "made"),
        [
            (None, 1),
            ('{"how_many": 4}', 4),
            ('[{"how_many": 4}, {}]', [4, 1]),
            ("[{}]", [1]),
            ("[{}, {}, {}]", [1] * 3),
        ],
    )
    def test_is_what_was_sent(self, body: str | None, made: Any) -> None:
        assert answer(body).json == made

    @pytest.mark.parametrize(
        ("body", "slug", "fields"),
        [
            ("[]", "invalid-request", ["body"]),
            ("[{}, {}, {}, {}]", "invalid-request", ["body"]),
            ("[[]]", "invalid-request", ["0.body"]),
            ("[null]", "invalid-request", ["0.body"]),
            ('[{}, {"how_many": "x"}]', "invalid-request", ["1.how_many"]),
            ('[{}, {}, {"name": 7, "how_many": "x"}]', "invalid-name-of-thing", ["2.how_many", "2.name"]),
            ('{"how_many": "x"}', "invalid-request", ["how_many"]),
            ("3", "invalid-request", ["body"]),
        ],
    )
    def test_that_cannot_be_read_is_refused_with_the_place_of_each_field(
        self, body: str, slug: str, fields: list[str]
    ) -> None:
        refused = answer(body)
        assert (refused.status, refused.json["slug"]) == (400, slug)
        assert [problem["field"] for problem in refused.json["errors"]] == fields

    def test_is_of_one_where_the_route_does_not_say_how_many(self) -> None:
        assert answer("[{}]", bodies_max=0).status == 400


class TestABodyThatIsNotRead:
    @staticmethod
    def sent(body: str | None, media: str | None = "application/json", method: str = "PUT") -> Served:
        def do(call: Call) -> Answer:
            """Do."""
            return Answer(200, 1)

        headers = {} if media is None else {"Content-Type": media}
        return served(a_route(do, method=method), an_event(body=body, headers=headers))

    @pytest.mark.parametrize("media", ["application/json", "application/merge-patch+json", None])
    @pytest.mark.parametrize(
        ("body", "slug"),
        [
            ("{", "malformed-json"),
            ('{"a": NaN}', "malformed-json"),
            ('{"a": 1, "a": 1}', "malformed-json"),
            ("[" * 100_000, "malformed-json"),
            ("[]", "invalid-request"),
            ("3", "invalid-request"),
            ("null", "invalid-request"),
        ],
    )
    def test_is_refused_where_it_is_no_object(self, body: str, slug: str, media: str | None) -> None:
        for method in ("PUT", "POST", "DELETE"):
            found = self.sent(body, media, method)
            assert (found.status, found.json["slug"]) == (400, slug)
            assert found.headers["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("body", [None, "", "  ", "{}", '{"anything": [1]}'])
    def test_may_be_none_or_an_object(self, body: str | None) -> None:
        assert (self.sent(body).status, self.sent(body, None).status) == (200, 200)

    def test_of_another_type_is_nobodys(self) -> None:
        assert self.sent("a=1", "application/x-www-form-urlencoded").status == 200
        assert self.sent("{", "application/json", "GET").status == 200
