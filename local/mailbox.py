"""The mails that were sent, as ministack's SES received them, after those of earlier runs."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

MESSAGES_PATH = "/_ministack/ses/messages"
TIMEOUT_SECONDS = 10

MailSeen = dict[str, str]


class Mailbox:
    """Nothing leaves this machine: SES is ministack's."""

    def __init__(self, url: str, earlier: list[MailSeen]) -> None:
        self._url = url + MESSAGES_PATH
        self._earlier = earlier

    def sent(self, to: str | None = None) -> list[MailSeen]:
        """`{to, subject, text, html}` of each mail, the oldest first; to one address, in any case, or to all."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(self._url, timeout=TIMEOUT_SECONDS) as answer:
            accounts: dict[str, list[dict[str, Any]]] = json.load(answer)["messages"]
        now = [_seen(message) for messages in accounts.values() for message in messages]
        wanted = None if to is None else to.strip().casefold()
        return [mail for mail in self._earlier + now if wanted is None or mail["to"].casefold() == wanted]


def _seen(message: dict[str, Any]) -> MailSeen:
    return {
        "to": ", ".join(message["To"]),
        "subject": message["Subject"],
        "text": message["BodyText"],
        "html": message["BodyHtml"] or "",
    }
