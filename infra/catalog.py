"""Catalog as code: apply a file of an academy's whole offer (docs/catalog.md), or print the file of what is there.

    python -m infra.catalog apply catalog.yaml --academy ID_OR_SLUG --stage prod [--dry-run]
    python -m infra.catalog apply catalog.yaml --academy ID_OR_SLUG --url http://127.0.0.1:8000 [--dry-run]
    python -m infra.catalog export --academy ID_OR_SLUG --stage prod [--ids]

What it changes and all warnings are printed before anything is done. With --url the API does it, for whoever the
environment's TOKEN is of; else it is written to the table, which is found as `infra.admin` finds it. The same code
either way.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlencode

import msgspec

from chalicelib.books.identity import queries as identity
from chalicelib.entrypoints._bodies import validated
from chalicelib.entrypoints._yaml import MEDIA_TYPE, read_yaml
from chalicelib.entrypoints.staff.catalog import PATH, applied_out, file_text
from chalicelib.entrypoints.staff.catalog_schemas import CatalogBody, entries_of
from chalicelib.flows.catalog.apply_file import apply, drafted
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.catalog.export import export
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import DomainError
from infra.admin import add_table, table_of

BY = "command:catalog"
ANSWER_SECONDS_MAX = 30

Clock = Callable[[], datetime]


class ApiRefused(DomainError):
    slug = "api-refused"
    detail = "The API answered {status}: {answer}"


class _NotNeeded:
    """Stands for the ports that charge and nudge: a catalog does neither."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name}: this command calls nobody outside")


def main(arguments: list[str] | None = None, clock: Clock = lambda: datetime.now(UTC)) -> int:
    """Run one command; answers the exit status. A refusal is one line on standard error."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.command == "export":
            sys.stdout.write(_exported(asked, clock()))
        elif asked.url:
            _apply_by_api(asked)
        else:
            _apply(asked, clock())
    except DomainError as refusal:
        sys.stderr.write(f"{refusal.slug}: {refusal.sentence}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.catalog", description=str(__doc__).split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    applying = commands.add_parser("apply")
    applying.add_argument("file", type=Path)
    applying.add_argument("--dry-run", action="store_true", help="only print what would change")
    exporting = commands.add_parser("export")
    exporting.add_argument("--ids", action="store_true", help="with the ids of what has one")
    for command in (applying, exporting):
        command.add_argument("--academy", required=True, help="id or slug")
        command.add_argument("--url", help="the API's address, instead of a table; TOKEN is the caller's")
        add_table(command)
    return parser


def _apply(asked: argparse.Namespace, now: datetime) -> None:
    context = _context(asked, now)
    body = validated(CatalogBody, read_yaml(asked.file.read_bytes()))
    staff = Staff(academy_id=_academy_id(context, asked.academy), by=BY)
    draft = drafted(context, staff, entries_of(body))
    _print(msgspec.to_builtins(applied_out(draft)))
    if not asked.dry_run:
        apply(draft.differences)
        sys.stdout.write("Applied.\n")


def _apply_by_api(asked: argparse.Namespace) -> None:
    raw = asked.file.read_bytes()
    _print(json.loads(_called(asked, "apply", {"dry_run": "1"}, raw)))
    if not asked.dry_run:
        _called(asked, "apply", {}, raw)
        sys.stdout.write("Applied.\n")


def _exported(asked: argparse.Namespace, now: datetime) -> str:
    if asked.url:
        return _called(asked, "export", {"ids": "1"} if asked.ids else {}, None)
    context = _context(asked, now)
    return file_text(export(context, _academy_id(context, asked.academy)), with_ids=asked.ids)


def _called(asked: argparse.Namespace, verb: str, query: dict[str, str], body: bytes | None) -> str:
    """What the API answers. Raises ApiRefused."""
    address = f"{asked.url.rstrip('/')}{PATH}/{verb}?{urlencode({**query, 'academy': asked.academy})}"
    headers = {"Authorization": f"Token {os.environ.get('TOKEN', '')}", "Content-Type": MEDIA_TYPE}
    request = urllib.request.Request(address, data=body, headers=headers)  # noqa: S310  # the operator's own address
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        raise ApiRefused(status=error.code, answer=error.read().decode()) from error


def _print(answer: dict[str, Any]) -> None:
    for change in answer["changes"]:
        sys.stdout.write(f"{change['action']} {change['kind']} {change['ref']}\n")
        for name, value in change["fields"].items():
            after = json.dumps(value["after"])
            was = "" if change["action"] == "create" else f"{json.dumps(value['before'])} -> "
            sys.stdout.write(f"    {name}: {was}{after}\n")
    for warning in answer["warnings"]:
        sys.stdout.write(f"warning: {warning['entry']} {warning['ref']}: {warning['slug']}: {warning['detail']}\n")
    sys.stdout.write(f"{len(answer['changes'])} changes, {len(answer['warnings'])} warnings\n")


def _context(asked: argparse.Namespace, now: datetime) -> Context:
    nobody: Any = _NotNeeded()
    return Context(table=table_of(asked), gateway=nobody, queue=nobody, now=now, limits=nobody)


def _academy_id(context: Context, ref: str) -> int:
    """Raises AcademyNotFound."""
    ident = int(ref) if ref.isascii() and ref.isdigit() else identity.academy_id_of(context.table, ref)
    return identity.academy(context.table, ident).id


if __name__ == "__main__":
    sys.exit(main())
