"""What a person can say to `make run`, by environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PORT_DEFAULT = 8000
TABLE_DEFAULT = "purser-local"
REGION_DEFAULT = "us-east-1"
DEMO_FILE_DEFAULT = Path(".local/demo.json")
PORT_MAX = 65_535
NOT_SETTINGS = ("PURSER_DEMO", "PURSER_SECRETS_PREFIX", "PURSER_TABLE")
"""Names of ours that are no setting of the app, or that the local run decides."""


class InvalidOption(ValueError):
    """An environment variable that cannot be meant so."""


@dataclass(frozen=True, slots=True)
class Options:
    """`stripe_key` None: the stand-in. `dynamodb_url` None: ministack. `data_dir` None: nothing is kept."""

    port: int
    table: str
    region: str
    data_dir: Path | None
    demo_file: Path
    stripe_key: str | None
    stripe_webhook_secret: str | None
    dynamodb_url: str | None
    settings: Mapping[str, str]


def read_options(environment: Mapping[str, str]) -> Options:
    """Raises InvalidOption. Empty variables count as not given."""
    given = {name: value for name, value in environment.items() if value}
    key, webhook_secret = given.get("STRIPE_SECRET_KEY"), given.get("STRIPE_WEBHOOK_SECRET")
    if key is not None and not key.startswith(("sk_test_", "rk_test_")):
        raise InvalidOption("STRIPE_SECRET_KEY is no test key: the local run never touches real money.")
    if key is not None and webhook_secret is None:
        raise InvalidOption(
            "STRIPE_SECRET_KEY needs STRIPE_WEBHOOK_SECRET too. In another terminal, Stripe's command line tool prints "
            "it and then forwards the webhooks:\n\n"
            f"    stripe listen --forward-to http://127.0.0.1:{given.get('PORT', PORT_DEFAULT)}/stripe/webhook\n"
        )
    data = given.get("DATA")
    return Options(
        port=_port(given.get("PORT", str(PORT_DEFAULT))),
        table=given.get("PURSER_TABLE", TABLE_DEFAULT),
        region=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or REGION_DEFAULT,
        data_dir=None if data is None else Path(data).expanduser().resolve(),
        demo_file=Path(given.get("PURSER_DEMO", DEMO_FILE_DEFAULT)).resolve(),
        stripe_key=key,
        stripe_webhook_secret=webhook_secret,
        dynamodb_url=given.get("AWS_ENDPOINT_URL_DYNAMODB"),
        settings={
            name: value for name, value in given.items() if name.startswith("PURSER_") and name not in NOT_SETTINGS
        },
    )


def _port(text: str) -> int:
    """0 stands for any free port."""
    if not (text.isascii() and text.isdigit() and int(text) <= PORT_MAX):
        raise InvalidOption(f"PORT={text} is no port.")
    return int(text)
