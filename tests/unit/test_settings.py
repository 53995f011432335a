"""Settings: what is missing or empty refuses to start."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from chalicelib.kernel.fields import UnreadableFields
from chalicelib.settings import SECRET_NAMES, Settings, from_environment

ENVIRONMENT = {
    "PURSER_TABLE": "purser",
    "PURSER_INBOX_QUEUE_URL": "http://127.0.0.1/inbox",
    "PURSER_OUTBOX_QUEUE_URL": "http://127.0.0.1/outbox",
    "PURSER_HOLDINGS_QUEUE_URL": "http://127.0.0.1/holdings",
    "PURSER_FILES_BUCKET": "files",
    "PURSER_MAIL_FROM": "billing@example.com",
    "PURSER_STRIPE_SECRET_KEY": "sk_test_0123456789",
    "PURSER_STRIPE_WEBHOOK_SECRETS": "whsec_0123456789",
    "PURSER_JWT_SECRET": "j" * 32,
    "PATH": "/bin",
}


def no_secrets(prefix: str, region: str) -> Mapping[str, str]:
    raise AssertionError("nobody asked for secrets of a stage")


def read(**changed: str | None) -> Settings:
    """Settings of the environment with these changes; None: without it."""
    environment = {name: value for name, value in (ENVIRONMENT | changed).items() if value is not None}
    return from_environment(no_secrets, environment)


class TestFromEnvironment:
    def test_reads_what_is_ours(self) -> None:
        found = read(PURSER_STAGE="production", PURSER_WEBHOOK_TOLERANCE_SECONDS="60")
        assert (found.table, found.stage, found.webhook_tolerance_seconds) == ("purser", "production", 60)

    @pytest.mark.parametrize("name", sorted(name for name in ENVIRONMENT if name.startswith("PURSER_")))
    @pytest.mark.parametrize("value", [None, ""])
    def test_refuses_to_start_without(self, name: str, value: str | None) -> None:
        with pytest.raises(UnreadableFields) as refused:
            read(**{name: value})
        assert [problem.field for problem in refused.value.problems] == [name.removeprefix("PURSER_").lower()]
        assert "0123456789" not in str(refused.value)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PURSER_STRIPE_SECRET_KEY", "sk_test"),
            ("PURSER_STRIPE_WEBHOOK_SECRETS", ","),
            ("PURSER_STRIPE_WEBHOOK_SECRETS", " , "),
            ("PURSER_STRIPE_WEBHOOK_SECRETS", "        "),
            ("PURSER_STRIPE_WEBHOOK_SECRETS", "whsec_0123456789,short"),
            ("PURSER_STRIPE_WEBHOOK_SECRETS", "whsec_000001,whsec_000002,whsec_000003"),
            ("PURSER_JWT_SECRET", "j" * 31),
            ("PURSER_WEBHOOK_TOLERANCE_SECONDS", "0"),
            ("PURSER_WEBHOOK_TOLERANCE_SECONDS", "3601"),
            ("PURSER_CARD_ATTEMPTS_PER_HOUR", "0"),
            ("PURSER_DECLINES_PER_HOUR", "many"),
            ("PURSER_NOBODY_KNOWS", "x"),
        ],
    )
    def test_refuses_to_start_with(self, name: str, value: str) -> None:
        with pytest.raises(UnreadableFields):
            read(**{name: value})

    def test_takes_two_webhook_secrets_while_one_is_rolled(self) -> None:
        found = read(PURSER_STRIPE_WEBHOOK_SECRETS="whsec_000001, whsec_000002,")
        assert [secret.get_secret_value() for secret in found.stripe_webhook_secrets] == [
            "whsec_000001",
            "whsec_000002",
        ]

    def test_takes_origins_by_commas(self) -> None:
        found = read(PURSER_ALLOWED_ORIGINS="https://a.example, https://b.example")
        assert found.allowed_origins == ("https://a.example", "https://b.example")

    def test_takes_the_secrets_of_its_stage_and_no_more_from_there(self) -> None:
        asked: list[tuple[str, str]] = []

        def secrets(prefix: str, region: str) -> Mapping[str, str]:
            asked.append((prefix, region))
            return {name: f"whsec_of_the_stage_of_{name}_0123456789" for name in (*SECRET_NAMES, "table", "other")}

        environment = ENVIRONMENT | {"PURSER_SECRETS_PREFIX": "/purser/dev", "AWS_REGION": "eu-west-1"}
        found = from_environment(secrets, environment)
        assert asked == [("/purser/dev", "eu-west-1")]
        assert found.stripe_secret_key.get_secret_value() == "whsec_of_the_stage_of_stripe_secret_key_0123456789"
        assert found.table == "purser"

    @pytest.mark.parametrize("lacking", SECRET_NAMES)
    def test_refuses_to_start_where_the_stage_lacks_a_secret_though_the_environment_has_it(self, lacking: str) -> None:
        kept = {name: f"whsec_of_the_stage_of_{name}_0123456789" for name in SECRET_NAMES if name != lacking}
        with pytest.raises(UnreadableFields, match=lacking):
            from_environment(lambda prefix, region: kept, ENVIRONMENT | {"PURSER_SECRETS_PREFIX": "/purser/dev"})

    @pytest.mark.parametrize(
        ("variables", "region"),
        [
            ({}, "us-east-1"),
            ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
            ({"AWS_REGION": "eu-west-1", "PURSER_REGION": "sa-east-1"}, "sa-east-1"),
        ],
    )
    def test_finds_its_region(self, variables: dict[str, str], region: str) -> None:
        assert read(**variables).region == region

    def test_finds_the_services_of_a_local_run(self) -> None:
        found = read(AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:1", AWS_ENDPOINT_URL_SQS="http://127.0.0.1:2")
        assert (found.dynamodb_url, found.sqs_url, found.ses_url) == ("http://127.0.0.1:1", "http://127.0.0.1:2", None)


class TestSecrets:
    def test_are_not_shown(self) -> None:
        shown = f"{read()!r} {read()}"
        with pytest.raises(TypeError, match="Secret"):
            msgspec.json.encode(read())
        for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "JWT_SECRET"):
            assert ENVIRONMENT[f"PURSER_{name}"] not in shown


class TestLiveMode:
    @pytest.mark.parametrize(
        ("key", "live"),
        [("sk_test_0123456789", False), ("rk_test_0123456789", False), ("sk_live_0123456789", True), ("?" * 8, True)],
    )
    def test_is_anything_but_a_test_key(self, key: str, live: bool) -> None:
        found = read(PURSER_STRIPE_SECRET_KEY=key)
        assert found.live_mode is live
        assert found.one_trial_per_card is live

    @pytest.mark.parametrize(("key", "said"), [("sk_test_0123456789", True), ("sk_live_0123456789", False)])
    def test_yields_to_what_is_said_of_trials(self, key: str, said: bool) -> None:
        found = read(PURSER_STRIPE_SECRET_KEY=key, PURSER_TRIAL_ONCE_PER_CARD=str(said))
        assert found.one_trial_per_card is said
