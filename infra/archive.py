"""The zip that Lambda runs, made out of the one that Chalice builds: compiled, trimmed, and the same every time.

Chalice's zip has no compiled file and Lambda's disk is read-only, so every cold start would compile everything
again (measured: 2.0 s against 0.84 s). So it is compiled here, by the running interpreter, whose minor version
is also the one that Chalice writes as the functions' runtime: bytecode and runtime always fit.
"""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ZIP_BYTES_MAX = 15_000_000
FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip can hold
COMPILE_SECONDS_MAX = 300

# The AWS services that the code calls. botocore carries descriptions of all four hundred, 20 MB of them.
AWS_SERVICES = ("dynamodb", "s3", "sesv2", "sqs", "ssm", "sts")

# Read by nobody at run time. The packages of `stripe/params` hold types for annotations only; what remains of
# stripe is imported as a whole by the tests of this file.
UNUSED = (
    "stripe/params",
    "aws_lambda_powertools/event_handler",  # a router for other frameworks
    "dateutil/zoneinfo",  # the system has the zones, and botocore asks for none but UTC
    "pydantic/v1",  # the library before ours
    "pycparser",  # cffi's compiler's; its compiled modules need cffi's backend alone
    "PIL",  # fpdf2 does without where no image is printed
    "pillow.libs",
    *(f"fontTools/{name}" for name in ("diff", "merge", "mtiLib", "t1Lib", "ufoLib", "voltLib")),  # other programs
    "bin",
)
# Compiled twins of Python modules that are there too: what draws outlines of glyphs, which nobody does, and what reads
# YAML, a second's work at most for a whole file.
UNUSED_NATIVE = ("fontTools", "yaml")
UNUSED_SUFFIXES = (".pyi", ".typed", ".so.map", ".c", ".h")


class ArchiveError(Exception):
    """The zip cannot be shipped; the message says why."""


def build_archive(chalice_zip: Path, target: Path, *, workspace: Path) -> dict[str, int | str]:
    """Write `target` from `chalice_zip`, working in `workspace`, which is emptied first and kept.

    Answers the figures for people and for the release: bytes zipped and unzipped, files, SHA-256 in hex. Raises
    `ArchiveError` if something does not compile or the zip is larger than 15 MB.
    """
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir(parents=True)
    with zipfile.ZipFile(chalice_zip) as archive:
        archive.extractall(workspace)
    trim(workspace)
    compile_all(workspace)
    files = write_zip(workspace, target)
    size = target.stat().st_size
    if size > ZIP_BYTES_MAX:
        raise ArchiveError(f"The zip has {size} bytes, more than {ZIP_BYTES_MAX}.")
    return {
        "zip_bytes": size,
        "unzipped_bytes": sum(path.stat().st_size for path in files),
        "files": len(files),
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
    }


def trim(folder: Path) -> None:
    """Remove what nobody reads at run time."""
    for name in UNUSED:
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in [*folder.glob("*.dist-info"), *folder.glob("*.data")]:
        shutil.rmtree(path)
    for service in (folder / "botocore" / "data").glob("*/"):
        if service.name not in AWS_SERVICES:
            shutil.rmtree(service)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in UNUSED_SUFFIXES:
            path.unlink()
    for twins in UNUSED_NATIVE:
        for path in (folder / twins).rglob("*.so"):
            path.unlink()


def compile_all(folder: Path) -> None:
    """Compile `folder` as `bytecode.py` says. Raises `ArchiveError` if a source does not compile."""
    script = Path(__file__).with_name("bytecode.py")
    done = subprocess.run(  # noqa: S603  # our own interpreter and script
        [sys.executable, "-I", str(script), str(folder)],
        capture_output=True,
        text=True,
        timeout=COMPILE_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise ArchiveError(done.stdout + done.stderr)


def write_zip(folder: Path, target: Path) -> list[Path]:
    """Zip the files of `folder` in the order of their names, with one fixed time, and answer them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), compresslevel=9)
    return files
