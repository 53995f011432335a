"""The environment as one validated, frozen model. The only reader of os.environ.

Secrets come from the environment (local run, tests) or, in a deployed stage, from SSM SecureStrings under
`PURSER_SECRETS_PREFIX`. A missing secret refuses to start: nothing here has a default that opens a door.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

SECRET_NAMES = ("stripe_secret_key", "stripe_webhook_secrets", "jwt_secret")


class Settings(BaseModel):
    # What was sent stays out of a start-up error: it may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    stage: str = "local"
    table: str
    region: str = "us-east-1"
    dynamodb_url: str | None = None
    sqs_url: str | None = None
    ses_url: str | None = None
    inbox_queue_url: str
    outbox_queue_url: str
    mail_from: str
    allowed_origins: tuple[str, ...] = ()
    invite_url: str = "http://127.0.0.1:8000"
    stripe_secret_key: SecretStr = Field(min_length=8)
    stripe_webhook_secrets: tuple[SecretStr, ...] = Field(min_length=1, max_length=2)
    stripe_url: str | None = None
    stripe_account: str = "default"
    jwt_secret: SecretStr = Field(min_length=32)
    webhook_tolerance_seconds: int = Field(default=300, ge=1, le=3600)
    card_attempts_per_hour: int = Field(default=10, ge=1)
    declines_per_hour: int = Field(default=5, ge=1)
    trial_once_per_card: bool | None = None

    @field_validator("allowed_origins", "stripe_webhook_secrets", mode="before")
    @classmethod
    def _from_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("stripe_webhook_secrets")
    @classmethod
    def _no_empty_secret(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(secret.get_secret_value()) < 8 for secret in value):
            raise ValueError("a webhook secret is empty or too short to be one")
        return value

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

    Raises pydantic.ValidationError where a value is missing or malformed, so that the process does not start.
    """
    source = os.environ if environment is None else environment
    values: dict[str, str] = {
        name.removeprefix("PURSER_").lower(): value
        for name, value in source.items()
        if name.startswith("PURSER_") and value
    }
    values["region"] = values.get("region") or source.get("AWS_REGION") or "us-east-1"
    for name, variable in (("dynamodb_url", "DYNAMODB"), ("sqs_url", "SQS"), ("ses_url", "SES")):
        url = source.get(f"AWS_ENDPOINT_URL_{variable}")
        if url:
            values[name] = url
    prefix = values.pop("secrets_prefix", None)
    if prefix:
        kept = read_secrets(prefix, values["region"])
        values = {name: value for name, value in values.items() if name not in SECRET_NAMES}
        values |= {name: value for name, value in kept.items() if name in SECRET_NAMES}
    return Settings.model_validate(values)
