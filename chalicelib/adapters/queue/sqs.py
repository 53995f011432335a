"""Nudges by SQS. Lean: the client checks no parameters of ours, waits briefly, and is built at the first nudge."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.settings import USER_AGENT, Settings

CONNECT_TIMEOUT_SECONDS = 0.5
READ_TIMEOUT_SECONDS = 1.5
ATTEMPTS_MAX = 2
BATCH_MESSAGES_MAX = 10

_log = logging.getLogger(__name__)


class Key(Protocol):
    """What names a row of the table, which this knows no more of."""

    @property
    def pk(self) -> str: ...

    @property
    def sk(self) -> str: ...


class SqsQueue:
    """Sends `{"event_id": ...}` to the inbox's queue, `{"message_id": ...}` to the outbox's, and the key of a row,
    `{"pk": ..., "sk": ...}`, to the holdings'.

    `lost` counts the nudges that could not be sent: their work waits for the sweep.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.lost = 0

    def nudge_inbox(self, event_id: str) -> None:
        self._send(self._settings.inbox_queue_url, {"event_id": event_id})

    def nudge_outbox(self, message_id: str) -> None:
        self._send(self._settings.outbox_queue_url, {"message_id": message_id})

    def nudge_holdings(self, keys: Sequence[Key]) -> None:
        bodies = [{"pk": key.pk, "sk": key.sk} for key in keys]
        for start in range(0, len(bodies), BATCH_MESSAGES_MAX):
            self._send_all(self._settings.holdings_queue_url, bodies[start : start + BATCH_MESSAGES_MAX])

    def _send(self, queue_url: str, body: dict[str, str]) -> None:
        try:
            self._client.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))
        except (BotoCoreError, ClientError) as error:
            self._log_lost(body, _cause(error))

    def _send_all(self, queue_url: str, bodies: Sequence[dict[str, str]]) -> None:
        """Ten at most in one call, of which SQS may take some and not others."""
        entries = [{"Id": str(number), "MessageBody": json.dumps(body)} for number, body in enumerate(bodies)]
        try:
            answer = self._client.send_message_batch(QueueUrl=queue_url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            for body in bodies:
                self._log_lost(body, _cause(error))
            return
        for failed in answer.get("Failed", ()):
            self._log_lost(bodies[int(failed["Id"])], str(failed["Code"]))

    def _log_lost(self, body: dict[str, str], cause: str) -> None:
        self.lost += 1
        # Ids are ours and tell nothing about a person; the error's text may hold what was sent, its type does not.
        _log.warning("nudge lost", extra={"fields": {"nudge": body, "cause": cause, "lost": self.lost}})

    @cached_property
    def _client(self) -> Any:
        import botocore.session
        from botocore.config import Config

        config = Config(
            parameter_validation=False,
            user_agent=USER_AGENT,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
        )
        return botocore.session.get_session().create_client(
            "sqs", region_name=self._settings.region, endpoint_url=self._settings.sqs_url, config=config
        )


def _cause(error: BotoCoreError | ClientError) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
