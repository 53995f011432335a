"""ministack as a process of its own: DynamoDB, SQS, SES, S3 and SSM behind one loopback port.

It has its own virtual environment, since it pins another botocore. Its output goes to a file.
"""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from local.ports import HOST, free_port

PYTHON = Path(__file__).parents[1] / ".venv-ministack" / "bin" / "python"
GUARD = Path(__file__).with_name("ministack_guard.py")
SERVICES = "dynamodb,sqs,ses,s3,ssm,sts"
START_SECONDS_MAX = 30
START_ATTEMPTS_MAX = 3
STOP_SECONDS_MAX = 20
POLL_SECONDS = 0.05
NEEDED = ("PATH", "HOME", "TMPDIR", "LANG", "SYSTEMROOT")
SIGNED_WITH = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
"""What signs the links to files: its S3 checks them, so it must know the same."""
HEALTH_PATH = "/_ministack/health"


class MinistackFailed(RuntimeError):
    """ministack is not installed, or did not come up."""


class Ministack:
    """`start()` it, use `url`, and `stop()` it. With `state_dir` it takes up its state there and leaves it there."""

    def __init__(self, *, log_file: Path, state_dir: Path | None = None, python: Path = PYTHON) -> None:
        self._log_file = log_file
        self._state_dir = state_dir
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Raises MinistackFailed."""
        if not self._python.exists():
            raise MinistackFailed(f"{self._python} is missing: run `make venv` first.")
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(START_ATTEMPTS_MAX):
            if self._came_up(free_port()):
                return
        raise MinistackFailed(f"ministack did not come up; what it said is in {self._log_file}.")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Let it write its state and end; kill it where it does not within 20 seconds."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _came_up(self, port: int) -> bool:
        """Whether it answers. False where it ended, such as when somebody else got the port first."""
        self.url = f"http://{HOST}:{port}"
        with self._log_file.open("ab") as log:
            # -P: what lies beside the guard is not for it to import. A session of its own: Ctrl-C at the terminal is
            # for the runner, which stops it when nothing needs it any more.
            self._process = subprocess.Popen(  # noqa: S603
                [str(self._python), "-P", str(GUARD)],
                env=_environment(port, self._state_dir),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while self.is_running and time.monotonic() < deadline:
            if _answers(self.url):
                return True
            time.sleep(POLL_SECONDS)
        self.stop()
        return False


def _environment(port: int, state_dir: Path | None) -> Mapping[str, str]:
    """Only what it needs: its own switches in the caller's environment must not change what the local run is."""
    found = {name: os.environ[name] for name in (*NEEDED, *SIGNED_WITH) if name in os.environ}
    found |= {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "SERVICES": SERVICES,
        "PERSIST_STATE": "0" if state_dir is None else "1",
        # It would listen on fixed ports of every interface, and clear up containers that are not ours.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",
        "PYTHONUNBUFFERED": "1",
    }
    if state_dir is not None:
        found["STATE_DIR"] = str(state_dir)
    return found


def _answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url + HEALTH_PATH, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
