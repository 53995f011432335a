"""Compile an unpacked application for Lambda. Run as a script, in a fresh interpreter and with nothing imported:
what else a process has imported shows in the bytecode that it writes (marshal keeps references to shared
strings), and then two packagings of the same sources would differ.

`unchecked-hash` makes Python trust the bytecode without a look at the source's time, which a zip does not keep.
Packages of others keep only their bytecode; our own sources stay beside theirs, for readable tracebacks.
"""

import compileall
import py_compile
import sys
from pathlib import Path

OUR_SOURCES = ("app.py", "chalicelib")
RUNS_AT = Path("/var/task")  # so that tracebacks name Lambda's paths, not those of whoever packaged


def main(folder: Path) -> int:
    """Compile all of `folder` in place; answers 1 and says which on standard error if something does not."""
    for entry in sorted(folder.iterdir()):
        ours = entry.name in OUR_SOURCES
        _remove_bytecode(entry)
        if not _compile(entry, beside=not ours):
            sys.stderr.write(f"{entry.name} does not compile with Python {sys.version}\n")
            return 1
        if not ours:
            _remove_sources(entry)
    return 0


def _compile(entry: Path, *, beside: bool) -> bool:
    """`beside` writes `name.pyc` next to `name.py`, the one place where Python runs bytecode without source."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if entry.is_dir():
        where = str(RUNS_AT / entry.name)
        done = compileall.compile_dir(
            str(entry), ddir=where, quiet=1, legacy=beside, invalidation_mode=mode, force=True
        )
    elif entry.suffix == ".py":
        done = compileall.compile_file(
            str(entry), ddir=str(RUNS_AT), quiet=1, legacy=beside, invalidation_mode=mode, force=True
        )
    else:
        return True
    return bool(done)


def _remove_bytecode(entry: Path) -> None:
    """What a developer's own runs have left: of sources that are there no more, too."""
    for compiled in sorted(entry.rglob("*.pyc")) if entry.is_dir() else ():
        compiled.unlink()


def _remove_sources(entry: Path) -> None:
    for source in [entry] if entry.suffix == ".py" else sorted(entry.rglob("*.py")):
        source.unlink()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
