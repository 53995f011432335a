"""The declared stack: what protects the data, who may do what, what raises an alarm."""

import ast
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chalicelib.entrypoints import _observe
from chalicelib.settings import Settings
from infra import template
from infra.package import PROJECT
from infra.template import TemplateError, finish, fragments

FUNCTIONS = {"APIHandler": "HttpRole", "InboxWorker": "InboxWorkerRole"}
FUNCTIONS |= {"OutboxWorker": "OutboxWorkerRole", "SweepTick": "SweepTickRole"}
FUNCTIONS |= {"HoldingsWorker": "HoldingsWorkerRole", "RenewTick": "RenewTickRole"}
FUNCTIONS |= {"CatchUpTick": "CatchUpTickRole", "CompareTick": "CompareTickRole"}

QUEUES = ("Inbox", "Outbox", "Holdings")


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return fragments()


@pytest.fixture(scope="module")
def resources(stack: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stack["Resources"]
    return found


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: one["Properties"] for name, one in resources.items() if one.get("Type") == kind}


def statements(resources: dict[str, Any], role: str) -> list[dict[str, Any]]:
    policies = resources[role]["Properties"]["Policies"]
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]


def actions(statement: dict[str, Any]) -> list[str]:
    action: str | list[str] = statement["Action"]
    return [action] if isinstance(action, str) else action


def table_operations(folder: Path) -> set[str]:
    """The DynamoDB operations that the sources name: `table.call("Query", ...)`."""
    found = set()
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "call":
                found |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
    return {str(name) for name in found}


class TestTable:
    def test_it_outlives_its_stack(self, resources: dict[str, Any]) -> None:
        table = resources["Table"]
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        assert table["Properties"]["DeletionProtectionEnabled"] is True
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["Properties"]["SSESpecification"] == {"SSEEnabled": True}
        assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


class TestQueues:
    def test_each_is_encrypted_and_gives_up_after_five(self, resources: dict[str, Any]) -> None:
        queues = of_type(resources, "AWS::SQS::Queue")
        assert set(queues) == {f"{name}{kind}" for name in QUEUES for kind in ("Queue", "DeadLetters")}
        assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
        for name in QUEUES:
            redrive = queues[f"{name}Queue"]["RedrivePolicy"]
            assert redrive["maxReceiveCount"] == 5
            assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [f"{name}DeadLetters", "Arn"]}

    def test_a_message_stays_hidden_for_six_times_the_workers_timeout(self, resources: dict[str, Any]) -> None:
        config = json.loads((PROJECT / ".chalice" / "config.json").read_text())
        for name in QUEUES:
            timeout = config["lambda_functions"][f"{name.lower()}_worker"]["lambda_timeout"]
            assert resources[f"{name}Queue"]["Properties"]["VisibilityTimeout"] >= 6 * timeout


class TestFiles:
    def test_are_private_encrypted_and_end(self, resources: dict[str, Any]) -> None:
        bucket = resources["FilesBucket"]["Properties"]
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        (encrypted,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert encrypted == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        (rule,) = bucket["LifecycleConfiguration"]["Rules"]
        assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 7)

    def test_are_never_fetched_in_the_clear(self, resources: dict[str, Any]) -> None:
        (statement,) = resources["FilesBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_only_the_api_keeps_them_and_lends_their_reading_below_statements_alone(
        self, resources: dict[str, Any]
    ) -> None:
        keeping = {
            role: [one for one in statements(resources, role) if any(word.startswith("s3:") for word in actions(one))]
            for role in FUNCTIONS.values()
        }
        assert {role for role, found in keeping.items() if found} == {"HttpRole"}
        (allowed,) = keeping["HttpRole"]
        assert actions(allowed) == ["s3:GetObject", "s3:PutObject"]
        assert allowed["Resource"] == {"Fn::Sub": "${FilesBucket.Arn}/statements/*"}


