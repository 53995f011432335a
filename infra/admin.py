"""What an operator does before there is an operator: people, academies, staff and keys, written to a stage's table.

    python -m infra.admin --stage prod create-operator EMAIL [--first-name N] [--last-name N]
    python -m infra.admin --stage prod remove-operator EMAIL
    python -m infra.admin --stage prod create-academy SLUG NAME [--currency USD] [--id N]
    python -m infra.admin --stage prod add-staff ACADEMY_ID EMAIL [--role ROLE] [--capability C]... [--first-name N]
    python -m infra.admin --stage prod create-key NAME --scope S... [--academy ACADEMY_ID]
    python -m infra.admin --stage prod create-token EMAIL [--days N]
    python -m infra.admin --stage prod set-password EMAIL    (asks for it, or reads one line of standard input)

The table is `--table`, else the one that the stage's stack made, else (with neither) PURSER_TABLE. A secret is printed
once, on standard output, as JSON; everything else goes to standard error. The same operations as the operators' routes.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import asdict

from chalicelib.books.identity import operations, queries, roles
from chalicelib.books.identity.model import NewAcademy, NewApiKey, NewUser, Position, User
from chalicelib.books.identity.store import UserNotFound
from chalicelib.dynamo.table import Table
from chalicelib.kernel.errors import DomainError

REGION_DEFAULT = "us-east-1"
TOKEN_DAYS_DEFAULT = 30

Clock = Callable[[], datetime]


class TableUnnamed(DomainError):
    slug = "table-unnamed"
    detail = "Say which table: --stage, --table or PURSER_TABLE."


def main(arguments: list[str] | None = None, clock: Clock = lambda: datetime.now(UTC)) -> int:
    """Run one command; answers the exit status. A refusal is one line on standard error."""
    asked = _parser().parse_args(arguments)
    commands: dict[str, Callable[[Table, argparse.Namespace, datetime], dict[str, Any]]] = {
        "create-operator": _create_operator,
        "remove-operator": _remove_operator,
        "create-academy": _create_academy,
        "add-staff": _add_staff,
        "create-key": _create_key,
        "create-token": _create_token,
        "set-password": _set_password,
    }
    try:
        answer = commands[asked.command](table_of(asked), asked, clock())
    except DomainError as refusal:
        sys.stderr.write(f"{refusal.slug}: {refusal.sentence}\n")
        return 1
    sys.stdout.write(json.dumps(answer, indent=2, default=str) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.admin", description=str(__doc__).split("\n", 1)[0])
    add_table(parser)
    commands = parser.add_subparsers(dest="command", required=True)
    operator = commands.add_parser("create-operator")
    operator.add_argument("email")
    _add_names(operator, first_name="Operator")
    commands.add_parser("remove-operator").add_argument("email")
    academy = commands.add_parser("create-academy")
    academy.add_argument("slug")
    academy.add_argument("name")
    academy.add_argument("--currency")
    academy.add_argument("--id", type=int)
    staff = commands.add_parser("add-staff")
    staff.add_argument("academy", type=int)
    staff.add_argument("email")
    staff.add_argument("--role", default=roles.NO_ROLE, choices=[*roles.ROLES, roles.NO_ROLE])
    staff.add_argument("--capability", action="append", default=[], choices=roles.CAPABILITIES, metavar="CAPABILITY")
    _add_names(staff, first_name="Staff")
    key = commands.add_parser("create-key")
    key.add_argument("name")
    key.add_argument("--scope", action="append", required=True)
    key.add_argument("--academy", type=int)
    token = commands.add_parser("create-token")
    token.add_argument("email")
    token.add_argument("--days", type=int, default=TOKEN_DAYS_DEFAULT)
    commands.add_parser("set-password").add_argument("email")
    return parser


def add_table(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a table."""
    parser.add_argument("--stage", help="a deployed stage: its table is the one that its stack made")
    parser.add_argument("--table", help="the table's name, whatever the stage")
    parser.add_argument("--region", help="AWS region; default AWS_REGION, else us-east-1")


