"""Which pools of teams a member may use, as rows of the member's own partition."""

from __future__ import annotations

from chalicelib.books.ledger.model import Holder
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Delete, Put, absent, anyway, never

POOL_PREFIX = "BAL_POOL#"


def pool_key(holder: Holder, team: Holder) -> Key:
    """The row in a member's partition that says which pool it may use."""
    return Key(holder.partition, f"{POOL_PREFIX}{team.id}")


def pool_write(holder: Holder, team: Holder) -> Put:
    """Let a member use a team's pool."""
    return Put(
        key=pool_key(holder, team),
        values={"team": team.id},
        condition=absent,
        refused=never("a pool is opened with its subscription, or with a seat that nobody had"),
    )


def pool_closed(holder: Holder, team: Holder) -> Delete:
    """From now on the member cannot use the team's pool."""
    return Delete(key=pool_key(holder, team), condition=anyway, refused=never("this write has no condition"))
