"""AWS's own DynamoDB engine for one machine, where it is there: Java, and the jars that the tests have downloaded.

Its partitions are indexed by sort key as DynamoDB's are. ministack reads a whole partition for each query, so how long
a query takes there says nothing about long partitions.
"""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from bench.place import ROOT
from local.ports import HOST, free_port

LIBRARIES = ROOT / ".cache" / "dynamodb-local" / "2.6.1"
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 10


@contextmanager
def dynamodb_local() -> Iterator[str | None]:
    """Its address, or None where it is not installed."""
    java = shutil.which("java")
    if java is None or not LIBRARIES.exists():
        yield None
        return
    port = free_port()
    native = [f"-Djava.library.path={LIBRARIES}", f"-Dsqlite4java.library.path={LIBRARIES}"]
    server = ["com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-sharedDb", "-port", str(port)]
    process = subprocess.Popen(
        [java, *native, "-cp", f"{LIBRARIES}/*", *server],
        cwd=LIBRARIES,  # where it leaves a file of its own
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://{HOST}:{port}"
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(STOP_SECONDS_MAX)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < deadline:
        try:
            opener.open(url, timeout=2)
        except urllib.error.HTTPError:  # it answers, if only that this is no request
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("DynamoDB Local did not come up.")
