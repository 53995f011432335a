"""Flat text into frozen types: query strings and the environment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import pytest
from msgspec import Meta

from chalicelib.entrypoints.academy.queries import CountryQuery, ListQuery, Slug
from chalicelib.kernel.documents import Frozen
from chalicelib.kernel.fields import UnreadableFields, read_fields


class Color(StrEnum):
    RED = "red"


class Asked(Frozen):
    name: Annotated[str, Meta(min_length=2)]
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    color: Color | None = None
    wanted: bool | None = None
    slug: Slug | None = None


def problems(kind: type[Frozen], **values: Any) -> dict[str, str]:
    with pytest.raises(UnreadableFields) as refused:
        read_fields(kind, values)
    return {problem.field: problem.message for problem in refused.value.problems}


class TestReadFields:
    def test_reads_numbers_and_booleans_out_of_text(self) -> None:
        read = read_fields(Asked, {"name": "null", "limit": "7", "color": "red", "wanted": "true", "slug": "a_B-1"})
        assert read == Asked(name="null", limit=7, color=Color.RED, wanted=True, slug="a_B-1")

    def test_takes_defaults_and_leaves_out_what_it_does_not_know(self) -> None:
        assert read_fields(Asked, {"name": "ada", "other": "x"}) == Asked(name="ada")

    def test_names_every_field_that_cannot_be_read(self) -> None:
        assert set(problems(Asked, limit="0", color="blue", wanted="perhaps")) == {"name", "limit", "color", "wanted"}

    @pytest.mark.parametrize("limit", ["", " 7", "7 ", "+7", "7e0x", "0", "101", "1_0", "\u0667", "9" * 400, "nan"])
    def test_refuses_what_is_no_number_in_its_bounds(self, limit: str) -> None:
        assert set(problems(Asked, name="ada", limit=limit)) == {"limit"}

    def test_repeats_nothing_of_what_was_sent(self) -> None:
        said = problems(Asked, name="§", limit="hunter2", color="hunter2", slug="hunter 2")
        assert len(said) == 4
        assert not any("hunter" in message or "§" in message for message in said.values())


class TestQueries:
    @pytest.mark.parametrize("code", ["", "M", "MEX", "M1", "ÑÑ", "MX\n", "null "])
    def test_refuse_what_is_no_country(self, code: str) -> None:
        assert set(problems(CountryQuery, country_code=code)) == {"country_code"}

    @pytest.mark.parametrize("slug", ["", "a b", "a\n", "a" * 61, "ñ"])
    def test_refuse_what_is_no_slug(self, slug: str) -> None:
        assert set(problems(Asked, name="ada", slug=slug)) == {"slug"}

    @pytest.mark.parametrize(("name", "value"), [("limit", "0"), ("offset", "-1"), ("cursor", "x" * 2001)])
    def test_refuse_a_page_out_of_bounds(self, name: str, value: str) -> None:
        assert set(problems(ListQuery, **{name: value})) == {name}
