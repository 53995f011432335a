"""AWS's own DynamoDB engine as Maven's jars: `python -m tests.jars` downloads them where Java and Maven are there.

Needs the standard library only, so that it can be done while the environment of the tests is still being made.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "dynamodb-local"
DYNAMODB_LOCAL_VERSION = "2.6.1"
DOWNLOAD_SECONDS_MAX = 300
POM = f"""<project><modelVersion>4.0.0</modelVersion>
<groupId>purser</groupId><artifactId>tests</artifactId><version>1</version>
<dependencies><dependency><groupId>com.amazonaws</groupId><artifactId>DynamoDBLocal</artifactId>
<version>{DYNAMODB_LOCAL_VERSION}</version></dependency></dependencies></project>
"""


def wanted() -> bool:
    """Whether this machine can run them."""
    return shutil.which("java") is not None and shutil.which("mvn") is not None


def libraries() -> Path:
    """The jars, downloaded once, by one of the processes that ask. A download that broke off is done again."""
    found = CACHE / DYNAMODB_LOCAL_VERSION
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _download(found)
    return found


def _download(target: Path) -> None:
    (CACHE / "pom.xml").write_text(POM)
    partial = CACHE / f"partial-{os.getpid()}"
    maven = [str(shutil.which("mvn")), "-q", "-B", "-f", str(CACHE / "pom.xml")]
    subprocess.run(  # noqa: S603
        [*maven, "dependency:copy-dependencies", f"-DoutputDirectory={partial}"],
        check=True,
        timeout=DOWNLOAD_SECONDS_MAX,
    )
    partial.rename(target)


if __name__ == "__main__" and wanted():
    libraries()
