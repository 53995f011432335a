"""What a stage's template declares: the table, the queues with their dead-letter queues, the sender's address, the
bucket of files.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session

from infra.table import create_table

INBOX_QUEUE = "purser-inbox"
OUTBOX_QUEUE = "purser-outbox"
HOLDINGS_QUEUE = "purser-holdings"
FILES_BUCKET = "purser-files"
MAX_RECEIVES = 5
VISIBILITY_SECONDS = 60
"""How long a message whose handling failed stays away. Shorter than deployed, where a person need not wait for it."""


@dataclass(frozen=True, slots=True)
class Resources:
    inbox_queue_url: str
    outbox_queue_url: str
    holdings_queue_url: str
    files_bucket: str


def make_table(*, name: str, region: str, endpoint_url: str) -> None:
    """Create the declared table where it is not there yet."""
    create_table(client("dynamodb", region=region, endpoint_url=endpoint_url), name)


def make_resources(*, region: str, endpoint_url: str, mail_from: str) -> Resources:
    """Create what is not there yet, queues, sender and bucket."""
    sqs = client("sqs", region=region, endpoint_url=endpoint_url)
    ses = client("sesv2", region=region, endpoint_url=endpoint_url)
    ses.create_email_identity(EmailIdentity=mail_from)
    _bucket(client("s3", region=region, endpoint_url=endpoint_url), region)
    inbox, outbox, holdings = (_queue(sqs, name) for name in (INBOX_QUEUE, OUTBOX_QUEUE, HOLDINGS_QUEUE))
    return Resources(inbox, outbox, holdings, FILES_BUCKET)


def client(service: str, *, region: str, endpoint_url: str) -> Any:
    return _session().create_client(service, region_name=region, endpoint_url=endpoint_url)


@cache
def _session() -> botocore.session.Session:
    """One for all clients: each session reads the descriptions of AWS anew, a tenth of a second."""
    return botocore.session.get_session()


def _queue(sqs: Any, name: str) -> str:
    dead_letters = sqs.create_queue(QueueName=f"{name}-dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = {"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES}
    wanted = {"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": json.dumps(redrive)}
    return str(sqs.create_queue(QueueName=name, Attributes=wanted)["QueueUrl"])


def _bucket(s3: Any, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=FILES_BUCKET, **where)
