"""Where it is measured: the real app over a table and queues (ministack) and Stripe's stand-in, each its own process.

The app is wired as in production: pynamodb and botocore over HTTP to the table and the queue, the stripe library over
HTTP to Stripe. What is missing is TLS, and the network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from chalicelib.books.identity import operations as identity
from chalicelib.books.identity.model import NewAcademy
from chalicelib.entrypoints import _observe, _wiring
from chalicelib.entrypoints._wiring import Runtime
from chalicelib.settings import from_environment
from local.catalog import load_catalog
from local.ministack import Ministack
from local.resources import make_resources, make_table

ROOT = Path(__file__).parents[1]
REGION = "us-east-1"
TABLE = "purser-bench"
STRIPE_KEY = "sk_test_bench_0123456789"
WEBHOOK_SECRET = "whsec_bench_0123456789"  # noqa: S105  # signs what this process sends to itself
MAIL_FROM = "billing@example.com"
STOP_SECONDS_MAX = 10
AWS = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""Any credentials sign as costly as real ones; none are looked for elsewhere."""


@dataclass(frozen=True, slots=True)
class Place:
    """`environment` is what a process needs to be the app at this place."""

    runtime: Runtime
    academy_id: int
    dynamodb_url: str
    stripe_url: str
    environment: Mapping[str, str]


@contextmanager
def a_place(*, dynamodb_url: str | None = None) -> Iterator[Place]:
    """Start everything, load the demonstration catalog, and install the runtime in this process.

    Inside, what the app logs (lines and metrics, on standard output) goes nowhere; so does what a script would print.
    With `dynamodb_url` the table is there, and only the queues are in ministack.
    """
    os.environ |= AWS
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        ministack = Ministack(log_file=Path(folder) / "ministack.log")
        ministack.start()
        try:
            with redirect_stdout(nowhere), _standin() as stripe_url:
                yield _place(ministack.url, dynamodb_url or ministack.url, stripe_url, nowhere)
        finally:
            _wiring.install(None)
            ministack.stop()


def _place(aws_url: str, dynamodb_url: str, stripe_url: str, nowhere: TextIO) -> Place:
    import app  # noqa: F401  # starts logging, which then goes nowhere

    _observe.start_logging(stream=nowhere)
    make_table(name=TABLE, region=REGION, endpoint_url=dynamodb_url)
    resources = make_resources(region=REGION, endpoint_url=aws_url, mail_from=MAIL_FROM)
    environment = {
        "PURSER_TABLE": TABLE,
        "PURSER_REGION": REGION,
        "PURSER_INBOX_QUEUE_URL": resources.inbox_queue_url,
        "PURSER_OUTBOX_QUEUE_URL": resources.outbox_queue_url,
        "PURSER_HOLDINGS_QUEUE_URL": resources.holdings_queue_url,
        "PURSER_FILES_BUCKET": resources.files_bucket,
        "PURSER_MAIL_FROM": MAIL_FROM,
        "PURSER_JWT_SECRET": "j" * 40,
        "PURSER_STRIPE_SECRET_KEY": STRIPE_KEY,
        "PURSER_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "PURSER_STRIPE_URL": stripe_url,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_url,
        "AWS_ENDPOINT_URL_SQS": aws_url,
        "AWS_ENDPOINT_URL_SES": aws_url,
        "AWS_ENDPOINT_URL_S3": aws_url,
    }
    runtime = Runtime(from_environment(lambda _prefix, _region: {}, environment))
    _wiring.install(runtime)
    now = datetime.now(UTC)
    academy = NewAcademy(name="4Geeks Academy", slug="4geeks", main_currency="USD")
    academy_id = identity.create_academy(runtime.table, academy, now=now).id
    load_catalog(runtime.context(now), academy_id=academy_id)
    return Place(runtime, academy_id, dynamodb_url, stripe_url, environment | AWS)


@contextmanager
def _standin() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.stripe_process", STRIPE_KEY],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("Stripe's stand-in did not come up.")
        yield url
    finally:
        process.communicate(timeout=STOP_SECONDS_MAX)
