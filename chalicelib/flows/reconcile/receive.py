"""Receive: store an event under its own id by one conditional put, then nudge."""

from __future__ import annotations

from chalicelib.books.inbox import store as inbox
from chalicelib.books.inbox.model import Event
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context


def receive(context: Context, event: Event, body: str) -> bool:
    """Store the event; False where it was stored before. A body too large for a row is asked for when it is handled."""
    stored = len(body.encode()) <= inbox.BODY_BYTES_MAX
    kept = event.model_copy(update={"body_stored": stored})
    try:
        commit(context.table, [inbox.new(kept, body if stored else None)])
    except inbox.Received:
        return False
    context.queue.nudge_inbox(event.id)
    return True
