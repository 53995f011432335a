"""Messages as rows, waiting in the due index until they are sent."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.outbox.model import FIRST_SWEEP_AFTER, Message, MessageStatus
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Put, absent, at_version, never

DUE = "outbox"
KEPT_SECONDS = 90 * 86_400


class AnotherSends(Exception):
    """Somebody else has changed the message since it was read."""


def message_key(message_id: str) -> Key:
    return Key(f"OUTBOX#{message_id}", "MESSAGE")


def new(message: Message) -> Put:
    due = int((message.created_at + FIRST_SWEEP_AFTER).timestamp())
    return Put(
        key=message_key(message.id),
        values={
            "doc": message.model_dump_json(),
            "version": 1,
            "due_shard": keys.due_shard(DUE, message.id),
            "due_at": due,
        },
        condition=absent,
        refused=never(f"the message {message.id} follows from its cause and was put before"),
    )


def changed(message: Message, *, version: int, due_at: datetime | None, now: datetime) -> Put:
    """Put the message as it is after an attempt; one that waits no more leaves the index and expires."""
    values: dict[str, str | int] = {"version": version + 1}
    if message.status is MessageStatus.PENDING and due_at is not None:
        values |= {"due_shard": keys.due_shard(DUE, message.id), "due_at": int(due_at.timestamp())}
        values["doc"] = message.model_dump_json()
    else:
        values |= {"doc": message.at_rest().model_dump_json(), "ttl": int(now.timestamp()) + KEPT_SECONDS}
    return Put(
        key=message_key(message.id),
        values=values,
        condition=at_version(version),
        refused=lambda old: AnotherSends(),
    )
