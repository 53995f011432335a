"""JSON as it was sent, read within limits: one text has one meaning, whoever reads it."""

from __future__ import annotations

import json
import math
from typing import Any

from chalicelib.kernel.errors import DomainError

JSON_DEPTH_MAX = 16
INTEGER_DIGITS_MAX = 300


class MalformedJson(DomainError):
    slug = "malformed-json"
    detail = "The body is not JSON that can be read: {why}"


def read_json(raw_body: bytes) -> Any:
    """What the bytes say.

    Refused are duplicate names, NaN, deep nesting, and numbers beyond those of IEEE 754, which programs read in as many
    ways as there are (RFC 8259, section 6).
    Raises MalformedJson.
    """
    try:
        parsed = json.loads(
            raw_body.decode(),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except RecursionError as error:
        raise MalformedJson(why="it is nested too deeply") from error
    except ValueError as error:
        raise MalformedJson(why=str(error)[:200]) from error
    if _deeper_than(parsed, JSON_DEPTH_MAX):
        raise MalformedJson(why="it is nested too deeply")
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _integer(text: str) -> int:
    if len(text) > INTEGER_DIGITS_MAX:
        raise ValueError("a number is too large")
    return int(text)


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True
