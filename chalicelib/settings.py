"""The environment as one validated, frozen model. The only reader of os.environ.

Secrets come from the environment (local run, tests) or, in a deployed stage, from SSM SecureStrings under
`PURSER_SECRETS_PREFIX`. A missing secret refuses to start: nothing here has a default that opens a door.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from chalicelib.kernel.documents import Frozen
from chalicelib.kernel.errors import FieldProblem
from chalicelib.kernel.fields import UnreadableFields, read_fields

USER_AGENT = "purser"
"""Who calls AWS. Without a name of ours botocore composes its own, twice a call: a tenth of the call's CPU."""

SECRET_NAMES = ("stripe_secret_key", "stripe_webhook_secrets", "jwt_secret")
SECRET_CHARACTERS_MIN = 8
JWT_SECRET_CHARACTERS_MIN = 32
WEBHOOK_SECRETS_MAX = 2
LISTS = ("allowed_origins", "stripe_webhook_secrets")


class Secret:
    """Text that no repr, log line or JSON shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_secret_value(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('**********')"


class Settings(Frozen):
    """`invite_url`: the front end that the links of invitations lead to, which serves `/invite/{token}` below it."""

    stage: str = "local"
    table: str
    region: str = "us-east-1"
    dynamodb_url: str | None = None
    sqs_url: str | None = None
    ses_url: str | None = None
    s3_url: str | None = None
    inbox_queue_url: str
    outbox_queue_url: str
    holdings_queue_url: str
    files_bucket: str
    mail_from: str
    allowed_origins: tuple[str, ...] = ()
    invite_url: str = "http://127.0.0.1:8000"
    stripe_secret_key: Secret
    stripe_webhook_secrets: Annotated[tuple[Secret, ...], Meta(min_length=1, max_length=WEBHOOK_SECRETS_MAX)]
    stripe_url: str | None = None
    stripe_account: str = "default"
    jwt_secret: Secret
    webhook_tolerance_seconds: Annotated[int, Meta(ge=1, le=3600)] = 300
    card_attempts_per_hour: Annotated[int, Meta(ge=1)] = 10
    declines_per_hour: Annotated[int, Meta(ge=1)] = 5
    trial_once_per_card: bool | None = None
    spent_policy: Literal["forgive", "debt", "block"] = "forgive"

    @classmethod
    def model_validate(cls, values: Mapping[str, object]) -> Settings:
        """The settings of these values, lists also as text with commas. Raises UnreadableFields."""
        unknown = sorted(values.keys() - set(cls.__struct_fields__))
        if unknown:
            raise UnreadableFields([FieldProblem(name, "there is no such setting") for name in unknown])
        return read_fields(
            cls, dict(values) | {name: _listed(values[name]) for name in LISTS if name in values}, _secret
        )

    def __post_init__(self) -> None:
        for name, secret, least in (
            ("stripe_secret_key", self.stripe_secret_key, SECRET_CHARACTERS_MIN),
            ("jwt_secret", self.jwt_secret, JWT_SECRET_CHARACTERS_MIN),
            *(("stripe_webhook_secrets", one, SECRET_CHARACTERS_MIN) for one in self.stripe_webhook_secrets),
        ):
            if len(secret.get_secret_value()) < least:
                raise UnreadableFields([FieldProblem(name, f"a secret has at least {least} characters")])

    @property
    def live_mode(self) -> bool:
        """True with a live Stripe key. Anything that is not plainly a test key counts as live."""
        return not self.stripe_secret_key.get_secret_value().startswith(("sk_test_", "rk_test_"))

    @property
    def one_trial_per_card(self) -> bool:
        return self.live_mode if self.trial_once_per_card is None else self.trial_once_per_card


ReadSecrets = Callable[[str, str], Mapping[str, str]]
"""From an SSM path prefix and a region to secrets by name."""


def from_environment(read_secrets: ReadSecrets, environment: Mapping[str, str] | None = None) -> Settings:
    """Read `PURSER_*`, and where a prefix is given the secrets of the stage, which are then taken from nowhere else.

    Raises UnreadableFields where a value is missing or malformed, so that the process does not start.
    """
    source = os.environ if environment is None else environment
    values: dict[str, str] = {
        name.removeprefix("PURSER_").lower(): value
        for name, value in source.items()
        if name.startswith("PURSER_") and value
    }
    values["region"] = values.get("region") or source.get("AWS_REGION") or "us-east-1"
    for name, variable in (("dynamodb_url", "DYNAMODB"), ("sqs_url", "SQS"), ("ses_url", "SES"), ("s3_url", "S3")):
        url = source.get(f"AWS_ENDPOINT_URL_{variable}")
        if url:
            values[name] = url
    prefix = values.pop("secrets_prefix", None)
    if prefix:
        kept = read_secrets(prefix, values["region"])
        values = {name: value for name, value in values.items() if name not in SECRET_NAMES}
        values |= {name: value for name, value in kept.items() if name in SECRET_NAMES}
    return Settings.model_validate(values)


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _secret(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    return value
