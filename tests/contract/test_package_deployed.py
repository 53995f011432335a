"""Releases on an emulated AWS (ministack): put in place, taken back, restarted; and the whole real stack.

What the emulator does not do, and what is therefore not tried here, is listed in docs/deploy.md.
"""

import itertools
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.adapters.stripe.events import HANDLED_TYPES
from infra import changes, deploy, release
from infra.changes import current_stack
from infra.package import PROJECT
from infra.release import Place, ReleaseError, restart, rollback
from local.stripe_standin.machine import Standin
from local.stripe_standin.server import StandinServer
from tests.packaged import OUT, packaged

REGION = "eu-west-1"
MINISTACK = PROJECT / ".venv-ministack" / "bin" / "ministack"
START_SECONDS_MAX = 30
SERVICES = ("cloudformation", "s3", "lambda", "sqs", "dynamodb", "events", "ssm")
STACK_PARAMETERS = {
    "Stage": "test",
    "MailFrom": "Purser <billing@example.com>",
    "MailIdentity": "example.com",
    "InviteUrl": "https://shop.example.com",
    "AllowedOrigins": "https://shop.example.com",
}
SECRETS = {
    "stripe_secret_key": "sk_test_only_for_this",
    "stripe_webhook_secrets": "whsec_only_for_this",
    "jwt_secret": "only-for-this-test-" + "x" * 32,
}
# CloudFormation there knows no alarm over several metrics.
NOT_EMULATED = ("TableThrottledAlarm", "TableSystemErrorsAlarm")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a ministack of this module's own."""
    assert MINISTACK.exists(), "python3 -m venv .venv-ministack; .venv-ministack/bin/pip install ministack==1.5.33"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    settings = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    log = tmp_path_factory.mktemp("ministack") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603  # the pinned emulator
            [str(MINISTACK)], env={**os.environ, **settings}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS_MAX)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            with urllib.request.urlopen(url + "/_ministack/health", timeout=1):  # noqa: S310
                return
        except OSError:
            assert process.poll() is None, "ministack ended"
            assert time.monotonic() < deadline, "ministack does not answer"
            time.sleep(0.1)


_accounts = itertools.count(100000000001)


@pytest.fixture
def place(emulator: str) -> Iterator[Place]:
    """A stage in an empty account: the emulator takes an access key of twelve digits as the account's number."""
    with a_place(emulator, str(next(_accounts))) as made:
        yield made


@contextmanager
def a_place(url: str, account: str) -> Iterator[Place]:
    session = boto3.Session(region_name=REGION, aws_access_key_id=account, aws_secret_access_key="test")
    connected = {name: session.client(name, endpoint_url=url) for name in SERVICES}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(changes, "POLL_SECONDS", 1)
        yield Place(stage="test", region=REGION, account=account, clients=connected)
    for client in connected.values():
        client.close()


def a_package(folder: Path, name: str, *, table: dict[str, Any] | None = None, queue_seconds: int = 60) -> Path:
    """A packaged stage in small: a table, a queue that tells releases apart, and the parameters that matter."""
    text = {"Type": "String", "Default": "none"}
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {
            "Stage": {"Type": "String", "Default": "test"},
            "MailFrom": {"Type": "String"},
            "Release": text,
            "PreviousRelease": text,
            "SecretsRevision": {"Type": "String", "Default": "1"},
        },
        "Resources": {
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table or a_table()},
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "VisibilityTimeout": queue_seconds,
                    "Tags": [
                        {"Key": "mail", "Value": {"Ref": "MailFrom"}},
                        {"Key": "secrets", "Value": {"Ref": "SecretsRevision"}},
                    ],
                },
            },
        },
        "Outputs": {"Release": {"Value": {"Ref": "Release"}}, "TableName": {"Value": {"Ref": "Table"}}},
    }
    package = folder / name
    package.mkdir(parents=True)
    (package / "template.json").write_text(json.dumps(template))
    (package / "deployment.zip").write_bytes(name.encode())
    (package / "summary.json").write_text(json.dumps({"stage": "test", "release": name, "zip_bytes": 3}))
    return package


def a_table(key: str = "pk") -> dict[str, Any]:
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
    }


def parameters(place: Place) -> dict[str, str]:
    stack = current_stack(place.clients["cloudformation"], place.stack)
    assert stack is not None
    return stack.parameters


def visibility(place: Place) -> Any:
    stored = place.clients["cloudformation"].get_template(StackName=place.stack)["TemplateBody"]
    template = json.loads(stored) if isinstance(stored, str) else stored
    return template["Resources"]["Queue"]["Properties"]["VisibilityTimeout"]


