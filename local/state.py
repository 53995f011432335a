"""What outlives a restart with `DATA=dir`: clock, secrets, stand-in and mails, beside what ministack keeps itself."""

from __future__ import annotations

import fcntl
import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local.files import write_json

VERSION = 1


class StateInUse(RuntimeError):
    """Another runner works with this directory."""


class StateUnreadable(RuntimeError):
    """The directory was written by another release."""


@dataclass
class Kept:
    """One runner's memory. New secrets are made where none were kept."""

    offset_seconds: float = 0
    jwt_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    webhook_secret: str = field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}", repr=False)
    stripe_key: str = field(default_factory=lambda: f"sk_test_standin{secrets.token_hex(12)}", repr=False)
    standin: dict[str, Any] | None = field(default=None, repr=False)
    mails: list[dict[str, str]] = field(default_factory=list, repr=False)


class State:
    """A directory, or None: then nothing is read and nothing written."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._lock_file: Any = None

    @property
    def ministack_dir(self) -> Path | None:
        return None if self._directory is None else self._directory / "ministack"

    def open(self) -> Kept:
        """What was kept, or the beginning. Raises StateInUse, StateUnreadable."""
        if self._directory is None:
            return Kept()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_file = (self._directory / "lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateInUse(f"another server works with {self._directory}") from error
        if not self._file.exists():
            return Kept()
        found = json.loads(self._file.read_text())
        if found.pop("version", None) != VERSION:
            raise StateUnreadable(f"{self._file} was written by another release")
        return Kept(**found)

    def save(self, kept: Kept) -> None:
        if self._directory is not None:
            write_json(self._file, {"version": VERSION, **asdict(kept)})

    def close(self) -> None:
        if self._lock_file is not None:
            self._lock_file.close()

    @property
    def _file(self) -> Path:
        assert self._directory is not None
        return self._directory / "local.json"
