"""Real tables for tests that moto cannot be trusted with: concurrency, transactions, what DynamoDB refuses.

ministack, and AWS's own DynamoDB Local where Java and Maven are there, each started once for a run on a free port.
"""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.dynamo.table import Table
from infra.table import create_table
from local.ministack import Ministack
from local.ports import HOST, free_port
from tests import jars

REGION = "us-east-1"
LITTLE_COMPILED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""For a server that lives for a minute, compiling well takes longer than running slowly."""
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10

MINISTACK, DYNAMODB_LOCAL = "ministack", "dynamodb-local"


@dataclass(frozen=True, slots=True)
class Engine:
    """Something that speaks DynamoDB's protocol."""

    name: str
    url: str


def engine_names() -> tuple[str, ...]:
    """The engines that this machine can run."""
    return (MINISTACK, DYNAMODB_LOCAL) if jars.wanted() else (MINISTACK,)


def missing_engines() -> str | None:
    """One line for the end of the run, where not every engine was tried."""
    if DYNAMODB_LOCAL in engine_names():
        return None
    return "DynamoDB Local was not tried: it needs java and mvn (apt-get install maven openjdk-17-jre-headless)."


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """DynamoDB, SQS and SES in one process."""
    running = Ministack(log_file=tmp_path_factory.mktemp("ministack") / "ministack.log")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def dynamodb_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """AWS's own engine. Only for tests that `engine_names` lets ask for it."""
    port = free_port()
    log_file = tmp_path_factory.mktemp("dynamodb-local") / "output.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            _java_command(jars.libraries(), port),
            cwd=log_file.parent,  # it leaves a file where it was started
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    engine = Engine(DYNAMODB_LOCAL, f"http://{HOST}:{port}")
    try:
        _wait_until_it_answers(engine, process, log_file)
        yield engine
    finally:
        process.terminate()
        process.wait(STOP_SECONDS_MAX)


@pytest.fixture(params=engine_names())
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Each engine in turn."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    if request.param == DYNAMODB_LOCAL:
        found: Engine = request.getfixturevalue("dynamodb_local")
        return found
    return Engine(MINISTACK, request.getfixturevalue("ministack").url)


@pytest.fixture
def real_table(engine: Engine) -> Iterator[Table]:
    """An empty table as production declares it, on each engine in turn; many threads may use it."""
    name = f"purser-{uuid.uuid4().hex}"
    client = dynamodb_client(engine)
    create_table(client, name)
    yield Table(name, region=REGION, endpoint_url=engine.url)
    client.delete_table(TableName=name)


def dynamodb_client(engine: Engine) -> Any:
    return _session().create_client("dynamodb", region_name=REGION, endpoint_url=engine.url)


@cache
def _session() -> botocore.session.Session:
    """One for all clients: each session reads the descriptions of AWS anew."""
    return botocore.session.get_session()


def _java_command(libraries: Path, port: int) -> list[str]:
    java = str(shutil.which("java"))
    options = [*LITTLE_COMPILED, f"-Djava.library.path={libraries}", f"-Dsqlite4java.library.path={libraries}"]
    server = ["com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-sharedDb", "-port", str(port)]
    server.append("-disableTelemetry")
    return [java, "-cp", f"{libraries}/*", *options, *server]


def _wait_until_it_answers(engine: Engine, process: subprocess.Popen[bytes], log_file: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ACCESS_KEY_ID", "tests")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        client = dynamodb_client(engine)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                client.list_tables()
            except (BotoCoreError, ClientError):
                ended = process.poll() is not None
                assert not ended and time.monotonic() < deadline, f"DynamoDB Local is not up:\n{log_file.read_text()}"
                time.sleep(0.2)
            else:
                return
