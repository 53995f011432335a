"""The real application packaged: what is in the zip and in the template. Takes up to a minute the first time.

Kept in `build/package/test`, so that it is quick again until a source changes.
"""

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import infra.package as packaging
from chalicelib.entrypoints import _dispatch
from infra import deploy
from infra.archive import AWS_SERVICES, ZIP_BYTES_MAX, build_archive
from infra.edge import ANY_METHOD, GATEWAY_RESPONSES, refuse_ambiguous_paths
from infra.package import PROJECT, PackagingError, package
from tests.packaged import OUT, STAGE, packaged

OURS = ("app.py", "chalicelib/", "__pycache__/app.")
IMPORT_SECONDS_MAX = 120
RATES = {"SweepTick": "rate(1 minute)", "RenewTick": "rate(1 minute)"}
RATES |= {"CatchUpTick": "rate(5 minutes)", "CompareTick": "rate(15 minutes)"}
QUEUE_OF_WORKER = {"InboxWorker": "InboxQueue", "OutboxWorker": "OutboxQueue", "HoldingsWorker": "HoldingsQueue"}
API_RESOURCES_MAX = 300  # API Gateway's quota for a REST API, as long as nobody asked AWS to raise it


@pytest.fixture(scope="module")
def summary(request: pytest.FixtureRequest) -> dict[str, Any]:
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line("packaging the application, up to a minute ...")
    return packaged()


@pytest.fixture(scope="module")
def names(summary: dict[str, Any]) -> list[str]:
    with zipfile.ZipFile(OUT / "deployment.zip") as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def template(summary: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OUT / "template.json").read_text())
    return found


@pytest.fixture(scope="module")
def unzipped(summary: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(OUT / "deployment.zip") as archive:
        archive.extractall(folder)
    return folder


def run_alone(folder: Path, program: str) -> str:
    """Run `program` where Lambda would: the standard library, the zip, and nothing else."""
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-I", "-S", "-B", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{program}"],
        capture_output=True,
        text=True,
        timeout=IMPORT_SECONDS_MAX,
        env={"AWS_REGION": "eu-west-1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_names(folder: Path) -> set[str]:
    """Every absolute import that our sources in `folder` make, at import or later, type checking apart."""
    found: set[str] = set()
    for path in [folder / "app.py", *sorted((folder / "chalicelib").rglob("*.py"))]:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                node.body = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module)
    return found


