"""Files in a private bucket of S3, each fetched by a link that is signed for a while (SigV4 query, S3 API reference).

The bucket's own rule deletes them (infra/stack/files.yaml).
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.kernel.errors import TryLater
from chalicelib.settings import Settings

CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 8
ATTEMPTS_MAX = 2

_log = logging.getLogger(__name__)


class S3Files:
    """`flows.statement.ports.Files` on S3. `settings.s3_url` is None for AWS itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def keep(self, name: str, body: bytes, *, media_type: str, link_seconds: int) -> str:
        where = {"Bucket": self._settings.files_bucket, "Key": name}
        filename = name.rpartition("/")[2]
        try:
            self._client.put_object(
                **where, Body=body, ContentType=media_type, ContentDisposition=f'attachment; filename="{filename}"'
            )
        except (BotoCoreError, ClientError) as error:
            _log.warning("file not kept", extra={"fields": {"cause": _cause(error)}})
            raise TryLater from error
        return str(self._client.generate_presigned_url("get_object", Params=where, ExpiresIn=link_seconds))

    @cached_property
    def _client(self) -> Any:
        import botocore.session
        from botocore.config import Config

        config = Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
            # With the region in its name: a new bucket's global name is redirected, which breaks the signature.
            s3={"addressing_style": "virtual" if self._settings.s3_url is None else "path"},
        )
        return botocore.session.get_session().create_client(
            "s3", region_name=self._settings.region, endpoint_url=self._settings.s3_url, config=config
        )


def _cause(error: BotoCoreError | ClientError) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
