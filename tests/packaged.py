"""The real application, packaged once for all tests that look at it or deploy it."""

from __future__ import annotations

import fcntl
from typing import Any

from infra.package import PROJECT, package

STAGE = "test"
OUT = PROJECT / "build" / "package" / STAGE


def packaged() -> dict[str, Any]:
    """Its summary. Whichever process asks first makes it; another waits, and then finds it made."""
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with (OUT.parent / f"{STAGE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return package(PROJECT, OUT, stage=STAGE)
