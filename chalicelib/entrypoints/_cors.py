"""Which pages of other origins may call from a browser (the Fetch standard's CORS protocol).

Credentials travel in headers and never in cookies, so no origin is ever allowed `credentials`. A refused origin gets no
allow header, which is all that a browser needs; the request itself is answered as any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from chalicelib.settings import Settings

MAX_AGE_SECONDS = 7200  # the longest that Chromium honors
REQUEST_HEADERS = (
    "Authorization",
    "X-Api-Key",
    "Content-Type",
    "Academy",
    "Idempotency-Key",
    "Accept-Language",
    "X-Request-Id",
)
EXPOSED_HEADERS = ("Idempotent-Replayed", "Link", "X-Total-Count", "Retry-After", "X-Request-Id", "Location")

_OWN_MACHINE = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d{1,5})?")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,255}")


def headers(origin: str | None, settings: Settings) -> dict[str, str]:
    """The headers for an answer to `origin`: `Vary` always, since the answer depends on it, the rest if allowed."""
    if origin is None or not allowed(origin, settings):
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
    }


def preflight_headers(origin: str | None, methods: Iterable[str], settings: Settings) -> dict[str, str]:
    """The headers for a browser that asks what it may send to a path with these methods."""
    found = headers(origin, settings)
    if "Access-Control-Allow-Origin" not in found:
        return found
    del found["Access-Control-Expose-Headers"]
    return found | {
        "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
        "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }


def allowed(origin: str, settings: Settings) -> bool:
    """True for the origins of the settings, for every one where they say `*`, and locally for one's own machine."""
    if not _ORIGIN.fullmatch(origin):
        return False
    if "*" in settings.allowed_origins or origin in settings.allowed_origins:
        return True
    return settings.stage == "local" and _OWN_MACHINE.fullmatch(origin) is not None
