"""Reads of the outbox."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.outbox import store
from chalicelib.books.outbox.model import Message
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table


def message(table: Table, message_id: str) -> tuple[Message, int] | None:
    """A message and its version."""
    row = table.get(store.message_key(message_id))
    return None if row is None else (load(Message, row), row.version)


def due(table: Table, now: datetime) -> list[str]:
    """Ids of messages that wait for a try at or before now, at most a hundred a shard."""
    return [due.key.pk.removeprefix("OUTBOX#") for due in table.due(store.DUE, now)]
