"""Activities as rows, sorted by time within a person."""

from __future__ import annotations

from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Put, anyway, never


def key_of(activity: Activity) -> Key:
    at = int(activity.at.timestamp() * 1000)
    return Key(keys.user(activity.user_id), f"ACT#{at:015d}#{activity.id}")


def new(activity: Activity) -> Put:
    """Put an activity. The same cause at the same time is the same row."""
    return Put(
        key=key_of(activity),
        values={"doc": activity.model_dump_json()},
        condition=anyway,
        refused=never("this write has no condition"),
    )
