"""The stripe library over urllib3, which is there through botocore: `requests` on top of it is half of a call's CPU.

What the library's own client does is kept: one kept connection for calls in a row, TLS checked against the library's
bundle of authorities, errors that say whether another try makes sense. The library itself tries again. Redirects are
not followed (Stripe has none: a key must not be sent elsewhere), and proxies of the environment are not used.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import stripe
import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, SSLError, TimeoutError  # noqa: A004

POOL_CONNECTIONS_MAX = 10
TRY_AGAIN = (TimeoutError, NewConnectionError, ProtocolError)


def connections() -> urllib3.PoolManager:
    """Connections that several clients may share. Whoever answers https must prove to be who was called."""
    return urllib3.PoolManager(
        maxsize=POOL_CONNECTIONS_MAX, ssl_context=ssl.create_default_context(cafile=stripe.ca_bundle_path)
    )


class Urllib3Client(stripe.HTTPClient):
    """Waits so many seconds for a connection, and as many for each part of the answer."""

    name = "urllib3"

    def __init__(self, pool: urllib3.PoolManager, *, timeout_seconds: float) -> None:
        super().__init__()
        self._pool = pool
        self._timeout = urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_ignored: Any
    ) -> tuple[Any, int, Mapping[str, str]]:
        """One try. Raises stripe.APIConnectionError where no answer came."""
        try:
            answer = self._pool.request(
                method.upper(),
                url,
                headers=dict(headers or {}),
                body=post_data,
                timeout=self._timeout,
                retries=False,
                redirect=False,
            )
        except (HTTPError, OSError, ValueError) as error:
            again = isinstance(error, TRY_AGAIN) and not isinstance(error, SSLError)
            text = f"Unexpected error communicating with Stripe: {type(error).__name__}"
            raise stripe.APIConnectionError(text, should_retry=again) from error  # type: ignore[no-untyped-call]
        return answer.data, answer.status, answer.headers

    def close(self) -> None:
        self._pool.clear()
