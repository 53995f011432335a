"""Statements of people in tests: asked for over HTTP, written to a file, checked as an outsider would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra import verify_statement
from infra.package import PROJECT
from tests.world import Person

SCRIPT = PROJECT / "infra" / "verify_statement.py"


def statement_of(person: Person, **query: str) -> Any:
    """The statement as JSON; it must be answered."""
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = person.get(f"/v1/payments/me/statement?{text}")
    assert answer.status == 200, answer.text
    return answer.json


def wrong_with(statement: Any, *, sealed: bool = True) -> list[str]:
    """What the script finds. `sealed`: somebody who changes a statement makes its digest fit again."""
    found = json.loads(json.dumps(statement))
    if sealed:
        found["digest"] = verify_statement.digest({name: found[name] for name in found if name != "digest"})
    return verify_statement.wrong_with(found)


def verified(folder: Path, *statements: Any) -> tuple[int, str]:
    """The script alone in a process, as somebody runs it who has nothing else of ours."""
    files = []
    for number, statement in enumerate(statements):
        file = folder / f"statement-{number}.json"
        file.write_text(statement if isinstance(statement, str) else json.dumps(statement))
        files.append(str(file))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-S", str(SCRIPT), *files], capture_output=True, text=True, check=False
    )
    assert not done.stderr
    return done.returncode, done.stdout
