"""Mails by SES, version 2 of its API (SendEmail, Amazon SES API v2 reference)."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.books.outbox.port import Mail, MailRefused
from chalicelib.kernel.errors import TryLater
from chalicelib.settings import Settings

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 8
ATTEMPTS_MAX = 2
MESSAGE_HEADER = "X-Purser-Message"

PERMANENT_CODES = frozenset({"MessageRejected", "BadRequestException", "InvalidParameterValue", "ValidationError"})
"""About this mail. All others, such as a paused account, are cured outside and tried again."""

NOT_VERIFIED = "not verified"
"""In the text of a MessageRejected that is about our sender, or about an account that may not mail to the world yet."""

_log = logging.getLogger(__name__)


class SesMailer:
    """`outbox.port.Mailer` on SES. `settings.ses_url` is None for AWS itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, mail: Mail, *, message_id: str) -> None:
        try:
            self._client.send_email(
                FromEmailAddress=self._settings.mail_from,
                Destination={"ToAddresses": [mail.to]},
                Content={"Simple": _content(mail, message_id)},
            )
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            # The provider's text repeats the address, so its code alone is logged.
            _log.warning("mail not taken", extra={"fields": {"message_id": message_id, "cause": code}})
            if code in PERMANENT_CODES and NOT_VERIFIED not in str(error):
                raise MailRefused(code) from error
            raise TryLater from error
        except BotoCoreError as error:
            cause = type(error).__name__
            _log.warning("mail not taken", extra={"fields": {"message_id": message_id, "cause": cause}})
            raise TryLater from error

    @cached_property
    def _client(self) -> Any:
        import botocore.session
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
        )
        return botocore.session.get_session().create_client(
            "sesv2", region_name=self._settings.region, endpoint_url=self._settings.ses_url, config=config
        )


def _content(mail: Mail, message_id: str) -> dict[str, Any]:
    return {
        "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
        "Body": {
            "Text": {"Data": mail.text, "Charset": "UTF-8"},
            "Html": {"Data": mail.html, "Charset": "UTF-8"},
        },
        "Headers": [{"Name": MESSAGE_HEADER, "Value": message_id}],
    }
