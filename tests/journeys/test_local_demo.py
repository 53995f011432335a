"""What `make run` prints and `make demo` claims."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.demo_calls import request
from local.options import ROOT
from tests.local_server import LocalServer, a_local_server

CURL = """#!{python}
# Just enough of curl for the printed lines, so that they can be run where there is none.
import sys, urllib.error, urllib.request
words, headers, data, method, url = sys.argv[1:], {{}}, None, "GET", ""
while words:
    word = words.pop(0)
    if word == "-X":
        method = words.pop(0)
    elif word == "-H":
        name, _, value = words.pop(0).partition(": ")
        headers[name] = value
    elif word == "-d":
        data = words.pop(0).encode()
    elif word != "-s":
        url = word
try:
    sys.stdout.write(urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)).read().decode())
except urllib.error.HTTPError as refusal:
    sys.stdout.write(refusal.read().decode())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with a_local_server() as running:
        yield running


def demo_against(server: LocalServer) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PURSER_DEMO": str(server.process.demo_file)}
    return subprocess.run(
        [sys.executable, "-m", "local.demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class TestWhatIsPrinted:
    def test_says_where_everything_is_and_that_nothing_is_kept(self, server: LocalServer) -> None:
        said = server.process.log_file.read_text()
        for expected in (
            server.demo["api_url"],
            f"{server.demo['api_url']}/docs",
            server.demo["stripe_api_url"],
            server.demo["tokens"]["student"],
            server.demo["tokens"]["ops"],
            "lives until you stop it",
            "Ctrl-C",
        ):
            assert expected in said
        for secret in ("stripe_secret_key", "stripe_webhook_secret"):
            assert server.demo[secret] not in said

    def test_has_three_lines_for_a_shell_that_buy_something(self, server: LocalServer, tmp_path: Path) -> None:
        curl = tmp_path / "curl"
        curl.write_text(CURL.format(python=sys.executable))
        curl.chmod(0o755)
        printed = server.process.log_file.read_text().splitlines()
        lines = [line for line in printed if line.startswith(("curl ", "BAG=$(curl "))]
        assert len(lines) == 3
        done = subprocess.run(  # noqa: S603
            [str(shutil.which("sh")), "-c", "\n".join(lines)],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        card, _, invoice = done.stdout.splitlines()
        assert json.loads(card)["status"] == "ok"
        assert (json.loads(invoice)["status"], json.loads(invoice)["amount"]) == ("FULFILLED", 240.0)


class TestTheDemonstration:
    def test_says_each_step_and_what_was_charged_and_can_be_run_again(self, server: LocalServer) -> None:
        for _ in range(2):
            done = demo_against(server)
            assert done.returncode == 0, done.stdout + done.stderr
            assert done.stdout.count("Charged: ") == 7
            assert "Charged: 240.00 USD, once." in done.stdout
            assert "Charged: 450.00 USD." in done.stdout
            assert done.stdout.endswith("All of it held.\n")

    def test_ends_with_status_1_where_something_did_not_hold(self, server: LocalServer) -> None:
        control = f"{server.demo['stripe_api_url']}/_control"
        rule = {"match": "POST /v1/payment_intents", "action": "error_500", "times": 1000}
        assert request("POST", control, body={"rules": [rule]}).status == 200
        try:
            done = demo_against(server)
        finally:
            assert request("DELETE", control).status == 200
        assert done.returncode == 1
        assert "NOT SO:" in done.stderr
        assert "All of it held" not in done.stdout
