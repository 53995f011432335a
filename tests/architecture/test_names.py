"""Names that may not stand in what ships: clocks, random ids, floats of money, the environment, catch-alls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import Source, dotted, shipped

CLOCKS = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns")
CLOCK_READER = "chalicelib/entrypoints/_wiring.py"
ENVIRONMENT = ("os.environ", "os.getenv", "environ", "getenv")
PURE = ("chalicelib/kernel/", "chalicelib/books/", "chalicelib/flows/")
EDGES = ("chalicelib/entrypoints/", "chalicelib/adapters/")
SHAPELESS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "service", "services"}


def banned(source: Source) -> Iterator[str]:
    """Every banned name in the file, with its line."""
    if set(Path(source.path).with_suffix("").parts) & SHAPELESS:
        yield f"{source.path}: a module named for nothing"
    for node in ast.walk(source.tree):
        name = _banned(source, node)
        if name is not None:
            yield f"{source.path}:{getattr(node, 'lineno', 0)} {name}"


def _banned(source: Source, node: ast.AST) -> str | None:
    name = dotted(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""
    if name.endswith(CLOCKS) and not source.inside(CLOCK_READER):
        return name
    if name in ENVIRONMENT and not source.inside("chalicelib/settings.py"):
        return name
    if name.rpartition(".")[2] in ("uuid4", "uuid1"):
        return name
    if isinstance(node, ast.Call) and dotted(node.func) == "float" and source.inside(*PURE):
        return "float("
    if isinstance(node, ast.ExceptHandler) and _catches_all(node) and not source.inside(*EDGES):
        return "except Exception"
    return None


def _catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(one is None or dotted(one) in ("Exception", "BaseException") for one in caught)


class TestBannedNames:
    def test_stand_nowhere(self) -> None:
        assert [found for source in shipped() for found in banned(source)] == []

    def test_are_found_where_they_stand(self) -> None:
        for text in (
            "import datetime\nx = datetime.datetime.now()",
            "from datetime import datetime\nx = datetime.utcnow()",
            "import time\nx = time.time()",
            "import os\nx = os.environ['A']",
            "from os import getenv\nx = getenv('A')",
            "import uuid\nx = uuid.uuid4()",
            "x = float('1')",
            "try:\n    pass\nexcept Exception:\n    pass",
            "try:\n    pass\nexcept (ValueError, BaseException):\n    pass",
            "try:\n    pass\nexcept:\n    pass",
        ):
            assert list(banned(Source("chalicelib/books/ledger/burn.py", text))), text

    def test_are_found_as_names_of_modules(self) -> None:
        assert list(banned(Source("chalicelib/flows/utils.py", "")))
        assert list(banned(Source("chalicelib/helpers/text.py", "")))

    def test_are_left_alone_where_they_belong(self) -> None:
        assert list(banned(Source(CLOCK_READER, "x = datetime.now(UTC)"))) == []
        assert list(banned(Source("chalicelib/settings.py", "import os\nx = os.environ"))) == []
        assert list(banned(Source("chalicelib/books/a.py", "def at(x: float) -> None: ..."))) == []