def _add_names(parser: argparse.ArgumentParser, *, first_name: str) -> None:
    parser.add_argument("--first-name", default=first_name)
    parser.add_argument("--last-name", default="")


def _create_operator(table: Table, asked: argparse.Namespace, now: datetime) -> dict[str, Any]:
    known = queries.user_by_email(table, asked.email)
    if known is None:
        new = NewUser(email=asked.email, first_name=asked.first_name, last_name=asked.last_name, is_operator=True)
        user = operations.create_user(table, new, now=now)
    else:
        user = known if known.is_operator else operations.set_operator(table, known.id, is_operator=True)
    return _token(table, user, now, days=TOKEN_DAYS_DEFAULT)


def _remove_operator(table: Table, asked: argparse.Namespace, now: datetime) -> dict[str, Any]:
    user = operations.set_operator(table, _known(table, asked.email).id, is_operator=False)
    return {"user_id": user.id, "email": user.email, "is_operator": user.is_operator}


def _create_academy(table: Table, asked: argparse.Namespace, now: datetime) -> dict[str, Any]:
    new = NewAcademy(name=asked.name, slug=asked.slug, main_currency=asked.currency, id=asked.id)
    return asdict(operations.create_academy(table, new, now=now))


def _add_staff(table: Table, asked: argparse.Namespace, now: datetime) -> dict[str, Any]:
    new = NewUser(email=asked.email, first_name=asked.first_name, last_name=asked.last_name)
    position = Position(role=asked.role, capabilities=tuple(asked.capability))
    hired = operations.hire(table, new, position, academy_id=asked.academy, now=now)
    return {
        **asdict(hired.membership),
        "email": hired.user.email,
        "token": hired.secret,
        "expires_at": hired.expires_at,
    }


def _create_key(table: Table, asked: argparse.Namespace, now: datetime) -> dict[str, Any]:
    new = NewApiKey(name=asked.name, scopes=tuple(asked.scope), academy_id=asked.academy)
    issued = operations.issue_api_key(table, new, now=now)
    return {"id": issued.id, "key": issued.secret, "scopes": new.scopes, "academy_id": new.academy_id}


def _create_token(table: Table, asked: argparse.Namespace, now: datetime) -> dict[str, Any]:
    return _token(table, _known(table, asked.email), now, days=asked.days)


def _set_password(table: Table, asked: argparse.Namespace, now: datetime) -> dict[str, Any]:
    user = _known(table, asked.email)
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    operations.set_password(table, user.id, password)
    return {"user_id": user.id, "email": user.email, "tokens": "ended"}


def _token(table: Table, user: User, now: datetime, *, days: int) -> dict[str, Any]:
    expires_at = now + timedelta(days=days)
    secret = operations.issue_token(table, user, now=now, expires_at=expires_at)
    return {"user_id": user.id, "email": user.email, "token": secret, "expires_at": expires_at}


def _known(table: Table, email: str) -> User:
    user = queries.user_by_email(table, email)
    if user is None:
        raise UserNotFound(user=email)
    return user


def table_of(asked: argparse.Namespace) -> Table:
    """The table that the arguments of `add_table`, or else the environment, name. Raises TableUnnamed."""
    region = asked.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or REGION_DEFAULT
    name = asked.table or (_table_of_stack(asked.stage, region) if asked.stage else os.environ.get("PURSER_TABLE"))
    if not name:
        raise TableUnnamed
    return Table(name, region=region, endpoint_url=os.environ.get("AWS_ENDPOINT_URL_DYNAMODB"))


def _table_of_stack(stage: str, region: str) -> str:
    """The table that the stage's stack made: its output `TableName` (infra/stack/parameters.yaml)."""
    import botocore.session

    client = botocore.session.get_session().create_client("cloudformation", region_name=region)
    stack = client.describe_stacks(StackName=f"purser-{stage}")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
    sys.stderr.write(f"Stage {stage}, table {outputs['TableName']}\n")
    return str(outputs["TableName"])


if __name__ == "__main__":
    sys.exit(main())
