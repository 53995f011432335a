"""Idempotency keys: the first answer is kept for 24 hours and given again.

Source: https://docs.stripe.com/api/idempotent_requests
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from local.stripe_standin.errors import Refusal, key_in_use, key_reused

Json = dict[str, Any]

KEPT_SECONDS = 86_400
KEY_CHARS_MAX = 255


@dataclass(frozen=True)
class Kept:
    """The first answer under a key, and what was asked."""

    path: str
    fingerprint: str
    at: int
    request_id: str
    status: int
    text: str


class Keys:
    """The answers by key, oldest first, and the keys whose first call is still executing."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._executing: set[str] = set()
        self._guard = threading.Lock()

    @contextmanager
    def executing(self, key: str | None) -> Iterator[None]:
        """Hold `key` for the time of a call; a second call meanwhile is refused with 409."""
        if key is None:
            yield
            return
        if len(key) > KEY_CHARS_MAX:
            raise Refusal(400, f"Idempotency-Key can be up to {KEY_CHARS_MAX} characters long.")
        with self._guard:
            if key in self._executing:
                raise key_in_use(key)
            self._executing.add(key)
        try:
            yield
        finally:
            with self._guard:
                self._executing.discard(key)

    def find(self, key: str, *, path: str, form: str, now: int) -> Kept | None:
        """The first answer under `key`, if it is not older than 24 hours and asked for the same."""
        kept = self._kept.get(key)
        if kept is None or now - kept.at >= KEPT_SECONDS:
            return None
        if kept.path != path:
            raise key_reused(key, first_path=kept.path)
        if kept.fingerprint != fingerprint(form):
            raise key_reused(key)
        return kept

    def keep(self, key: str, kept: Kept) -> None:
        self._kept.pop(key, None)
        self._kept[key] = kept
        while True:
            oldest, first = next(iter(self._kept.items()))
            if kept.at - first.at < KEPT_SECONDS:
                return
            del self._kept[oldest]

    def dump(self) -> dict[str, Json]:
        return {key: asdict(kept) for key, kept in self._kept.items()}

    def load(self, dumped: dict[str, Json]) -> None:
        self._kept = {key: Kept(**kept) for key, kept in dumped.items()}


def fingerprint(form: str) -> str:
    """The same for the same parameters in any order."""
    return hashlib.sha256("&".join(sorted(form.split("&"))).encode()).hexdigest()