class TestRights:
    @pytest.mark.parametrize("role", FUNCTIONS.values())
    def test_nothing_is_allowed_on_everything(self, resources: dict[str, Any], role: str) -> None:
        for statement in statements(resources, role):
            assert not any("*" in action for action in actions(statement))
            written = json.dumps(statement["Resource"])
            if statement["Resource"] == {"Fn::Sub": "${FilesBucket.Arn}/statements/*"}:
                continue  # every statement, and nothing else of the bucket
            if actions(statement) == ["kms:Decrypt"]:
                assert set(statement["Condition"]) == {"StringEquals", "StringLike"}
                assert statement["Condition"]["StringEquals"].keys() == {"kms:ViaService"}
            else:
                assert "*" not in written

    @pytest.mark.parametrize("role", FUNCTIONS.values())
    def test_the_table_is_read_and_written_by_key_only(self, resources: dict[str, Any], role: str) -> None:
        allowed = {
            action
            for statement in statements(resources, role)
            for action in actions(statement)
            if action.startswith("dynamodb:")
        }
        operations = ["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"]
        if role == "RenewTickRole":
            operations = ["Query"]
        assert allowed == {f"dynamodb:{name}" for name in operations}

    def test_the_tick_of_holdings_sees_what_is_due_and_nudges_and_can_read_no_row(
        self, resources: dict[str, Any]
    ) -> None:
        found = {tuple(actions(one)): one["Resource"] for one in statements(resources, "RenewTickRole")}
        assert found["dynamodb:Query",] == {"Fn::Sub": "${Table.Arn}/index/due"}
        assert found["sqs:SendMessage",] == {"Fn::GetAtt": ["HoldingsQueue", "Arn"]}

    def test_holdings_are_nudged_by_whoever_settles_payments_and_by_the_tick(self, resources: dict[str, Any]) -> None:
        nudging = {
            function
            for function, role in FUNCTIONS.items()
            if any(
                "sqs:SendMessage" in actions(one) and "HoldingsQueue" in json.dumps(one["Resource"])
                for one in statements(resources, role)
            )
        }
        assert nudging == set(FUNCTIONS) - {"OutboxWorker", "CatchUpTick"}

    def test_every_operation_of_the_code_is_allowed_and_watched(self, resources: dict[str, Any]) -> None:
        called = table_operations(PROJECT / "chalicelib")
        assert {"Query", "TransactWriteItems"} <= called <= set(template.TABLE_OPERATIONS)
        allowed = {action for one in statements(resources, "HttpRole") for action in actions(one)}
        # A transaction has no right of its own: it needs those of what it is made of.
        assert {f"dynamodb:{name}" for name in called - {"TransactWriteItems"}} <= allowed

    def test_indexes_are_only_queried(self, resources: dict[str, Any]) -> None:
        indexes = [one for one in statements(resources, "HttpRole") if "/index/" in json.dumps(one)]
        assert [one["Action"] for one in indexes] == ["dynamodb:Query"]
        assert indexes[0]["Resource"] == [
            {"Fn::Sub": "${Table.Arn}/index/due"},
            {"Fn::Sub": "${Table.Arn}/index/by_ref"},
        ]

    def test_only_the_outbox_worker_mails(self, resources: dict[str, Any]) -> None:
        mailing = {
            role
            for role in FUNCTIONS.values()
            if any("ses:SendEmail" in actions(one) for one in statements(resources, role))
        }
        assert mailing == {"OutboxWorkerRole"}

    def test_each_worker_takes_from_its_own_queue_only(self, resources: dict[str, Any]) -> None:
        taking = {
            role: [
                statement["Resource"]
                for statement in statements(resources, role)
                if "sqs:ReceiveMessage" in actions(statement)
            ]
            for role in FUNCTIONS.values()
        }
        assert taking == {
            "HttpRole": [],
            "InboxWorkerRole": [{"Fn::GetAtt": ["InboxQueue", "Arn"]}],
            "OutboxWorkerRole": [{"Fn::GetAtt": ["OutboxQueue", "Arn"]}],
            "HoldingsWorkerRole": [{"Fn::GetAtt": ["HoldingsQueue", "Arn"]}],
            "SweepTickRole": [],
            "RenewTickRole": [],
            "CatchUpTickRole": [],
            "CompareTickRole": [],
        }


