"""How `make run` starts, stops, and takes up where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import botocore.session
import pytest

from local.demo_calls import DemoServer, Disappointed
from local.ministack import Ministack
from local.options import ROOT
from tests.local_server import LocalServer, a_local_server

DAY = 86_400
CARD = {"card_number": "4242424242424242", "exp_month": "10", "exp_year": "40", "cvc": "435", "academy": 1}
TEN = {"service": "mentorship-service", "how_many": 10, "academy": 1, "country_code": "US"}
CONSUMABLES = "/v1/payments/me/service/consumable"


def children_of(pid: int) -> list[int]:
    stats = [stat.read_text() for stat in Path("/proc").glob("[0-9]*/stat") if stat.exists()]
    return [int(text.split()[0]) for text in stats if text.rpartition(")")[2].split()[1] == str(pid)]


def is_alive(pid: int) -> bool:
    """Whether the process runs. One that only waits to be collected does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def buys_ten(server: LocalServer) -> dict[str, str]:
    person = server.customer()
    assert server.call("POST", "/v2/payments/card", CARD, headers=person).status == 200
    assert server.call("POST", "/v1/payments/consumable/checkout", TEN, headers=person).status == 201
    return person


class TestStopping:
    @pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
    def test_ends_with_status_0_and_leaves_nothing_behind(self, by: signal.Signals) -> None:
        server = DemoServer()
        with server:
            assert server.pid is not None
            children = children_of(server.pid)
            assert len(children) == 1
            assert server.stop(by) == 0
            assert not any(is_alive(child) for child in children)
            assert not server.demo_file.exists()

    def test_by_a_kill_leaves_no_process_either(self) -> None:
        server = DemoServer()
        with server:
            assert server.pid is not None
            (child,) = children_of(server.pid)
            assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        deadline = time.monotonic() + 15
        while is_alive(child):
            assert time.monotonic() < deadline
            time.sleep(0.1)


class TestWithoutData:
    def test_every_start_is_a_new_one(self) -> None:
        with a_local_server() as server:
            person = server.customer()
            assert server.call("GET", CONSUMABLES, headers=person).status == 200
        with a_local_server() as server:
            assert server.call("GET", CONSUMABLES, headers=person).status == 401


class TestWithData:
    def test_what_was_bought_and_the_clock_outlive_a_restart(self, tmp_path: Path) -> None:
        data = str(tmp_path / "data")
        with a_local_server(DATA=data) as server:
            person = buys_ten(server)
            owned = server.call("GET", CONSUMABLES, headers=person).json
            moved = server.advance(100 * DAY).json["now"]
            secret = server.demo["stripe_webhook_secret"]
        with a_local_server(DATA=data) as server:
            assert server.call("GET", "/_local/clock").json["now"] >= moved
            assert server.demo["stripe_webhook_secret"] == secret
            assert server.call("GET", CONSUMABLES, headers=person).json == owned
            assert server.call("POST", "/v1/payments/consumable/checkout", TEN, headers=person).status == 201
            academies = server.call("GET", "/ops/academies", token="ops").json["data"]
            keys = server.call("GET", "/ops/api-keys", token="ops").json["data"]
            assert (len(academies), len(keys)) == (2, 1)

    def test_a_folder_serves_one_server_at_a_time(self, tmp_path: Path) -> None:
        refused = pytest.raises(Disappointed, match="another server works with")
        with a_local_server(DATA=str(tmp_path)), refused, a_local_server(DATA=str(tmp_path)):
            pass

    def test_its_secrets_are_readable_by_their_owner_only(self, tmp_path: Path) -> None:
        with a_local_server(DATA=str(tmp_path / "data")):
            pass
        kept = tmp_path / "data" / "local.json"
        assert json.loads(kept.read_text())["jwt_secret"]
        assert kept.stat().st_mode & 0o077 == 0


class TestAnotherDynamoDb:
    def test_is_used_and_given_its_table(self, ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        for _ in range(2):  # the second finds the table and the catalog there
            with a_local_server(AWS_ENDPOINT_URL_DYNAMODB=ministack.url, PURSER_TABLE="purser-elsewhere") as server:
                buys_ten(server)
        client = botocore.session.get_session().create_client(
            "dynamodb", region_name="us-east-1", endpoint_url=ministack.url
        )
        assert client.describe_table(TableName="purser-elsewhere")["Table"]["ItemCount"] > 0


class TestRefusals:
    @pytest.mark.parametrize(
        ("environment", "said"),
        [
            ({"PORT": "http"}, "PORT=http is no port"),
            ({"STRIPE_SECRET_KEY": "sk_live_0123456789"}, "no test key"),
            ({"STRIPE_SECRET_KEY": "sk_test_0123456789"}, "stripe listen --forward-to"),
        ],
    )
    def test_say_what_to_do(self, environment: dict[str, str], said: str) -> None:
        done = run_with(environment)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr

    def test_say_that_a_port_is_taken(self) -> None:
        with a_local_server() as server:
            port = server.demo["api_url"].rpartition(":")[2]
            done = run_with({"PORT": port})
            assert (done.returncode, f"port {port} cannot be used" in done.stderr) == (1, True), done.stderr
            assert server.call("GET", "/health").status == 200


def run_with(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local.run"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
