"""The least that a call can cost: requests over http.client, signed by hand. For comparison only; nothing ships it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from bench.place import AWS, REGION

SIGNED_HEADERS = "content-type;host;x-amz-date;x-amz-target"


class Signed:
    """One connection to one service of AWS that speaks JSON (`prefix` is DynamoDB_20120810, for instance).

    Signature version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
    """

    def __init__(self, url: str, *, service: str, prefix: str, media: str) -> None:
        self._host = urlsplit(url).netloc
        self._service = service
        self._prefix = prefix
        self._media = media
        self._connection = http.client.HTTPConnection(self._host)

    def call(self, operation: str, request: Any) -> Any:
        """Raises OSError where the service refuses."""
        payload = json.dumps(request).encode()
        self._connection.request("POST", "/", payload, self._headers(f"{self._prefix}.{operation}", payload))
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise OSError(f"{operation}: {answer.status} {text[:200]!r}")
        return json.loads(text)

    def _headers(self, target: str, payload: bytes) -> dict[str, str]:
        at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        values = f"content-type:{self._media}\nhost:{self._host}\nx-amz-date:{at}\nx-amz-target:{target}\n"
        canonical = f"POST\n/\n\n{values}\n{SIGNED_HEADERS}\n{hashlib.sha256(payload).hexdigest()}"
        scope = f"{at[:8]}/{REGION}/{self._service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{AWS['AWS_SECRET_ACCESS_KEY']}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        credential = f"{AWS['AWS_ACCESS_KEY_ID']}/{scope}"
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        return {
            "Content-Type": self._media,
            "X-Amz-Date": at,
            "X-Amz-Target": target,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}"
            ),
        }
