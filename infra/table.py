"""The one table, read from its CloudFormation declaration (`table.json`), for where no CloudFormation runs.

The local run and the tests create their table from the same declaration that production deploys, so a key or
an index cannot differ between them. Standard library only: whoever needs a table needs no packaging tools.
"""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

TABLE_FILE = Path(__file__).with_name("table.json")
ACTIVE_WAIT_SECONDS_MAX = 30
ACTIVE_POLL_SECONDS = 0.05

_AS_IN_THE_API = (
    "BillingMode",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "DeletionProtectionEnabled",
)


def create_table(client: Any, name: str) -> None:
    """Create the declared table as `name`, wait until it is active and switch its TTL on.

    `client` is a DynamoDB client of botocore or boto3. A table that exists already is fine, also one that
    another process is creating right now. For tests and the local run: deletion protection and encryption are
    left out, since such a table is made to be thrown away and not every emulator knows them. Raises
    `TimeoutError` if the table is not active within 30 seconds; the client's own errors pass through.
    """
    declaration = table_declaration()
    guards = ("DeletionProtectionEnabled", "SSESpecification")
    arguments = {key: value for key, value in declaration["create"].items() if key not in guards}
    # In use means that it is there, or on its way: what was asked for.
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        client.create_table(TableName=name, **arguments)
    _wait_until_active(client, name)
    _ensure_ttl(client, name, declaration["ttl"])


def table_declaration(path: Path = TABLE_FILE) -> dict[str, Any]:
    """Turn the table's CloudFormation properties into what DynamoDB's API takes.

    Answers `{"create": {...}, "ttl": {...}}`: the arguments of `CreateTable` without `TableName`, and the
    `TimeToLiveSpecification` of `UpdateTimeToLive`. Point-in-time recovery has its own call at AWS and no
    meaning for a table of a test, so it is in neither. Raises `ValueError` on a property that this does not
    know, so that a change of the declaration is never dropped in silence.

    Source: AWS::DynamoDB::Table in the CloudFormation reference, CreateTable in the DynamoDB API reference.
    """
    properties: dict[str, Any] = dict(json.loads(path.read_text())["Resources"]["Table"]["Properties"])
    ttl = properties.pop("TimeToLiveSpecification")
    encryption = properties.pop("SSESpecification")
    properties.pop("PointInTimeRecoverySpecification")
    unknown = sorted(set(properties) - set(_AS_IN_THE_API))
    if unknown:
        raise ValueError(f"{path.name} declares {', '.join(unknown)}, which is not translated here.")
    create = {name: properties[name] for name in _AS_IN_THE_API}
    create["SSESpecification"] = {"Enabled": encryption["SSEEnabled"]}
    return {"create": create, "ttl": ttl}


def _wait_until_active(client: Any, name: str) -> None:
    deadline = time.monotonic() + ACTIVE_WAIT_SECONDS_MAX
    while client.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        if time.monotonic() > deadline:
            raise TimeoutError(f"The table {name} is not active after {ACTIVE_WAIT_SECONDS_MAX} seconds.")
        time.sleep(ACTIVE_POLL_SECONDS)


def _ensure_ttl(client: Any, name: str, ttl: dict[str, Any]) -> None:
    """DynamoDB refuses to switch on what is on already, so look first."""
    present = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if present.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)