class TestFunctions:
    @pytest.mark.parametrize("function", FUNCTIONS)
    def test_each_has_its_own_role_and_a_log_that_ends(self, resources: dict[str, Any], function: str) -> None:
        properties = resources[function]["Properties"]
        assert properties["Role"] == {"Fn::GetAtt": [FUNCTIONS[function], "Arn"]}
        log = resources[properties["LoggingConfig"]["LogGroup"]["Ref"]]
        assert log["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}

    def test_the_settings_know_every_variable_and_no_secret_is_among_them(self, resources: dict[str, Any]) -> None:
        variables = resources["APIHandler"]["Properties"]["Environment"]["Variables"]
        names = {name.removeprefix("PURSER_").lower() for name in variables if name.startswith("PURSER_")}
        assert names - set(Settings.__struct_fields__) == {"secrets_prefix"}
        secrets = {name for name in Settings.__struct_fields__ if "secret" in name}
        assert secrets == {"stripe_secret_key", "stripe_webhook_secrets", "jwt_secret"}
        assert not names & secrets

    def test_what_must_be_set_at_aws_is_set(self, resources: dict[str, Any]) -> None:
        variables = resources["APIHandler"]["Properties"]["Environment"]["Variables"]
        required = {field.name for field in msgspec.structs.fields(Settings) if field.required}
        required -= {"stripe_secret_key", "stripe_webhook_secrets", "jwt_secret"}
        assert {f"PURSER_{name.upper()}" for name in required} <= set(variables)


class TestAlarms:
    def test_each_thing_that_can_go_wrong_has_one(self, resources: dict[str, Any]) -> None:
        alarms = of_type(resources, "AWS::CloudWatch::Alarm")
        watched = {
            (one["MetricName"], json.dumps(one["Dimensions"][0]["Value"]))
            for one in alarms.values()
            if one.get("Namespace") in ("AWS/SQS", "AWS/Lambda")
        }
        expected = {(metric, json.dumps({"Ref": name})) for metric in ("Errors", "Throttles") for name in FUNCTIONS}
        for metric, kind in (
            ("ApproximateNumberOfMessagesVisible", "DeadLetters"),
            ("ApproximateAgeOfOldestMessage", "Queue"),
        ):
            expected |= {(metric, json.dumps({"Fn::GetAtt": [f"{name}{kind}", "QueueName"]})) for name in QUEUES}
        ticks = ("SweepTick", "RenewTick", "CatchUpTick", "CompareTick")
        assert watched == expected | {("Invocations", json.dumps({"Ref": name})) for name in ticks}

    def test_what_the_code_counts_raises_one_above_zero_or_above_an_hour(self, resources: dict[str, Any]) -> None:
        alarms = of_type(resources, "AWS::CloudWatch::Alarm")
        own = {one["MetricName"]: one for one in alarms.values() if one.get("Namespace") == "Purser"}
        events = {"EventsParked", "EventsNotListedAnyMore"}
        holdings = {"HoldingsLateSeconds", "HoldingsPutOff"}
        assert set(own) == {*events, *holdings, "InvoicesPendingTooLong", "DriftOpen", "DriftNotCompared"}
        for name, alarm in own.items():
            threshold = 3600 if name == "HoldingsLateSeconds" else 0
            assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (threshold, "GreaterThanThreshold")
            assert alarm["Statistic"] == "Maximum"
            assert alarm["Dimensions"] == [{"Name": "service", "Value": _observe.SERVICE}]
            assert alarm["Namespace"] == _observe.NAMESPACE

    def test_the_table_is_watched_over_every_operation(self, resources: dict[str, Any]) -> None:
        for name, metric in (
            ("TableThrottledAlarm", "ThrottledRequests"),
            ("TableSystemErrorsAlarm", "SystemErrors"),
        ):
            total, *queries = resources[name]["Properties"]["Metrics"]
            assert total["Expression"] == "SUM(METRICS())"
            assert {one["MetricStat"]["Metric"]["MetricName"] for one in queries} == {metric}
            assert len(queries) == len(template.TABLE_OPERATIONS) < 10  # CloudWatch's limit for an alarm

    def test_all_go_to_the_one_topic(self, resources: dict[str, Any]) -> None:
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values():
            assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]


class TestFinish:
    def test_a_function_that_nobody_gave_a_role_is_refused(self, stack: dict[str, Any]) -> None:
        made = {
            "Parameters": {"Stage": {}},
            "Resources": {
                "Report": {"Type": "AWS::Serverless::Function", "Properties": {"Role": "arn:aws:iam::0:role/x"}}
            },
        }
        with pytest.raises(TemplateError, match="Report has no role"):
            finish(made, stage="prod")

    def test_a_declared_function_that_the_app_does_not_have_is_refused(self) -> None:
        made = {"Parameters": {"Stage": {}}, "Resources": {"InboxWorker": {"Properties": {}}}}
        with pytest.raises(TemplateError, match=r"InboxWorker, which app\.py does not define"):
            finish(made, stage="prod")
