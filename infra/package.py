"""`make package`: the zip and the template of one stage, in `build/package/<stage>/`, ready for `make deploy`.

Chalice packages the application, `infra/template.py` completes the template, `infra/archive.py` compiles and
trims the zip, cfn-lint reads the result, and a summary in JSON is printed. No AWS account is needed. The network
is needed for pip only: with PIP_NO_INDEX=1 and PIP_FIND_LINKS=folder it is not. Nothing is done again if nothing
changed.

The functions' Python is the one that runs this, since Chalice emits the running minor version as runtime and the
zip holds bytecode for it.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.archive import build_archive
from infra.template import finish, fragments

PROJECT = Path(__file__).resolve().parent.parent
INPUTS = ("app.py", "chalicelib", "vendor", "requirements.txt", ".chalice/config.json")
REGION_DEFAULT = "us-east-1"  # Chalice wants one; nothing in the template depends on it.
PACKAGE_SECONDS_MAX = 600
LINT_SECONDS_MAX = 120


class PackagingError(Exception):
    """A step of packaging failed; the message holds what its tool printed."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make package", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--stage", default="prod")
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--out", type=Path, help="default: build/package/<stage> of the project")
    asked = parser.parse_args(arguments)
    out = asked.out or asked.project / "build" / "package" / asked.stage
    summary = package(asked.project, out, stage=asked.stage)
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")


def package(project: Path, out: Path, *, stage: str) -> dict[str, Any]:
    """Package `project` for `stage` into `out` and answer the summary that is also in `out/summary.json`.

    `out` then holds `deployment.zip`, `template.json` (SAM) and `summary.json`: stage, runtime, release (what
    names this content), bytes zipped and unzipped, number of files. Raises `PackagingError`, `ArchiveError`,
    `TemplateError` or `AmbiguousPath`; `out` then has no summary, so the next call starts over.
    """
    inputs = _fingerprint(project, stage)
    summary_file = out / "summary.json"
    if summary_file.exists():
        present: dict[str, Any] = json.loads(summary_file.read_text())
        if present["inputs"] == inputs:
            return present
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    template = _run_chalice(project, out, stage)
    finish(template, stage=stage)
    figures = build_archive(out / "chalice" / "deployment.zip", out / "deployment.zip", workspace=out / "unzipped")
    template_file = out / "template.json"
    template_file.write_text(json.dumps(template, indent=1, sort_keys=True) + "\n")
    _lint(template_file)
    content = f"{figures['sha256']} {template_file.read_text()}"
    summary = {
        "stage": stage,
        "runtime": template["Resources"]["APIHandler"]["Properties"]["Runtime"],
        "release": hashlib.sha256(content.encode()).hexdigest()[:16],
        **figures,
        "template_bytes": template_file.stat().st_size,
        "inputs": inputs,
    }
    summary_file.write_text(json.dumps(summary, indent=2) + "\n")
    return summary


def _run_chalice(project: Path, out: Path, stage: str) -> dict[str, Any]:
    declared = out / "declared.json"
    declared.write_text(json.dumps(fragments()))
    # In a process of its own: Chalice imports the application, and leaves it and its settings behind.
    _run(
        [
            *(sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())"),
            *("--project-dir", str(project), "package", "--stage", stage),
            *("--merge-template", str(declared), str(out / "chalice")),
        ],
        seconds_max=PACKAGE_SECONDS_MAX,
    )
    template: dict[str, Any] = json.loads((out / "chalice" / "sam.json").read_text())
    return template


def _lint(template_file: Path) -> None:
    """Refuse every finding but the informational ones, warnings too."""
    _run(
        [
            *(sys.executable, "-c", "import sys; from cfnlint.runner import main; sys.exit(main())"),
            *("--non-zero-exit-code", "warning", str(template_file)),
        ],
        seconds_max=LINT_SECONDS_MAX,
    )


def _run(command: list[str], *, seconds_max: int) -> None:
    environment = {"AWS_DEFAULT_REGION": REGION_DEFAULT, "PIP_NO_DEPS": "1", **os.environ}
    done = subprocess.run(  # noqa: S603  # our own interpreter with fixed arguments
        command, env=environment, capture_output=True, text=True, timeout=seconds_max, check=False
    )
    if done.returncode != 0:
        raise PackagingError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def _fingerprint(project: Path, stage: str) -> str:
    """What this packaging would be made of: the sources, the declarations, the interpreter and the stage."""
    digest = hashlib.sha256(f"{sys.version} {stage}".encode())
    for top in [*(project / name for name in INPUTS), Path(__file__).parent]:
        files = [top] if top.is_file() else sorted(top.rglob("*"))
        for path in files:
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(top.parent)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
