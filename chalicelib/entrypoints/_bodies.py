"""Bodies of requests: pydantic's models, since they are nested and every problem in them is named at once.

The only user of pydantic with the modules that have bodies: a route without one is served without importing it
(docs/decisions/0006).
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from chalicelib.entrypoints._http import refusal_of
from chalicelib.kernel.errors import FieldProblem


class Input(BaseModel):
    """A request's body, of any audience: bounded fields, no coercion between types; unknown fields are ignored.

    `slugs` names the documented slug of a field that is missing or cannot be read.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, defer_build=True, allow_inf_nan=False)

    slugs: typing.ClassVar[Mapping[str, str]] = {}
    missing_slugs: typing.ClassVar[Mapping[str, str]] = {}


def validated_list(model: type[Input], values: list[Any], most: int) -> list[Any]:
    """An instance of the model for each value. InvalidRequest names a field with its place in the list: `3.email`."""
    if not 1 <= len(values) <= most:
        raise refusal_of([FieldProblem("body", f"a list has 1 to {most} of them")])
    return [validated(model, value, place=f"{number}.") for number, value in enumerate(values)]


def validated(model: type[Input], value: Any, *, place: str = "") -> Any:
    """An instance of the model, or InvalidRequest with one problem for each field that cannot be read."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = []
        slug = None
        for found in error.errors(include_url=False, include_context=False, include_input=False):
            name = place + (".".join(str(part) for part in found["loc"]) or "body")
            first = str(found["loc"][0]) if found["loc"] else "body"
            named = model.slugs.get(first)
            if found["type"] == "missing" or _sent_null(value, first):
                named = model.missing_slugs.get(first, named)
            slug = slug or named
            problems.append(FieldProblem(name, found["msg"]))
        raise refusal_of(problems, slug) from None


def _sent_null(value: Any, name: str) -> bool:
    return isinstance(value, dict) and name in value and value[name] is None
