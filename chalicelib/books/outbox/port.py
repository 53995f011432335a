"""What the outbox needs of whoever sends mails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail to one address; `text` and `html` say the same."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


class MailRefused(Exception):
    """This mail will never be taken as it is: its address or its form is refused. `reason` is the provider's word."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Mailer(Protocol):
    def send(self, mail: Mail, *, message_id: str) -> None:
        """Hand one mail over. `message_id` is the outbox message's id, by which a mail can be found again.

        A mail may arrive twice where an answer got lost. Raises TryLater where sending it again can help, MailRefused
        where it cannot.
        """
