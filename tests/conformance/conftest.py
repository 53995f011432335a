"""A table on every engine in turn: the simulation's own, moto, ministack, and AWS's own DynamoDB Local where Java and
Maven are there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from chalicelib.dynamo.rows import decode
from chalicelib.dynamo.table import Table
from infra.table import create_table
from tests.moto_table import moto_table
from tests.services import DYNAMODB_LOCAL, MINISTACK, REGION, Engine, dynamodb_client, engine_names
from tests.simulation import engine as simulation

MOTO = "moto"
BATCH_WRITES_MAX = 25  # DynamoDB's own limit
SIMULATION = "simulation"


@pytest.fixture(params=(SIMULATION, MOTO, *engine_names()))
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """An empty table as production declares it."""
    if request.param == SIMULATION:
        yield simulation.EngineTable(simulation.Engine())
        return
    if request.param == MOTO:
        with moto_table() as made:
            yield made
        return
    made = request.getfixturevalue(f"{request.param.replace('-', '_')}_table")
    yield made
    _empty(made)


@pytest.fixture(scope="session")
def ministack_table(request: pytest.FixtureRequest) -> Iterator[Table]:
    yield from _table(Engine(MINISTACK, request.getfixturevalue("ministack").url))


@pytest.fixture(scope="session")
def dynamodb_local_table(request: pytest.FixtureRequest) -> Iterator[Table]:
    engine: Engine = request.getfixturevalue(DYNAMODB_LOCAL.replace("-", "_"))
    yield from _table(engine)


def _table(engine: Engine) -> Iterator[Table]:
    """One table for the whole run: to make one takes DynamoDB Local longer than the tests that use it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ACCESS_KEY_ID", "tests")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        client = dynamodb_client(engine)
        name = f"purser-{uuid.uuid4().hex}"
        create_table(client, name)
        made = Table(name, region=REGION, endpoint_url=engine.url)
        made.query("WARM", limit=1)
        yield made
        client.delete_table(TableName=name)


def _empty(table: Table) -> None:
    """Many rows a call: what the tests leave is thousands."""
    while items := table.call("Scan", {"TableName": table.name, "ConsistentRead": True})["Items"]:
        deletes = [{"DeleteRequest": {"Key": decode(item).key.encoded()}} for item in items]
        for first in range(0, len(deletes), BATCH_WRITES_MAX):
            table.call("BatchWriteItem", {"RequestItems": {table.name: deletes[first : first + BATCH_WRITES_MAX]}})
