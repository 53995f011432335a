"""Who may import whom: the contracts of pyproject.toml, and the rules that import-linter has no word for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, Source, imported, shipped, sources

OUTSIDE_IMPORTERS = {
    "pynamodb": ("chalicelib/dynamo/",),
    "stripe": ("chalicelib/adapters/stripe/",),
    "chalice": ("app.py", "chalicelib/entrypoints/_dispatch.py"),
    "aws_lambda_powertools": ("chalicelib/entrypoints/_observe.py",),
    "boto3": (),
    "fpdf": ("chalicelib/adapters/paper/",),
}
STATEFUL_MODULES_OF_A_BOOK = (
    *("store.py", "coupon_store.py", "pool_store.py", "recharge_store.py", "rows.py", "debt_rows.py", "operations.py"),
    *("queries.py", "set_queries.py", "coupon_queries.py", "__init__.py"),
)
SEEN_BY_ADAPTERS = re.compile(
    r"chalicelib(\.books(\.\w+)?)?|chalicelib\.(kernel|settings|adapters)(\..*)?"
    r"|chalicelib\.books\.\w+\.(port|gateway|model)(\..*)?"
)
HEAVY = (
    "pydantic",
    "stripe",
    "boto3",
    "argon2",
    "jwt",
    "requests",
    "fpdf",
    "fontTools",
    "chalicelib.entrypoints._openapi",
)


def outside_imports(found: list[Source]) -> list[str]:
    """Files that import a package that is not theirs to import."""
    return [
        f"{source.path} imports {package}"
        for source in found
        for package, importers in OUTSIDE_IMPORTERS.items()
        if any(name.split(".")[0] == package for name in imported(source)) and not source.inside(*importers)
    ]


def impure_rules(found: list[Source]) -> list[str]:
    """Models and rules of books that see the table."""
    return [
        f"{source.path} imports {name}"
        for source in found
        if source.inside("chalicelib/books/") and Path(source.path).name not in STATEFUL_MODULES_OF_A_BOOK
        for name in sorted(imported(source))
        if name.startswith("chalicelib.dynamo") or name.endswith(("store", "queries", ".operations"))
    ]


def curious_adapters(found: list[Source]) -> list[str]:
    """Adapters that know more than the ports they implement: a book's reads and writes, or a journey."""
    return [
        f"{source.path} imports {name}"
        for source in found
        if source.inside("chalicelib/adapters/")
        for name in sorted(imported(source))
        if name.split(".")[0] == "chalicelib" and not SEEN_BY_ADAPTERS.fullmatch(name)
    ]


def run_import_linter(*, settings: Path, root: Path) -> subprocess.CompletedProcess[str]:
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    config = ["-c", command.replace("no_cache=True", f"config_filename={str(settings)!r}, no_cache=True")]
    return subprocess.run([sys.executable, *config], cwd=root, capture_output=True, text=True, check=False)  # noqa: S603


class TestImportContracts:
    def test_are_kept(self) -> None:
        done = run_import_linter(settings=ROOT / "pyproject.toml", root=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr

    def test_are_broken_by_a_book_that_imports_another_and_by_an_import_that_points_up(self, tmp_path: Path) -> None:
        broken = {
            "chalicelib/books/one/store.py": "import chalicelib.books.two.model\nimport chalicelib.books.one.queries\n",
            "chalicelib/kernel/money.py": "import chalicelib.flows\n",
            "chalicelib/utils.py": "",
            "chalicelib/books/two/store.py": "import pynamodb\nimport stripe\n",
        }
        _a_package(tmp_path, broken)
        done = run_import_linter(settings=ROOT / "pyproject.toml", root=tmp_path)
        assert done.returncode == 1
        for told in (
            "Imports point down BROKEN",
            "Books never import each other BROKEN",
            "Inside a book: changes and reads, then the store BROKEN",
            "Only dynamo imports pynamodb BROKEN",
            "Only adapters/stripe imports stripe BROKEN",
            "chalicelib.utils",
        ):
            assert told in done.stdout


class TestOutsidePackages:
    def test_are_imported_where_they_belong_only(self) -> None:
        assert outside_imports(list(shipped())) == []

    def test_are_found_inside_functions_too(self) -> None:
        planted = Source("chalicelib/flows/pay.py", "def pay():\n    from stripe import error\n")
        assert outside_imports([planted]) == ["chalicelib/flows/pay.py imports stripe"]


class TestModelsAndRulesOfBooks:
    def test_see_no_table(self) -> None:
        assert impure_rules(list(shipped())) == []

    def test_are_caught_when_they_do(self) -> None:
        planted = Source("chalicelib/books/ledger/burn.py", "from chalicelib.dynamo.table import Table\n")
        assert impure_rules([planted])


class TestAdapters:
    def test_know_the_ports_they_implement_and_no_more(self) -> None:
        assert curious_adapters(list(shipped())) == []

    def test_are_caught_when_they_do(self) -> None:
        for text in (
            "from chalicelib.books.billing import queries",
            "from chalicelib.flows.checkout.pay import pay",
            "from chalicelib.dynamo.table import Table",
        ):
            assert curious_adapters([Source("chalicelib/adapters/stripe/gateway.py", text)]), text
        fine = "from chalicelib.books.billing.gateway import Gateway\nfrom chalicelib.kernel import money"
        assert curious_adapters([Source("chalicelib/adapters/stripe/gateway.py", fine)]) == []


class TestNothingThatShips:
    def test_imports_what_does_not(self) -> None:
        outside = {"infra", "local", "tests", "bench"}
        assert [
            source.path for source in shipped() if {name.split(".")[0] for name in imported(source)} & outside
        ] == []

    def test_is_looked_at_in_vain(self) -> None:
        assert {source.path for source in sources()} >= {"app.py", "chalicelib/kernel/errors.py"}


class TestImportingTheApp:
    def test_loads_nothing_heavy(self) -> None:
        command = f"import app, json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == []

    @pytest.mark.parametrize("module", ["academy.catalog", "academy.account", "academy.consumption", "stripe_webhook"])
    def test_and_a_route_without_a_body_needs_no_pydantic(self, module: str) -> None:
        command = f"import app, sys, chalicelib.entrypoints.{module}; print('pydantic' in sys.modules)"
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def _a_package(root: Path, files: dict[str, str]) -> None:
    adapters = ("adapters/files", "adapters/mail", "adapters/paper", "adapters/queue")
    names = (*adapters, "entrypoints", "flows", "books/one", "books/two", "dynamo", "kernel")
    empty = [f"chalicelib/{name}/__init__.py" for name in names] + [
        "chalicelib/__init__.py",
        "chalicelib/adapters/__init__.py",
        "chalicelib/adapters/secrets.py",
        "chalicelib/books/__init__.py",
        "chalicelib/books/one/queries.py",
        "chalicelib/books/two/model.py",
        "chalicelib/settings.py",
    ]
    for name, text in {**dict.fromkeys(empty, ""), **files}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
