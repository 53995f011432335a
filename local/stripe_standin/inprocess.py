"""The stand-in as an HTTP client of the real stripe library: the same wire format, and no socket."""

from collections.abc import Callable, Mapping
from typing import Any

import stripe

from local.stripe_standin.machine import Standin

LOST_MESSAGE = (
    "Unexpected error communicating with Stripe.  If this problem persists, let us know at support@stripe.com."
)


class InProcessClient(stripe.HTTPClient):
    """Give it to `stripe.StripeClient(key, http_client=...)`.

    The library's retries work as over a socket, except that they do not sleep (`retry_sleep_seconds`).
    """

    name = "standin"

    def __init__(self, standin: Standin, clock: Callable[[], int], *, retry_sleep_seconds: float = 0.0) -> None:
        super().__init__()
        self.standin = standin
        self.clock = clock
        self._retry_sleep_seconds = retry_sleep_seconds

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_ignored: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """Raises stripe.APIConnectionError where the answer is lost, as the real client does."""
        path = "/" + url.split("://", 1)[-1].partition("/")[2]
        form = post_data.decode() if isinstance(post_data, bytes) else post_data or ""
        answer = self.standin.exchange(method.upper(), path, form, headers or {}, self.clock())
        if answer.dropped:
            raise stripe.APIConnectionError(LOST_MESSAGE, should_retry=True)  # type: ignore[no-untyped-call]
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return answer.text, answer.status, lowered | answer.headers

    def close(self) -> None:
        """Nothing is open."""

    def _sleep_time_seconds(self, num_retries: int) -> float:
        return self._retry_sleep_seconds
