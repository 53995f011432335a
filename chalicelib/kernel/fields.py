"""Reading flat text, a query string or the environment, into a frozen type: every field that cannot be read is named.

Bounds stand on the type (`Annotated[int, msgspec.Meta(ge=1)]`); numbers and booleans are read out of text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from chalicelib.kernel.documents import Frozen
from chalicelib.kernel.errors import FieldProblem

F = TypeVar("F", bound=Frozen)

MISSING = "Field required"
NO_MEMBER = "Not one of its values"

Convert = Callable[[type, Any], Any]
"""From a type that msgspec does not know and a value to one of the type."""


class UnreadableFields(ValueError):
    """Some fields are missing or cannot be read. Says which and what was expected, and nothing of what was sent."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))


def read_fields(kind: type[F], values: Mapping[str, Any], convert: Convert | None = None) -> F:
    """One of the kind. Names that are none of its fields are left out. Raises UnreadableFields."""
    read: dict[str, Any] = {}
    problems = []
    for field in _fields(kind):
        if field.name in values:
            try:
                read[field.name] = msgspec.convert(values[field.name], field.type, strict=False, dec_hook=convert)
            except msgspec.ValidationError as error:
                problems.append(FieldProblem(field.name, _said(error)))
        elif field.required:
            problems.append(FieldProblem(field.name, MISSING))
    if problems:
        raise UnreadableFields(problems)
    return kind(**read)


def _said(error: msgspec.ValidationError) -> str:
    """msgspec says what it expected; of an enumeration it repeats what was sent instead."""
    text = str(error)
    return NO_MEMBER if text.startswith("Invalid enum value") else text


@cache
def _fields(kind: type[Frozen]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)
