"""Puts things that there are in the place of half of the made-up ones, so that requests reach what is behind a 404."""

from __future__ import annotations

import json
import os
from typing import Any
from zlib import crc32

import schemathesis

TEXT_MAX = 60
INTEGER_MAX = 2**31
UNKNOWN_HEADER = "x-schemathesis-unknown-property"
"""Within what every schema of such a name allows."""
THINGS: dict[str, list[Any]] = json.loads(os.environ["FUZZ_THINGS"])


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    return _mapped(path_parameters)


@schemathesis.hook
def map_query(_context: Any, query: dict[str, Any] | None) -> dict[str, Any] | None:
    return _mapped(query)


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    return _mapped(body) if isinstance(body, dict) else body


@schemathesis.hook
def filter_headers(_context: Any, headers: dict[str, Any] | None) -> bool:
    """Not those with a header more than is documented: HTTP lets everybody send headers that nobody reads."""
    return UNKNOWN_HEADER not in (headers or {})


def _mapped(given: dict[str, Any] | None) -> dict[str, Any] | None:
    if not given:
        return given
    return {name: _existing(name, value) for name, value in given.items()}


def _existing(name: str, value: Any) -> Any:
    """The value, or by its own checksum one that there is: the same for the same value, so that a seed repeats.

    A value that the schema may forbid stays, or a request that is wrong by intent would be sent without its fault.
    """
    known = THINGS.get(name)
    drawn = crc32(repr(value).encode(errors="surrogatepass"))
    if not known or not drawn % 2:
        return value
    found = known[drawn // 2 % len(known)]
    return found if type(value) is type(found) and _is_modest(value) else value


def _is_modest(value: int | str) -> bool:
    return 0 < len(value) <= TEXT_MAX if isinstance(value, str) else 0 <= value <= INTEGER_MAX