class TestDeploy:
    def test_it_uploads_the_release_and_answers_the_outputs(self, place: Place, tmp_path: Path) -> None:
        outputs = release.deploy(place, a_package(tmp_path, "one"), {"MailFrom": "a@b.example"})
        assert outputs["Release"] == "one"
        s3 = place.clients["s3"]
        stored = s3.get_object(Bucket=place.bucket, Key="releases/one/deployment.zip")["Body"].read()
        assert stored == b"one"
        block = s3.get_public_access_block(Bucket=place.bucket)["PublicAccessBlockConfiguration"]
        assert all(block.values())

    def test_a_second_release_keeps_parameters_and_remembers_the_first(self, place: Place, tmp_path: Path) -> None:
        release.deploy(place, a_package(tmp_path, "one"), {"MailFrom": "a@b.example"})
        release.deploy(place, a_package(tmp_path, "two", queue_seconds=90), {})
        assert parameters(place) == {
            "Stage": "test",
            "MailFrom": "a@b.example",
            "Release": "two",
            "PreviousRelease": "one",
            "SecretsRevision": "1",
        }

    def test_the_same_release_again_does_not_forget_the_one_before(self, place: Place, tmp_path: Path) -> None:
        release.deploy(place, a_package(tmp_path, "one"), {"MailFrom": "a@b.example"})
        two = a_package(tmp_path, "two", queue_seconds=90)
        release.deploy(place, two, {})
        release.deploy(place, two, {"MailFrom": "c@d.example"})
        assert parameters(place)["PreviousRelease"] == "one"

    def test_the_very_same_again_has_nothing_to_change(
        self, place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        one = a_package(tmp_path, "one")
        first = release.deploy(place, one, {"MailFrom": "a@b.example"})
        capsys.readouterr()
        assert release.deploy(place, one, {"MailFrom": "a@b.example"}) == first
        assert capsys.readouterr().out == "Nothing to change.\n"

    def test_a_missing_parameter_is_named_before_anything_is_uploaded(self, place: Place, tmp_path: Path) -> None:
        with pytest.raises(ReleaseError, match="MailFrom"):
            release.deploy(place, a_package(tmp_path, "one"), {})
        assert place.clients["s3"].list_buckets()["Buckets"] == []

    def test_an_unknown_parameter_is_named(self, place: Place, tmp_path: Path) -> None:
        with pytest.raises(ReleaseError, match="MailForm"):
            release.deploy(place, a_package(tmp_path, "one"), {"MailForm": "a@b.example"})

    def test_a_package_of_another_stage_is_refused(self, place: Place, tmp_path: Path) -> None:
        other = Place(stage="prod", region=REGION, account=place.account, clients=place.clients)
        with pytest.raises(ReleaseError, match="stage test"):
            release.deploy(other, a_package(tmp_path, "one"), {"MailFrom": "a@b.example"})


class TestRollback:
    def test_it_puts_the_release_before_back_and_again_forward(self, place: Place, tmp_path: Path) -> None:
        release.deploy(place, a_package(tmp_path, "one", queue_seconds=60), {"MailFrom": "a@b.example"})
        release.deploy(place, a_package(tmp_path, "two", queue_seconds=90), {"MailFrom": "c@d.example"})
        assert rollback(place)["Release"] == "one"
        assert visibility(place) == 60
        assert parameters(place)["PreviousRelease"] == "two"
        assert parameters(place)["MailFrom"] == "c@d.example"
        assert rollback(place)["Release"] == "two"
        assert visibility(place) == 90

    def test_the_table_keeps_the_declaration_that_it_has_now(self, place: Place, tmp_path: Path) -> None:
        release.deploy(place, a_package(tmp_path, "one"), {"MailFrom": "a@b.example"})
        protected = {**a_table(), "DeletionProtectionEnabled": True}
        two = a_package(tmp_path, "two", table=protected, queue_seconds=90)
        release.deploy(place, two, {})
        rollback(place)
        template = place.clients["cloudformation"].get_template(StackName=place.stack)["TemplateBody"]
        template = json.loads(template) if isinstance(template, str) else template
        assert template["Resources"]["Table"]["Properties"] == protected

    def test_without_a_release_before_it_is_refused(self, place: Place, tmp_path: Path) -> None:
        with pytest.raises(ReleaseError, match="no release before"):
            rollback(place)
        release.deploy(place, a_package(tmp_path, "one"), {"MailFrom": "a@b.example"})
        with pytest.raises(ReleaseError, match="no release before"):
            rollback(place)

    def test_a_release_that_is_not_in_the_bucket_is_named(self, place: Place, tmp_path: Path) -> None:
        release.deploy(place, a_package(tmp_path, "one"), {"MailFrom": "a@b.example"})
        release.deploy(place, a_package(tmp_path, "two", queue_seconds=90), {})
        place.clients["s3"].delete_object(Bucket=place.bucket, Key="releases/one/template.json")
        with pytest.raises(ReleaseError, match="one is not in the bucket"):
            rollback(place)


class TestRestart:
    def test_it_changes_the_revision_and_nothing_else(self, place: Place, tmp_path: Path) -> None:
        release.deploy(place, a_package(tmp_path, "one"), {"MailFrom": "a@b.example"})
        before = parameters(place)
        restart(place, "1795000000")
        assert parameters(place) == {**before, "SecretsRevision": "1795000000"}

    def test_a_stage_that_is_not_there_is_named(self, place: Place) -> None:
        with pytest.raises(ReleaseError, match="purser-test is not deployed"):
            restart(place, "2")


@pytest.fixture(scope="module")
def real_place(emulator: str) -> Iterator[Place]:
    """The account that requests without credentials belong to, such as those to an API."""
    with a_place(emulator, "000000000000") as made:
        yield made


@pytest.fixture(scope="module")
def real_stack(real_place: Place) -> dict[str, str]:
    """The outputs of the real application's stack, deployed as `make deploy` does, less what is not emulated."""
    translated = release.deployable_template

    def emulated(folder: Path, where: Place, name: str) -> dict[str, Any]:
        template = translated(folder, where, name)
        for alarm in NOT_EMULATED:
            del template["Resources"][alarm]
        return template

    packaged()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(release, "deployable_template", emulated)
        return release.deploy(real_place, OUT, STACK_PARAMETERS)


class TestTheRealStack:
    def test_it_is_created_and_wired(self, real_place: Place, real_stack: dict[str, str]) -> None:
        table = real_place.clients["dynamodb"].describe_table(TableName=real_stack["TableName"])["Table"]
        assert table["DeletionProtectionEnabled"] is True
        assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {"due", "by_ref"}
        functions = real_place.clients["lambda"].list_functions()["Functions"]
        assert len(functions) == 8
        for function in functions:
            variables = function["Environment"]["Variables"]
            assert variables["PURSER_TABLE"] == real_stack["TableName"]
            assert variables["PURSER_INBOX_QUEUE_URL"] == real_stack["InboxQueueUrl"]
            assert variables["PURSER_HOLDINGS_QUEUE_URL"] == real_stack["HoldingsQueueUrl"]
            assert variables["PURSER_MAIL_FROM"] == STACK_PARAMETERS["MailFrom"]
        mappings = real_place.clients["lambda"].list_event_source_mappings()["EventSourceMappings"]
        assert len(mappings) == 3
        assert all(one["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for one in mappings)
        attributes = real_place.clients["sqs"].get_queue_attributes(
            QueueUrl=real_stack["InboxQueueUrl"], AttributeNames=["All"]
        )["Attributes"]
        assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 5
        rules = real_place.clients["events"].list_rules()["Rules"]
        rates = sorted(rule["ScheduleExpression"] for rule in rules)
        assert rates == ["rate(1 minute)", "rate(1 minute)", "rate(15 minutes)", "rate(5 minutes)"]

    def test_it_answers_through_the_gateway_with_its_secrets_and_its_table(
        self, real_place: Place, emulator: str, real_stack: dict[str, str]
    ) -> None:
        """The compiled zip in a process of its own, with nothing but what Lambda gives it."""
        for name, value in SECRETS.items():
            real_place.clients["ssm"].put_parameter(Name=f"/purser/test/{name}", Value=value, Type="SecureString")
        host = f"{real_stack['RestAPIId']}.execute-api.localhost"
        asked = urllib.request.Request(f"{emulator}/api/health", headers={"Host": host})  # noqa: S310
        with urllib.request.urlopen(asked, timeout=START_SECONDS_MAX) as answer:  # noqa: S310
            assert answer.status == 200
            assert json.loads(answer.read()) == {"status": "ok"}

    def test_a_restart_leaves_the_table_alone(self, real_place: Place, real_stack: dict[str, str]) -> None:
        assert restart(real_place, "2")["TableName"] == real_stack["TableName"]

    def test_the_webhook_is_registered_and_its_secret_reaches_the_functions_unseen(
        self,
        real_place: Place,
        emulator: str,
        real_stack: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        ssm = real_place.clients["ssm"]
        for name, value in SECRETS.items():
            ssm.put_parameter(Name=f"/purser/test/{name}", Value=value, Type="SecureString", Overwrite=True)
        settings = {"AWS_ENDPOINT_URL": emulator, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        for name, value in {**settings, "AWS_REGION": REGION}.items():
            monkeypatch.setenv(name, value)
        standin = Standin(secret_key=SECRETS["stripe_secret_key"])
        server = StandinServer(standin, clock=lambda: int(time.time()))
        server.start()
        try:
            monkeypatch.setenv("STRIPE_API_URL", server.url)
            assert deploy.main(["stripe-webhook", "--stage", "test", "--url", "https://api.example.com/api/"]) == 0
        finally:
            server.stop()
        (endpoint,) = standin.world.store.objects["webhook_endpoint"].values()
        assert endpoint["url"] == "https://api.example.com/api/stripe/webhook"
        assert set(endpoint["enabled_events"]) == set(HANDLED_TYPES)
        stored = ssm.get_parameter(Name="/purser/test/stripe_webhook_secrets", WithDecryption=True)
        newest = stored["Parameter"]["Value"].split(",")[0]
        assert newest.startswith("whsec_")
        printed = capsys.readouterr()
        assert newest not in printed.out + printed.err
        functions = real_place.clients["lambda"].list_functions()["Functions"]
        revisions = {one["Environment"]["Variables"]["SECRETS_REVISION"] for one in functions}
        assert len(revisions) == 1
        assert int(revisions.pop()) > 1_700_000_000
