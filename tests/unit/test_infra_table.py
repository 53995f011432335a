"""The table's declaration turned into API arguments, and the table created from it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.table import TABLE_FILE, create_table, table_declaration


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


class TestTableDeclaration:
    def test_it_has_the_keys_and_the_two_sparse_indexes(self) -> None:
        create = table_declaration()["create"]

        def keys(schema: list[dict[str, str]]) -> list[tuple[str, str]]:
            return [(key["AttributeName"], key["KeyType"]) for key in schema]

        assert keys(create["KeySchema"]) == [("pk", "HASH"), ("sk", "RANGE")]
        indexes = {index["IndexName"]: index for index in create["GlobalSecondaryIndexes"]}
        assert keys(indexes["due"]["KeySchema"]) == [("due_shard", "HASH"), ("due_at", "RANGE")]
        assert indexes["due"]["Projection"] == {"ProjectionType": "KEYS_ONLY"}
        assert keys(indexes["by_ref"]["KeySchema"]) == [("ref", "HASH"), ("ref_sk", "RANGE")]
        # What lists read, and no more: a webhook's body would be stored and paid for twice.
        kept = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["doc", "version"]}
        assert indexes["by_ref"]["Projection"] == kept
        assert create["BillingMode"] == "PAY_PER_REQUEST"

    def test_it_says_encryption_in_the_words_of_the_api(self) -> None:
        create = table_declaration()["create"]
        assert create["SSESpecification"] == {"Enabled": True}
        assert create["DeletionProtectionEnabled"] is True

    def test_it_refuses_a_property_that_it_would_drop(self, tmp_path: Path) -> None:
        declaration = json.loads(TABLE_FILE.read_text())
        declaration["Resources"]["Table"]["Properties"]["StreamSpecification"] = {"StreamViewType": "NEW_IMAGE"}
        other = tmp_path / "table.json"
        other.write_text(json.dumps(declaration))
        with pytest.raises(ValueError, match="StreamSpecification"):
            table_declaration(other)


class TestCreateTable:
    def test_it_makes_an_active_table_with_ttl(self, client: Any) -> None:
        create_table(client, "purser-test")
        table = client.describe_table(TableName="purser-test")["Table"]
        assert table["TableStatus"] == "ACTIVE"
        assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {"due", "by_ref"}
        ttl = client.describe_time_to_live(TableName="purser-test")["TimeToLiveDescription"]
        assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}

    def test_it_keeps_a_table_that_is_there(self, client: Any) -> None:
        create_table(client, "purser-test")
        client.put_item(TableName="purser-test", Item={"pk": {"S": "a"}, "sk": {"S": "b"}})
        create_table(client, "purser-test")
        assert client.scan(TableName="purser-test")["Count"] == 1

    def test_it_can_be_thrown_away(self, client: Any) -> None:
        create_table(client, "purser-test")
        client.delete_table(TableName="purser-test")
        assert client.list_tables()["TableNames"] == []
