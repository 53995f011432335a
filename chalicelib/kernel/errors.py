"""Expected refusals, by kind. A subclass lives beside the function that raises it.

A kind says what sort of refusal it is; only `entrypoints/_http.py` knows which status number that is. The table of
slugs in the documentation is generated from these classes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    PAYMENT_REQUIRED = "payment_required"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    GONE = "gone"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA = "unsupported_media"
    MISMATCH = "mismatch"
    TOO_MANY = "too_many"
    LATER = "later"


class DomainError(Exception):
    """A refusal that a caller can understand: a stable slug, one sentence, and the ids it is about.

    `detail` is a format string over the keyword arguments, which are kept in `ids`.
    """

    kind: ClassVar[Kind] = Kind.INVALID
    slug: ClassVar[str] = "invalid"
    detail: ClassVar[str] = "The request cannot be served."
    silent_code: str | None = None
    retry_after_seconds: int | None = None

    def __init__(self, **ids: object) -> None:
        self.ids = ids
        super().__init__(self.detail.format(**ids))

    @property
    def sentence(self) -> str:
        return str(self)


class FieldProblem:
    """One field of a request that cannot be read: where it is and what is wrong with it."""

    __slots__ = ("field", "message")

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message


class InvalidRequest(DomainError):
    """Some fields of the request cannot be read."""

    slug = "invalid-request"
    detail = "The request is malformed: {summary}"

    def __init__(self, problems: list[FieldProblem]) -> None:
        self.problems = problems
        summary = "; ".join(f"{p.field}: {p.message}" for p in problems[:3])
        super().__init__(summary=summary)


class TryLater(DomainError):
    """Something that we depend on did not answer; nothing was done that the caller must undo."""

    kind = Kind.LATER
    slug = "try-again-later"
    detail = "A service that this needs is busy or away. Try again in a moment."
    retry_after_seconds = 2


class Defect(RuntimeError):
    """A state that our own rules exclude. Never a caller's fault; it is logged, counted and paged."""