class TestZip:
    def test_it_is_small(self, summary: dict[str, Any]) -> None:
        assert (OUT / "deployment.zip").stat().st_size == summary["zip_bytes"] < ZIP_BYTES_MAX

    def test_our_modules_have_source_and_bytecode(self, names: list[str]) -> None:
        tag = sys.implementation.cache_tag
        sources = [name for name in names if name.startswith(OURS) and name.endswith(".py")]
        assert "app.py" in sources
        for name in sources:
            path = Path(name)
            assert (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").as_posix() in names

    def test_packages_of_others_have_bytecode_alone(self, names: list[str]) -> None:
        others = [name for name in names if not name.startswith(OURS)]
        assert [name for name in others if name.endswith(".py")] == []
        for module in ("stripe/__init__", "pynamodb/models", "pydantic/main", "chalice/app", "botocore/client"):
            assert f"{module}.pyc" in names

    def test_bytecode_is_trusted_without_a_look_at_times(self, unzipped: Path) -> None:
        compiled = sorted(unzipped.rglob("*.pyc"))
        assert len(compiled) > 500
        # PEP 552: the second word of the header; 1 is "by hash", without the bit that asks for a check.
        assert {path.read_bytes()[4:8] for path in compiled} == {b"\x01\x00\x00\x00"}

    def test_native_modules_are_those_of_lambda(self, names: list[str]) -> None:
        native = [name for name in names if ".so" in Path(name).name]
        assert any(name.startswith("pydantic_core/") and "x86_64-linux-gnu" in name for name in native)
        assert any(name.startswith("_argon2_cffi_bindings/") for name in native)

    def test_nothing_that_only_tests_or_tools_need_is_in_it(self, names: list[str]) -> None:
        tops = {name.split("/")[0] for name in names}
        assert tops & {"tests", "infra", "local", "bench", "boto3", "moto", "pytest", "pip"} == set()
        assert not [name for name in names if name.endswith((".pyi", "py.typed"))]

    def test_it_is_the_same_the_next_time(self, summary: dict[str, Any], tmp_path: Path) -> None:
        again = build_archive(OUT / "chalice" / "deployment.zip", tmp_path / "again.zip", workspace=tmp_path / "work")
        assert again["sha256"] == summary["sha256"]


class TestImports:
    def test_the_application_imports_from_the_zip_alone(self, unzipped: Path) -> None:
        program = (
            "import app\n"
            "names = 'app inbox_worker outbox_worker holdings_worker'\n"
            "names += ' sweep_tick renew_tick catch_up_tick compare_tick'\n"
            "for name in names.split(): assert callable(getattr(app, name))\n"
            "print(app.__file__, len(app.app.routes))"
        )
        where, routes = run_alone(unzipped, program).split()
        assert Path(where) == unzipped / "app.py"
        assert int(routes) > 10

    def test_everything_that_it_imports_later_is_there_too(self, unzipped: Path) -> None:
        wanted = sorted(imported_names(unzipped))
        assert {"pydantic", "pynamodb.connection"} <= set(wanted)
        run_alone(unzipped, f"import importlib\nfor name in {wanted!r}: importlib.import_module(name)")

    def test_stripe_is_whole_without_what_was_dropped(self, unzipped: Path) -> None:
        """Every module of it is imported, and a client reaches the services that a payment needs."""
        program = (
            "import importlib, pkgutil, stripe\n"
            "named = pkgutil.walk_packages(stripe.__path__, 'stripe.')\n"
            "count = sum(1 for one in named if importlib.import_module(one.name))\n"
            "client = stripe.StripeClient('sk_test_x')\n"
            "services = ('customers', 'payment_intents', 'setup_intents', 'refunds', 'disputes', 'events')\n"
            "for name in services: getattr(client.v1, name)\n"
            "print(count)"
        )
        assert int(run_alone(unzipped, program)) > 300

    def test_the_descriptions_of_the_aws_services_are_there(self, unzipped: Path) -> None:
        program = (
            "import botocore.session\n"
            "session = botocore.session.get_session()\n"
            f"for name in {AWS_SERVICES!r}: session.create_client(name, region_name='eu-west-1')"
        )
        run_alone(unzipped, program)

    def test_no_other_aws_service_is_called(self, unzipped: Path) -> None:
        for path in sorted((unzipped / "chalicelib").rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr == "create_client":
                    assert isinstance(node, ast.Call)
                    service = node.args[0]
                    assert isinstance(service, ast.Constant), f"{path}: name the service in the call"
                    assert service.value in AWS_SERVICES


class TestTemplate:
    def test_a_finding_of_cfn_lint_stops_the_packaging(self, tmp_path: Path, template: dict[str, Any]) -> None:
        template = json.loads(json.dumps(template))
        template["Resources"]["InboxWorker"]["Properties"]["Runtime"] = "python3.8"
        spoiled = tmp_path / "template.json"
        spoiled.write_text(json.dumps(template))
        with pytest.raises(PackagingError, match="Runtime"):
            packaging._lint(spoiled)

    def test_the_functions_are_wired(self, template: dict[str, Any]) -> None:
        functions = {
            name: one["Properties"]
            for name, one in template["Resources"].items()
            if one["Type"] == "AWS::Serverless::Function"
        }
        assert set(functions) == {"APIHandler", *QUEUE_OF_WORKER, *RATES}
        runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
        for properties in functions.values():
            assert properties["Runtime"] == runtime
            assert properties["MemorySize"] >= 512
            assert set(properties["Role"]) == {"Fn::GetAtt"}
        assert functions["APIHandler"]["Timeout"] == 29
        for worker, queue in QUEUE_OF_WORKER.items():
            (event,) = functions[worker]["Events"].values()
            assert event["Properties"]["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}
            assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        for name, rate in RATES.items():
            (tick,) = functions[name]["Events"].values()
            assert tick["Properties"]["Schedule"] == rate

    def test_no_more_renew_at_once_than_stripe_takes(self, template: dict[str, Any]) -> None:
        found = {}
        for worker in QUEUE_OF_WORKER:
            (event,) = template["Resources"][worker]["Properties"]["Events"].values()
            found[worker] = (event["Properties"]["BatchSize"], event["Properties"].get("ScalingConfig"))
        at_once = {"MaximumConcurrency": {"Ref": "HoldingsAtOnceMax"}}
        assert found == {"InboxWorker": (10, None), "OutboxWorker": (10, None), "HoldingsWorker": (5, at_once)}
        assert template["Parameters"]["HoldingsAtOnceMax"]["Default"] == 10

    def test_no_secret_is_in_it(self, template: dict[str, Any]) -> None:
        text = json.dumps(template)
        for word in ("sk_live", "sk_test", "whsec_", "AKIA", "aws:iam::000000000000"):
            assert word not in text

    def test_the_api_is_called_api_and_named_after_its_stage(self, template: dict[str, Any]) -> None:
        api = template["Resources"]["RestAPI"]["Properties"]
        assert api["StageName"] == "api"
        assert api["EndpointConfiguration"] == "REGIONAL"
        assert api["Name"] == {"Fn::Sub": "purser-${Stage}"}
        assert api["MethodSettings"][0]["ThrottlingRateLimit"] == {"Ref": "ApiRequestsPerSecondMax"}
        assert template["Parameters"]["Stage"]["Default"] == STAGE


class TestRoutes:
    def test_every_route_is_a_path_of_the_api(self, template: dict[str, Any]) -> None:
        paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]
        routes = _dispatch.paths()
        assert set(paths) == set(routes) != set()
        for path, methods in routes.items():
            assert set(paths[path]) == {*(method.lower() for method in methods), "options", ANY_METHOD}

    def test_every_path_answers_405_with_its_own_methods(self, template: dict[str, Any]) -> None:
        document = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]
        assert "MISSING_AUTHENTICATION_TOKEN" in document[GATEWAY_RESPONSES]
        for path in document["paths"].values():
            mock = path[ANY_METHOD]["x-amazon-apigateway-integration"]
            headers = mock["responses"]["default"]["responseParameters"]
            known = sorted(method.upper() for method in path if method != ANY_METHOD)
            assert headers["method.response.header.Allow"] == f"'{', '.join(known)}'"

    def test_the_path_tree_fits_into_one_api(self) -> None:
        nodes = {
            "/".join(parts[: depth + 1])
            for parts in (path.strip("/").split("/") for path in _dispatch.paths())
            for depth in range(len(parts))
        }
        assert len(nodes) < API_RESOURCES_MAX

    def test_no_two_variables_stand_at_one_level_of_the_path_tree(self) -> None:
        refuse_ambiguous_paths(list(_dispatch.paths()))


class TestDryRun:
    def test_it_prints_the_template_and_what_would_be_uploaded_without_an_account(
        self, summary: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(packaging, "_fingerprint", lambda *_: summary["inputs"])
        assert deploy.main(["deploy", "--stage", STAGE, "--dry-run"]) == 0
        printed = capsys.readouterr()
        template = json.loads(printed.out)
        assert template["Resources"]["APIHandler"]["Type"] == "AWS::Lambda::Function"
        assert "Transform" not in template
        key = template["Resources"]["APIHandler"]["Properties"]["Code"]["S3Key"]
        assert key == f"releases/{summary['release']}/deployment.zip"
        assert summary["release"] in printed.err
        assert str(summary["zip_bytes"]) in printed.err


class TestAgain:
    def test_nothing_is_done_if_nothing_changed(self, summary: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any) -> None:
            raise AssertionError("packaged again")

        monkeypatch.setattr(packaging, "_run_chalice", refuse)
        monkeypatch.setattr(packaging, "_fingerprint", lambda *_: summary["inputs"])
        assert package(PROJECT, OUT, stage=STAGE) == summary

    def test_a_source_or_the_stage_makes_the_difference(self, tmp_path: Path) -> None:
        (tmp_path / "chalicelib").mkdir()
        source = tmp_path / "chalicelib" / "money.py"
        source.write_text("A = 1")
        before = packaging._fingerprint(tmp_path, "prod")
        assert packaging._fingerprint(tmp_path, "prod") == before
        assert packaging._fingerprint(tmp_path, "beta") != before
        source.write_text("A = 2")
        assert packaging._fingerprint(tmp_path, "prod") != before
