"""Idempotency-Key over HTTP: the request as a keyed one, and its kept answer played back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chalicelib.books.idempotency.model import Keyed, StoredAnswer, input_hash
from chalicelib.entrypoints._http import Answer, Call, json_text, parse_json, problem
from chalicelib.kernel.errors import DomainError

REPLAYED = {"Idempotent-Replayed": "true"}


def keyed(call: Call, route: str, render: Callable[[Any], Answer]) -> Keyed | None:
    """The request under its key, or None without one. `render` turns a result of the journey into the answer."""
    key = call.headers.get("idempotency-key")
    if key is None:
        return None

    def stored(result: Any) -> StoredAnswer:
        answer = problem(result) if isinstance(result, DomainError) else render(result)
        return StoredAnswer(status=answer.status, body=json_text(answer.body))

    hashed = input_hash({"body": parse_json(call), "query": dict(call.raw_query)})
    return Keyed(caller=call.person.caller_key, route=route, key=key, input_hash=hashed, render=stored)


def keyed_late(call: Call, route: str) -> Keyed | None:
    """The same for an answer that is kept as it is given, when all is done (`flows.recurring.once`)."""
    key = keyed(call, route, lambda answer: answer)
    return None if key is None else replace(key, late=True)


def played_back(stored: StoredAnswer) -> Answer:
    """The answer as it was given."""
    media = "application/problem+json" if stored.status >= 400 else "application/json"
    return Answer(stored.status, stored.body.encode(), {**REPLAYED, "Content-Type": media})
