"""The types of a keyed request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError, Kind

KEPT_FOR = timedelta(days=40)


class KeyReused(DomainError):
    kind = Kind.MISMATCH
    slug = "idempotency-key-reused"
    detail = "This Idempotency-Key was used with other input."


class RequestInFlight(DomainError):
    kind = Kind.CONFLICT
    slug = "request-in-flight"
    detail = "A request with this Idempotency-Key, or for this purchase, is being worked on. Ask again in a moment."
    retry_after_seconds = 2


class StoredAnswer(Document):
    """An answer as it was given: status, and the body as JSON text."""

    status: int
    body: str


class Record(Document):
    """What a key stands for. `subject` is the invoice that the request made; `answer` is None while it is open."""

    input_hash: str
    subject: int | None = None
    answer: StoredAnswer | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Keyed:
    """A request under a key. `render` turns the result, or the refusal, into the answer that is kept.

    `late`: its answer says more than that its payment succeeded, so that whoever asked keeps it when all is done.
    """

    caller: str
    route: str
    key: str
    input_hash: str
    render: Callable[[Any], StoredAnswer]
    late: bool = False


def input_hash(body: Any) -> str:
    """The same for the same JSON, however it was written."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
