"""What a change set may do to the table, what CloudFormation is given, where parameters come from.

Releases put in place and taken back on an emulated CloudFormation: tests/contract/test_package_deployed.py.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.changes import ChangeFailed, ChangeRefused, apply_change, current_stack
from infra.release import Place, deployable_template

REGION = "eu-west-1"
ACCOUNT = "123456789012"


class ScriptedChanges:
    """CloudFormation that answers one change to the table: moto never says that a resource is replaced."""

    class exceptions:  # noqa: N801  # boto3's name
        ClientError = RuntimeError

    def __init__(self, change: dict[str, Any]) -> None:
        self.change = change
        self.calls: list[str] = []

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE"}]}

    def create_change_set(self, **_: Any) -> None:
        self.calls.append("create")

    def delete_change_set(self, **_: Any) -> None:
        self.calls.append("delete")

    def execute_change_set(self, **_: Any) -> None:
        self.calls.append("execute")

    def get_waiter(self, _: str) -> Any:
        return self

    def wait(self, **_: Any) -> None:
        """Everything is done at once."""

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: Any) -> Any:
        return [{"Changes": [{"ResourceChange": self.change}]}]


def a_change(action: str, replacement: str = "False", what: str = "Table") -> dict[str, Any]:
    kind = "AWS::DynamoDB::Table"
    return {
        "Action": action,
        "LogicalResourceId": what,
        "ResourceType": kind,
        "Replacement": replacement,
    }


class TestTheTableIsGuarded:
    @pytest.mark.parametrize(
        "change",
        [a_change("Remove"), a_change("Modify", "True"), a_change("Modify", "Conditional")],
    )
    def test_a_change_that_could_lose_it_is_never_executed(self, change: dict[str, Any]) -> None:
        scripted = ScriptedChanges(change)
        with pytest.raises(ChangeRefused):
            apply_change(scripted, "purser-test", template_url="x", parameters=[], keep_table=False)
        assert scripted.calls == ["create", "delete"]

    def test_a_rollback_does_not_even_modify_it(self) -> None:
        scripted = ScriptedChanges(a_change("Modify"))
        with pytest.raises(ChangeRefused):
            apply_change(scripted, "purser-test", template_url="x", parameters=[], keep_table=True)
        assert scripted.calls == ["create", "delete"]

    @pytest.mark.parametrize("change", [a_change("Modify"), a_change("Add"), a_change("Remove", what="Old")])
    def test_a_deployment_may_add_an_index_or_remove_something_else(self, change: dict[str, Any]) -> None:
        scripted = ScriptedChanges(change)
        apply_change(scripted, "purser-test", template_url="x", parameters=[], keep_table=False)
        assert scripted.calls == ["create", "execute"]


class TestCurrentStack:
    def test_a_creation_that_failed_must_be_deleted_first(self) -> None:
        class Failed(ScriptedChanges):
            def describe_stacks(self, StackName: str) -> Any:  # noqa: N803
                return {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}

        with pytest.raises(ChangeFailed, match="Delete that stack"):
            current_stack(Failed({}), "purser-test")


class TestDeployableTemplate:
    def test_functions_point_at_the_release_and_parameters_stay_references(self, tmp_path: Path) -> None:
        worker = {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "app.worker",
                "CodeUri": "./deployment.zip",
                "Role": "arn:aws:iam::123456789012:role/x",
                "Environment": {"Variables": {"STAGE": {"Ref": "Stage"}}},
            },
        }
        template = {
            "Transform": "AWS::Serverless-2016-10-31",
            "Parameters": {"Stage": {"Type": "String", "Default": "test"}},
            "Resources": {"Worker": worker},
        }
        (tmp_path / "template.json").write_text(json.dumps(template))
        where = Place(stage="test", region=REGION, account=ACCOUNT)
        made = deployable_template(tmp_path, where, "one")
        function = made["Resources"]["Worker"]
        assert function["Type"] == "AWS::Lambda::Function"
        assert function["Properties"]["Code"] == {
            "S3Bucket": f"purser-releases-{ACCOUNT}-{REGION}",
            "S3Key": "releases/one/deployment.zip",
        }
        assert function["Properties"]["Environment"] == {"Variables": {"STAGE": {"Ref": "Stage"}}}
        assert made["Parameters"]["Stage"]["Default"] == "test"
        assert "Transform" not in made
