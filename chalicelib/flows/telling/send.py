"""Send one message of the outbox, and keep what came of it."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.outbox import queries as outbox_queries
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import ATTEMPTS_MAX, Message, MessageStatus, next_attempt
from chalicelib.books.outbox.port import Mail, Mailer, MailRefused
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import TryLater


def send(context: Context, mailer: Mailer, message_id: str) -> MessageStatus | None:
    """Send a pending message. A crash after sending sends it again: once too often is better than never."""
    found = outbox_queries.message(context.table, message_id)
    if found is None:
        return None
    message, version = found
    if message.status is not MessageStatus.PENDING:
        return message.status
    after, due_at = _attempt(context, mailer, message)
    try:
        commit(context.table, [outbox.changed(after, version=version, due_at=due_at, now=context.now)])
    except outbox.AnotherSends:
        return None
    return after.status


def _attempt(context: Context, mailer: Mailer, message: Message) -> tuple[Message, datetime | None]:
    attempts = message.attempts + 1
    mail = Mail(to=message.to, subject=message.subject, text=message.text, html=message.html)
    try:
        mailer.send(mail, message_id=message.id)
    except TryLater:
        given_up = attempts >= ATTEMPTS_MAX
        status = MessageStatus.FAILED if given_up else MessageStatus.PENDING
        changed = message.model_copy(update={"attempts": attempts, "status": status, "error": "unavailable"})
        return changed, None if given_up else next_attempt(attempts, context.now)
    except MailRefused as refusal:
        changed = message.model_copy(
            update={"attempts": attempts, "status": MessageStatus.FAILED, "error": type(refusal).__name__}
        )
        return changed, None
    return message.model_copy(update={"attempts": attempts, "status": MessageStatus.SENT, "error": None}), None
