"""What a statement needs of the outside: somewhere to leave a large one, and a printer."""

from __future__ import annotations

from typing import Protocol

from chalicelib.kernel.papers import Paper


class Files(Protocol):
    def keep(self, name: str, body: bytes, *, media_type: str, link_seconds: int) -> str:
        """Keep a file, and answer a link by which whoever has it can fetch it for so long.

        A file of the same name is replaced. Raises TryLater.
        """


class Printer(Protocol):
    def pdf(self, paper: Paper) -> bytes:
        """The paper as a PDF, the same for the same paper."""
