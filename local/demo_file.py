"""The file that a running server leaves for whoever wants to find it: addresses and ready-made credentials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from local.files import write_json
from local.people import People


class DemoFile:
    """There from the moment that everything is up until the server stops."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content: dict[str, Any] = {}

    def write(self, *, api_url: str, people: People, stripe: dict[str, str]) -> None:
        """`stripe` has `stripe_api_url`, `stripe_secret_key` and `stripe_webhook_secret` of the stand-in.

        It is empty where Stripe itself is used: an account's keys are not copied into a file.
        """
        first, other = ({"id": academy.id, "name": academy.name, "slug": academy.slug} for academy in people.academies)
        self._content = {
            "api_url": api_url,
            **stripe,
            "tokens": people.tokens,
            "academy": first,
            "other_academy": other,
        }
        write_json(self._path, self._content)

    def remove(self) -> None:
        """Unless another server has put its own there meanwhile."""
        if self._content and self._path.exists() and json.loads(self._path.read_text()) == self._content:
            self._path.unlink()
