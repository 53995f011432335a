"""A stage's secrets, from SSM's parameter store (GetParametersByPath, Systems Manager API reference)."""

from __future__ import annotations

from typing import Any

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 5
ATTEMPTS_MAX = 3
PAGES_MAX = 10
PARAMETERS_PER_PAGE = 10


SECURE = "SecureString"


class SecretsUnreadable(RuntimeError):
    """There are more parameters than a stage has secrets: the path is a wrong one."""


class SecretNotEncrypted(RuntimeError):
    """A secret is kept as plain text, for whoever may list parameters to read."""


def read_secrets(prefix: str, region: str) -> dict[str, str]:
    """The values of the parameters below a path, decrypted, by the last part of their names.

    Raises botocore's errors where SSM refuses or does not answer, so that the process does not start,
    SecretNotEncrypted where one is no SecureString, and SecretsUnreadable after ten pages.
    """
    client = _client(region)
    found: dict[str, str] = {}
    token: dict[str, str] = {}
    for _ in range(PAGES_MAX):
        page = client.get_parameters_by_path(Path=prefix, WithDecryption=True, MaxResults=PARAMETERS_PER_PAGE, **token)
        for parameter in page["Parameters"]:
            if parameter["Type"] != SECURE:
                raise SecretNotEncrypted(f"{parameter['Name']} is a {parameter['Type']}; store it as a {SECURE}")
            found[parameter["Name"].rpartition("/")[2]] = parameter["Value"]
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}
    raise SecretsUnreadable(f"more than {PAGES_MAX * PARAMETERS_PER_PAGE} parameters")


def _client(region: str) -> Any:
    import botocore.session
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
    )
    return botocore.session.get_session().create_client("ssm", region_name=region, config=config)
