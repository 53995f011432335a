"""Every refusal a caller can meet: slug, status, sentence, and the routes that name it. Generated, never kept by hand.

The table at /docs/errors, docs/errors.md and the examples of the OpenAPI document come from here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import chalicelib
from chalicelib.entrypoints import _dispatch
from chalicelib.entrypoints._http import STATUS, Route
from chalicelib.kernel.errors import DomainError

OF_THE_EDGE = {
    ("too-many-requests", 429): "Too many requests at once. Try again in a moment.",
    ("internal-error", 500): "Something went wrong on our side; request {request_id}.",
    ("no-answer-in-time", 504): (
        "The answer took too long. The request may have been served; ask before you repeat it."
    ),
}
"""What API Gateway answers itself (infra/edge.yaml) and what has no class of its own."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`sentence` is a template over the ids that the refusal is about; `routes` are `METHOD /path`."""

    slug: str
    status: int
    sentence: str
    routes: tuple[str, ...]


@cache
def refusals() -> tuple[Refusal, ...]:
    """All of them by slug. Imports the whole package: only who asks for the table pays for that."""
    for module in pkgutil.walk_packages(chalicelib.__path__, "chalicelib."):
        importlib.import_module(module.name)
    sentences: dict[tuple[str, int], str] = dict(OF_THE_EDGE)
    named: dict[tuple[str, int], set[str]] = {}
    for error in sorted(_subclasses(DomainError), key=lambda kind: (kind.__module__, kind.__qualname__)):
        if "slug" in vars(error) and error.__module__.startswith("chalicelib."):
            sentences.setdefault(_key(error), error.detail)
    for route in routes():
        for slug, field in field_slugs(route).items():
            sentences.setdefault((slug, 400), f"{field} is missing or cannot be read.")
            named.setdefault((slug, 400), set()).add(f"{route.method} {route.path}")
        for error in route.errors:
            named.setdefault(_key(error), set()).add(f"{route.method} {route.path}")
    return tuple(
        Refusal(slug, status, sentence, tuple(sorted(named.get((slug, status), ()))))
        for (slug, status), sentence in sorted(sentences.items())
    )


def routes() -> Iterator[Route]:
    """Every route of the application, by path and method."""
    for path in sorted(_dispatch.paths()):
        methods: Mapping[str, Route] = _dispatch.paths()[path]
        for method in sorted(methods):
            yield methods[method]


def field_slugs(route: Route) -> dict[str, str]:
    """The documented slugs of single fields of a route's body: slug to field."""
    found: dict[str, str] = {}
    if route.body is not None:
        for field, slug in (*route.body.slugs.items(), *route.body.missing_slugs.items()):
            found.setdefault(slug, field)
    return found


def _key(error: type[DomainError]) -> tuple[str, int]:
    return error.slug, STATUS[error.kind]


def _subclasses(kind: type[DomainError]) -> Iterable[type[DomainError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _subclasses(inner)
