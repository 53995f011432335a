"""`make deploy`, `rollback`, `restart`, `stripe-webhook` and `smoke`: what a person types for a stage at AWS.

Credentials come from where boto3 looks for them. A dry run needs none: it prints the template that
CloudFormation would get, and on standard error what would be uploaded.
"""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.changes import ChangeFailed, ChangeRefused
from infra.package import PROJECT, REGION_DEFAULT, package
from infra.release import Place, ReleaseError, deploy, deployable_template, restart, rollback
from infra.stripe_webhook import Wanted, register

WEBHOOK_PATH = "/stripe/webhook"
UNKNOWN_ACCOUNT = "000000000000"
SMOKE_SECONDS_MAX = 30
SMOKE_TRIES = 3
STRIPE_SECONDS_MAX = 20.0

Say = Callable[[str], None]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; answers the exit status. Refusals are one line on standard error."""
    asked = _parser().parse_args(arguments)
    commands: dict[str, Callable[[argparse.Namespace], None]] = {
        "deploy": _deploy,
        "rollback": _rollback,
        "restart": _restart,
        "stripe-webhook": _stripe_webhook,
        "smoke": _smoke,
    }
    try:
        commands[asked.command](asked)
    except (ReleaseError, ChangeFailed, ChangeRefused, SmokeFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


class SmokeFailed(Exception):
    """The deployed API does not answer as it should."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("deploy", "rollback", "restart", "stripe-webhook"):
        commands.add_parser(name).add_argument("--stage", required=True)
    commands.choices["deploy"].add_argument("--dry-run", action="store_true")
    commands.choices["stripe-webhook"].add_argument("--url", required=True, help="the API's address")
    commands.choices["stripe-webhook"].add_argument("--rotate", action="store_true")
    commands.add_parser("smoke").add_argument("--url", required=True)
    return parser


def _deploy(asked: argparse.Namespace) -> None:
    folder = PROJECT / "build" / "package" / asked.stage
    summary = package(PROJECT, folder, stage=asked.stage)
    if asked.dry_run:
        _show_plan(asked.stage, folder, summary)
        return
    outputs = deploy(_place(asked.stage), folder, stage_parameters(PROJECT, asked.stage))
    _show_outputs(outputs)


def _show_plan(stage: str, folder: Path, summary: dict[str, Any]) -> None:
    place = Place(stage=stage, region=_region() or REGION_DEFAULT, account=UNKNOWN_ACCOUNT)
    template = deployable_template(folder, place, summary["release"])
    sys.stderr.write(
        f"Stack {place.stack} in {place.region}, release {summary['release']}.\n"
        f"Upload {folder / 'deployment.zip'} ({summary['zip_bytes']} bytes) and the template below\n"
        f"to s3://purser-releases-ACCOUNT-{place.region}/releases/{summary['release']}/\n"
        f"Parameters: {json.dumps(stage_parameters(PROJECT, stage))}\n"
    )
    sys.stdout.write(json.dumps(template, indent=2, sort_keys=True) + "\n")


def _rollback(asked: argparse.Namespace) -> None:
    _show_outputs(rollback(_place(asked.stage)))


def _restart(asked: argparse.Namespace) -> None:
    _show_outputs(restart(_place(asked.stage), str(int(time.time()))))


def _stripe_webhook(asked: argparse.Namespace) -> None:
    import boto3
    import stripe

    from chalicelib.adapters.stripe.events import HANDLED_TYPES

    session = boto3.Session(region_name=_required_region())
    ssm = session.client("ssm")
    key = ssm.get_parameter(Name=f"/purser/{asked.stage}/stripe_secret_key", WithDecryption=True)
    client = stripe.StripeClient(
        key["Parameter"]["Value"],
        base_addresses={"api": os.environ.get("STRIPE_API_URL", stripe.DEFAULT_API_BASE)},
        http_client=stripe.RequestsClient(timeout=STRIPE_SECONDS_MAX),
        max_network_retries=2,
    )
    done = register(
        client,
        ssm,
        Wanted(
            stage=asked.stage,
            url=asked.url.rstrip("/") + WEBHOOK_PATH,
            events=HANDLED_TYPES,
            api_version=stripe.api_version,
            now=int(time.time()),
        ),
        rotate=asked.rotate,
    )
    _say(f"{done.endpoint} {done.action}")
    for ident in done.deleted:
        _say(f"{ident} deleted: replaced, and nothing waits for it any more")
    for ident in done.kept_for_retries:
        _say(f"{ident} kept for its retries: run this again in three days to delete it")
    for ident in done.foreign:
        _say(f"{ident} has the same address and is not ours: left alone")
    if done.secret_stored:
        _say("The secret is in SSM. Starting the functions afresh, so that they read it.")
        _show_outputs(restart(_place(asked.stage), str(int(time.time()))))


def _smoke(asked: argparse.Namespace) -> None:
    """GET /health, three times at most: the first request may meet a function that is just starting."""
    address = asked.url.rstrip("/") + "/health"
    if not address.startswith(("https://", "http://")):
        raise SmokeFailed(f"{asked.url} is no web address.")
    reason = ""
    for _ in range(SMOKE_TRIES):
        try:
            with urllib.request.urlopen(address, timeout=SMOKE_SECONDS_MAX) as answer:  # noqa: S310
                _say(f"{address} answers {answer.status}: {answer.read(1000).decode()}")
                return
        except urllib.error.HTTPError as error:
            reason = f"{error.code} {error.read(1000).decode(errors='replace')}"
        except (urllib.error.URLError, TimeoutError) as error:
            reason = str(error)
    raise SmokeFailed(f"{address} does not answer 200: {reason}")


def stage_parameters(project: Path, stage: str) -> dict[str, str]:
    """The stage's parameters of `.chalice/parameters-<stage>.json`: names to texts, none of them a secret."""
    path = project / ".chalice" / f"parameters-{stage}.json"
    parameters: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return {**parameters, "Stage": stage}


def _place(stage: str) -> Place:
    import boto3

    session = boto3.Session(region_name=_required_region())
    account = session.client("sts").get_caller_identity()["Account"]
    clients = {name: session.client(name) for name in ("cloudformation", "s3")}
    return Place(stage=stage, region=session.region_name, account=account, clients=clients)


def _region() -> str | None:
    import boto3

    return os.environ.get("AWS_REGION") or boto3.Session().region_name


def _required_region() -> str:
    region = _region()
    if region is None:
        raise ReleaseError("Set AWS_REGION, or a region in the AWS profile.")
    return region


def _show_outputs(outputs: dict[str, str]) -> None:
    for name, value in sorted(outputs.items()):
        _say(f"{name}: {value}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
