"""What the OpenAPI document says of each operation: the only list of routes that these tests have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from chalicelib.entrypoints._openapi import document
from chalicelib.entrypoints._refusals import routes

METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    described: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_public(self) -> bool:
        """Nothing is asked of who calls. A missing `security` would mean that too, so it has to be said."""
        return list(self.described["security"]) == []

    @property
    def is_ever_done(self) -> bool:
        """Whether it answers anything but a refusal."""
        return any(status.startswith("2") for status in self.described["responses"])

    @property
    def is_for_operators(self) -> bool:
        return "For operators of this deployment." in str(self.described["description"])

    @property
    def is_for_staff(self) -> bool:
        """Acts for an academy, which a header names."""
        return "Academy" in self.parameters("header")

    @property
    def variables(self) -> tuple[str, ...]:
        return self.parameters("path")

    @property
    def body_schema(self) -> Mapping[str, Any] | None:
        """The schema of its JSON body, with what it refers to put in its place."""
        content = self.described.get("requestBody", {}).get("content", {})
        return _resolved(content["application/json"]["schema"]) if "application/json" in content else None

    def parameters(self, place: str, *, required_only: bool = False) -> tuple[str, ...]:
        return tuple(
            one["name"]
            for one in self.described.get("parameters", ())
            if one["in"] == place and (one["required"] or not required_only)
        )

    def slugs(self, status: int) -> set[str]:
        """The refusals that the document names under a status."""
        content = self.described["responses"].get(str(status), {}).get("content", {})
        examples = content.get("application/problem+json", {}).get("examples", {})
        return {_at(one["$ref"])["value"]["slug"] for one in examples.values()}

    def answers(self, status: int) -> bool:
        return str(status) in self.described["responses"]


@cache
def the_document() -> dict[str, Any]:
    return document(routes())


def operations() -> Iterator[Operation]:
    for path, methods in the_document()["paths"].items():
        for method in METHODS:
            if method in methods:
                yield Operation(method.upper(), path, methods[method])


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a body that may be one thing or a list of it, the one thing."""
    schema = schema["anyOf"][0] if "anyOf" in schema else schema
    return _at(schema["$ref"]) if "$ref" in schema else schema


def _at(reference: str) -> Mapping[str, Any]:
    found: Any = the_document()
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found  # type: ignore[no-any-return]
