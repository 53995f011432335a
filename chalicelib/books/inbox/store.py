"""Events as rows: by their own id, listed by status, waiting in the due index while pending."""

from __future__ import annotations

from chalicelib.books.inbox.model import FIRST_SWEEP_AFTER, Event, EventStatus
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Put, Update, absent, at_version

DUE = "inbox"
BODY_BYTES_MAX = 350 * 1024


class Received(Exception):
    """The event is stored already."""


class AnotherHandles(Exception):
    """Somebody else has changed the event since it was read."""


def event_key(event_id: str) -> Key:
    return Key(f"INBOX#{event_id}", "EVENT")


def status_ref(status: EventStatus) -> str:
    return f"INBOX#{status}"


def new(event: Event, body: str | None) -> Put:
    """Store a received event. Raises Received."""
    return Put(
        key=event_key(event.id), values=_values(event, 1, body), condition=absent, refused=lambda old: Received()
    )


def changed(event: Event, *, version: int) -> Update:
    """Keep what a try came to; the body stays as it was received. Raises AnotherHandles."""
    values = _values(event, version + 1, None)
    actions = [Path(name).set(value) for name, value in values.items()]
    if "due_at" not in values:
        actions += [Path("due_shard").remove(), Path("due_at").remove()]
    return Update(
        key=event_key(event.id),
        actions=tuple(actions),
        condition=at_version(version),
        refused=lambda old: AnotherHandles(),
    )


def _values(event: Event, version: int, body: str | None) -> dict[str, str | int]:
    values: dict[str, str | int] = {
        "doc": event.model_dump_json(),
        "version": version,
        "ref": status_ref(event.status),
        "ref_sk": f"{int(event.received_at.timestamp()):012d}#{event.id}",
    }
    if body is not None:
        values["body"] = body
    if event.status is EventStatus.PENDING:
        due = event.next_attempt_at or event.received_at + FIRST_SWEEP_AFTER
        values |= {"due_shard": keys.due_shard(DUE, event.id), "due_at": int(due.timestamp())}
    return values
