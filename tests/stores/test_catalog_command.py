"""`make catalog`: a file of an academy's offer applied to a table, or through the API."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chalicelib.books.audit.queries import changes
from chalicelib.books.catalog import queries
from chalicelib.dynamo.table import Table
from infra import catalog
from tests.catalog_files import OFFER
from tests.identity_calls import NOW, an_academy
from tests.moto_table import REGION

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "catalog.yaml"
    written.write_text(OFFER)
    return written


@pytest.fixture
def run(table: Table, capsys: pytest.CaptureFixture[str]) -> Run:
    """Type a command: its status, and what it printed to each stream."""

    def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = catalog.main([*words, "--table", table.name, "--region", REGION], clock=lambda: NOW)
        return status, *capsys.readouterr()

    return typed


class TestApplying:
    def test_prints_the_difference_and_does_it(self, table: Table, run: Run, file: Path) -> None:
        academy = an_academy(table)
        status, out, _ = run("apply", str(file), "--academy", academy.slug)
        assert status == 0
        lines = out.splitlines()
        assert {"create plans pro", "    price_per_month: 59.99", "Applied."} <= set(lines)
        assert lines[-2].startswith("16 changes, ")
        assert queries.plan(table, "pro", now=NOW).academy_id == academy.id
        assert {one.by for one in changes(table, academy.id, limit=100).items} == {"command:catalog"}
        file.write_text(OFFER.replace("59.99", "70"))
        _, out, _ = run("apply", str(file), "--academy", str(academy.id))
        assert out.splitlines()[:2] == ["change plans pro", "    price_per_month: 59.99 -> 70"]

    def test_dry_does_nothing(self, table: Table, run: Run, file: Path) -> None:
        academy = an_academy(table)
        status, out, _ = run("apply", str(file), "--academy", academy.slug, "--dry-run")
        assert (status, "Applied." in out) == (0, False)
        assert queries.all_plans(table, academy.id) == []

    @pytest.mark.parametrize(
        ("text", "slug"),
        [
            ("a: &b 1", "malformed-yaml"),
            ("a: 1", "invalid-request"),
            ("plans: [{slug: '7', currency: USD}]", "invalid-slug"),
        ],
    )
    def test_says_why_a_file_is_refused(self, table: Table, run: Run, file: Path, text: str, slug: str) -> None:
        file.write_text(text)
        status, _, err = run("apply", str(file), "--academy", an_academy(table).slug)
        assert (status, err.partition(":")[0]) == (1, slug)

    def test_knows_no_other_academy(self, run: Run, file: Path) -> None:
        assert run("apply", str(file), "--academy", "nowhere")[0] == 1
        assert run("apply", str(file), "--academy", "9")[0] == 1


class TestExporting:
    def test_prints_the_file_of_what_is_there(self, table: Table, run: Run, file: Path) -> None:
        academy = an_academy(table)
        run("apply", str(file), "--academy", academy.slug)
        status, out, _ = run("export", "--academy", academy.slug)
        assert status == 0
        file.write_text(out)
        assert run("apply", str(file), "--academy", academy.slug)[1].splitlines()[-2].startswith("0 changes")


class TestByTheApi:
    """The addresses it calls; what is there is tested by the journeys."""

    def test_looks_first_and_then_applies(self, run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        called: list[urllib.request.Request] = []

        def answer(request: urllib.request.Request, timeout: float) -> Any:
            called.append(request)
            return io.BytesIO(b'{"changes": [], "warnings": []}')

        monkeypatch.setattr(urllib.request, "urlopen", answer)
        monkeypatch.setenv("TOKEN", "a-token")
        status, out, _ = run("apply", str(file), "--academy", "4geeks", "--url", "http://127.0.0.1:8000/")
        assert (status, out) == (0, "0 changes, 0 warnings\nApplied.\n")
        path = "http://127.0.0.1:8000/v1/payments/academy/catalog/apply"
        assert [one.full_url for one in called] == [f"{path}?dry_run=1&academy=4geeks", f"{path}?academy=4geeks"]
        assert {one.headers["Authorization"] for one in called} == {"Token a-token"}
        assert {one.data for one in called} == {OFFER.encode()}

    def test_says_what_the_api_refused(self, run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(request: urllib.request.Request, timeout: float) -> Any:
            raise urllib.error.HTTPError(request.full_url, 403, "", {}, io.BytesIO(b"no"))  # type: ignore[arg-type]

        monkeypatch.setattr(urllib.request, "urlopen", refuse)
        status, _, err = run("apply", str(file), "--academy", "1", "--url", "http://127.0.0.1:8000")
        assert (status, err) == (1, "api-refused: The API answered 403: no\n")
