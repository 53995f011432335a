"""What Lambda's event source mapping does: take messages from a queue, call the worker, delete what succeeded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.resources import client

BATCH_MESSAGES_MAX = 10
IDLE_SECONDS = 1.0
"""How long an idle pump waits before it looks again, unless `wake` says that there is something."""

Worker = Callable[[dict[str, Any], Any], Any]

_log = logging.getLogger("local.pump")


class Pump:
    """One queue and its worker. A failed message comes again after the queue's visibility timeout, as in SQS."""

    def __init__(self, *, name: str, queue_url: str, region: str, endpoint_url: str, worker: Worker) -> None:
        self._name = name
        self._queue_url = queue_url
        self._region = region
        self._client = client("sqs", region=region, endpoint_url=endpoint_url)
        self._worker = worker
        self._one_at_a_time = threading.Lock()
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"pump-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """A message was sent."""
        self._awake.set()

    def drain(self) -> int:
        """Handle what waits until nothing does, and what is being handled. Answers how many messages there were."""
        handled = 0
        while batch := self._handle_batch():
            handled += batch
        return handled

    def stop(self) -> None:
        """End after the batch at hand; what waits stays in the queue."""
        self._stopping.set()
        self._awake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                handled = self._handle_batch()
            except (BotoCoreError, ClientError):
                _log.exception("the queue %s cannot be read", self._name)
                handled = 0
            if not handled:
                self._awake.wait(IDLE_SECONDS)
                self._awake.clear()

    def _handle_batch(self) -> int:
        # The lock spans receiving and deleting, so that a drain that found nothing knows that nothing is on its way.
        with self._one_at_a_time:
            if self._stopping.is_set():
                return 0
            answer = self._client.receive_message(
                QueueUrl=self._queue_url, MaxNumberOfMessages=BATCH_MESSAGES_MAX, AttributeNames=["All"]
            )
            messages = answer.get("Messages", [])
            if messages:
                self._handle(messages)
            return len(messages)

    def _handle(self, messages: list[Mapping[str, Any]]) -> None:
        records = [_record(message, self._name, self._region) for message in messages]
        try:
            failed = _failures(self._worker({"Records": records}, None))
        except Exception:  # noqa: BLE001  # the edge: Lambda would log it and give the batch back too
            _log.exception("the worker of %s failed", self._name)
            return
        for message in messages:
            if message["MessageId"] not in failed:
                self._client.delete_message(QueueUrl=self._queue_url, ReceiptHandle=message["ReceiptHandle"])


def _record(message: Mapping[str, Any], queue: str, region: str) -> dict[str, Any]:
    """A message as Lambda hands it over. Source: "Using Lambda with Amazon SQS", AWS Lambda developer guide."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{region}:000000000000:{queue}",
        "awsRegion": region,
    }


def _failures(answer: Any) -> set[str]:
    """The messages of the batch that must come again."""
    failures = answer.get("batchItemFailures", []) if isinstance(answer, dict) else []
    return {str(failure["itemIdentifier"]) for failure in failures}
